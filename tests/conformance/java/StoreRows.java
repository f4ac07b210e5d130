import com.fasterxml.jackson.databind.node.ArrayNode;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;

/** The rows of a store, in order of their key bytes; of several partitions when it is read in parts. */
final class StoreRows {
    private final Map<byte[], ValueAndTimestamp<Object>> rows = new TreeMap<>(Arrays::compareUnsigned);

    void read(ReadOnlyKeyValueStore<Object, ValueAndTimestamp<Object>> store) {
        try (KeyValueIterator<Object, ValueAndTimestamp<Object>> all = store.all()) {
            while (all.hasNext()) {
                KeyValue<Object, ValueAndTimestamp<Object>> row = all.next();
                if (rows.put(Datum.bytes(row.key), row.value) != null) {
                    throw new IllegalStateException("a store has two rows of " + row.key);
                }
            }
        }
    }

    void write(ArrayNode list) {
        rows.forEach((key, row) -> list.addObject()
            .put("key", HexFormat.of().formatHex(key))
            .put("value", HexFormat.of().formatHex(Datum.bytes(row.value())))
            .put("timestamp", row.timestamp()));
    }
}
