//! Schema resolution: what one schema wrote, read under another. Model: apache-avro where it is right.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema_compatibility::SchemaCompatibility;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::plan::Plan;

fn record(fields: Json) -> Schema {
    Schema::parse(&json!({"type": "record", "name": "R", "fields": fields})).unwrap()
}

fn encode(schema: &Schema, value: Value) -> Vec<u8> {
    GenericDatumWriter::builder(schema).build().unwrap().write_value_to_vec(value).unwrap()
}

fn decode(schema: &Schema, mut datum: &[u8]) -> Value {
    let value = GenericDatumReader::builder(schema).build().unwrap().read_value(&mut datum).unwrap();
    assert!(datum.is_empty(), "bytes left over");
    value
}

fn fields(values: &[(&str, Value)]) -> Value {
    Value::Record(values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// `value` of `writer`, read as `reader`, is `expected`.
fn check(writer: &Schema, value: Value, reader: &Schema, expected: &Value) {
    let plan = Plan::resolve(writer, reader).unwrap();
    let datum = encode(writer, value);
    assert_eq!(decode(reader, &plan.apply(&datum).unwrap()), *expected);
    for length in 0..datum.len() {
        assert!(plan.apply(&datum[..length]).is_err(), "cut at {length}");
    }
}

fn refusal(writer: &Schema, reader: &Schema) -> String {
    Plan::resolve(writer, reader).map(|_| ()).unwrap_err()
}

#[test]
fn a_missing_field_takes_our_default_of_any_type() {
    let a = json!({"name": "a", "type": "int"});
    let writer = record(json!([a]));
    let point = json!({"type": "record", "name": "P", "fields": [
        {"name": "x", "type": "int"}, {"name": "y", "type": "int", "default": -1}]});
    let reader = record(json!([
        {"name": "text", "type": "string", "default": "é"},
        {"name": "bytes", "type": "bytes", "default": "\u{ff}\u{0}"},
        {"name": "long", "type": "long", "default": 5_000_000_000_i64},
        a,
        {"name": "float", "type": "float", "default": 0.5},
        {"name": "double", "type": "double", "default": 2},
        {"name": "flag", "type": "boolean", "default": true},
        {"name": "none", "type": ["null", "string"], "default": null},
        {"name": "some", "type": ["string", "null"], "default": "s"},
        {"name": "list", "type": {"type": "array", "items": "int"}, "default": [1, 2]},
        {"name": "empty", "type": {"type": "array", "items": "int"}, "default": []},
        {"name": "map", "type": {"type": "map", "values": "long"}, "default": {"k": 1}},
        {"name": "state", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}, "default": "B"},
        {"name": "fixed", "type": {"type": "fixed", "name": "F", "size": 2}, "default": "\u{1}\u{fe}"},
        {"name": "point", "type": point, "default": {"x": 3}},
        {"name": "again", "type": "P", "default": {"x": 1, "y": 2}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}, "default": 10},
    ]));
    let union = |branch, value| Value::Union(branch, Box::new(value));
    let expected = fields(&[
        ("text", Value::String("é".into())),
        ("bytes", Value::Bytes(vec![255, 0])),
        ("long", Value::Long(5_000_000_000)),
        ("a", Value::Int(7)),
        ("float", Value::Float(0.5)),
        ("double", Value::Double(2.0)),
        ("flag", Value::Boolean(true)),
        ("none", union(0, Value::Null)),
        ("some", union(0, Value::String("s".into()))),
        ("list", Value::Array(vec![Value::Int(1), Value::Int(2)])),
        ("empty", Value::Array(vec![])),
        ("map", Value::Map([("k".to_owned(), Value::Long(1))].into())),
        ("state", Value::Enum(1, "B".into())),
        ("fixed", Value::Fixed(2, vec![1, 254])),
        ("point", fields(&[("x", Value::Int(3)), ("y", Value::Int(-1))])),
        ("again", fields(&[("x", Value::Int(1)), ("y", Value::Int(2))])),
        ("day", Value::Date(10)),
    ]);
    check(&writer, fields(&[("a", Value::Int(7))]), &reader, &expected);
}

