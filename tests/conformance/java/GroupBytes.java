import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.processor.TaskId;
import org.apache.kafka.streams.processor.assignment.ProcessId;
import org.apache.kafka.streams.processor.internals.assignment.AssignmentInfo;
import org.apache.kafka.streams.processor.internals.assignment.AssignorError;
import org.apache.kafka.streams.processor.internals.assignment.SubscriptionInfo;
import org.apache.kafka.streams.state.HostInfo;

/** Writes what members of a group exchange, as fields and as the bytes that Kafka's own classes make of them. */
public final class GroupBytes {
    private static final int VERSION = 11;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final List<Map<String, Object>> entries = new ArrayList<>();

    private GroupBytes() { }

    /** Writes four files into the folder that it is given. */
    public static void main(String[] arguments) throws IOException {
        Path folder = Path.of(arguments[0]);
        subscriptionInfos().write(folder.resolve("subscription-info.json"));
        assignmentInfos().write(folder.resolve("assignment-info.json"));
        consumerSubscriptions().write(folder.resolve("consumer-subscription.json"));
        consumerAssignments().write(folder.resolve("consumer-assignment.json"));
    }

    private static GroupBytes subscriptionInfos() {
        GroupBytes all = new GroupBytes();
        all.subscriptionInfo("no tasks", VERSION, null, tasks(), 0, AssignorError.NONE, tags());
        all.subscriptionInfo("one running task", VERSION, null, tasks("0_0", -2), 1, AssignorError.NONE, tags());
        all.subscriptionInfo(
            "several tasks with offset sums", VERSION, "host:8080",
            tasks("0_0", -2, "0_1", 0, "0_12", 4_294_967_296L, "3_2", Long.MAX_VALUE, "10_1", 17, "10_200", -3),
            127, AssignorError.NONE, tags());
        all.subscriptionInfo(
            "an address of IPv6", VERSION, "fe80::1:8080", tasks(), -128, AssignorError.NONE, tags());
        all.subscriptionInfo(
            "client tags", VERSION, "h:1", tasks("1_0", 5), -1, AssignorError.NONE,
            tags("cluster", "eu-1", "empty", "", "zone", "a"));
        all.subscriptionInfo(
            "tags beyond ASCII", VERSION, "h:65535", tasks(), 2, AssignorError.NONE, tags("\u00e9tage", "\u4e8c"));
        all.subscriptionInfo("it understands more", 12, null, tasks("0_0", 1), 3, AssignorError.NONE, tags());
        all.subscriptionInfo(
            "asks for shutdown", VERSION, "h:1", tasks("0_0", -2), 4, AssignorError.SHUTDOWN_REQUESTED, tags());
        return all;
    }

    private static GroupBytes assignmentInfos() {
        GroupBytes all = new GroupBytes();
        long none = Long.MAX_VALUE;
        all.assignmentInfo("nothing", true, VERSION, List.of(), Map.of(), Map.of(), Map.of(), 0, none);
        all.assignmentInfo(
            "active tasks, one with two partitions", true, VERSION,
            ids("0_0", "1_3", "1_3", "12_200"), Map.of(), Map.of(), Map.of(), 0, none);
        all.assignmentInfo(
            "standby tasks", true, VERSION, ids("0_0"),
            standby("0_1", partitions("a-1"), "2_0", partitions("app-s-changelog-0", "app-t-changelog-0", "b-0")),
            Map.of(), Map.of(), 0, none);
        all.assignmentInfo(
            "hosts", true, VERSION, ids("0_0"), Map.of(),
            hosts("h:1", partitions("a-0", "b-0"), "h:2", partitions("a-1"), "i:1", partitions()),
            hosts("h:2", partitions("a-0", "b-0")), 0, none);
        all.assignmentInfo(
            "standby hosts alone, partitions out of order", true, VERSION, List.of(), Map.of(), Map.of(),
            hosts("h:65535", partitions("b-1", "a-1", "b-0", "a-0")), 0, none);
        all.assignmentInfo(
            "topics in an order of their hashes", false, VERSION, ids("0_0"), Map.of(),
            hosts("h:1", partitions("orders-0", "customers-0", "app-by-customer-repartition-0", "payments-0")),
            hosts("h:2", partitions("payments-0", "orders-7")), 0, none);
        all.assignmentInfo(
            "a planned rebalance", true, VERSION, ids("0_0"), Map.of(), Map.of(), Map.of(), 0, 1_700_000_000_000L);
        all.assignmentInfo("a rebalance at once", true, VERSION, ids("0_0"), Map.of(), Map.of(), Map.of(), 0, 0);
        all.assignmentInfo("an older member", true, 9, ids("0_0"), Map.of(), Map.of(), Map.of(), 0, none);
        for (AssignorError error : AssignorError.values()) {
            all.assignmentInfo(
                "error " + error.code(), true, VERSION, List.of(), Map.of(), Map.of(), Map.of(), error.code(), none);
        }
        return all;
    }

