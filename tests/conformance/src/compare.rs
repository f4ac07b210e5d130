//! The first difference of two outcomes, with what is needed to understand it. Pure.

use std::fmt::{self, Write};

use crate::case::{Case, Datum, Input, Type};
use crate::check::{Shapes, check};
use crate::outcome::{Failed, Outcome, OutputRecord, Ran, Row, unhex};

/// Inputs that a report shows, from the end.
const INPUTS_MAX: usize = 60;
/// Lines of a text before the one that differs.
const LINES_BEFORE: usize = 3;

/// Where two outcomes differ first, and what each side has there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Such as `topic 'counts', record 3`.
    pub part: String,
    /// What the original has there.
    pub original: String,
    /// What ours has there.
    pub ours: String,
    /// What both have just before, then the inputs of the case.
    pub context: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, original, ours, context } = self;
        write!(f, "first difference: {part}\n  original: {original}\n  ours:     {ours}\n{context}")
    }
}

/// The first difference of two outcomes of a case; `None`: they are equal. A side that failed differs from everything.
pub fn first_difference(case: &Case, original: &Outcome, ours: &Outcome) -> Option<Difference> {
    let compared = Compared { case, shapes: check(case).unwrap_or_default() };
    let (part, original, ours, before) = match (original, ours) {
        (Outcome::Ran(original), Outcome::Ran(ours)) => compared.ran(original, ours)?,
        (Outcome::Refused(original), Outcome::Refused(ours)) if original == ours => return None,
        (original, ours) => ("how it ended".to_owned(), ending(original), ending(ours), String::new()),
    };
    let context = format!("{before}{}", compared.inputs());
    Some(Difference { part, original, ours, context })
}

fn ending(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ran(_) => "it ran".to_owned(),
        Outcome::Refused(refused) => match refused.at {
            Some(at) => format!("input {at} refused"),
            None => "topology refused".to_owned(),
        },
        Outcome::Failed(Failed { error }) => format!("error: {error}"),
    }
}

/// Part, both values, and what is before.
type Found = (String, String, String, String);

struct Compared<'a> {
    case: &'a Case,
    shapes: Shapes,
}

impl Compared<'_> {
    fn ran(&self, original: &Ran, ours: &Ran) -> Option<Found> {
        description(&original.describe, &ours.describe)
            .or_else(|| self.topics(original, ours))
            .or_else(|| self.stores(original, ours))
            .or_else(|| seen(original, ours))
            .or_else(|| {
                let differs = original.dropped != ours.dropped;
                let found =
                    || ("dropped".to_owned(), original.dropped.to_string(), ours.dropped.to_string(), String::new());
                differs.then(found)
            })
    }

    fn topics(&self, original: &Ran, ours: &Ran) -> Option<Found> {
        // User topics show best what is wrong, internal ones why.
        let names = original.topics.keys().chain(ours.topics.keys());
        let mut names: Vec<&String> = names.collect();
        names.sort_by_key(|name| (!self.case.topics.contains_key(*name), *name));
        names.dedup();
        names.into_iter().find_map(|name| {
            let types = self.types_of_topic(name);
            let records = |ran: &Ran| ran.topics.get(name).cloned().unwrap_or_default();
            let show = |record: &OutputRecord| show_record(record, types);
            list(&format!("topic '{name}', record"), &records(original), &records(ours), show)
        })
    }

    fn stores(&self, original: &Ran, ours: &Ran) -> Option<Found> {
        original.stores.keys().chain(ours.stores.keys()).find_map(|name| {
            let types = self.shapes.stores.get(name).copied();
            let (original, ours) = (original.stores.get(name), ours.stores.get(name));
            let (Some(original), Some(ours)) = (original, ours) else {
                let there = |rows: Option<&Vec<Row>>| if rows.is_some() { "dumped" } else { "missing" }.to_owned();
                return Some((format!("store '{name}'"), there(original), there(ours), String::new()));
            };
            list(&format!("store '{name}', row"), original, ours, |row| show_row(row, types))
        })
    }

    fn types_of_topic(&self, name: &str) -> Option<(Type, Type)> {
        if let Some(topic) = self.case.topics.get(name) {
            return Some((topic.key, topic.value));
        }
        let store = name.strip_prefix("app-")?.strip_suffix("-changelog")?;
        self.shapes.stores.get(store).copied()
    }

    fn inputs(&self) -> String {
        let all = &self.case.inputs;
        let first = all.len().saturating_sub(INPUTS_MAX);
        let mut text = format!("inputs ({} in all):\n", all.len());
        for (index, input) in all.iter().enumerate().skip(first) {
            // Writing to a string cannot fail.
            let _ = match input {
                Input::Advance(advance) => writeln!(text, "  {index}: wall clock + {}", advance.advance_wall_clock),
                Input::Record(record) => {
                    let (key, value) = (datum(record.key.as_ref()), datum(record.value.as_ref()));
                    let headers =
                        if record.headers.is_empty() { String::new() } else { format!(" {:?}", record.headers) };
                    writeln!(text, "  {index}: {} {key} -> {value} @{}{headers}", record.topic, record.timestamp)
                }
            };
        }
        text
    }
}

