import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiPredicate;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.BranchedKStream;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorSupplier;
import org.apache.kafka.streams.state.KeyValueStore;

/** The nodes on streams. */
final class StreamNodes {
    private final CaseTopology topology;

    StreamNodes(CaseTopology topology) {
        this.topology = topology;
    }

    /** Null when the node leaves nothing. */
    Handle add(String op, String id, Fields node, Handle.Stream parent) {
        return switch (op) {
            case "filter", "filter_not" -> filter(op, node, parent);
            case "map" -> map(node, parent);
            case "map_values" -> mapValues(node, parent);
            case "flat_map" -> flatMap(node, parent);
            case "flat_map_values" -> flatMapValues(node, parent);
            case "select_key" -> selectKey(node, parent);
            case "peek" -> peek(id, node, parent);
            case "foreach" -> foreach(id, node, parent);
            case "merge" -> merge(node, parent);
            case "split" -> split(node, parent);
            case "to" -> to(node, parent);
            case "repartition" -> repartition(node, parent);
            case "to_table" -> toTable(node, parent);
            case "group_by_key" -> new Handle.GroupedStream(
                parent.dsl().groupByKey(grouped(node, parent.key(), parent.value())), parent.key(), parent.value());
            case "group_by" -> groupBy(node, parent);
            case "process" -> process(node, parent);
            case "process_values" -> processValues(node, parent);
            case "join" -> join(node, parent, Folds.Join.INNER);
            case "left_join" -> join(node, parent, Folds.Join.LEFT);
            default -> throw new CaseError("a stream has no " + op);
        };
    }

    /** A node on a split. */
    static Handle branch(String op, Fields node, Handle.Split parent) {
        AtomicReference<KStream<Object, Object>> child = new AtomicReference<>();
        String name = node.text("named", null);
        Branched<Object, Object> branched = name == null
            ? Branched.withConsumer(child::set)
            : Branched.withConsumer(child::set, name);
        switch (op) {
            case "branch" -> {
                if (parent.ended().get()) {
                    throw new CaseError("a branch after the default branch");
                }
                parent.dsl().branch(Functions.predicate(node.text("predicate"))::test, branched);
            }
            case "default_branch" -> {
                if (parent.ended().getAndSet(true)) {
                    throw new CaseError("two default branches");
                }
                parent.dsl().defaultBranch(branched);
            }
            default -> throw new CaseError("a split has no " + op);
        }
        return new Handle.Stream(child.get(), parent.key(), parent.value());
    }

    /** The node's name, or null. */
    static Named named(Fields node) {
        String name = node.text("named", null);
        return name == null ? null : Named.as(name);
    }

    /** Serdes and name of a grouping. */
    static Grouped<Object, Object> grouped(Fields node, Type key, Type value) {
        String name = node.text("named", null);
        return name == null
            ? Grouped.with(key.serde(), value.serde())
            : Grouped.with(name, key.serde(), value.serde());
    }

    private static Handle filter(String op, Fields node, Handle.Stream parent) {
        BiPredicate<Object, Object> predicate = Functions.predicate(node.text("predicate"));
        Named named = named(node);
        KStream<Object, Object> dsl = parent.dsl();
        KStream<Object, Object> kept;
        if (op.equals("filter")) {
            kept = named == null ? dsl.filter(predicate::test) : dsl.filter(predicate::test, named);
        } else {
            kept = named == null ? dsl.filterNot(predicate::test) : dsl.filterNot(predicate::test, named);
        }
        return new Handle.Stream(kept, parent.key(), parent.value());
    }

    private static Handle map(Fields node, Handle.Stream parent) {
        Functions.Mapping key = Functions.selector(node.text("key"), parent.key());
        Functions.Mapping value = Functions.mapper(node.text("value"), parent.value(), true);
        Named named = named(node);
        KStream<Object, Object> mapped = named == null
            ? parent.dsl().map((k, v) -> KeyValue.pair(key.of(k, v), value.of(k, v)))
            : parent.dsl().map((k, v) -> KeyValue.pair(key.of(k, v), value.of(k, v)), named);
        return new Handle.Stream(mapped, key.type(), value.type());
    }

