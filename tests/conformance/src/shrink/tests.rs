#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::*;
use crate::case::InputRecord;
use crate::generate;

/// Shrinks the first random cases that fail and compares the nodes and inputs of each result.
#[track_caller]
fn check_all(fails: impl Fn(&Case) -> bool, expected: &dyn Fn(&Case) -> bool) {
    let failing: Vec<Case> = (0..500).map(|index| generate::case(1, index)).filter(&fails).take(5).collect();
    assert_eq!(failing.len(), 5, "too few cases fail");
    for case in failing {
        let name = case.name.clone();
        let small = shrink(case, &mut |candidate| {
            check(candidate).unwrap();
            fails(candidate)
        });
        assert!(fails(&small), "{name}");
        assert!(expected(&small), "{name}: {}", serde_json::to_string_pretty(&small).unwrap());
    }
}

fn ops(case: &Case) -> String {
    let ops = case.nodes.iter().map(|node| Fields::of(node).text("op").unwrap().to_owned());
    ops.collect::<Vec<_>>().join(" ")
}

fn has(case: &Case, op: &str) -> bool {
    ops(case).split(' ').any(|known| known == op)
}

fn records(case: &Case) -> impl Iterator<Item = &InputRecord> {
    case.inputs.iter().filter_map(|input| match input {
        Input::Record(record) => Some(record),
        Input::Advance(_) => None,
    })
}

#[test]
fn one_operator_and_one_input_remain() {
    let fails = |case: &Case| has(case, "merge") && records(case).any(|record| record.key.is_none());
    check_all(fails, &|small| {
        let inputs: Vec<&InputRecord> = records(small).collect();
        let plain = |record: &InputRecord| record.timestamp == 0 && record.headers.is_empty();
        // The input may be another source's than the merge's.
        let is_small = has(small, "merge") && small.nodes.len() <= 4;
        is_small && inputs.len() == 1 && small.inputs.len() == 1 && plain(inputs[0])
    });
}

#[test]
fn what_a_node_needs_remains_and_options_go() {
    let uncached =
        |node: &Node| matches!(node, Node::Aggregate { materialized: Some(materialized), .. } if !materialized.caching);
    let fails = move |case: &Case| case.config.cache_max_bytes == 0 && case.nodes.iter().any(uncached);
    check_all(fails, &|small| {
        let last = Fields::of(small.nodes.last().unwrap());
        small.nodes.len() == 3
            && last.get("materialized") == Some(&json!({"caching": false}))
            && last.get("named").is_none()
            && last.text("aggregator") == Some("count")
            && small.inputs.is_empty()
            && small.dump.is_empty()
            && small.topics.values().all(|topic| topic.partitions == 1)
    });
}

#[test]
fn order_of_times_remains_where_it_counts() {
    let times = |case: &Case| records(case).map(|record| record.timestamp).collect::<Vec<_>>();
    check_all(move |case| !times(case).is_sorted(), &|small| times(small) == [1, 0] && small.inputs.len() == 2);
}

#[test]
fn a_processor_keeps_its_store_and_loses_it_with_its_need() {
    let keeps = |node: &Node| matches!(node, Node::Process { stores, .. } if !stores.is_empty());
    let stateful = |case: &Case| case.nodes.iter().any(keeps);
    check_all(stateful, &|small| ops(small).ends_with("store process") && small.nodes.len() <= 4);
    let runs = |case: &Case| has(case, "process");
    check_all(runs, &|small| !has(small, "store") && small.nodes.len() <= 3);
}

#[test]
fn tries_are_bounded_and_a_case_that_does_not_fail_stays() {
    let case = generate::case(1, 3);
    let mut tries = 0;
    assert_eq!(
        shrink(case.clone(), &mut |_| {
            tries += 1;
            false
        }),
        case
    );
    assert!(tries > 20 && tries <= TRIES_MAX, "{tries}");
    let empty = shrink(case, &mut |_| true);
    assert_eq!((empty.nodes.len(), empty.inputs.len(), empty.topics.len()), (0, 0, 0));
}
