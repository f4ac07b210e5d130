import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.function.BiFunction;
import java.util.function.BiPredicate;
import java.util.function.Function;

/** The functions of stateless nodes. */
final class Functions {
    private Functions() { }

    /** A function of key and value, and the type of its results. */
    record Mapping(Type type, BiFunction<Object, Object, Object> apply) {
        Object of(Object key, Object value) {
            return apply.apply(key, value);
        }
    }

    /** A function of a value to several, and their type. */
    record Expansion(Type type, Function<Object, List<Object>> apply) {
        List<Object> of(Object value) {
            return apply.apply(value);
        }
    }

    /** A predicate of key and value. */
    static BiPredicate<Object, Object> predicate(String text) {
        Call call = Call.of(text);
        return switch (call.form()) {
            case "all" -> (key, value) -> true;
            case "none" -> (key, value) -> false;
            case "even" -> (key, value) -> Datum.isEven(value);
            case "positive" -> (key, value) -> value != null && Datum.number(value) > 0;
            case "less:" -> {
                long limit = call.integer();
                yield (key, value) -> value != null && Datum.number(value) < limit;
            }
            case "key_even" -> (key, value) -> Datum.isEven(key);
            case "not_null" -> (key, value) -> value != null;
            default -> throw call.unknown("predicate");
        };
    }

    /** A mapper on values of that type; the ones that make null of a value only where that is allowed. */
    static Mapping mapper(String text, Type type, boolean nullAllowed) {
        Call call = Call.of(text);
        return switch (call.form()) {
            case "same" -> new Mapping(type, (key, value) -> value);
            case "text" -> ofValue(Type.STRING, value -> Datum.cut(Datum.text(value)));
            case "upper" -> ofValue(Type.STRING, value -> Datum.cut(Datum.text(value).toUpperCase(Locale.ROOT)));
            case "prefix:" -> {
                String prefix = call.word();
                yield ofValue(Type.STRING, value -> Datum.cut(prefix + Datum.text(value)));
            }
            case "number" -> ofValue(Type.INT64, Datum::number);
            case "add:" -> {
                long summand = call.integer();
                yield ofValue(Type.INT64, value -> Datum.number(value) + summand);
            }
            case "mod:" -> modulo(call);
            case "negate" -> ofValue(Type.INT64, value -> -Datum.number(value));
            case "record" -> ofValue(Type.RECORD, value -> new Row(Datum.number(value), Datum.cut(Datum.text(value))));
            case "key_text" -> new Mapping(
                Type.STRING, (key, value) -> Datum.cut(Datum.text(key) + ":" + Datum.text(value)));
            case "null", "null_if_even" -> {
                if (!nullAllowed) {
                    throw new CaseError("a table's values cannot be mapped by " + text);
                }
                boolean always = text.equals("null");
                yield new Mapping(type, (key, value) -> always || Datum.isEven(value) ? null : value);
            }
            default -> throw call.unknown("mapper");
        };
    }

    /** A selector on keys of that type. */
    static Mapping selector(String text, Type type) {
        Call call = Call.of(text);
        return switch (call.form()) {
            case "key" -> new Mapping(type, (key, value) -> key);
            case "text" -> ofValue(Type.STRING, value -> Datum.cut(Datum.text(value)));
            case "number" -> ofValue(Type.INT64, Datum::number);
            case "mod:" -> modulo(call);
            case "key_mod:" -> {
                Mapping modulo = modulo(call);
                yield new Mapping(Type.INT64, (key, value) -> modulo.of(value, key));
            }
            case "key_text" -> new Mapping(
                Type.STRING, (key, value) -> key == null ? null : Datum.cut(Datum.text(key)));
            case "null_if_even" -> new Mapping(type, (key, value) -> Datum.isEven(value) ? null : key);
            default -> throw call.unknown("selector");
        };
    }

    /** An expansion of values of that type. */
    static Expansion expansion(String text, Type type) {
        Call call = Call.of(text);
        return switch (call.form()) {
            case "nothing" -> new Expansion(type, value -> List.of());
            case "repeat:" -> {
                int times = (int) call.integer(1, 3);
                yield new Expansion(type, value -> Collections.nCopies(times, value));
            }
            case "chars" -> new Expansion(Type.STRING, Functions::chars);
            case "halves" -> new Expansion(Type.INT64, Functions::halves);
            case "none_if_even" -> new Expansion(
                type, value -> Datum.isEven(value) ? List.of() : Collections.singletonList(value));
            default -> throw call.unknown("expand");
        };
    }

    /** Null of null. */
    private static Mapping ofValue(Type type, Function<Object, Object> apply) {
        return new Mapping(type, (key, value) -> value == null ? null : apply.apply(value));
    }

    private static Mapping modulo(Call call) {
        long divisor = call.integer(1, Long.MAX_VALUE);
        return ofValue(Type.INT64, value -> Math.floorMod(Datum.number(value), divisor));
    }

    private static List<Object> chars(Object value) {
        if (value == null) {
            return List.of();
        }
        return Datum.text(value).chars().<Object>mapToObj(Character::toString).toList();
    }

    private static List<Object> halves(Object value) {
        if (value == null) {
            return List.of();
        }
        long number = Datum.number(value);
        return List.of(number / 2, number - number / 2);
    }
}