#[test]
fn a_field_that_we_do_not_have_is_skipped_whatever_it_is() {
    let writer = record(json!([
        {"name": "gone", "type": {"type": "array", "items": {"type": "record", "name": "I", "fields": [
            {"name": "s", "type": ["null", "string"]}, {"name": "next", "type": ["null", "I"]}]}}},
        {"name": "a", "type": "int"},
        {"name": "too", "type": {"type": "map", "values": "double"}},
    ]));
    let reader = record(json!([{"name": "a", "type": "int"}]));
    let leaf = fields(&[
        ("s", Value::Union(1, Box::new(Value::String("x".into())))),
        ("next", Value::Union(0, Box::new(Value::Null))),
    ]);
    let item = fields(&[("s", Value::Union(0, Box::new(Value::Null))), ("next", Value::Union(1, Box::new(leaf)))]);
    let value = fields(&[
        ("gone", Value::Array(vec![item])),
        ("a", Value::Int(7)),
        ("too", Value::Map([("k".to_owned(), Value::Double(1.0))].into())),
    ]);
    check(&writer, value, &reader, &fields(&[("a", Value::Int(7))]));
}

#[test]
fn fields_are_matched_by_name_and_alias_not_by_place() {
    let writer = record(json!([
        {"name": "c", "type": "string"}, {"name": "old", "type": "int"}, {"name": "a", "type": "long"},
        {"name": "dropped", "type": "string"}]));
    let reader = record(json!([
        {"name": "a", "type": "long"},
        {"name": "added", "type": "int", "default": 9},
        {"name": "b", "aliases": ["old"], "type": "int", "default": 0},
        {"name": "c", "type": "string"}]));
    let value = fields(&[
        ("c", Value::String("see".into())),
        ("old", Value::Int(2)),
        ("a", Value::Long(1)),
        ("dropped", Value::String("x".into())),
    ]);
    let expected = fields(&[
        ("a", Value::Long(1)),
        ("added", Value::Int(9)),
        ("b", Value::Int(2)),
        ("c", Value::String("see".into())),
    ]);
    check(&writer, value, &reader, &expected);
}

#[test]
fn numbers_are_promoted_never_narrowed() {
    let types = ["int", "long", "float", "double"];
    let value = |kind: &str| match kind {
        "int" => Value::Int(3),
        "long" => Value::Long(3),
        "float" => Value::Float(3.0),
        _ => Value::Double(3.0),
    };
    for (from, theirs) in types.iter().enumerate() {
        for (to, ours) in types.iter().enumerate() {
            let (writer, reader) = (Schema::parse(&json!(theirs)).unwrap(), Schema::parse(&json!(ours)).unwrap());
            if from <= to {
                check(&writer, value(theirs), &reader, &value(ours));
            } else {
                assert_eq!(refusal(&writer, &reader), format!("{theirs} does not become {ours}"));
            }
        }
    }
    check(&Schema::Bytes, Value::Bytes(b"ab".to_vec()), &Schema::String, &Value::String("ab".into()));
    check(&Schema::String, Value::String("ab".into()), &Schema::Bytes, &Value::Bytes(b"ab".to_vec()));
}

#[test]
fn unions_are_resolved_by_branch() {
    let parse = |schema: Json| Schema::parse(&schema).unwrap();
    let union = |branch, value| Value::Union(branch, Box::new(value));
    let two = parse(json!(["null", "long"]));
    check(&parse(json!(["int", "null"])), union(0, Value::Int(5)), &two, &union(1, Value::Long(5)));
    check(&parse(json!(["int", "null"])), union(1, Value::Null), &two, &union(0, Value::Null));
    check(&parse(json!("int")), Value::Int(5), &two, &union(1, Value::Long(5)));
    // The same type wins over an earlier promotion.
    check(&parse(json!("int")), Value::Int(5), &parse(json!(["long", "int"])), &union(1, Value::Int(5)));
    // A writer's union under a plain type of ours: the branch decides.
    let plan = Plan::resolve(&parse(json!(["string", "int"])), &Schema::Long).unwrap();
    assert_eq!(plan.apply(&[2, 10]).unwrap(), [10]);
    assert_eq!(plan.apply(&[0, 2, b'x']).unwrap_err().what, "a union branch that we do not have");
    assert_eq!(plan.apply(&[4, 10]).unwrap_err().what, "a union branch that the writer schema does not have");
    assert_eq!(plan.apply(&[1]).unwrap_err().what, "a negative length or index");
    assert_eq!(refusal(&parse(json!("string")), &two), "no branch of our union takes string");
}

