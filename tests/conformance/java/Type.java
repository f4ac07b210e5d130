import com.fasterxml.jackson.databind.JsonNode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** Types of keys and values. */
enum Type {
    STRING,
    INT64,
    RECORD;

    private final Serde<Object> serde =
        Serdes.serdeFrom((topic, datum) -> Datum.bytes(datum), (topic, bytes) -> bytes == null ? null : decode(bytes));

    Serde<Object> serde() {
        return serde;
    }

    static Type of(String name) {
        return switch (name) {
            case "string" -> STRING;
            case "int64" -> INT64;
            case "record" -> RECORD;
            default -> throw new CaseError("no type " + name);
        };
    }

    static Type ofKey(String name) {
        Type type = of(name);
        if (type == RECORD) {
            throw new CaseError("a key cannot be a record");
        }
        return type;
    }

    /** A key or value of this type, as a case says it. */
    Object read(JsonNode node) {
        if (node.isNull()) {
            return null;
        }
        return switch (this) {
            case STRING -> ascii(node);
            case INT64 -> integer(node);
            case RECORD -> {
                Fields fields = new Fields("a record", node);
                Row row = new Row(integer(fields.take("n")), ascii(fields.take("s")));
                fields.end();
                yield row;
            }
        };
    }

    private Object decode(byte[] bytes) {
        return switch (this) {
            case STRING -> new String(bytes, StandardCharsets.UTF_8);
            case INT64 -> ByteBuffer.wrap(bytes).getLong();
            case RECORD -> new Row(
                ByteBuffer.wrap(bytes).getLong(),
                new String(bytes, Long.BYTES, bytes.length - Long.BYTES, StandardCharsets.UTF_8));
        };
    }

    private static String ascii(JsonNode node) {
        if (!node.isTextual() || !node.textValue().chars().allMatch(each -> each < 0x80)) {
            throw new CaseError(node + " is not a string of ASCII");
        }
        return node.textValue();
    }

    private static long integer(JsonNode node) {
        if (!node.isIntegralNumber() || !node.canConvertToLong()) {
            throw new CaseError(node + " is not an int64");
        }
        return node.longValue();
    }
}
