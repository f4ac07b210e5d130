#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use super::*;
use crate::case::{Datum, Guarantee, Input, InputRecord, Optimization};
use crate::check::check;
use crate::coverage::Coverage;
use crate::node::Node;
use crate::operators::Fields;

const CASES: u64 = 2000;

#[test]
fn every_operator_option_function_and_pair_occurs() {
    let mut coverage = Coverage::default();
    let possible = coverage.clone();
    (0..CASES).for_each(|index| coverage.add(&case(1, index)));
    assert_eq!(coverage.missing(), Vec::<String>::new(), "{coverage}");
    assert!(coverage.pairs.keys().eq(possible.pairs.keys()), "an impossible pair occurred: {coverage}");
    assert!(coverage.options.keys().eq(possible.options.keys()), "an unknown option occurred: {coverage}");
}

#[test]
fn every_case_is_right_and_within_its_bounds() {
    for (seed, index) in [1, 2, 3].into_iter().flat_map(|seed| (0..CASES / 4).map(move |index| (seed, index))) {
        let case = case(seed, index);
        let context = || format!("seed {seed}, case {index}: {}", serde_json::to_string_pretty(&case).unwrap());
        check(&case).map_err(|error| format!("{error}: {}", context())).unwrap();
        assert!(NODES.contains(&case.nodes.len()), "{}", context());
        let records = case.inputs.iter().filter(|input| matches!(input, Input::Record(_))).count();
        assert!(inputs::RECORDS.contains(&records), "{}", context());
        assert_no_name_twice(&case, &context());
        assert_no_topic_twice(&case, &context());
    }
}

/// Names that the DSL takes once: of nodes, with what it derives from them, and of stores.
fn assert_no_name_twice(case: &Case, context: &str) {
    let names = case.nodes.iter().filter_map(|node| Fields::of(node).text("named").map(str::to_owned));
    let stores = case.nodes.iter().filter_map(|node| match node {
        Node::Store { name, .. } => Some(name.clone()),
        node => node.materialized()?.name.clone(),
    });
    let all: Vec<String> = names.chain(stores).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{context}");
    assert!(all.iter().all(|name| name.ends_with('x')), "{context}");
}

/// A topic is read by one table, or by streams of one list; nothing that is read is written later.
fn assert_no_topic_twice(case: &Case, context: &str) {
    let (mut tables, mut streams, mut read) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for node in &case.nodes {
        match node {
            Node::Table { topic, .. } => {
                assert!(tables.insert(topic), "{context}");
                read.insert(topic);
            }
            Node::Stream { topics, .. } => {
                let apart = |other: &&Vec<String>| topics.iter().all(|topic| !other.contains(topic));
                assert!(streams.iter().all(|other| apart(other) || *other == topics), "{context}");
                streams.push(topics);
                read.extend(topics);
            }
            Node::To { topic, .. } => assert!(!read.contains(topic), "{context}"),
            _ => {}
        }
    }
    assert!(streams.into_iter().flatten().all(|topic| !tables.contains(topic)), "{context}");
}

#[test]
fn a_seed_and_a_number_say_everything() {
    for index in 0..50 {
        assert_eq!(case(7, index), case(7, index));
        assert_ne!(case(7, index), case(7, index + 1));
        assert_ne!(case(7, index), case(8, index));
    }
    // The draws themselves must not change: a seed that is written down stays a case.
    let drawn: Vec<usize> = (0..5).map(|index| Draw::new(1, index).below(1_000_000)).collect();
    assert_eq!(drawn, [41_102, 117_793, 913_356, 818_170, 683_359]);
}

#[test]
fn a_case_survives_json() {
    // What random cases leave at its default.
    let mut unusual = case(3, 0);
    unusual.config.optimization = Optimization::All;
    unusual.config.guarantee = Guarantee::ExactlyOnceV2;
    unusual.inputs.push(Input::Record(InputRecord {
        topic: "in".to_owned(),
        partition: Some(3),
        key: None,
        value: Some(Datum::Record { n: -1, s: String::new() }),
        timestamp: -1,
        headers: vec![("h".to_owned(), None)],
    }));
    for case in (0..200).map(|index| case(3, index)).chain([unusual]) {
        let json = serde_json::to_string(&case).unwrap();
        assert_eq!(serde_json::from_str::<Case>(&json).unwrap(), case, "{json}");
    }
}
