#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;

fn case(nodes: Value, inputs: Value) -> Case {
    let topics = json!({
        "words": {"key": "string", "value": "string"},
        "numbers": {"key": "string", "value": "int64"},
        "out": {"key": "string", "value": "int64"},
    });
    serde_json::from_value(json!({"name": "c", "topics": topics, "nodes": nodes, "inputs": inputs})).unwrap()
}

/// Checks the nodes after a stream `s`, a table `t`, a store `k` and a split `p`.
fn checked(nodes: Value) -> Result<Shapes, String> {
    let mut all = vec![
        json!({"op": "stream", "id": "s", "topics": ["words"]}),
        json!({"op": "table", "id": "t", "topic": "numbers"}),
        json!({"op": "store", "id": "k", "name": "store", "key": "string", "value": "int64"}),
        json!({"op": "split", "id": "p", "of": "s"}),
    ];
    all.extend(nodes.as_array().unwrap().iter().cloned());
    check(&case(Value::Array(all), json!([]))).map_err(|error| error.to_string())
}

#[test]
fn every_operator_gives_the_shape_of_the_table() {
    use Kind::{End, GroupedStream, GroupedTable, Stream, Table};
    use Type::{Int64, Record, String};
    let table = [
        (json!([{"op": "filter", "id": "x", "of": "s", "predicate": "all"}]), (Stream, String, String)),
        (json!([{"op": "filter_not", "id": "x", "of": "t", "predicate": "even"}]), (Table, String, Int64)),
        (json!([{"op": "map", "id": "x", "of": "s", "key": "number", "value": "record"}]), (Stream, Int64, Record)),
        (json!([{"op": "map_values", "id": "x", "of": "t", "mapper": "text"}]), (Table, String, String)),
        (json!([{"op": "flat_map", "id": "x", "of": "s", "key": "mod:2", "expand": "chars"}]), (Stream, Int64, String)),
        (json!([{"op": "flat_map_values", "id": "x", "of": "s", "expand": "halves"}]), (Stream, String, Int64)),
        (json!([{"op": "select_key", "id": "x", "of": "s", "selector": "key_mod:2"}]), (Stream, Int64, String)),
        (json!([{"op": "peek", "id": "x", "of": "s"}]), (Stream, String, String)),
        (json!([{"op": "foreach", "id": "x", "of": "s"}]), (End, String, String)),
        (json!([{"op": "merge", "id": "x", "of": "s", "with": "s"}]), (Stream, String, String)),
        (json!([{"op": "branch", "id": "x", "of": "p", "predicate": "even"}]), (Stream, String, String)),
        (json!([{"op": "default_branch", "id": "x", "of": "p"}]), (Stream, String, String)),
        (json!([{"op": "repartition", "id": "x", "of": "s", "partitions": 2}]), (Stream, String, String)),
        (json!([{"op": "to_table", "id": "x", "of": "s"}]), (Table, String, String)),
        (json!([{"op": "to_stream", "id": "x", "of": "t"}]), (Stream, String, Int64)),
        (json!([{"op": "group_by_key", "id": "x", "of": "s"}]), (GroupedStream, String, String)),
        (json!([{"op": "group_by", "id": "x", "of": "s", "key": "number"}]), (GroupedStream, Int64, String)),
        (
            json!([{"op": "group_by", "id": "x", "of": "t", "key": "number", "value": "null_if_even"}]),
            (GroupedTable, Int64, Int64),
        ),
        (
            json!([{"op": "group_by_key", "id": "g", "of": "s"}, {"op": "count", "id": "x", "of": "g"}]),
            (Table, String, Int64),
        ),
        (
            json!([{"op": "group_by_key", "id": "g", "of": "s"},
                   {"op": "reduce", "id": "x", "of": "g", "reducer": "max"}]),
            (Table, String, String),
        ),
        (
            json!([{"op": "group_by_key", "id": "g", "of": "s"},
                   {"op": "aggregate", "id": "x", "of": "g", "aggregator": "last"}]),
            (Table, String, Record),
        ),
        (
            json!([{"op": "process", "id": "x", "of": "s", "processor": "count", "stores": ["k"]}]),
            (Stream, String, Int64),
        ),
        (json!([{"op": "process_values", "id": "x", "of": "s", "processor": "metadata"}]), (Stream, String, String)),
        (json!([{"op": "join", "id": "x", "of": "s", "with": "t", "joiner": "right"}]), (Stream, String, Int64)),
        (json!([{"op": "left_join", "id": "x", "of": "t", "with": "t", "joiner": "pair"}]), (Table, String, String)),
        (json!([{"op": "outer_join", "id": "x", "of": "t", "with": "t", "joiner": "sum"}]), (Table, String, Int64)),
    ];
    for (nodes, (kind, key, value)) in table {
        let shapes = checked(nodes.clone()).unwrap();
        assert_eq!(shapes.nodes["x"], Shape { kind, key, value }, "{nodes}");
    }
}

