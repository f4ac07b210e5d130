import java.util.regex.Pattern;

/** A function as a case names it: {@code name} or {@code name:argument}. */
record Call(String name, String argument) {
    private static final Pattern WORD = Pattern.compile("[A-Za-z0-9-]+");

    static Call of(String text) {
        int colon = text.indexOf(':');
        return colon < 0 ? new Call(text, null) : new Call(text.substring(0, colon), text.substring(colon + 1));
    }

    /** Its name and a colon, when it has an argument; else its name. */
    String form() {
        return argument == null ? name : name + ":";
    }

    long integer() {
        try {
            return Long.parseLong(argument);
        } catch (NumberFormatException broken) {
            throw unknown("integer argument");
        }
    }

    /** An integer argument from {@code least} to {@code most}. */
    long integer(long least, long most) {
        long number = integer();
        if (number < least || number > most) {
            throw unknown("argument of this size");
        }
        return number;
    }

    String word() {
        if (!WORD.matcher(argument).matches()) {
            throw unknown("argument of letters and digits");
        }
        return argument;
    }

    CaseError unknown(String what) {
        return new CaseError("no " + what + " " + this);
    }

    @Override
    public String toString() {
        return argument == null ? name : name + ":" + argument;
    }
}
