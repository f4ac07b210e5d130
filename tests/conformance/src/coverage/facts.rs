//! The single facts that are counted, and which of them are possible.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::{Case, Input, InputRecord};
use crate::check::Kind;
use crate::node::Node;
use crate::operators::{Fields, OPERATORS, Operator, operators};

/// Something that a case contains.
pub(super) enum Fact {
    Operator(String),
    Option(String),
    Function(String),
    Pair(String),
    Feature(&'static str),
}

/// Every shape, setting and kind of input.
pub(super) const FEATURES: &[&str] = &[
    "several consumers of a stream",
    "several consumers of a table",
    "several aggregations of a grouping",
    "several branches of a split",
    "several processors of a store",
    "stream of several topics",
    "streams of one topic",
    "topic written and read",
    "several sinks of a topic",
    "diamond",
    "merge with itself",
    "join with itself",
    "no cache",
    "small cache",
    "default cache",
    "several partitions",
    "null key",
    "null value",
    "headers",
    "null header",
    "repeated header",
    "equal timestamps",
    "out of order",
    "wall clock",
];

/// Every fact of a case. Shapes, settings and inputs are told once.
pub(super) fn of(case: &Case) -> Vec<Fact> {
    let mut facts = Vec::new();
    let nodes: Vec<Fields> = case.nodes.iter().map(Fields::of).collect();
    let operators = operators(case).unwrap_or_default();
    let mut by_id: BTreeMap<&str, &Operator> = BTreeMap::new();
    for (fields, operator) in nodes.iter().zip(&operators) {
        facts.push(Fact::Operator(operator.name()));
        facts.extend(options_of(fields, operator).into_iter().map(Fact::Option));
        facts.extend(operator.functions.iter().filter_map(|(field, family)| {
            let name = fields.text(field)?.split(':').next()?;
            Some(Fact::Function(format!("{family} {name}")))
        }));
        for (field, parent) in fields.parents() {
            facts.extend(by_id.get(parent.as_str()).map(|parent| Fact::Pair(pair(parent, operator, field))));
        }
        by_id.extend(fields.text("id").map(|id| (id, *operator)));
    }
    let features = shapes(case, &nodes, &by_id).into_iter().chain(settings(case)).chain(inputs(case));
    facts.extend(features.collect::<BTreeSet<_>>().into_iter().map(Fact::Feature));
    facts
}

fn pair(parent: &Operator, child: &Operator, field: &str) -> String {
    match field {
        "of" => format!("{} > {}", parent.name(), child.name()),
        _ => format!("{} > {} ({field})", parent.name(), child.name()),
    }
}

/// Every pair that the kinds allow.
pub(super) fn possible_pairs() -> Vec<String> {
    let takes_stores = |child: &Operator| child.functions.iter().any(|(_, family)| *family == "processor");
    let pairs = |parent: &'static Operator, child: &'static Operator| {
        let of = (child.on == Some(parent.gives)).then_some("of");
        let with = (child.with == Some(parent.gives)).then_some("with");
        let stores = (parent.gives == Kind::Store && takes_stores(child)).then_some("stores");
        [of, with, stores].into_iter().flatten().map(|field| pair(parent, child, field))
    };
    OPERATORS.iter().flat_map(|parent| OPERATORS.iter().flat_map(move |child| pairs(parent, child))).collect()
}

/// Each option of an operator, and that it is left out.
pub(super) fn possible_options(operator: &Operator) -> Vec<String> {
    let of = |option: &str| format!("{}: {option}", operator.name());
    let mut possible = Vec::new();
    for option in operator.options {
        possible.extend([of(option), of(&format!("without {option}"))]);
        if *option == "materialized" {
            possible.extend(MATERIALIZED.iter().map(|part| of(part)));
        }
    }
    possible
}

const MATERIALIZED: [&str; 6] = [
    "materialized, empty",
    "materialized, name",
    "materialized, in_memory",
    "materialized, logging",
    "materialized, caching",
    "materialized, changelog_config",
];

fn options_of(fields: &Fields, operator: &Operator) -> Vec<String> {
    let of = |option: &str| format!("{}: {option}", operator.name());
    let mut options = Vec::new();
    for option in operator.options {
        let Some(value) = fields.get(option) else {
            options.push(of(&format!("without {option}")));
            continue;
        };
        options.push(of(option));
        if *option == "materialized" {
            let parts: Vec<&String> = value.as_object().into_iter().flat_map(|parts| parts.keys()).collect();
            options.extend(parts.iter().map(|part| of(&format!("materialized, {part}"))));
            options.extend(parts.is_empty().then(|| of(MATERIALIZED[0])));
        }
    }
    options
}

fn shapes(case: &Case, nodes: &[Fields], by_id: &BTreeMap<&str, &Operator>) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut consumers: BTreeMap<String, usize> = BTreeMap::new();
    let mut above: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for fields in nodes {
        let parents = fields.parents();
        let mut ancestors = BTreeSet::new();
        let sides: Vec<_> = parents.iter().filter(|(field, _)| *field != "stores").map(|(_, id)| id).collect();
        if let [left, right] = sides[..] {
            found
                .extend((left == right).then(|| {
                    if fields.text("op") == Some("merge") { "merge with itself" } else { "join with itself" }
                }));
            found.extend((left != right && !above[left].is_disjoint(&above[right])).then_some("diamond"));
        }
        for (_, parent) in parents {
            *consumers.entry(parent.clone()).or_default() += 1;
            ancestors.extend(above.get(&parent).into_iter().flatten().cloned());
        }
        if let Some(id) = fields.text("id") {
            ancestors.insert(id.to_owned());
            above.insert(id.to_owned(), ancestors);
        }
    }
    let several = consumers.iter().filter(|(_, count)| **count > 1);
    found.extend(several.filter_map(|(id, _)| Some(several_of(by_id.get(id.as_str())?.gives))));
    found.extend(topics(case));
    found
}

