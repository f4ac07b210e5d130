import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;

/**
 * Kafka Streams' side of the benchmark: one instance, with default settings, until SIGTERM. It prints a line of JSON
 * when all its tasks run, and one with a digest of its stores before it ends, as our side does.
 */
public final class StreamsSide {
    private static final long FNV_OFFSET = 0xcbf29ce484222325L;
    private static final long FNV_PRIME = 0x100000001b3L;

    private StreamsSide() { }

    public static void main(String[] arguments) throws InterruptedException {
        Map<String, String> options = options(arguments);
        KafkaStreams streams = new KafkaStreams(Topologies.build(options), settings(options));
        CountDownLatch asked = new CountDownLatch(1);
        AtomicBoolean announced = new AtomicBoolean();
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING && announced.compareAndSet(false, true)) {
                say("{\"event\":\"running\"}");
            }
            if (now == KafkaStreams.State.ERROR) {
                asked.countDown();
            }
        });
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            asked.countDown();
            try {
                main.join();
            } catch (InterruptedException late) {
                Thread.currentThread().interrupt();
            }
        }));
        streams.start();
        asked.await();
        if (streams.state() == KafkaStreams.State.RUNNING) {
            say(stores(streams, options.get("topology")));
        }
        streams.close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP)
            .withTimeout(Duration.ofSeconds(30)));
    }

    private static Map<String, String> options(String[] arguments) {
        Map<String, String> options = new HashMap<>();
        for (int at = 0; at + 1 < arguments.length; at += 2) {
            options.put(arguments[at].replaceFirst("^--", ""), arguments[at + 1]);
        }
        return options;
    }

    private static Properties settings(Map<String, String> options) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, options.get("application-id"));
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("bootstrap-servers"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, options.get("state-dir"));
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, options.get("threads"));
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, options.get("commit-interval-ms"));
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, options.get("cache-max-bytes"));
        return settings;
    }

    /** The number of rows and the sum of their FNV-1a hashes, which does not depend on their order. */
    private static String stores(KafkaStreams streams, String topology) {
        long rows = 0;
        long digest = 0;
        for (String name : Topologies.stores(topology)) {
            ReadOnlyKeyValueStore<byte[], Object> store =
                streams.store(StoreQueryParameters.fromNameAndType(name, QueryableStoreTypes.keyValueStore()));
            try (KeyValueIterator<byte[], Object> all = store.all()) {
                while (all.hasNext()) {
                    KeyValue<byte[], Object> row = all.next();
                    rows++;
                    digest += hash(row.key, bytes(row.value));
                }
            }
        }
        return String.format("{\"event\":\"stores\",\"rows\":%d,\"digest\":\"%016x\"}", rows, digest);
    }

    private static byte[] bytes(Object value) {
        return value instanceof Long number ? ByteBuffer.allocate(Long.BYTES).putLong(number).array() : (byte[]) value;
    }

    private static long hash(byte[] key, byte[] value) {
        long hash = FNV_OFFSET;
        for (byte each : key) {
            hash = (hash ^ (each & 0xff)) * FNV_PRIME;
        }
        hash = (hash ^ 0xff) * FNV_PRIME;
        for (byte each : value) {
            hash = (hash ^ (each & 0xff)) * FNV_PRIME;
        }
        return hash;
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
