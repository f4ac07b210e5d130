#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;
use crate::check::check;

/// A case over `two` and `also` (two partitions each), `one` and `flat` (one each), and the outputs `words` and `numbers`.
fn case(nodes: &Value, inputs: &Value, config: &Value) -> Case {
    let topic = |value: &str, partitions: i32| json!({"key": "string", "value": value, "partitions": partitions});
    serde_json::from_value(json!({
        "name": "c",
        "config": config,
        "topics": {
            "two": topic("string", 2), "also": topic("string", 2), "one": topic("string", 1), "flat": topic("string", 1),
            "words": topic("string", 2), "numbers": topic("int64", 2),
        },
        "nodes": nodes,
        "inputs": inputs,
    }))
    .unwrap()
}

fn judge(case: &Case) -> Result<BTreeMap<String, Order>, String> {
    comparable(case, &check(case).unwrap()).map_err(|error| error.to_string())
}

/// The order of the only topic that is written, of nodes after the streams `s` (two), `o` (one), `f` (flat), and the
/// tables `t` (also) and `u` (two), which are not cached.
fn order(nodes: Value, cache: u64) -> Result<Order, String> {
    let stream = |id: &str, topic: &str| json!({"op": "stream", "id": id, "topics": [topic]});
    let table =
        |id: &str, topic: &str| json!({"op": "table", "id": id, "topic": topic, "materialized": {"caching": false}});
    let mut all =
        vec![stream("s", "two"), stream("o", "one"), stream("f", "flat"), table("t", "also"), table("u", "two")];
    all.extend(nodes.as_array().unwrap().iter().cloned());
    let orders = judge(&case(&Value::Array(all), &json!([]), &json!({"cache_max_bytes": cache})))?;
    Ok(*orders.values().next().unwrap())
}

fn to(of: &str, topic: &str) -> Value {
    json!({"op": "to", "of": of, "topic": topic})
}

#[test]
fn streams_keep_what_their_topics_and_keys_give() {
    let select = |of: &str| json!({"op": "select_key", "id": "k", "of": of, "selector": "text"});
    let repartition =
        |of: &str, partitions: i32| json!({"op": "repartition", "id": "r", "of": of, "partitions": partitions});
    let again = json!({"op": "select_key", "id": "a", "of": "r", "selector": "text"});
    let merge = |of: &str, with: &str| json!({"op": "merge", "id": "m", "of": of, "with": with});
    let table = [
        (json!([to("s", "words")]), Ok(Order::Keys)),
        (json!([to("o", "words")]), Ok(Order::Task)),
        (json!([select("o"), to("k", "words")]), Ok(Order::Task)),
        (json!([select("s"), to("k", "words")]), Ok(Order::Bag)),
        (json!([repartition("s", 1), to("r", "words")]), Ok(Order::Keys)),
        // Its one task gets two partitions in any order, but each key in its own.
        (json!([repartition("s", 1), again.clone(), to("a", "words")]), Ok(Order::Bag)),
        (json!([repartition("o", 1), again.clone(), to("a", "words")]), Ok(Order::Task)),
        (json!([repartition("o", 2), again, to("a", "words")]), Ok(Order::Bag)),
        (json!([merge("o", "f"), to("m", "words")]), Ok(Order::Task)),
        (json!([merge("s", "o"), to("m", "words")]), Ok(Order::Bag)),
        (
            json!([{"op": "process", "id": "p", "of": "o", "processor": "metadata"}, to("p", "words")]),
            Err("node 'p': what the processor sees depends on places and times"),
        ),
        (json!([to("o", "words"), to("s", "words")]), Err("node 'words': another node writes the same topic")),
    ];
    for (nodes, expected) in table {
        assert_eq!(order(nodes.clone(), 0), expected.map_err(str::to_owned), "{nodes}");
    }
}

