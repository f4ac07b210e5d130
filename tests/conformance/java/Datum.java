import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Keys and values are a {@code String}, a {@code Long}, a {@link Row} or null; this is what is the same for all. */
final class Datum {
    private static final int LONGEST = 40;

    private Datum() { }

    /** The number of a value; null has none. */
    static Long number(Object datum) {
        if (datum == null) {
            return null;
        }
        if (datum instanceof Long number) {
            return number;
        }
        return datum instanceof Row row ? row.n() : (long) bytes(datum).length;
    }

    /** The number of a value, 0 for null. */
    static long numberOrZero(Object datum) {
        Long number = number(datum);
        return number == null ? 0 : number;
    }

    /** Whether the number of a value is even; null has none. */
    static boolean isEven(Object datum) {
        Long number = number(datum);
        return number != null && number % 2 == 0;
    }

    /** The whole text of a value. */
    static String text(Object datum) {
        return datum instanceof Row row ? row.n() + "/" + row.s() : String.valueOf(datum);
    }

    /** What a function may return of a text: its last bytes. */
    static String cut(String text) {
        return text.substring(Math.max(0, text.length() - LONGEST));
    }

    /** The bytes of a value in topics and stores. */
    static byte[] bytes(Object datum) {
        if (datum == null) {
            return null;
        }
        if (datum instanceof Long number) {
            return ByteBuffer.allocate(Long.BYTES).putLong(number).array();
        }
        if (datum instanceof Row row) {
            byte[] text = bytes(row.s());
            return ByteBuffer.allocate(Long.BYTES + text.length).putLong(row.n()).put(text).array();
        }
        return ((String) datum).getBytes(StandardCharsets.UTF_8);
    }
}
