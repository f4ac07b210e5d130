import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The fields of a JSON object; every one must be taken before its end. */
final class Fields {
    private final String what;
    private final JsonNode node;
    private final Set<String> taken = new HashSet<>();

    Fields(String what, JsonNode node) {
        if (!node.isObject()) {
            throw new CaseError(what + " is not an object");
        }
        this.what = what;
        this.node = node;
    }

    /** Fails when a field was not taken: nothing here knows what it means. */
    void end() {
        for (Iterator<String> names = node.fieldNames(); names.hasNext();) {
            String name = names.next();
            if (!taken.contains(name)) {
                throw new CaseError(what + " cannot have the field " + name);
            }
        }
    }

    boolean has(String name) {
        return node.has(name);
    }

    JsonNode take(String name) {
        JsonNode field = optional(name);
        if (field == null) {
            throw new CaseError(what + " needs the field " + name);
        }
        return field;
    }

    /** Null when it is absent. */
    JsonNode optional(String name) {
        taken.add(name);
        return node.get(name);
    }

    String text(String name) {
        return text(name, take(name));
    }

    String text(String name, String otherwise) {
        JsonNode field = optional(name);
        return field == null ? otherwise : text(name, field);
    }

    long integer(String name) {
        return integer(name, take(name));
    }

    long integer(String name, long otherwise) {
        JsonNode field = optional(name);
        return field == null ? otherwise : integer(name, field);
    }

    boolean flag(String name, boolean otherwise) {
        JsonNode field = optional(name);
        if (field != null && !field.isBoolean()) {
            throw wrong(name, "true or false");
        }
        return field == null ? otherwise : field.booleanValue();
    }

    List<JsonNode> list(String name) {
        return list(name, take(name));
    }

    /** Empty when it is absent. */
    List<JsonNode> optionalList(String name) {
        JsonNode field = optional(name);
        return field == null ? List.of() : list(name, field);
    }

    /** Empty when it is absent. */
    List<String> texts(String name) {
        return optionalList(name).stream().map(each -> text(name, each)).toList();
    }

    /** Empty when it is absent. */
    Map<String, String> textsByName(String name) {
        Map<String, String> texts = new LinkedHashMap<>();
        JsonNode field = optional(name);
        if (field != null) {
            new Fields(name, field).node.properties()
                .forEach(each -> texts.put(each.getKey(), text(name, each.getValue())));
        }
        return texts;
    }

    private String text(String name, JsonNode field) {
        if (!field.isTextual()) {
            throw wrong(name, "a string");
        }
        return field.textValue();
    }

    private long integer(String name, JsonNode field) {
        if (!field.isIntegralNumber() || !field.canConvertToLong()) {
            throw wrong(name, "an integer");
        }
        return field.longValue();
    }

    private List<JsonNode> list(String name, JsonNode field) {
        if (!field.isArray()) {
            throw wrong(name, "a list");
        }
        List<JsonNode> list = new ArrayList<>();
        field.forEach(list::add);
        return list;
    }

    private CaseError wrong(String name, String expected) {
        return new CaseError("the field " + name + " of " + what + " is not " + expected);
    }
}