    private static Handle mapValues(Fields node, Handle.Stream parent) {
        Functions.Mapping mapper = Functions.mapper(node.text("mapper"), parent.value(), true);
        Named named = named(node);
        KStream<Object, Object> mapped = named == null
            ? parent.dsl().mapValues(mapper::of)
            : parent.dsl().mapValues(mapper::of, named);
        return new Handle.Stream(mapped, parent.key(), mapper.type());
    }

    private static Handle flatMap(Fields node, Handle.Stream parent) {
        Functions.Mapping key = Functions.selector(node.text("key"), parent.key());
        Functions.Expansion expansion = Functions.expansion(node.text("expand"), parent.value());
        Named named = named(node);
        KStream<Object, Object> mapped = named == null
            ? parent.dsl().flatMap((k, v) -> pairs(key.of(k, v), expansion.of(v)))
            : parent.dsl().flatMap((k, v) -> pairs(key.of(k, v), expansion.of(v)), named);
        return new Handle.Stream(mapped, key.type(), expansion.type());
    }

    private static List<KeyValue<Object, Object>> pairs(Object key, List<Object> values) {
        return values.stream().map(value -> KeyValue.pair(key, value)).toList();
    }

    private static Handle flatMapValues(Fields node, Handle.Stream parent) {
        Functions.Expansion expansion = Functions.expansion(node.text("expand"), parent.value());
        Named named = named(node);
        KStream<Object, Object> mapped = named == null
            ? parent.dsl().flatMapValues(value -> expansion.of(value))
            : parent.dsl().flatMapValues(value -> expansion.of(value), named);
        return new Handle.Stream(mapped, parent.key(), expansion.type());
    }

    private static Handle selectKey(Fields node, Handle.Stream parent) {
        Functions.Mapping selector = Functions.selector(node.text("selector"), parent.key());
        Named named = named(node);
        KStream<Object, Object> selected = named == null
            ? parent.dsl().selectKey(selector::of)
            : parent.dsl().selectKey(selector::of, named);
        return new Handle.Stream(selected, selector.type(), parent.value());
    }

    private Handle peek(String id, Fields node, Handle.Stream parent) {
        AtomicLong seen = topology.counter(id);
        Named named = named(node);
        KStream<Object, Object> same = named == null
            ? parent.dsl().peek((key, value) -> seen.incrementAndGet())
            : parent.dsl().peek((key, value) -> seen.incrementAndGet(), named);
        return new Handle.Stream(same, parent.key(), parent.value());
    }

    private Handle foreach(String id, Fields node, Handle.Stream parent) {
        AtomicLong seen = topology.counter(id);
        Named named = named(node);
        if (named == null) {
            parent.dsl().foreach((key, value) -> seen.incrementAndGet());
        } else {
            parent.dsl().foreach((key, value) -> seen.incrementAndGet(), named);
        }
        return null;
    }

    private Handle merge(Fields node, Handle.Stream parent) {
        if (!(topology.parent(node, "with") instanceof Handle.Stream other)) {
            throw new CaseError("a stream merges with a stream");
        }
        if (other.key() != parent.key() || other.value() != parent.value()) {
            throw new CaseError("streams of different types cannot be merged");
        }
        Named named = named(node);
        KStream<Object, Object> both =
            named == null ? parent.dsl().merge(other.dsl()) : parent.dsl().merge(other.dsl(), named);
        return new Handle.Stream(both, parent.key(), parent.value());
    }

    private static Handle split(Fields node, Handle.Stream parent) {
        Named named = named(node);
        BranchedKStream<Object, Object> split = named == null ? parent.dsl().split() : parent.dsl().split(named);
        return new Handle.Split(split, parent.key(), parent.value(), new AtomicBoolean());
    }