#[test]
fn a_cache_leaves_the_last_record_sure_and_nothing_that_counts_changes() {
    let count = |caching: bool| {
        vec![
            json!({"op": "group_by_key", "id": "g", "of": "o"}),
            json!({"op": "count", "id": "c", "of": "g", "materialized": {"caching": caching}}),
            json!({"op": "to_stream", "id": "x", "of": "c"}),
        ]
    };
    let with = |caching: bool, more: Vec<Value>| Value::Array([count(caching), more].concat());
    let group = json!({"op": "group_by", "id": "h", "of": "c", "key": "key", "value": "same"});
    let sum = json!({"op": "reduce", "id": "d", "of": "h", "reducer": "sum", "materialized": {"caching": false}});
    let out = json!({"op": "to_stream", "id": "y", "of": "d"});
    let even = json!({"op": "filter", "id": "e", "of": "x", "predicate": "even"});
    let kept = json!({"op": "filter", "id": "e", "of": "c", "predicate": "even"});
    let kept_out = json!({"op": "to_stream", "id": "y", "of": "e"});
    let table = [
        (with(true, vec![to("x", "numbers")]), 1, Ok(Order::Last)),
        (with(true, vec![to("x", "numbers")]), 0, Ok(Order::Task)),
        (with(false, vec![to("x", "numbers")]), 1, Ok(Order::Task)),
        (with(true, vec![kept, kept_out, to("y", "numbers")]), 1, Ok(Order::Last)),
        (
            with(true, vec![even.clone(), to("e", "numbers")]),
            1,
            Err("node 'e': leaves records out of a stream of which the last alone is sure"),
        ),
        (with(false, vec![even, to("e", "numbers")]), 1, Ok(Order::Task)),
        (
            with(true, vec![group.clone(), sum.clone(), out.clone(), to("y", "numbers")]),
            1,
            Err("node 'h': which changes the cache lets through is not sure"),
        ),
        (with(false, vec![group, sum, out, to("y", "numbers")]), 1, Ok(Order::Task)),
    ];
    for (nodes, cache, expected) in table {
        assert_eq!(order(nodes.clone(), cache), expected.map_err(str::to_owned), "{cache} {nodes}");
    }
}

#[test]
fn what_comes_in_any_order_is_only_counted_and_summed() {
    let aggregated = |fold: Value| {
        let mut fold = fold;
        fold["id"] = "c".into();
        fold["of"] = "g".into();
        json!([{"op": "group_by", "id": "g", "of": "s", "key": "text"}, fold, {"op": "to_stream", "id": "x", "of": "c"},
               {"op": "map_values", "id": "n", "of": "x", "mapper": "number"}, to("n", "numbers")])
    };
    let refused = Err("node 'c': the order of what is aggregated is not sure");
    let table = [
        (json!({"op": "count"}), Ok(Order::Last)),
        (json!({"op": "aggregate", "aggregator": "sum"}), Ok(Order::Last)),
        (json!({"op": "aggregate", "aggregator": "text"}), refused),
        (json!({"op": "reduce", "reducer": "max"}), Ok(Order::Last)),
        // Texts are put together in their order.
        (json!({"op": "reduce", "reducer": "sum"}), refused),
    ];
    for (fold, expected) in table {
        assert_eq!(order(aggregated(fold.clone()), 0), expected.map_err(str::to_owned), "{fold}");
    }
}

#[test]
fn joins_need_both_sides_in_one_order() {
    let pair = |of: &str, with: &str| json!({"op": "join", "id": "j", "of": of, "with": with, "joiner": "pair"});
    let own = json!({"op": "table", "id": "v", "topic": "one"});
    let changes = json!({"op": "to_stream", "id": "y", "of": "j"});
    // Without a name each aggregate has a repartition topic of its own.
    let two = |group: Value| {
        let mut group = group;
        group["id"] = "g".into();
        json!([group, {"op": "count", "id": "c", "of": "g"}, {"op": "aggregate", "id": "d", "of": "g", "aggregator": "count"},
               {"op": "join", "id": "j", "of": "c", "with": "d", "joiner": "pair"}, {"op": "to_stream", "id": "y", "of": "j"},
               to("y", "words")])
    };
    let same_topic = two(json!({"op": "group_by_key", "of": "o"}));
    let own_topics = two(json!({"op": "group_by", "of": "o", "key": "text"}));
    let moved = json!({"op": "repartition", "id": "r", "of": "s"});
    let table = [
        (json!([pair("s", "t"), to("j", "words")]), 1, Ok(Order::Keys)),
        (json!([pair("t", "u"), changes.clone(), to("y", "words")]), 1, Ok(Order::Keys)),
        // A lookup sees the cached row at once.
        (json!([own.clone(), pair("f", "v"), to("j", "words")]), 1, Ok(Order::Task)),
        (
            json!([own, {"op": "to_table", "id": "w", "of": "f"}, pair("v", "w"), changes, to("y", "words")]),
            1,
            Err("node 'j': one side is behind a record cache"),
        ),
        (same_topic, 0, Ok(Order::Task)),
        (own_topics, 0, Err("node 'j': the order in which both sides come is not sure")),
        (
            json!([moved, pair("r", "t"), to("j", "words")]),
            1,
            Err("node 'j': the order in which both sides come is not sure"),
        ),
    ];
    for (nodes, cache, expected) in table {
        assert_eq!(order(nodes.clone(), cache), expected.map_err(str::to_owned), "{nodes}");
    }
}

