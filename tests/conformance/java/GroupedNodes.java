import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KGroupedTable;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.state.KeyValueStore;

/** The nodes on grouped streams and grouped tables. */
final class GroupedNodes {
    private GroupedNodes() { }

    static Handle add(String op, Fields node, Handle.GroupedStream parent) {
        return switch (op) {
            case "count" -> count(node, parent);
            case "reduce" -> reduce(node, parent);
            case "aggregate" -> aggregate(node, parent);
            default -> throw new CaseError("a grouped stream has no " + op);
        };
    }

    static Handle add(String op, Fields node, Handle.GroupedTable parent) {
        return switch (op) {
            case "count" -> count(node, parent);
            case "reduce" -> reduce(node, parent);
            case "aggregate" -> aggregate(node, parent);
            default -> throw new CaseError("a grouped table has no " + op);
        };
    }

    private static Handle count(Fields node, Handle.GroupedStream parent) {
        Named named = StreamNodes.named(node);
        Materialized<Object, Long, KeyValueStore<Bytes, byte[]>> store =
            Materializations.optional(node, parent.key().serde(), Serdes.Long());
        KGroupedStream<Object, Object> dsl = parent.dsl();
        KTable<Object, Long> counts;
        if (store == null) {
            counts = named == null ? dsl.count() : dsl.count(named);
        } else {
            counts = named == null ? dsl.count(store) : dsl.count(named, store);
        }
        return counts(counts, parent.key());
    }

    private static Handle count(Fields node, Handle.GroupedTable parent) {
        Named named = StreamNodes.named(node);
        Materialized<Object, Long, KeyValueStore<Bytes, byte[]>> store =
            Materializations.optional(node, parent.key().serde(), Serdes.Long());
        KGroupedTable<Object, Object> dsl = parent.dsl();
        KTable<Object, Long> counts;
        if (store == null) {
            counts = named == null ? dsl.count() : dsl.count(named);
        } else {
            counts = named == null ? dsl.count(store) : dsl.count(named, store);
        }
        return counts(counts, parent.key());
    }

    /** Values of all types are objects here; nothing but numbers comes out of this table. */
    @SuppressWarnings("unchecked")
    private static Handle counts(KTable<?, ?> counts, Type key) {
        return new Handle.Table((KTable<Object, Object>) counts, key, Type.INT64);
    }

    private static Handle reduce(Fields node, Handle.GroupedStream parent) {
        Folds.Reduction reduction = Folds.reduction(node.text("reducer"));
        Named named = StreamNodes.named(node);
        Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store = store(node, parent.key(), parent.value());
        KTable<Object, Object> table = named == null
            ? parent.dsl().reduce(reduction.adder(), store)
            : parent.dsl().reduce(reduction.adder(), named, store);
        return new Handle.Table(table, parent.key(), parent.value());
    }

    private static Handle reduce(Fields node, Handle.GroupedTable parent) {
        Folds.Reduction reduction = Folds.reduction(node.text("reducer"));
        Named named = StreamNodes.named(node);
        Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store = store(node, parent.key(), parent.value());
        KTable<Object, Object> table = named == null
            ? parent.dsl().reduce(reduction.adder(), reduction.subtractor(), store)
            : parent.dsl().reduce(reduction.adder(), reduction.subtractor(), named, store);
        return new Handle.Table(table, parent.key(), parent.value());
    }

    private static Handle aggregate(Fields node, Handle.GroupedStream parent) {
        Folds.Aggregation fold = Folds.aggregation(node.text("aggregator"));
        Named named = StreamNodes.named(node);
        Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store = store(node, parent.key(), fold.type());
        KTable<Object, Object> table = named == null
            ? parent.dsl().aggregate(fold.initial(), fold.adder(), store)
            : parent.dsl().aggregate(fold.initial(), fold.adder(), named, store);
        return new Handle.Table(table, parent.key(), fold.type());
    }

    private static Handle aggregate(Fields node, Handle.GroupedTable parent) {
        Folds.Aggregation fold = Folds.aggregation(node.text("aggregator"));
        Named named = StreamNodes.named(node);
        Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store = store(node, parent.key(), fold.type());
        KTable<Object, Object> table = named == null
            ? parent.dsl().aggregate(fold.initial(), fold.adder(), fold.subtractor(), store)
            : parent.dsl().aggregate(fold.initial(), fold.adder(), fold.subtractor(), named, store);
        return new Handle.Table(table, parent.key(), fold.type());
    }

    private static Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store(Fields node, Type key, Type value) {
        return Materializations.orSerdes(node, key.serde(), value.serde());
    }
}
