//! Every operator, option and function of the contract occurs in at least two cases.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{cases, quoted, rows, text};

/// A rule that only one case shows is lost with that case.
const CASES_MIN: usize = 2;

/// One operator of the contract on one kind of parent.
struct Operator {
    name: String,
    on: String,
    result: String,
    fields: Vec<String>,
}

/// The operators of the contract's table of nodes.
fn operators(contract: &str) -> Vec<Operator> {
    let table = contract.split("### Nodes").nth(1).unwrap().split("###").next().unwrap();
    let mut operators = Vec::new();
    for row in rows(table).filter(|row| row.len() == 4 && row[0].starts_with('`')) {
        let results: Vec<&str> = row[3].split(';').next().unwrap().split(", ").collect();
        for (at, on) in row[1].split(", ").enumerate() {
            let result = results.get(at).unwrap_or(&results[0]).trim_start_matches("a ");
            operators.extend(quoted(row[0]).map(|name| Operator {
                name: name.to_owned(),
                on: on.to_owned(),
                result: result.split(" of ").next().unwrap().to_owned(),
                fields: fields(row[2], on),
            }));
        }
    }
    operators
}

/// The fields of a row on one kind of parent: without remarks, and without what only tables take.
fn fields(cell: &str, on: &str) -> Vec<String> {
    let parts = cell.split(", ").filter(|part| on == "table" || !part.starts_with("on tables"));
    parts
        .filter_map(|part| quoted(part.split('(').next().unwrap_or(part)).next())
        .map(|field| field.trim_matches(['[', ']']).to_owned())
        .collect()
}

/// The functions of the contract, each behind the heading of its table.
fn functions(contract: &str) -> Vec<String> {
    let tables = contract.split("### Functions").nth(1).unwrap().split("## What comes out").next().unwrap();
    let mut family = "";
    let mut functions = Vec::new();
    for row in rows(tables) {
        if row[0].starts_with('`') {
            functions.extend(quoted(row[0]).map(|name| format!("{family} {}", bare(name))));
        } else if !row[0].starts_with('-') {
            family = bare(row[0]);
        }
    }
    functions
}

/// A function without its argument, a heading without its remark.
fn bare(name: &str) -> &str {
    name.split([':', ' ']).next().unwrap_or(name)
}

/// The family of the functions that a field takes.
fn family(op: &str, field: &str) -> Option<&'static str> {
    Some(match field {
        "key" | "value" if op == "store" => return None,
        "predicate" => "predicate",
        "mapper" | "value" => "mapper",
        "selector" | "key" => "selector",
        "expand" => "expand",
        "reducer" => "reducer",
        "aggregator" => "aggregator",
        "joiner" => "joiner",
        "processor" => "processor",
        _ => return None,
    })
}

/// The forms in which a store is asked for.
fn forms(materialized: &Value) -> Vec<String> {
    match materialized.as_object() {
        None => vec!["absent".to_owned()],
        Some(options) if options.is_empty() => vec!["{}".to_owned()],
        Some(options) => options.keys().cloned().collect(),
    }
}

/// Operators with their options, functions and forms of stores that a case uses.
fn uses_of_nodes(case: &Value, operators: &[Operator]) -> BTreeSet<String> {
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut uses = BTreeSet::new();
    for node in case["nodes"].as_array().unwrap() {
        let (op, parent) = (node["op"].as_str().unwrap(), node["of"].as_str().map_or("", |of| kinds[of]));
        // `count` and its like stand once, on "grouped", for grouped streams and grouped tables.
        let fits = |on: &str| parent == on || on == "grouped" && parent.starts_with(on);
        let operator = operators.iter().find(|operator| operator.name == op && fits(&operator.on));
        let operator = operator.unwrap_or_else(|| panic!("{}: no {op} on {parent:?} in the contract", case["name"]));
        if let Some(id) = node["id"].as_str() {
            kinds.insert(id, &operator.result);
        }
        uses.insert(format!("{op} on {parent}"));
        for field in operator.fields.iter().filter(|field| !node[field].is_null()) {
            uses.insert(format!("{op} on {}, {field}", operator.on));
            if let (Some(family), Some(function)) = (family(op, field), node[field].as_str()) {
                uses.insert(format!("{family} {}", bare(function)));
            }
        }
        if operator.fields.iter().any(|field| field == "materialized") {
            uses.extend(forms(&node["materialized"]).into_iter().map(|form| format!("materialized {form}")));
        }
        if node["topics"].as_array().is_some_and(|topics| topics.len() > 1) {
            uses.insert("several topics".to_owned());
        }
    }
    uses
}

/// What a case says beside its nodes.
fn uses_of_inputs(case: &Value) -> BTreeSet<String> {
    let mut uses: BTreeSet<String> = BTreeSet::new();
    for input in case["inputs"].as_array().unwrap() {
        uses.extend(input.as_object().unwrap().iter().map(|(field, value)| match value {
            Value::Null => format!("input, {field} null"),
            _ => format!("input, {field}"),
        }));
    }
    uses.extend(case["config"].as_object().into_iter().flatten().map(|(key, _)| format!("config {key}")));
    uses
}

/// What the contract offers.
fn offered(contract: &str, operators: &[Operator]) -> BTreeSet<String> {
    let mut offered: BTreeSet<String> = functions(contract).into_iter().collect();
    for operator in operators {
        offered.extend(operator.fields.iter().map(|field| format!("{} on {}, {field}", operator.name, operator.on)));
        match operator.on.as_str() {
            "grouped" => offered.extend(["stream", "table"].map(|on| format!("{} on grouped {on}", operator.name))),
            on => offered.extend([format!("{} on {on}", operator.name)]),
        }
    }
    let forms = ["absent", "{}", "name", "in_memory", "logging", "caching", "changelog_config"];
    offered.extend(forms.map(|form| format!("materialized {form}")));
    let rest = ["input, key null", "input, value null", "input, headers", "input, advance_wall_clock"];
    offered.extend(rest.map(str::to_owned));
    offered.extend(["several topics", "config cache_max_bytes"].map(str::to_owned));
    offered
}

#[test]
fn every_operator_option_and_function_is_in_at_least_two_cases() {
    let contract = text("tests/conformance/README.md");
    let operators = operators(&contract);
    let mut counts: BTreeMap<String, usize> =
        offered(&contract, &operators).into_iter().map(|what| (what, 0)).collect();
    assert!(counts.len() > 150, "the contract's tables were not read: {counts:?}");
    for case in cases().values() {
        for used in uses_of_nodes(case, &operators).into_iter().chain(uses_of_inputs(case)) {
            counts.entry(used).and_modify(|count| *count += 1);
        }
    }
    let rare: Vec<_> = counts.into_iter().filter(|(_, count)| *count < CASES_MIN).collect();
    assert!(rare.is_empty(), "in fewer than {CASES_MIN} cases: {rare:?}");
}