#[test]
fn equal_times_in_two_topics_leave_their_order_open() {
    let nodes = json!([{"op": "stream", "id": "m", "topics": ["one", "flat"]}, to("m", "words")]);
    let at = |topic: &str, timestamp: i64| json!({"topic": topic, "key": "k", "value": "v", "timestamp": timestamp});
    let judged = |inputs: Value| judge(&case(&nodes, &inputs, &json!({}))).unwrap()["words"];
    assert_eq!(judged(json!([at("one", 1), at("flat", 2), at("one", 1)])), Order::Task);
    assert_eq!(judged(json!([at("one", 1), at("flat", 2), at("one", 2)])), Order::Bag);
}

#[test]
fn headers_of_what_comes_in_any_order_are_not_sure() {
    let nodes = json!([
        {"op": "stream", "id": "s", "topics": ["two"]}, {"op": "group_by", "id": "g", "of": "s", "key": "text"},
        {"op": "count", "id": "c", "of": "g"},
    ]);
    let input =
        |headers: Value| json!([{"topic": "two", "key": "k", "value": "v", "timestamp": 1, "headers": headers}]);
    let judged = |headers: Value| judge(&case(&nodes, &input(headers), &json!({}))).map(|orders| orders.len());
    assert_eq!(judged(json!([])), Ok(0));
    let error = "node 'c': which record comes last and gives its headers is not sure".to_owned();
    assert_eq!(judged(json!([["a", "1"]])), Err(error));
}

#[test]
fn a_store_belongs_to_one_order_and_one_task_per_key() {
    let judged = |of: &str, also: Option<&str>| {
        let mut nodes = vec![
            json!({"op": "stream", "id": "s", "topics": ["two"]}),
            json!({"op": "stream", "id": "o", "topics": ["one"]}),
            json!({"op": "repartition", "id": "r", "of": "o"}),
            json!({"op": "select_key", "id": "k", "of": "s", "selector": "text"}),
            json!({"op": "store", "id": "store", "name": "store", "key": "string", "value": "int64"}),
        ];
        let parents = [Some(of), also];
        nodes.extend(parents.into_iter().flatten().enumerate().map(|(index, of)| {
            json!({"op": "process", "id": format!("p{index}"), "of": of, "processor": "count", "stores": ["store"]})
        }));
        judge(&case(&Value::Array(nodes), &json!([]), &json!({}))).map(|orders| orders.len())
    };
    assert_eq!(judged("s", None), Ok(0));
    assert_eq!(judged("r", Some("r")), Ok(0));
    let shared = "node 'p1': the order in which several streams use the store is not sure".to_owned();
    assert_eq!(judged("o", Some("r")), Err(shared));
    assert_eq!(judged("k", None), Err("node 'p0': several tasks have rows of a key in the store".to_owned()));
}

#[test]
fn whole_cases_are_refused_for_what_no_broker_repeats() {
    let nodes = json!([{"op": "stream", "id": "s", "topics": ["two"]}, to("s", "words")]);
    let at = |partition: i32| json!({"topic": "two", "key": "k", "value": "v", "timestamp": 1, "partition": partition});
    let exact = json!({"guarantee": "exactly_once_v2"});
    let both = json!([{"op": "stream", "id": "s", "topics": ["one"]}, {"op": "stream", "id": "w", "topics": ["words"]},
                      to("s", "words")]);
    let table = [
        (case(&nodes, &json!([]), &exact), "the guarantee is not at_least_once"),
        (case(&nodes, &json!([at(0), at(1)]), &json!({})), "a key has records in several partitions"),
        (case(&nodes, &json!([at(2)]), &json!({})), "an input names a partition that its topic does not have"),
        (case(&both, &json!([]), &json!({})), "a topic is both written and read"),
    ];
    for (case, expected) in table {
        assert_eq!(judge(&case), Err(expected.to_owned()));
    }
    assert_eq!(judge(&case(&nodes, &json!([{"advance_wall_clock": 5}]), &json!({}))).unwrap()["words"], Order::Keys);
}
