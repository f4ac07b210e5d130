import java.util.List;
import java.util.Map;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** The topologies of the benchmark; {@code benches/src/describe.rs} has the same ones. */
final class Topologies {
    private static final Serde<byte[]> BYTES = Serdes.ByteArray();

    private final StreamsBuilder builder = new StreamsBuilder();
    private final String input;
    private final String table;
    private final String output;

    private Topologies(Map<String, String> options) {
        input = options.get("input");
        table = options.get("table");
        output = options.get("output");
    }

    /** The topology that the options name. */
    static Topology build(Map<String, String> options) {
        Topologies topologies = new Topologies(options);
        topologies.describe(options.get("topology"));
        return topologies.builder.build();
    }

    /** The stores of a topology. */
    static List<String> stores(String topology) {
        return switch (topology) {
            case "passthrough" -> List.of();
            case "join" -> List.of("table");
            case "table-join" -> List.of("left", "right");
            default -> List.of("store");
        };
    }

    private void describe(String topology) {
        switch (topology) {
            case "passthrough" -> passthrough();
            case "count" -> counts(input().groupByKey(Grouped.with(BYTES, BYTES)).count(counted()));
            case "aggregate" -> latest(Materialized.<byte[], byte[], KeyValueStore<Bytes, byte[]>>as("store"));
            case "aggregate-memory" -> latest(Materialized.as(Stores.inMemoryKeyValueStore("store")));
            case "join" -> join();
            case "table-join" -> tableJoin();
            case "repartition" -> counts(input()
                .selectKey((key, value) -> reversed(key))
                .groupByKey(Grouped.with("by-reversed", BYTES, BYTES))
                .count(counted()));
            default -> throw new IllegalArgumentException("no topology " + topology);
        }
    }

    private KStream<byte[], byte[]> input() {
        return builder.stream(input, Consumed.with(BYTES, BYTES));
    }

    private void passthrough() {
        input().filter((key, value) -> value.length > 0)
            .mapValues(Topologies::mapped)
            .to(output, Produced.with(BYTES, BYTES));
    }

    private static Materialized<byte[], Long, KeyValueStore<Bytes, byte[]>> counted() {
        return Materialized.<byte[], Long, KeyValueStore<Bytes, byte[]>>as("store")
            .withKeySerde(BYTES)
            .withValueSerde(Serdes.Long());
    }

    private void counts(KTable<byte[], Long> counts) {
        counts.toStream().to(output, Produced.with(BYTES, Serdes.Long()));
    }

    private void latest(Materialized<byte[], byte[], KeyValueStore<Bytes, byte[]>> materialized) {
        input().groupByKey(Grouped.with(BYTES, BYTES))
            .aggregate(
                () -> new byte[0],
                (key, value, before) -> value,
                materialized.withKeySerde(BYTES).withValueSerde(BYTES))
            .toStream()
            .to(output, Produced.with(BYTES, BYTES));
    }

    private void join() {
        KTable<byte[], byte[]> rows = table(table, "table");
        input().join(rows, Topologies::joined, Joined.with(BYTES, BYTES, BYTES)).to(output, Produced.with(BYTES, BYTES));
    }

    private void tableJoin() {
        KTable<byte[], byte[]> left = table(input, "left");
        KTable<byte[], byte[]> right = table(table, "right");
        left.join(right, Topologies::joined).toStream().to(output, Produced.with(BYTES, BYTES));
    }

    private KTable<byte[], byte[]> table(String topic, String store) {
        return builder.table(
            topic,
            Consumed.with(BYTES, BYTES),
            Materialized.<byte[], byte[], KeyValueStore<Bytes, byte[]>>as(store).withKeySerde(BYTES).withValueSerde(BYTES));
    }

    private static byte[] mapped(byte[] value) {
        value[0] ^= 0x20;
        return value;
    }

    private static byte[] reversed(byte[] key) {
        byte[] reversed = new byte[key.length];
        for (int at = 0; at < key.length; at++) {
            reversed[at] = key[key.length - 1 - at];
        }
        return reversed;
    }

    private static byte[] joined(byte[] value, byte[] row) {
        byte[] joined = new byte[value.length / 2 + row.length / 2];
        System.arraycopy(value, 0, joined, 0, value.length / 2);
        System.arraycopy(row, 0, joined, value.length / 2, row.length / 2);
        return joined;
    }
}