#[test]
fn enum_symbols_are_matched_by_name() {
    let symbols = |symbols: Json, default: Option<&str>| {
        let mut schema = json!({"type": "enum", "name": "E", "symbols": symbols});
        if let Some(default) = default {
            schema["default"] = json!(default);
        }
        Schema::parse(&schema).unwrap()
    };
    let writer = symbols(json!(["A", "B", "NEW"]), None);
    let reader = symbols(json!(["B", "A"]), None);
    check(&writer, Value::Enum(0, "A".into()), &reader, &Value::Enum(1, "A".into()));
    let plan = Plan::resolve(&writer, &reader).unwrap();
    assert_eq!(plan.apply(&[4]).unwrap_err().what, "an enum symbol that we do not have");
    assert_eq!(plan.apply(&[6]).unwrap_err().what, "an enum symbol that the writer schema does not have");
    let tolerant = symbols(json!(["UNKNOWN", "B", "A"]), Some("UNKNOWN"));
    check(&writer, Value::Enum(2, "NEW".into()), &tolerant, &Value::Enum(0, "UNKNOWN".into()));
    assert_eq!(refusal(&writer, &symbols(json!(["Z"]), None)), "our enum has none of the writer's symbols");
}

#[test]
fn a_type_may_contain_itself_up_to_a_depth() {
    let list = |extra: Json| {
        let mut fields = vec![json!({"name": "next", "type": ["null", "R"]})];
        fields.extend(extra.as_array().unwrap().clone());
        record(json!(fields))
    };
    let (writer, reader) = (list(json!([])), list(json!([{"name": "n", "type": "int", "default": 1}])));
    let plan = Plan::resolve(&writer, &reader).unwrap();
    assert_eq!(plan.apply(&[2, 2, 0]).unwrap(), [2, 2, 0, 2, 2, 2]);
    let deep = [vec![2; 5_000_000], vec![0]].concat();
    assert_eq!(plan.apply(&deep).unwrap_err().what, "too deep nesting");
}

