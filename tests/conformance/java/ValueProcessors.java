import java.util.List;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.ProcessingContext;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;

/** The processors that keep keys and timestamps: {@code process} and {@code process_values} have them. */
final class ValueProcessors {
    private ValueProcessors() { }

    /** What a processor does with a record, and the type of the values that it forwards. */
    record Supplied(Type type, Step step) {
        Processor<Object, Object, Object, Object> processor() {
            return new Keyed(step);
        }

        FixedKeyProcessor<Object, Object, Object> fixedKeyProcessor() {
            return new FixedKey(step);
        }
    }

    /** What a processor does with a record. */
    private interface Step {
        void run(Input input);
    }

    /** A record, in either of its two forms. */
    private interface Input {
        Object key();

        Object value();

        long timestamp();

        Headers headers();

        ProcessingContext context();

        /** Forwards the record itself. */
        void forward();

        /** Forwards a copy of the record with this value. */
        void forward(Object value);

        default TimestampedKeyValueStore<Object, Object> store(String name) {
            return context().getStateStore(name);
        }
    }

    /** A processor for a stream of those types. */
    static Supplied of(String text, Type key, Type value, List<Handle.Store> stores) {
        Call call = Call.of(text);
        return switch (call.form()) {
            case "pass" -> stateless(call, stores, value, Input::forward);
            case "twice" -> stateless(call, stores, value, input -> {
                input.forward();
                input.forward();
            });
            case "header:" -> {
                String name = call.word();
                yield stateless(call, stores, value, input -> {
                    input.headers().add(name, Datum.bytes(Datum.cut(Datum.text(input.value()))));
                    input.forward();
                });
            }
            case "metadata" -> stateless(call, stores, Type.STRING, ValueProcessors::forwardMetadata);
            case "stream_time" -> stateless(
                call, stores, Type.INT64, input -> input.forward(input.context().currentStreamTimeMs()));
            case "count" -> {
                String store = requireOne(call, stores, key, Type.INT64);
                yield new Supplied(Type.INT64, input -> count(input, store));
            }
            case "dedup" -> {
                String store = requireOne(call, stores, key, value);
                yield new Supplied(value, input -> dedup(input, store));
            }
            default -> throw call.unknown("processor");
        };
    }

    /** Fails when the case gives stores to a processor that has none. */
    static void requireNone(Call call, List<Handle.Store> stores) {
        if (!stores.isEmpty()) {
            throw new CaseError("the processor " + call + " has no store");
        }
    }

    /** The name of the one store that a processor has. */
    static String requireOne(Call call, List<Handle.Store> stores, Type key, Type value) {
        if (stores.size() != 1 || stores.get(0).key() != key || stores.get(0).value() != value) {
            throw new CaseError("the processor " + call + " has one store of " + key + " to " + value);
        }
        return stores.get(0).name();
    }

    private static Supplied stateless(Call call, List<Handle.Store> stores, Type type, Step step) {
        requireNone(call, stores);
        return new Supplied(type, step);
    }

    private static void forwardMetadata(Input input) {
        String text = input.context().recordMetadata()
            .map(metadata -> metadata.topic() + "/" + metadata.partition() + "/" + metadata.offset())
            .orElse("null");
        input.forward(Datum.cut(text));
    }

    private static void count(Input input, String name) {
        if (input.key() == null) {
            return;
        }
        TimestampedKeyValueStore<Object, Object> store = input.store(name);
        ValueAndTimestamp<Object> row = store.get(input.key());
        long count = row == null ? 1 : (long) row.value() + 1;
        store.put(input.key(), ValueAndTimestamp.make(count, input.timestamp()));
        input.forward(count);
    }

    private static void dedup(Input input, String name) {
        if (input.key() == null) {
            return;
        }
        TimestampedKeyValueStore<Object, Object> store = input.store(name);
        Object before = ValueAndTimestamp.getValueOrNull(store.get(input.key()));
        if (input.value() == null ? before != null : !input.value().equals(before)) {
            store.put(input.key(), ValueAndTimestamp.make(input.value(), input.timestamp()));
            input.forward();
        }
    }

    private static final class Keyed extends ContextualProcessor<Object, Object, Object, Object> {
        private final Step step;

        Keyed(Step step) {
            this.step = step;
        }

        @Override
        public void process(Record<Object, Object> record) {
            step.run(new Input() {
                @Override
                public Object key() {
                    return record.key();
                }

                @Override
                public Object value() {
                    return record.value();
                }

                @Override
                public long timestamp() {
                    return record.timestamp();
                }

                @Override
                public Headers headers() {
                    return record.headers();
                }

                @Override
                public ProcessingContext context() {
                    return Keyed.this.context();
                }

                @Override
                public void forward() {
                    Keyed.this.context().forward(record);
                }

                @Override
                public void forward(Object value) {
                    Keyed.this.context().forward(record.withValue(value));
                }
            });
        }
    }

    private static final class FixedKey extends ContextualFixedKeyProcessor<Object, Object, Object> {
        private final Step step;

        FixedKey(Step step) {
            this.step = step;
        }

        @Override
        public void process(FixedKeyRecord<Object, Object> record) {
            step.run(new Input() {
                @Override
                public Object key() {
                    return record.key();
                }

                @Override
                public Object value() {
                    return record.value();
                }

                @Override
                public long timestamp() {
                    return record.timestamp();
                }

                @Override
                public Headers headers() {
                    return record.headers();
                }

                @Override
                public ProcessingContext context() {
                    return FixedKey.this.context();
                }

                @Override
                public void forward() {
                    FixedKey.this.context().forward(record);
                }

                @Override
                public void forward(Object value) {
                    FixedKey.this.context().forward(record.withValue(value));
                }
            });
        }
    }
}
