import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.QueryableStoreTypes;

/**
 * Runs cases on a real cluster, one application after the other, as it is asked on its standard input. Questions and
 * answers are lines of JSON; ours ({@code src/real/side.rs}) speaks the same.
 */
public final class RealSide {
    private static final JsonMapper JSON = new JsonMapper();
    private static final Duration CLOSE = Duration.ofSeconds(30);

    private final KafkaStreams streams;
    private final List<String> dump;

    private RealSide(KafkaStreams streams, List<String> dump) {
        this.streams = streams;
        this.dump = dump;
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        RealSide running = null;
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            JsonNode question = JSON.readTree(line);
            if (question.has("start") && running == null) {
                running = start(question.get("start"));
                say("\"running\"");
            } else if (question.asText().equals("dump") && running != null) {
                say(running.stores().toString());
            } else if (question.asText().equals("stop") && running != null) {
                running.stop();
                running = null;
                say("\"stopped\"");
            } else {
                throw new CaseError("it has no place here: " + line);
            }
        }
        System.exit(0);
    }

    private static RealSide start(JsonNode options) throws IOException, InterruptedException {
        Case described = Case.read(Files.readString(Path.of(options.get("case").textValue())));
        Properties settings = settings(options, described.config());
        KafkaStreams streams = new KafkaStreams(CaseTopology.build(described).builder().build(settings), settings);
        CountDownLatch running = new CountDownLatch(1);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) {
                running.countDown();
            }
            if (now == KafkaStreams.State.ERROR) {
                // Nobody waits for an orderly end of what has failed.
                Runtime.getRuntime().halt(1);
            }
        });
        streams.start();
        running.await();
        return new RealSide(streams, described.dump());
    }

    private static Properties settings(JsonNode options, Case.Config config) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, options.get("application_id").textValue());
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("bootstrap_servers").textValue());
        settings.put(StreamsConfig.STATE_DIR_CONFIG, options.get("state_dir").textValue());
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, options.get("commit_interval_ms").longValue());
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, config.cacheMaxBytes());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, config.guarantee());
        settings.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, config.optimization());
        return settings;
    }

    /** Every store of the case's dump, with its rows over all partitions. */
    private ObjectNode stores() {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        ObjectNode stores = root.putObject("stores");
        for (String name : dump) {
            StoreRows rows = new StoreRows();
            rows.read(streams.store(
                StoreQueryParameters.fromNameAndType(name, QueryableStoreTypes.timestampedKeyValueStore())));
            rows.write(stores.putArray(name));
        }
        return root;
    }

    private void stop() {
        boolean closed = streams.close(
            CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP).withTimeout(CLOSE));
        if (!closed) {
            throw new IllegalStateException("it does not end within " + CLOSE);
        }
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