#[test]
fn every_mistake_names_its_node_and_field() {
    let kept = json!({"name": "n"});
    let table = [
        (json!([{"op": "peek", "id": "s", "of": "s"}]), "'id': an earlier node has the id 's'"),
        (json!([{"op": "peek", "id": "x", "of": "y"}]), "'of': no earlier node has the id 'y'"),
        (json!([{"op": "peek", "id": "x", "of": "t"}]), "'of': 't' is a table, not a stream"),
        (json!([{"op": "stream", "id": "x", "topics": ["a"]}]), "'topics': the case has no topic 'a'"),
        (json!([{"op": "stream", "id": "x", "topics": []}]), "'topics': at least one topic"),
        (
            json!([{"op": "stream", "id": "x", "topics": ["words", "numbers"]}]),
            "'topics': the type is Int64, not String",
        ),
        (json!([{"op": "to", "of": "s", "topic": "out"}]), "'topic': the type is Int64, not String"),
        (json!([{"op": "map_values", "id": "x", "of": "s", "mapper": "no"}]), "'mapper': no mapper is named 'no'"),
        (
            json!([{"op": "map_values", "id": "x", "of": "t", "mapper": "null"}]),
            "'mapper': no mapper of a table makes null",
        ),
        (
            json!([{"op": "group_by", "id": "x", "of": "t", "key": "key"}]),
            "'value': the grouping of a table maps values",
        ),
        (
            json!([{"op": "group_by", "id": "x", "of": "s", "key": "key", "value": "same"}]),
            "'value': only the grouping of a table maps values",
        ),
        (
            json!([{"op": "filter", "id": "x", "of": "s", "predicate": "all", "materialized": kept}]),
            "'materialized': only tables are kept",
        ),
        (
            json!([{"op": "left_join", "id": "x", "of": "t", "with": "t", "joiner": "right"}]),
            "'joiner': the joiner passes on a side that may be missing",
        ),
        (
            json!([{"op": "process_values", "id": "x", "of": "s", "processor": "shift:1"}]),
            "'processor': only 'process' runs this processor",
        ),
        (
            json!([{"op": "process", "id": "x", "of": "s", "processor": "count"}]),
            "'stores': the processor has one store",
        ),
        (
            json!([{"op": "process", "id": "x", "of": "s", "processor": "dedup", "stores": ["k"]}]),
            "'stores': the type is Int64, not String",
        ),
        (
            json!([{"op": "default_branch", "id": "d", "of": "p"}, {"op": "branch", "id": "x", "of": "p", "predicate": "all"}]),
            "'of': the default branch is the last of its split",
        ),
        (json!([{"op": "repartition", "id": "x", "of": "s", "partitions": 0}]), "'partitions': at least 1"),
    ];
    for (nodes, expected) in table {
        let error = checked(nodes.clone()).unwrap_err();
        assert!(error.ends_with(expected), "{nodes}: {error}");
    }
    let error = checked(json!([{"op": "peek", "id": "x", "of": "t"}])).unwrap_err();
    assert_eq!(error, "node 'x' (number 4), field 'of': 't' is a table, not a stream");
}

#[test]
fn inputs_have_the_types_of_topics_that_are_read() {
    let nodes = json!([{"op": "stream", "id": "s", "topics": ["numbers"]}]);
    let input = |input: Value| check(&case(nodes.clone(), json!([input]))).map_err(|error| error.to_string());
    let good = json!({"topic": "numbers", "key": "a", "value": null, "timestamp": 0});
    assert!(input(good).is_ok());
    let table = [
        (json!({"topic": "no", "key": "a", "value": 1, "timestamp": 0}), "'topic': the case has no topic 'no'"),
        (json!({"topic": "words", "key": "a", "value": "b", "timestamp": 0}), "'topic': no node reads topic 'words'"),
        (json!({"topic": "numbers", "key": 1, "value": 1, "timestamp": 0}), "'key': the type is Int64, not String"),
        (
            json!({"topic": "numbers", "key": "a", "value": "b", "timestamp": 0}),
            "'value': the type is String, not Int64",
        ),
        (
            json!({"topic": "numbers", "key": "a", "value": 1, "timestamp": -1}),
            "'timestamp': a timestamp is at least 0",
        ),
        (json!({"advance_wall_clock": -1}), "'advance_wall_clock': the clock only goes forward"),
    ];
    for (json, expected) in table {
        assert_eq!(input(json), Err(format!("input number 0, field {expected}")));
    }
}

#[test]
fn a_field_that_is_not_described_is_an_error() {
    let nodes = json!([{"op": "peek", "id": "x", "of": "s", "extra": 1}]);
    let case = json!({"name": "c", "topics": {}, "nodes": nodes, "inputs": []});
    assert!(serde_json::from_value::<Case>(case).is_err());
}
