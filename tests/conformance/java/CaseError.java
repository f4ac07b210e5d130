/** The case is not one that the format describes: neither side may run it. */
final class CaseError extends RuntimeException {
    private static final long serialVersionUID = 1;

    CaseError(String message) {
        super(message);
    }
}
