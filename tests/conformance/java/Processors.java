import java.time.Duration;
import java.util.List;
import java.util.function.BiConsumer;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import org.apache.kafka.streams.KeyValue;

/** The processors that only {@code process} has: they change keys or timestamps, or forward at their own times. */
final class Processors {
    private Processors() { }

    /** A supplier, and the types of what its processors forward. */
    record Supplied(Type key, Type value, ProcessorSupplier<Object, Object, Object, Object> supplier) { }

    /** A processor for a stream of those types. */
    static Supplied of(String text, Type key, Type value, List<Handle.Store> stores) {
        Call call = Call.of(text);
        return switch (call.form()) {
            case "twice" -> changing(call, stores, key, value, (record, context) -> {
                context.forward(record);
                context.forward(record.withTimestamp(record.timestamp() + 1));
            });
            case "shift:" -> {
                long by = call.integer();
                yield changing(call, stores, key, value, (record, context) ->
                    context.forward(record.withTimestamp(Math.max(0, record.timestamp() + by))));
            }
            case "key_from_value" -> changing(call, stores, Type.STRING, value, (record, context) ->
                context.forward(record.withKey(record.value() == null ? null : Datum.cut(Datum.text(record.value())))));
            case "on_stream_time:" -> punctuated(call, PunctuationType.STREAM_TIME, key, value, stores);
            case "on_wall_clock:" -> punctuated(call, PunctuationType.WALL_CLOCK_TIME, key, value, stores);
            default -> {
                ValueProcessors.Supplied same = ValueProcessors.of(text, key, value, stores);
                yield new Supplied(key, same.type(), same::processor);
            }
        };
    }

    private static Supplied changing(
            Call call,
            List<Handle.Store> stores,
            Type key,
            Type value,
            BiConsumer<Record<Object, Object>, ProcessorContext<Object, Object>> change) {
        ValueProcessors.requireNone(call, stores);
        return new Supplied(key, value, () -> new ContextualProcessor<Object, Object, Object, Object>() {
            @Override
            public void process(Record<Object, Object> record) {
                change.accept(record, context());
            }
        });
    }

    private static Supplied punctuated(
            Call call, PunctuationType time, Type key, Type value, List<Handle.Store> stores) {
        Duration interval = Duration.ofMillis(call.integer(1, Integer.MAX_VALUE));
        String store = ValueProcessors.requireOne(call, stores, key, value);
        return new Supplied(key, value, () -> new Punctuated(store, interval, time));
    }

    /** Keeps the last value of each key and forwards all of them at every tick. */
    private static final class Punctuated extends ContextualProcessor<Object, Object, Object, Object> {
        private final String name;
        private final Duration interval;
        private final PunctuationType time;
        private TimestampedKeyValueStore<Object, Object> store;

        Punctuated(String name, Duration interval, PunctuationType time) {
            this.name = name;
            this.interval = interval;
            this.time = time;
        }

        @Override
        public void init(ProcessorContext<Object, Object> context) {
            super.init(context);
            store = context.getStateStore(name);
            context.schedule(interval, time, this::forwardAll);
        }

        @Override
        public void process(Record<Object, Object> record) {
            if (record.key() != null) {
                store.put(record.key(), ValueAndTimestamp.make(record.value(), record.timestamp()));
            }
        }

        private void forwardAll(long now) {
            try (KeyValueIterator<Object, ValueAndTimestamp<Object>> rows = store.all()) {
                while (rows.hasNext()) {
                    KeyValue<Object, ValueAndTimestamp<Object>> row = rows.next();
                    context().forward(new Record<>(row.key, row.value.value(), now));
                }
            }
        }
    }
}