fn description(original: &str, ours: &str) -> Option<Found> {
    let (originals, our_lines): (Vec<&str>, Vec<&str>) = (original.split('\n').collect(), ours.split('\n').collect());
    list("describe, line", &originals, &our_lines, |line| format!("{line:?}"))
}

fn seen(original: &Ran, ours: &Ran) -> Option<Found> {
    original.seen.keys().chain(ours.seen.keys()).find_map(|id| {
        let (original, ours) = (original.seen.get(id), ours.seen.get(id));
        let show = |count: Option<&u64>| count.map_or("missing".to_owned(), u64::to_string);
        (original != ours).then(|| (format!("seen '{id}'"), show(original), show(ours), String::new()))
    })
}

/// The first place where two lists differ.
fn list<T: PartialEq>(what: &str, original: &[T], ours: &[T], show: impl Fn(&T) -> String) -> Option<Found> {
    let index = (0..original.len().max(ours.len())).find(|index| original.get(*index) != ours.get(*index))?;
    let at = |list: &[T]| list.get(index).map_or_else(|| format!("nothing: {} in all", list.len()), &show);
    let mut before = String::new();
    let first = index.saturating_sub(LINES_BEFORE);
    for (at, same) in original[first..index].iter().enumerate() {
        let _ = writeln!(before, "  equal {}: {}", first + at, show(same));
    }
    Some((format!("{what} {index}"), at(original), at(ours), before))
}

fn datum(datum: Option<&Datum>) -> String {
    datum.map_or_else(|| "null".to_owned(), |datum| serde_json::to_string(datum).unwrap_or_default())
}

fn show_record(record: &OutputRecord, types: Option<(Type, Type)>) -> String {
    let key = bytes(record.key.as_deref(), types.map(|types| types.0));
    let value = bytes(record.value.as_deref(), types.map(|types| types.1));
    let headers: Vec<String> =
        record.headers.iter().map(|(key, value)| format!("{key}={}", bytes(value.as_deref(), None))).collect();
    let headers = if headers.is_empty() { String::new() } else { format!(" [{}]", headers.join(", ")) };
    format!("{key} -> {value} @{}{headers}", record.timestamp)
}

fn show_row(row: &Row, types: Option<(Type, Type)>) -> String {
    let key = bytes(Some(&row.key), types.map(|types| types.0));
    let value = bytes(Some(&row.value), types.map(|types| types.1));
    format!("{key} -> {value} @{}", row.timestamp)
}

