import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** A case as its JSON says it. */
record Case(Config config, Map<String, Topic> topics, List<JsonNode> nodes, List<Input> inputs, List<String> dump) {
    private static final JsonMapper JSON = JsonMapper.builder()
        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
        .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
        .build();

    /** Configuration that both sides run with. */
    record Config(String optimization, String guarantee, long cacheMaxBytes) { }

    /** A user topic. */
    record Topic(Type key, Type value) { }

    /** A step of the input. */
    sealed interface Input permits Advance, Piped { }

    /** Moves the wall clock by so many ms. */
    record Advance(long ms) implements Input { }

    /** A record of a topic. */
    record Piped(String topic, Object key, Object value, long timestamp, List<Header> headers) implements Input { }

    static Case read(String json) {
        JsonNode root;
        try {
            root = JSON.readTree(json);
        } catch (JsonProcessingException broken) {
            throw new CaseError("not JSON: " + broken.getOriginalMessage());
        }
        Fields fields = new Fields("the case", root);
        fields.text("name");
        fields.text("about", "");
        JsonNode config = fields.optional("config");
        Map<String, Topic> topics = topics(fields.take("topics"));
        List<JsonNode> nodes = fields.list("nodes");
        List<Input> inputs = fields.list("inputs").stream().map(each -> input(each, topics)).toList();
        List<String> dump = fields.texts("dump");
        fields.end();
        return new Case(config(config == null ? JSON.createObjectNode() : config), topics, nodes, inputs, dump);
    }

    /** The user topic of that name. */
    Topic topic(String name) {
        return topic(topics, name);
    }

    private static Topic topic(Map<String, Topic> topics, String name) {
        Topic topic = topics.get(name);
        if (topic == null) {
            throw new CaseError("no topic " + name);
        }
        return topic;
    }

    private static Config config(JsonNode node) {
        Fields fields = new Fields("config", node);
        Config config = new Config(
            oneOf(fields.text("optimization", "none"), "none", "all"),
            oneOf(fields.text("guarantee", "at_least_once"), "at_least_once", "exactly_once_v2"),
            atLeast(0, "cache_max_bytes", fields.integer("cache_max_bytes", 10 << 20)));
        fields.end();
        return config;
    }

    private static Map<String, Topic> topics(JsonNode node) {
        if (!node.isObject()) {
            throw new CaseError("topics is not an object");
        }
        Map<String, Topic> topics = new TreeMap<>();
        node.properties().forEach(each -> {
            Fields fields = new Fields("topic " + each.getKey(), each.getValue());
            topics.put(each.getKey(), new Topic(Type.ofKey(fields.text("key")), Type.of(fields.text("value"))));
            atLeast(1, "partitions", fields.integer("partitions", 1));
            fields.end();
        });
        return topics;
    }

    private static Input input(JsonNode node, Map<String, Topic> topics) {
        Fields fields = new Fields("an input", node);
        Input input;
        if (fields.has("advance_wall_clock")) {
            input = new Advance(atLeast(0, "advance_wall_clock", fields.integer("advance_wall_clock")));
        } else {
            String name = fields.text("topic");
            Topic topic = topic(topics, name);
            atLeast(0, "partition", fields.integer("partition", 0));
            input = new Piped(
                name,
                topic.key().read(fields.take("key")),
                topic.value().read(fields.take("value")),
                atLeast(0, "timestamp", fields.integer("timestamp")),
                headers(fields.optionalList("headers")));
        }
        fields.end();
        return input;
    }

    private static List<Header> headers(List<JsonNode> pairs) {
        List<Header> headers = new ArrayList<>();
        for (JsonNode pair : pairs) {
            if (pair.size() != 2 || !pair.path(0).isTextual() || !pair.path(1).isTextual() && !pair.path(1).isNull()) {
                throw new CaseError(pair + " is not a header");
            }
            String value = pair.get(1).textValue();
            byte[] bytes = value == null ? null : value.getBytes(StandardCharsets.UTF_8);
            headers.add(new RecordHeader(pair.get(0).textValue(), bytes));
        }
        return headers;
    }

    private static String oneOf(String text, String one, String other) {
        if (!text.equals(one) && !text.equals(other)) {
            throw new CaseError(text + " is neither " + one + " nor " + other);
        }
        return text;
    }

    private static long atLeast(long least, String name, long number) {
        if (number < least) {
            throw new CaseError(name + " is below " + least);
        }
        return number;
    }
}
