import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.streams.test.TestRecord;

/** What came out of a case, as one line of JSON. */
final class Outcome {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final ObjectNode root = JSON.createObjectNode();
    private final ObjectNode topics = JSON.createObjectNode();
    private final ObjectNode stores = JSON.createObjectNode();

    static String error(String text) {
        return JSON.createObjectNode().put("error", text).toString();
    }

    static String refusedTopology() {
        return JSON.createObjectNode().put("refused", "topology").toString();
    }

    static String refusedInput(int at) {
        return JSON.createObjectNode().put("refused", "input").put("at", at).toString();
    }

    void describe(String text) {
        root.put("describe", text);
    }

    void topic(String name, List<TestRecord<byte[], byte[]>> records) {
        ArrayNode list = topics.putArray(name);
        for (TestRecord<byte[], byte[]> record : records) {
            ObjectNode node = list.addObject()
                .put("key", hex(record.key()))
                .put("value", hex(record.value()))
                .put("timestamp", record.timestamp());
            ArrayNode headers = node.putArray("headers");
            for (Header header : record.headers()) {
                headers.addArray().add(header.key()).add(hex(header.value()));
            }
        }
    }

    void store(String name, StoreRows rows) {
        rows.write(stores.putArray(name));
    }

    void seen(Map<String, AtomicLong> counters) {
        ObjectNode seen = root.putObject("seen");
        counters.forEach((id, counter) -> seen.put(id, counter.get()));
    }

    void dropped(long records) {
        root.put("dropped", records);
    }

    @Override
    public String toString() {
        root.set("topics", topics);
        root.set("stores", stores);
        return root.toString();
    }

    private static String hex(byte[] bytes) {
        return bytes == null ? null : HexFormat.of().formatHex(bytes);
    }
}