fn several_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Stream | Kind::End => "several consumers of a stream",
        Kind::Table => "several consumers of a table",
        Kind::GroupedStream | Kind::GroupedTable => "several aggregations of a grouping",
        Kind::Split => "several branches of a split",
        Kind::Store => "several processors of a store",
    }
}

fn topics(case: &Case) -> Vec<&'static str> {
    let mut found = Vec::new();
    let (mut read, mut written) = (BTreeSet::new(), BTreeSet::new());
    for node in &case.nodes {
        match node {
            Node::Stream { topics, .. } => {
                found.extend((topics.len() > 1).then_some("stream of several topics"));
                found.extend((!read.insert(&topics[0])).then_some("streams of one topic"));
            }
            Node::Table { topic, .. } => {
                read.insert(topic);
            }
            Node::To { topic, .. } => found.extend((!written.insert(topic)).then_some("several sinks of a topic")),
            _ => {}
        }
    }
    found.extend((!read.is_disjoint(&written)).then_some("topic written and read"));
    found
}

fn settings(case: &Case) -> Vec<&'static str> {
    let cache = match case.config.cache_max_bytes {
        0 => "no cache",
        1..100_000 => "small cache",
        _ => "default cache",
    };
    let several = case.topics.values().any(|topic| topic.partitions > 1).then_some("several partitions");
    [cache].into_iter().chain(several).collect()
}

fn inputs(case: &Case) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut last = None;
    for input in &case.inputs {
        match input {
            Input::Advance(_) => found.push("wall clock"),
            Input::Record(record) => {
                found.extend(of_record(record));
                found.extend((last == Some(record.timestamp)).then_some("equal timestamps"));
                found.extend((last > Some(record.timestamp)).then_some("out of order"));
                last = Some(record.timestamp);
            }
        }
    }
    found
}

fn of_record(record: &InputRecord) -> impl Iterator<Item = &'static str> {
    let names: BTreeSet<&String> = record.headers.iter().map(|(name, _)| name).collect();
    let facts = [
        (record.key.is_none(), "null key"),
        (record.value.is_none(), "null value"),
        (!record.headers.is_empty(), "headers"),
        (record.headers.iter().any(|(_, value)| value.is_none()), "null header"),
        (names.len() < record.headers.len(), "repeated header"),
    ];
    facts.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name)
}
