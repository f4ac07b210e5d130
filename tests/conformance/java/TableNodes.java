import java.util.function.BiPredicate;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Predicate;
import org.apache.kafka.streams.kstream.ValueJoiner;
import org.apache.kafka.streams.state.KeyValueStore;

/** The nodes on tables. */
final class TableNodes {
    private final CaseTopology topology;

    TableNodes(CaseTopology topology) {
        this.topology = topology;
    }

    Handle add(String op, Fields node, Handle.Table parent) {
        return switch (op) {
            case "filter" -> filter(node, parent);
            case "filter_not" -> filterNot(node, parent);
            case "map_values" -> mapValues(node, parent);
            case "to_stream" -> toStream(node, parent);
            case "group_by" -> groupBy(node, parent);
            case "join" -> join(node, parent, Folds.Join.INNER);
            case "left_join" -> join(node, parent, Folds.Join.LEFT);
            case "outer_join" -> join(node, parent, Folds.Join.OUTER);
            default -> throw new CaseError("a table has no " + op);
        };
    }

    private static Handle filter(Fields node, Handle.Table parent) {
        Predicate<Object, Object> predicate = predicate(node);
        Named named = StreamNodes.named(node);
        Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store = store(node, parent.key(), parent.value());
        KTable<Object, Object> dsl = parent.dsl();
        KTable<Object, Object> kept;
        if (store == null) {
            kept = named == null ? dsl.filter(predicate) : dsl.filter(predicate, named);
        } else {
            kept = named == null ? dsl.filter(predicate, store) : dsl.filter(predicate, named, store);
        }
        return new Handle.Table(kept, parent.key(), parent.value());
    }

    private static Handle filterNot(Fields node, Handle.Table parent) {
        Predicate<Object, Object> predicate = predicate(node);
        Named named = StreamNodes.named(node);
        Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store = store(node, parent.key(), parent.value());
        KTable<Object, Object> dsl = parent.dsl();
        KTable<Object, Object> kept;
        if (store == null) {
            kept = named == null ? dsl.filterNot(predicate) : dsl.filterNot(predicate, named);
        } else {
            kept = named == null ? dsl.filterNot(predicate, store) : dsl.filterNot(predicate, named, store);
        }
        return new Handle.Table(kept, parent.key(), parent.value());
    }

    private static Predicate<Object, Object> predicate(Fields node) {
        BiPredicate<Object, Object> predicate = Functions.predicate(node.text("predicate"));
        return predicate::test;
    }

    private static Handle mapValues(Fields node, Handle.Table parent) {
        Functions.Mapping mapper = Functions.mapper(node.text("mapper"), parent.value(), false);
        Named named = StreamNodes.named(node);
        Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store = store(node, parent.key(), mapper.type());
        KTable<Object, Object> dsl = parent.dsl();
        KTable<Object, Object> mapped;
        if (store == null) {
            mapped = named == null ? dsl.mapValues(mapper::of) : dsl.mapValues(mapper::of, named);
        } else {
            mapped = named == null ? dsl.mapValues(mapper::of, store) : dsl.mapValues(mapper::of, named, store);
        }
        return new Handle.Table(mapped, parent.key(), mapper.type());
    }

    private static Handle toStream(Fields node, Handle.Table parent) {
        Named named = StreamNodes.named(node);
        KStream<Object, Object> changes = named == null ? parent.dsl().toStream() : parent.dsl().toStream(named);
        return new Handle.Stream(changes, parent.key(), parent.value());
    }

    private static Handle groupBy(Fields node, Handle.Table parent) {
        Functions.Mapping key = Functions.selector(node.text("key"), parent.key());
        Functions.Mapping value = Functions.mapper(node.text("value"), parent.value(), true);
        return new Handle.GroupedTable(
            parent.dsl().groupBy(
                (k, v) -> KeyValue.pair(key.of(k, v), value.of(k, v)),
                StreamNodes.grouped(node, key.type(), value.type())),
            key.type(),
            value.type());
    }

    private Handle join(Fields node, Handle.Table left, Folds.Join join) {
        if (!(topology.parent(node, "with") instanceof Handle.Table right) || right.key() != left.key()) {
            throw new CaseError("a table joins a table of its keys");
        }
        Folds.Joining joining = Folds.joining(node.text("joiner"), left.value(), right.value(), join);
        Named named = StreamNodes.named(node);
        Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store = store(node, left.key(), joining.type());
        KTable<Object, Object> result = switch (join) {
            case INNER -> inner(left.dsl(), right.dsl(), joining.apply(), named, store);
            case LEFT -> left(left.dsl(), right.dsl(), joining.apply(), named, store);
            case OUTER -> outer(left.dsl(), right.dsl(), joining.apply(), named, store);
        };
        return new Handle.Table(result, left.key(), joining.type());
    }

    private static KTable<Object, Object> inner(
            KTable<Object, Object> left,
            KTable<Object, Object> right,
            ValueJoiner<Object, Object, Object> joiner,
            Named named,
            Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store) {
        if (store == null) {
            return named == null ? left.join(right, joiner) : left.join(right, joiner, named);
        }
        return named == null ? left.join(right, joiner, store) : left.join(right, joiner, named, store);
    }

    private static KTable<Object, Object> left(
            KTable<Object, Object> left,
            KTable<Object, Object> right,
            ValueJoiner<Object, Object, Object> joiner,
            Named named,
            Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store) {
        if (store == null) {
            return named == null ? left.leftJoin(right, joiner) : left.leftJoin(right, joiner, named);
        }
        return named == null ? left.leftJoin(right, joiner, store) : left.leftJoin(right, joiner, named, store);
    }

    private static KTable<Object, Object> outer(
            KTable<Object, Object> left,
            KTable<Object, Object> right,
            ValueJoiner<Object, Object, Object> joiner,
            Named named,
            Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store) {
        if (store == null) {
            return named == null ? left.outerJoin(right, joiner) : left.outerJoin(right, joiner, named);
        }
        return named == null ? left.outerJoin(right, joiner, store) : left.outerJoin(right, joiner, named, store);
    }

    private static Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> store(Fields node, Type key, Type value) {
        return Materializations.optional(node, key.serde(), value.serde());
    }
}