/// Bytes in hexadecimal and, where they decode, as the type; bytes of an unknown type as what they look like.
fn bytes(hex: Option<&str>, kind: Option<Type>) -> String {
    let Some(hex) = hex else { return "null".to_owned() };
    let Some(bytes) = unhex(hex) else { return format!("{hex} (no hexadecimal)") };
    let looks_like = if bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) { Type::String } else { Type::Int64 };
    match Datum::read(kind.unwrap_or(looks_like), &bytes) {
        Ok(read) => format!("{hex} ({})", datum(Some(&read))),
        Err(_) => hex.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn case() -> Case {
        serde_json::from_value(json!({
            "name": "c",
            "topics": {"in": {"key": "string", "value": "int64"}},
            "nodes": [{"op": "stream", "id": "a", "topics": ["in"]}],
            "inputs": [
                {"topic": "in", "key": "x", "value": 7, "timestamp": 5, "headers": [["h", null]]},
                {"advance_wall_clock": 9},
            ],
        }))
        .unwrap()
    }

    fn record(value: Option<&str>) -> OutputRecord {
        OutputRecord { key: Some("78".into()), value: value.map(str::to_owned), timestamp: 5, headers: vec![] }
    }

    fn ran() -> Ran {
        let row = Row { key: "78".into(), value: "79".into(), timestamp: 1 };
        Ran {
            describe: "one\ntwo\n".into(),
            topics: BTreeMap::from([("in".into(), vec![record(Some("0000000000000007")), record(None)])]),
            stores: BTreeMap::from([("s".into(), vec![row])]),
            seen: BTreeMap::from([("p".into(), 3)]),
            dropped: 1,
        }
    }

    #[track_caller]
    fn differs(change: impl FnOnce(&mut Ran), part: &str, original: &str, ours: &str) {
        let mut changed = ran();
        change(&mut changed);
        let found = first_difference(&case(), &Outcome::Ran(ran()), &Outcome::Ran(changed)).unwrap();
        assert_eq!((found.part.as_str(), found.original.as_str(), found.ours.as_str()), (part, original, ours));
    }

    #[test]
    fn each_part_that_differs_is_found_and_shown() {
        differs(|ran| ran.describe = "one\n2\n".into(), "describe, line 1", "\"two\"", "\"2\"");
        differs(
            |ran| ran.topics.get_mut("in").unwrap()[0].value = Some("61".into()),
            "topic 'in', record 0",
            "78 (\"x\") -> 0000000000000007 (7) @5",
            "78 (\"x\") -> 61 @5",
        );
        let extra = |ran: &mut Ran| ran.topics.get_mut("in").unwrap().push(record(None));
        differs(extra, "topic 'in', record 2", "nothing: 2 in all", "78 (\"x\") -> null @5");
        let unknown = |ran: &mut Ran| {
            ran.topics.insert("app-x-changelog".into(), vec![record(Some("6162"))]);
        };
        differs(unknown, "topic 'app-x-changelog', record 0", "nothing: 0 in all", "78 (\"x\") -> 6162 (\"ab\") @5");
        let header = |ran: &mut Ran| ran.topics.get_mut("in").unwrap()[1].headers.push(("h".into(), None));
        differs(header, "topic 'in', record 1", "78 (\"x\") -> null @5", "78 (\"x\") -> null @5 [h=null]");
        differs(
            |ran| ran.stores.get_mut("s").unwrap()[0].timestamp = 2,
            "store 's', row 0",
            "78 (\"x\") -> 79 (\"y\") @1",
            "78 (\"x\") -> 79 (\"y\") @2",
        );
        differs(|ran| ran.stores.clear(), "store 's'", "dumped", "missing");
        differs(|ran| ran.seen.clear(), "seen 'p'", "3", "missing");
        differs(|ran| ran.dropped = 2, "dropped", "1", "2");
    }

    #[test]
    fn equal_outcomes_do_not_differ_and_a_side_that_failed_differs_from_everything() {
        let (ran, refused) = (Outcome::Ran(ran()), Outcome::refused_input(1));
        let (topology, failed) = (Outcome::refused_topology(), Outcome::failed("why"));
        for same in [&ran, &refused, &topology] {
            assert_eq!(first_difference(&case(), same, same), None);
        }
        for (left, right) in [(&ran, &refused), (&refused, &topology), (&failed, &ran), (&failed, &failed)] {
            assert!(first_difference(&case(), left, right).is_some(), "{left:?} {right:?}");
        }
    }

    #[test]
    fn the_report_shows_what_was_equal_before_and_the_inputs() {
        let mut changed = ran();
        changed.topics.get_mut("in").unwrap()[1].timestamp = 6;
        let found = first_difference(&case(), &Outcome::Ran(ran()), &Outcome::Ran(changed)).unwrap();
        let expected = "first difference: topic 'in', record 1
  original: 78 (\"x\") -> null @5
  ours:     78 (\"x\") -> null @6
  equal 0: 78 (\"x\") -> 0000000000000007 (7) @5
inputs (2 in all):
  0: in \"x\" -> 7 @5 [(\"h\", None)]
  1: wall clock + 9
";
        assert_eq!(found.to_string(), expected);
    }
}
