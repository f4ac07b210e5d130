//! The table of parity says nothing that the repository does not hold, and the cases leave nothing of the contract out.
#![allow(clippy::unwrap_used, clippy::panic)]

mod coverage;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Rows of each section of the reference, from 2.1 on: a row that is taken out must be taken out here as well.
const ROWS: [usize; 17] = [19, 15, 18, 11, 16, 14, 14, 19, 5, 10, 13, 6, 15, 9, 12, 75, 103];

/// Kafka Streams is the specification: there is little to be said against it.
const EXCEPTIONS_MAX: usize = 10;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file of the repository, with the bars that tables escape out of the way.
fn text(path: &str) -> String {
    let text = std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.replace("\\|", "")
}

/// The cases of a folder by file name without `.json`.
fn cases_in(folder: &str) -> BTreeMap<String, Value> {
    let folder = repository().join("tests/conformance").join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files
        .map(|path| {
            let case = serde_json::from_slice(&std::fs::read(&path).unwrap());
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, case.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        })
        .collect()
}

fn cases() -> BTreeMap<String, Value> {
    cases_in("cases")
}

/// The cells of every table row, trimmed; headings and the lines below them are rows too.
fn rows(markdown: &str) -> impl Iterator<Item = Vec<&str>> {
    markdown.lines().filter_map(|line| {
        let cells = line.strip_prefix('|')?.strip_suffix('|')?;
        Some(cells.split('|').map(str::trim).collect())
    })
}

/// Number and state of every row of the table of parity.
fn parity(document: &str) -> Vec<(&str, &str)> {
    rows(document).filter(|row| row[0].starts_with("2.")).map(|row| (row[0], row[2])).collect()
}

fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_row_of_the_reference_is_there_once_and_in_order() {
    let document = text("docs/kafka-streams-parity.md");
    let numbers: Vec<&str> = parity(&document).into_iter().map(|(number, _)| number).collect();
    let expected: Vec<String> = ROWS
        .iter()
        .enumerate()
        .flat_map(|(section, rows)| (1..=*rows).map(move |row| format!("2.{}.{row}", section + 1)))
        .collect();
    let first = numbers.iter().zip(&expected).find(|(number, expected)| number != expected);
    assert_eq!(first, None, "a number of the document and the one that belongs there");
    assert_eq!(numbers.len(), expected.len());
}

#[test]
fn every_state_names_what_exists() {
    let document = text("docs/kafka-streams-parity.md");
    let (cases, keys, metrics) = (cases(), text("README.md"), text("docs/metrics.md"));
    let known = |name: &str| rows(&keys).chain(rows(&metrics)).any(|row| quoted(row[0]).next() == Some(name));
    for (number, state) in parity(&document) {
        let named = state.split(';').next().unwrap_or(state);
        if let Some(names) = named.strip_prefix("works and compared: ") {
            for name in names.split(", ") {
                assert!(cases.contains_key(name), "{number} names the case {name:?}, which does not exist");
            }
        } else if let Some(tests) = named.strip_prefix("works: ") {
            assert!(tests.split(", ").all(|test| test.contains("::")), "{number} names no test: {tests}");
        } else if let Some(names) = named.strip_prefix("works as ") {
            for name in quoted(names) {
                assert!(known(name), "{number} names {name:?}, which is neither a key nor a metric");
            }
        } else {
            let without = ["planned", "makes no sense outside the JVM, because "];
            assert!(without.iter().any(|state| named.starts_with(state)), "{number} has no known state: {state}");
        }
        for (file, test) in tests_named_in(state) {
            assert!(text(file).contains(&format!("fn {test}(")), "{number} names the test {test}, which {file} lacks");
        }
    }
}

/// Every `<file>.rs::<test>` of a state.
fn tests_named_in(state: &str) -> impl Iterator<Item = (&str, &str)> {
    state
        .split([' ', ',', ';', '(', ')'])
        .filter_map(|word| word.split_once("::"))
        .filter(|(file, _)| Path::new(file).extension().is_some_and(|extension| extension == "rs"))
}

#[test]
fn every_case_is_named_in_the_table_of_parity() {
    let document = text("docs/kafka-streams-parity.md");
    let named: BTreeSet<&str> = parity(&document)
        .into_iter()
        .filter_map(|(_, state)| state.strip_prefix("works and compared: "))
        .flat_map(|names| names.split(';').next().unwrap_or(names).split(", "))
        .collect();
    let unnamed: Vec<String> = cases().into_keys().filter(|name| !named.contains(name.as_str())).collect();
    assert!(unnamed.is_empty(), "no row names {unnamed:?}");
}

#[test]
fn a_case_is_named_as_its_file() {
    for (file, case) in cases().into_iter().chain(cases_in("exceptions")) {
        assert_eq!(case["name"], file);
        assert!(case["about"].as_str().is_some_and(|about| !about.is_empty()), "{file} does not say what it is about");
    }
}

#[test]
fn every_exception_has_its_case_and_its_reason_and_they_are_few() {
    let contract = text("tests/conformance/README.md");
    let table = contract.split("## Exceptions").nth(1).unwrap().split("\n## ").next().unwrap();
    let exceptions: Vec<Vec<&str>> = rows(table).filter(|row| row[0].starts_with('`')).collect();
    let named: BTreeSet<String> = exceptions.iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
    assert_eq!(named, cases_in("exceptions").into_keys().collect());
    assert!(exceptions.iter().all(|row| row.len() == 4 && row.iter().all(|cell| !cell.is_empty())), "{exceptions:?}");
    assert!(exceptions.len() <= EXCEPTIONS_MAX, "an exception hides every other difference of its kind");
}