#[test]
fn what_does_not_resolve_names_field_and_reason() {
    let of = |kind: Json| {
        record(json!([{"name": "o", "type": {"type": "record", "name": "O", "fields": [
        {"name": "f", "type": kind}]}}]))
    };
    let time = |unit: &str| json!({"type": "long", "logicalType": format!("timestamp-{unit}")});
    let decimal = |scale: u32| json!({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": scale});
    let named = |name: &str| json!({"type": "fixed", "name": name, "size": 2});
    let table = [
        (json!("string"), json!("int"), "field 'o.f': string does not become int"),
        (
            time("millis"),
            time("micros"),
            "field 'o.f': timestamp-millis is not timestamp-micros: the numbers would mean something else",
        ),
        (
            decimal(2),
            decimal(3),
            "field 'o.f': decimal(9, 2) is not decimal(9, 3): the numbers would mean something else",
        ),
        (named("A"), named("B"), "field 'o.f': type 'A' is not our 'B'"),
        (json!({"type": "array", "items": "int"}), json!("int"), "field 'o.f': array does not become int"),
    ];
    for (theirs, ours, expected) in table {
        assert_eq!(refusal(&of(theirs), &of(ours)), expected);
    }
    let missing = record(json!([{"name": "x", "type": "int"}]));
    assert_eq!(refusal(&record(json!([])), &missing), "field 'x': the writer does not have it and we have no default");
    assert!(Plan::resolve(&of(json!("long")), &of(time("millis"))).is_ok(), "a plain number may gain a meaning");
}

/// Pairs of schemas over one set of field names, and a value of the writer.
fn evolved() -> impl Strategy<Value = (Schema, Schema, Vec<u8>)> {
    let kinds = || {
        prop::sample::select(vec![
            json!("int"),
            json!("long"),
            json!("double"),
            json!("string"),
            json!("boolean"),
            json!(["null", "long"]),
            json!({"type": "array", "items": "int"}),
            json!({"type": "map", "values": "string"}),
        ])
    };
    let default = |kind: &Json| match kind {
        Json::Array(_) => json!(null),
        Json::Object(kind) if kind["type"] == "array" => json!([]),
        Json::Object(_) => json!({}),
        kind if kind == "string" => json!("d"),
        kind if kind == "boolean" => json!(true),
        _ => json!(4),
    };
    let field = move |(name, kind, has_default): (&str, Json, bool)| {
        let mut field = json!({"name": name, "type": kind});
        if has_default {
            field["default"] = default(&kind);
        }
        field
    };
    let names = || prop::sample::subsequence(vec!["a", "b", "c", "d", "e"], 0..=5).prop_shuffle();
    let side = move || {
        (names(), prop::collection::vec(kinds(), 5), prop::collection::vec(any::<bool>(), 5)).prop_map(
            move |(names, kinds, defaults)| {
                let fields = names.into_iter().zip(kinds).zip(defaults);
                record(fields.map(|((name, kind), has_default)| field((name, kind, has_default))).collect())
            },
        )
    };
    (side(), side(), prop::collection::vec(any::<i32>(), 5)).prop_map(|(writer, reader, seeds)| {
        let Schema::Record(schema) = &writer else { unreachable!("both sides are records") };
        let values = schema.fields.iter().zip(seeds).map(|(field, seed)| {
            let value = match &field.schema {
                Schema::Int => Value::Int(seed),
                Schema::Long => Value::Long(i64::from(seed) << 20),
                Schema::Double => Value::Double(f64::from(seed)),
                Schema::String => Value::String(seed.to_string()),
                Schema::Boolean => Value::Boolean(seed > 0),
                Schema::Union(_) if seed > 0 => Value::Union(1, Box::new(Value::Long(i64::from(seed)))),
                Schema::Union(_) => Value::Union(0, Box::new(Value::Null)),
                Schema::Array(_) => Value::Array(vec![Value::Int(seed); (seed.unsigned_abs() % 3) as usize]),
                _ => Value::Map([("k".to_owned(), Value::String(seed.to_string()))].into()),
            };
            (field.name.clone(), value)
        });
        let datum = encode(&writer, Value::Record(values.collect()));
        (writer, reader, datum)
    })
}

#[test]
fn random_evolutions_resolve_as_apache_avro_resolves_them() {
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let resolved = std::cell::Cell::new(0);
    let check = |(writer, reader, datum): (Schema, Schema, Vec<u8>)| {
        let plan = Plan::resolve(&writer, &reader);
        let compatible = SchemaCompatibility::can_read(&writer, &reader).is_ok();
        prop_assert_eq!(plan.is_ok(), compatible);
        let Ok(plan) = plan else { return Ok(()) };
        let model = GenericDatumReader::builder(&writer).reader_schema(&reader).build().unwrap();
        match (model.read_value(&mut &datum[..]), plan.apply(&datum)) {
            (Ok(expected), Ok(ours)) => {
                prop_assert_eq!(decode(&reader, &ours), expected);
                resolved.set(resolved.get() + 1);
            }
            (model, ours) => prop_assert!(model.is_err() && ours.is_err(), "{:?} but {:?}", model, ours),
        }
        Ok(())
    };
    runner.run(&evolved(), check).unwrap();
    assert!(resolved.get() > 100, "the generator makes pairs that resolve: {}", resolved.get());
}