    private Handle to(Fields node, Handle.Stream parent) {
        String name = node.text("topic");
        if (!topology.topic(name).equals(new Case.Topic(parent.key(), parent.value()))) {
            throw new CaseError("the topic " + name + " has other types than the stream");
        }
        Produced<Object, Object> produced = Produced.with(parent.key().serde(), parent.value().serde());
        String named = node.text("named", null);
        parent.dsl().to(name, named == null ? produced : produced.withName(named));
        return null;
    }

    private static Handle repartition(Fields node, Handle.Stream parent) {
        Repartitioned<Object, Object> repartitioned =
            Repartitioned.with(parent.key().serde(), parent.value().serde());
        String name = node.text("named", null);
        if (name != null) {
            repartitioned = repartitioned.withName(name);
        }
        if (node.has("partitions")) {
            repartitioned = repartitioned.withNumberOfPartitions((int) node.integer("partitions"));
        }
        return new Handle.Stream(parent.dsl().repartition(repartitioned), parent.key(), parent.value());
    }

    private static Handle toTable(Fields node, Handle.Stream parent) {
        Named named = named(node);
        // The form without it asks the configuration for serdes that the stream does not know.
        Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> materialized =
            Materializations.orSerdes(node, parent.key().serde(), parent.value().serde());
        KTable<Object, Object> table = named == null
            ? parent.dsl().toTable(materialized)
            : parent.dsl().toTable(named, materialized);
        return new Handle.Table(table, parent.key(), parent.value());
    }

    private static Handle groupBy(Fields node, Handle.Stream parent) {
        Functions.Mapping key = Functions.selector(node.text("key"), parent.key());
        return new Handle.GroupedStream(
            parent.dsl().groupBy(key::of, grouped(node, key.type(), parent.value())), key.type(), parent.value());
    }

    private Handle process(Fields node, Handle.Stream parent) {
        List<Handle.Store> stores = topology.stores(node);
        Processors.Supplied supplied =
            Processors.of(node.text("processor"), parent.key(), parent.value(), stores);
        String[] names = stores.stream().map(Handle.Store::name).toArray(String[]::new);
        Named named = named(node);
        KStream<Object, Object> processed = named == null
            ? parent.dsl().process(supplied.supplier(), names)
            : parent.dsl().process(supplied.supplier(), named, names);
        return new Handle.Stream(processed, supplied.key(), supplied.value());
    }

    private Handle processValues(Fields node, Handle.Stream parent) {
        List<Handle.Store> stores = topology.stores(node);
        ValueProcessors.Supplied supplied =
            ValueProcessors.of(node.text("processor"), parent.key(), parent.value(), stores);
        FixedKeyProcessorSupplier<Object, Object, Object> supplier = supplied::fixedKeyProcessor;
        String[] names = stores.stream().map(Handle.Store::name).toArray(String[]::new);
        Named named = named(node);
        KStream<Object, Object> processed = named == null
            ? parent.dsl().processValues(supplier, names)
            : parent.dsl().processValues(supplier, named, names);
        return new Handle.Stream(processed, parent.key(), supplied.type());
    }

    private Handle join(Fields node, Handle.Stream parent, Folds.Join join) {
        if (!(topology.parent(node, "with") instanceof Handle.Table table) || table.key() != parent.key()) {
            throw new CaseError("a stream joins a table of its keys");
        }
        Folds.Joining joining = Folds.joining(node.text("joiner"), parent.value(), table.value(), join);
        String name = node.text("named", null);
        Joined<Object, Object, Object> joined =
            Joined.with(parent.key().serde(), parent.value().serde(), table.value().serde(), name);
        KStream<Object, Object> result = join == Folds.Join.INNER
            ? parent.dsl().join(table.dsl(), joining.apply(), joined)
            : parent.dsl().leftJoin(table.dsl(), joining.apply(), joined);
        return new Handle.Stream(result, parent.key(), joining.type());
    }
}
