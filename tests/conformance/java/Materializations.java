import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;
import org.apache.kafka.streams.state.KeyValueStore;

/** The {@code materialized} of nodes. */
final class Materializations {
    private Materializations() { }

    /** Null when the node says none. */
    static <V> Materialized<Object, V, KeyValueStore<Bytes, byte[]>> optional(
            Fields node, Serde<Object> key, Serde<V> value) {
        JsonNode field = node.optional("materialized");
        return field == null ? null : of(new Fields("materialized", field), key, value);
    }

    /** With the serdes alone when the node says none: where the form without it would ask the configuration. */
    static <V> Materialized<Object, V, KeyValueStore<Bytes, byte[]>> orSerdes(
            Fields node, Serde<Object> key, Serde<V> value) {
        Materialized<Object, V, KeyValueStore<Bytes, byte[]>> materialized = optional(node, key, value);
        return materialized == null ? Materialized.with(key, value) : materialized;
    }

    private static <V> Materialized<Object, V, KeyValueStore<Bytes, byte[]>> of(
            Fields fields, Serde<Object> key, Serde<V> value) {
        String name = fields.text("name", null);
        Materialized<Object, V, KeyValueStore<Bytes, byte[]>> materialized = name == null
            ? Materialized.with(key, value)
            : Materialized.<Object, V, KeyValueStore<Bytes, byte[]>>as(name).withKeySerde(key).withValueSerde(value);
        if (fields.flag("in_memory", false)) {
            materialized.withStoreType(BuiltInDslStoreSuppliers.IN_MEMORY);
        }
        Map<String, String> changelog = fields.textsByName("changelog_config");
        if (!fields.flag("logging", true)) {
            if (!changelog.isEmpty()) {
                throw new CaseError("changelog_config of a store without logging");
            }
            materialized.withLoggingDisabled();
        } else if (!changelog.isEmpty()) {
            materialized.withLoggingEnabled(changelog);
        }
        if (!fields.flag("caching", true)) {
            materialized.withCachingDisabled();
        }
        fields.end();
        return materialized;
    }
}