    private static GroupBytes consumerSubscriptions() {
        GroupBytes all = new GroupBytes();
        byte[] data = {0, 1, -1};
        all.consumerSubscription("nothing", List.of(), new byte[0], List.of(), -1, null);
        all.consumerSubscription("a first one", List.of("a", "b"), data, List.of(), -1, null);
        all.consumerSubscription(
            "owned partitions", List.of("a", "b", "c"), data,
            List.copyOf(partitions("a-0", "a-4", "b-1", "c-200")), 9, null);
        all.consumerSubscription("a rack", List.of("a"), data, List.copyOf(partitions("a-0")), 2, "rack-1");
        return all;
    }

    private static GroupBytes consumerAssignments() {
        GroupBytes all = new GroupBytes();
        all.consumerAssignment("nothing", List.of(), new byte[0]);
        all.consumerAssignment("one", List.of(new TopicPartition("a", 0)), new byte[] {1});
        all.consumerAssignment(
            "several", List.copyOf(partitions("a-0", "a-4", "b-1", "c-200")), new byte[] {0, -1, 127, -128});
        return all;
    }

    private void subscriptionInfo(
            String name, int latest, String endpoint, Map<TaskId, Long> sums, int unique, AssignorError error,
            Map<String, String> tags) {
        UUID process = new UUID(0x0123456789abcdefL, 0xfedcba9876543210L);
        SubscriptionInfo info = new SubscriptionInfo(
            VERSION, latest, new ProcessId(process), endpoint, sums, (byte) unique, error.code(), tags);
        Map<String, Object> fields = entry(name);
        fields.put("latest_supported_version", latest);
        fields.put("process_id", process.toString());
        fields.put("endpoint", endpoint);
        fields.put("offset_sums", texts(sums));
        fields.put("unique", unique);
        fields.put("error_code", error.code());
        fields.put("client_tags", tags);
        fields.put("bytes", hex(info.encode()));
    }

    private void assignmentInfo(
            String name, boolean ordered, int commonlySupported, List<TaskId> active,
            Map<TaskId, Set<TopicPartition>> standby, Map<HostInfo, Set<TopicPartition>> activeHosts,
            Map<HostInfo, Set<TopicPartition>> standbyHosts, int error, long nextRebalance) {
        AssignmentInfo info =
            new AssignmentInfo(VERSION, commonlySupported, active, standby, activeHosts, standbyHosts, error);
        info.setNextRebalanceTime(nextRebalance);
        Map<String, Object> fields = entry(name);
        fields.put("topics_in_order", ordered);
        fields.put("commonly_supported_version", commonlySupported);
        fields.put("active", active.stream().map(TaskId::toString).toList());
        fields.put("standby", texts(standby));
        fields.put("active_hosts", hostTexts(activeHosts));
        fields.put("standby_hosts", hostTexts(standbyHosts));
        fields.put("error_code", error);
        fields.put("next_rebalance_ms", nextRebalance);
        fields.put("bytes", hex(info.encode()));
    }

    private void consumerSubscription(
            String name, List<String> topics, byte[] data, List<TopicPartition> owned, int generation, String rack) {
        Map<String, Object> fields = entry(name);
        fields.put("topics", topics);
        fields.put("user_data", HexFormat.of().formatHex(data));
        fields.put("owned", owned.stream().map(TopicPartition::toString).toList());
        fields.put("generation", generation);
        fields.put("rack", rack);
        fields.put("bytes", hex(ConsumerProtocol.serializeSubscription(new ConsumerPartitionAssignor.Subscription(
            topics, ByteBuffer.wrap(data), owned, generation, Optional.ofNullable(rack)))));
    }

