import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.errors.StreamsException;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import org.apache.kafka.streams.test.TestRecord;

/** Runs cases in Kafka's driver, one after the other. */
final class DriverRun {
    /** RocksDB syncs its files whenever it opens; in memory that costs nothing. */
    private static final Path MEMORY = Path.of("/dev/shm");

    private DriverRun() { }

    /** The line that answers a case; never an exception. */
    static String answer(String json) {
        try {
            return inFolder(Case.read(json));
        } catch (CaseError error) {
            return Outcome.error(error.getMessage());
        } catch (RuntimeException | IOException error) {
            error.printStackTrace();
            return Outcome.error(error.toString());
        }
    }

    /** Between cases nothing is left on disk, however the program ends. */
    private static String inFolder(Case described) throws IOException {
        String prefix = "conformance";
        Path folder = Files.isWritable(MEMORY)
            ? Files.createTempDirectory(MEMORY, prefix)
            : Files.createTempDirectory(prefix);
        try {
            return run(described, folder);
        } finally {
            Utils.delete(folder.toFile());
        }
    }

    private static String run(Case described, Path folder) {
        Properties settings = settings(described.config(), folder);
        CaseTopology.Built built;
        String text;
        TopologyTestDriver driver;
        try {
            built = CaseTopology.build(described);
            Topology topology = built.builder().build(settings);
            requireRead(described, CaseTopology.sources(topology));
            text = topology.describe().toString();
            driver = new TopologyTestDriver(topology, settings, Instant.EPOCH);
        } catch (StreamsException | IllegalArgumentException | IllegalStateException refused) {
            requireNotOurs(refused);
            return Outcome.refusedTopology();
        }
        String answer = null;
        try {
            int refused = pipe(described, driver);
            if (refused >= 0) {
                return Outcome.refusedInput(refused);
            }
            answer = outcome(described, built, text, driver);
        } finally {
            close(driver, answer != null);
        }
        return answer;
    }

    private static void requireRead(Case described, Set<String> sources) {
        for (Case.Input input : described.inputs()) {
            if (input instanceof Case.Piped piped && !sources.contains(piped.topic())) {
                throw new CaseError("nothing reads the topic " + piped.topic());
            }
        }
    }

    private static Properties settings(Case.Config config, Path folder) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
        settings.put(StreamsConfig.STATE_DIR_CONFIG, folder.toString());
        settings.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, config.optimization());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, config.guarantee());
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, config.cacheMaxBytes());
        return settings;
    }

    /** The place of the input that the task failed on, or -1. */
    private static int pipe(Case described, TopologyTestDriver driver) {
        Map<String, TestInputTopic<Object, Object>> topics = new HashMap<>();
        for (int at = 0; at < described.inputs().size(); at++) {
            try {
                if (described.inputs().get(at) instanceof Case.Advance advance) {
                    driver.advanceWallClockTime(Duration.ofMillis(advance.ms()));
                } else if (described.inputs().get(at) instanceof Case.Piped piped) {
                    topics.computeIfAbsent(piped.topic(), name -> topic(described, driver, name)).pipeInput(
                        new TestRecord<>(
                            piped.key(), piped.value(), new RecordHeaders(piped.headers()), piped.timestamp()));
                }
            } catch (StreamsException refused) {
                requireNotOurs(refused);
                return at;
            }
        }
        return -1;
    }

    private static TestInputTopic<Object, Object> topic(Case described, TopologyTestDriver driver, String name) {
        Case.Topic topic = described.topic(name);
        return driver.createInputTopic(name, topic.key().serde().serializer(), topic.value().serde().serializer());
    }

    private static String outcome(Case described, CaseTopology.Built built, String text, TopologyTestDriver driver) {
        Outcome outcome = new Outcome();
        outcome.describe(text);
        for (String name : driver.producedTopicNames()) {
            List<TestRecord<byte[], byte[]>> records = driver
                .createOutputTopic(name, new ByteArrayDeserializer(), new ByteArrayDeserializer())
                .readRecordsToList();
            outcome.topic(name, records);
        }
        for (String name : described.dump()) {
            KeyValueStore<Object, ValueAndTimestamp<Object>> store = driver.getTimestampedKeyValueStore(name);
            if (store == null) {
                throw new CaseError("no store " + name);
            }
            StoreRows rows = new StoreRows();
            rows.read(store);
            outcome.store(name, rows);
        }
        outcome.seen(built.seen());
        outcome.dropped(dropped(driver));
        return outcome.toString();
    }

    private static long dropped(TopologyTestDriver driver) {
        return driver.metrics().values().stream()
            .filter(each -> each.metricName().name().equals("dropped-records-total")
                && each.metricName().group().equals("stream-task-metrics"))
            .map(Metric::metricValue)
            .mapToLong(each -> ((Number) each).longValue())
            .sum();
    }

    /** What has failed cannot always be closed in order; that would hide why. */
    private static void close(TopologyTestDriver driver, boolean inOrder) {
        try {
            driver.close();
        } catch (RuntimeException failed) {
            if (inOrder) {
                throw failed;
            }
        }
    }

    /** Fails with what is wrong with the case or with this program, which the other side must not mirror. */
    private static void requireNotOurs(RuntimeException refused) {
        for (Throwable cause = refused; cause != null; cause = cause.getCause()) {
            if (cause instanceof CaseError || cause instanceof ClassCastException || cause instanceof ConfigException) {
                throw refused;
            }
        }
        System.err.println("refused: " + refused);
    }
}
