import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyDescription;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Calls the DSL as the nodes of a case say; what nodes leave is kept by their ids. */
final class CaseTopology {
    private final StreamsBuilder builder = new StreamsBuilder();
    private final Case described;
    private final Map<String, Handle> handles = new HashMap<>();
    private final Set<String> ids = new HashSet<>();
    private final Map<String, AtomicLong> seen = new TreeMap<>();

    private CaseTopology(Case described) {
        this.described = described;
    }

    /** What the DSL was told, and the counters of {@code peek} and {@code foreach} by id. */
    record Built(StreamsBuilder builder, Map<String, AtomicLong> seen) { }

    /** The topics that a topology reads, as its description names them: internal ones without the application id. */
    static Set<String> sources(Topology topology) {
        Set<String> sources = new HashSet<>();
        for (TopologyDescription.Subtopology part : topology.describe().subtopologies()) {
            for (TopologyDescription.Node node : part.nodes()) {
                if (node instanceof TopologyDescription.Source source) {
                    sources.addAll(source.topicSet());
                }
            }
        }
        return sources;
    }

    /** Fails with what the DSL throws when it refuses the topology. */
    static Built build(Case described) {
        CaseTopology topology = new CaseTopology(described);
        described.nodes().forEach(topology::add);
        return new Built(topology.builder, topology.seen);
    }

    private void add(JsonNode json) {
        Fields node = new Fields("node " + json.path("id").asText(json.path("op").asText()), json);
        String op = node.text("op");
        String id = op.equals("to") ? null : node.text("id");
        if (id != null && !ids.add(id)) {
            throw new CaseError("two nodes have the id " + id);
        }
        Handle handle = handle(op, id, node);
        node.end();
        if (handle != null) {
            handles.put(id, handle);
        }
    }

    private Handle handle(String op, String id, Fields node) {
        switch (op) {
            case "stream":
                return stream(node);
            case "table":
                return table(node);
            case "store":
                return store(node);
            default:
        }
        Handle parent = parent(node, "of");
        if (parent instanceof Handle.Stream stream) {
            return new StreamNodes(this).add(op, id, node, stream);
        }
        if (parent instanceof Handle.Split split) {
            return StreamNodes.branch(op, node, split);
        }
        if (parent instanceof Handle.Table table) {
            return new TableNodes(this).add(op, node, table);
        }
        if (parent instanceof Handle.GroupedStream grouped) {
            return GroupedNodes.add(op, node, grouped);
        }
        if (parent instanceof Handle.GroupedTable grouped) {
            return GroupedNodes.add(op, node, grouped);
        }
        throw new CaseError("a store is nobody's parent");
    }

    /** The node that the field names. */
    Handle parent(Fields node, String field) {
        return byId(node.text(field));
    }

    /** The user topic of that name. */
    Case.Topic topic(String name) {
        return described.topic(name);
    }

    /** The stores that a processor's node names. */
    List<Handle.Store> stores(Fields node) {
        List<Handle.Store> stores = new ArrayList<>();
        for (String id : node.texts("stores")) {
            if (!(byId(id) instanceof Handle.Store store)) {
                throw new CaseError("the node " + id + " is not a store");
            }
            stores.add(store);
        }
        return stores;
    }

    /** A new counter of records, under that id. */
    AtomicLong counter(String id) {
        AtomicLong counter = new AtomicLong();
        seen.put(id, counter);
        return counter;
    }

    private Handle byId(String id) {
        Handle handle = handles.get(id);
        if (handle == null) {
            throw new CaseError("no earlier node " + id + " leaves anything");
        }
        return handle;
    }

    private Handle stream(Fields node) {
        List<String> names = node.texts("topics");
        if (names.isEmpty()) {
            throw new CaseError("a stream needs topics");
        }
        Case.Topic topic = topic(names.get(0));
        if (!names.stream().allMatch(each -> topic(each).equals(topic))) {
            throw new CaseError("the topics of a stream have different types");
        }
        return new Handle.Stream(builder.stream(names, consumed(node, topic)), topic.key(), topic.value());
    }

    private Handle table(Fields node) {
        String name = node.text("topic");
        Case.Topic topic = topic(name);
        Consumed<Object, Object> consumed = consumed(node, topic);
        var materialized = Materializations.optional(node, topic.key().serde(), topic.value().serde());
        var table = materialized == null
            ? builder.table(name, consumed)
            : builder.table(name, consumed, materialized);
        return new Handle.Table(table, topic.key(), topic.value());
    }

    private static Consumed<Object, Object> consumed(Fields node, Case.Topic topic) {
        Consumed<Object, Object> consumed = Consumed.with(topic.key().serde(), topic.value().serde());
        String name = node.text("named", null);
        return name == null ? consumed : consumed.withName(name);
    }

    private Handle store(Fields node) {
        String name = node.text("name");
        Type key = Type.ofKey(node.text("key"));
        Type value = Type.of(node.text("value"));
        KeyValueBytesStoreSupplier supplier = node.flag("in_memory", false)
            ? Stores.inMemoryKeyValueStore(name)
            : Stores.persistentTimestampedKeyValueStore(name);
        StoreBuilder<?> store = Stores.timestampedKeyValueStoreBuilder(supplier, key.serde(), value.serde());
        builder.addStateStore(node.flag("logging", true) ? store : store.withLoggingDisabled());
        return new Handle.Store(name, key, value);
    }
}