    private void consumerAssignment(String name, List<TopicPartition> partitions, byte[] data) {
        Map<String, Object> fields = entry(name);
        fields.put("partitions", partitions.stream().map(TopicPartition::toString).toList());
        fields.put("user_data", HexFormat.of().formatHex(data));
        fields.put("bytes", hex(ConsumerProtocol.serializeAssignment(
            new ConsumerPartitionAssignor.Assignment(partitions, ByteBuffer.wrap(data)))));
    }

    private Map<String, Object> entry(String name) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("name", name);
        entries.add(fields);
        return fields;
    }

    /** One entry on each line. */
    private void write(Path file) throws IOException {
        List<String> lines = new ArrayList<>();
        for (Map<String, Object> fields : entries) {
            lines.add(JSON.writeValueAsString(fields));
        }
        Files.writeString(file, "[\n" + String.join(",\n", lines) + "\n]\n");
    }

    private static Map<TaskId, Long> tasks(Object... pairs) {
        Map<TaskId, Long> tasks = new LinkedHashMap<>();
        for (int at = 0; at < pairs.length; at += 2) {
            tasks.put(TaskId.parse((String) pairs[at]), ((Number) pairs[at + 1]).longValue());
        }
        return tasks;
    }

    private static Map<String, String> tags(String... pairs) {
        Map<String, String> tags = new LinkedHashMap<>();
        for (int at = 0; at < pairs.length; at += 2) {
            tags.put(pairs[at], pairs[at + 1]);
        }
        return tags;
    }

    private static List<TaskId> ids(String... texts) {
        return List.of(texts).stream().map(TaskId::parse).toList();
    }

    private static Map<TaskId, Set<TopicPartition>> standby(
            String one, Set<TopicPartition> ofOne, String other, Set<TopicPartition> ofOther) {
        Map<TaskId, Set<TopicPartition>> standby = new LinkedHashMap<>();
        standby.put(TaskId.parse(one), ofOne);
        standby.put(TaskId.parse(other), ofOther);
        return standby;
    }

    private static Map<HostInfo, Set<TopicPartition>> hosts(String host, Set<TopicPartition> partitions) {
        return Map.of(HostInfo.buildFromEndpoint(host), partitions);
    }

    private static Map<HostInfo, Set<TopicPartition>> hosts(
            String one, Set<TopicPartition> ofOne, String two, Set<TopicPartition> ofTwo, String three,
            Set<TopicPartition> ofThree) {
        Map<HostInfo, Set<TopicPartition>> hosts = new LinkedHashMap<>();
        hosts.put(HostInfo.buildFromEndpoint(one), ofOne);
        hosts.put(HostInfo.buildFromEndpoint(two), ofTwo);
        hosts.put(HostInfo.buildFromEndpoint(three), ofThree);
        return hosts;
    }

    /** Partitions in this order, from texts such as {@code topic-0}. */
    private static Set<TopicPartition> partitions(String... texts) {
        Set<TopicPartition> partitions = new LinkedHashSet<>();
        for (String text : texts) {
            int dash = text.lastIndexOf('-');
            partitions.add(new TopicPartition(text.substring(0, dash), Integer.parseInt(text.substring(dash + 1))));
        }
        return Collections.unmodifiableSet(partitions);
    }

    private static Map<String, Object> texts(Map<TaskId, ?> tasks) {
        Map<String, Object> texts = new LinkedHashMap<>();
        tasks.forEach((task, value) -> texts.put(
            task.toString(), value instanceof Set<?> set ? set.stream().map(Object::toString).toList() : value));
        return texts;
    }

    private static Map<String, Object> hostTexts(Map<HostInfo, Set<TopicPartition>> hosts) {
        Map<String, Object> texts = new LinkedHashMap<>();
        hosts.forEach((host, partitions) -> texts.put(
            host.host() + ":" + host.port(), partitions.stream().map(TopicPartition::toString).toList()));
        return texts;
    }

    private static String hex(ByteBuffer bytes) {
        byte[] copy = new byte[bytes.remaining()];
        bytes.get(copy);
        return HexFormat.of().formatHex(copy);
    }
}
