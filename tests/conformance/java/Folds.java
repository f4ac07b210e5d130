import org.apache.kafka.streams.kstream.Aggregator;
import org.apache.kafka.streams.kstream.Initializer;
import org.apache.kafka.streams.kstream.Reducer;
import org.apache.kafka.streams.kstream.ValueJoiner;

/** The functions that fold values: reducers, aggregators, joiners. */
final class Folds {
    private Folds() { }

    /** What adds a value to an aggregate, and what takes it out again. */
    record Reduction(Reducer<Object> adder, Reducer<Object> subtractor) { }

    /** As a reduction, with an aggregate of its own type. */
    record Aggregation(
        Type type,
        Initializer<Object> initial,
        Aggregator<Object, Object, Object> adder,
        Aggregator<Object, Object, Object> subtractor) { }

    /** What makes one value of two, and its type. */
    record Joining(Type type, ValueJoiner<Object, Object, Object> apply) { }

    /** Which join a joiner is for: it says which sides may be null. */
    enum Join { INNER, LEFT, OUTER }

    static Reduction reduction(String text) {
        return switch (text) {
            case "sum" -> new Reduction(Folds::sum, Folds::difference);
            case "max" -> new Reduction(Folds::greater, (aggregate, value) -> aggregate);
            case "first" -> new Reduction((aggregate, value) -> aggregate, (aggregate, value) -> aggregate);
            case "last" -> new Reduction((aggregate, value) -> value, (aggregate, value) -> aggregate);
            case "sum_null_if_even" -> new Reduction(
                (aggregate, value) -> nullIfEven(sum(aggregate, value)),
                (aggregate, value) -> nullIfEven(difference(aggregate, value)));
            default -> throw new CaseError("no reducer " + text);
        };
    }

    static Aggregation aggregation(String text) {
        return switch (text) {
            case "count" -> new Aggregation(
                Type.INT64,
                () -> 0L,
                (key, value, aggregate) -> (long) aggregate + 1,
                (key, value, aggregate) -> (long) aggregate - 1);
            case "sum" -> new Aggregation(
                Type.INT64,
                () -> 0L,
                (key, value, aggregate) -> (long) aggregate + Datum.number(value),
                (key, value, aggregate) -> (long) aggregate - Datum.number(value));
            case "text" -> new Aggregation(
                Type.STRING,
                () -> "",
                (key, value, aggregate) -> Datum.cut(aggregate + "+" + Datum.text(value)),
                (key, value, aggregate) -> Datum.cut(aggregate + "-" + Datum.text(value)));
            case "last" -> new Aggregation(
                Type.RECORD,
                () -> new Row(0, ""),
                (key, value, aggregate) -> new Row(Datum.number(value), Datum.cut(Datum.text(value))),
                (key, value, aggregate) -> new Row(((Row) aggregate).n() - 1, ((Row) aggregate).s()));
            case "sum_null_if_even" -> new Aggregation(
                Type.INT64,
                () -> 0L,
                (key, value, aggregate) -> nullIfEven((long) aggregate + Datum.number(value)),
                (key, value, aggregate) -> nullIfEven((long) aggregate - Datum.number(value)));
            case "key_sum" -> new Aggregation(
                Type.STRING,
                () -> "",
                (key, value, aggregate) -> Datum.cut(aggregate + Datum.text(key) + Datum.text(value)),
                (key, value, aggregate) -> aggregate);
            default -> throw new CaseError("no aggregator " + text);
        };
    }

    /** A joiner on a left and a right type. */
    static Joining joining(String text, Type left, Type right, Join join) {
        return switch (text) {
            case "pair" -> new Joining(Type.STRING, Folds::pair);
            case "sum" -> new Joining(Type.INT64, (one, other) -> sumOfNumbers(one, other));
            case "record" -> new Joining(
                Type.RECORD, (one, other) -> new Row(sumOfNumbers(one, other), pair(one, other)));
            case "left" -> {
                require(text, join != Join.OUTER);
                yield new Joining(left, (one, other) -> one);
            }
            case "right" -> {
                require(text, join == Join.INNER);
                yield new Joining(right, (one, other) -> other);
            }
            default -> throw new CaseError("no joiner " + text);
        };
    }

    private static void require(String joiner, boolean allowed) {
        if (!allowed) {
            throw new CaseError("the joiner " + joiner + " is not for this join");
        }
    }

    private static String pair(Object left, Object right) {
        return Datum.cut(Datum.text(left) + "|" + Datum.text(right));
    }

    private static long sumOfNumbers(Object left, Object right) {
        return Datum.numberOrZero(left) + Datum.numberOrZero(right);
    }

    private static Object sum(Object aggregate, Object value) {
        if (aggregate instanceof Row a && value instanceof Row v) {
            return new Row(a.n() + v.n(), Datum.cut(a.s() + v.s()));
        }
        return aggregate instanceof Long a ? (Object) (a + (long) value) : Datum.cut((String) aggregate + value);
    }

    private static Object difference(Object aggregate, Object value) {
        if (aggregate instanceof Row a && value instanceof Row v) {
            return new Row(a.n() - v.n(), a.s());
        }
        return aggregate instanceof Long a ? (Object) (a - (long) value) : Datum.cut(aggregate + "-" + value);
    }

    /** Texts are ASCII: the order of their characters is that of their bytes. */
    private static Object greater(Object aggregate, Object value) {
        int order = Datum.number(value).compareTo(Datum.number(aggregate));
        if (order == 0) {
            order = Datum.text(value).compareTo(Datum.text(aggregate));
        }
        return order > 0 ? value : aggregate;
    }

    private static Object nullIfEven(Object datum) {
        return Datum.isEven(datum) ? null : datum;
    }
}
