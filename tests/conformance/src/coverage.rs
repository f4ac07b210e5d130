//! What cases contain: operators, their options, functions, pairs of adjacent operators, shapes and inputs; and what of
//! all that is possible no case had.

mod facts;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::case::Case;
use crate::generate::all_functions;
use crate::operators::{OPERATORS, Operator};

/// Counts over cases. Everything possible is in it from the start, with 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// How many cases were added.
    pub cases: u64,
    /// Nodes by operator.
    pub operators: Counts,
    /// Nodes by operator and option that they have, or leave out.
    pub options: Counts,
    /// Uses of functions, without their arguments.
    pub functions: Counts,
    /// Edges by the operators at their ends; an edge to another field than `of` names that field.
    pub pairs: Counts,
    /// Cases with a shape, a setting or a kind of input.
    pub features: Counts,
}

/// How often each thing occurred.
pub type Counts = BTreeMap<String, u64>;

impl Default for Coverage {
    fn default() -> Self {
        let zero = |names: Vec<String>| names.into_iter().map(|name| (name, 0)).collect();
        Self {
            cases: 0,
            operators: zero(OPERATORS.iter().map(Operator::name).collect()),
            options: zero(OPERATORS.iter().flat_map(facts::possible_options).collect()),
            functions: zero(all_functions().map(|(family, name)| format!("{family} {name}")).collect()),
            pairs: zero(facts::possible_pairs()),
            features: zero(facts::FEATURES.iter().map(|name| (*name).to_owned()).collect()),
        }
    }
}

impl Coverage {
    /// Counts what a case contains.
    pub fn add(&mut self, case: &Case) {
        self.cases += 1;
        let count = |counts: &mut Counts, name: String| *counts.entry(name).or_default() += 1;
        for fact in facts::of(case) {
            match fact {
                facts::Fact::Operator(name) => count(&mut self.operators, name),
                facts::Fact::Option(name) => count(&mut self.options, name),
                facts::Fact::Function(name) => count(&mut self.functions, name),
                facts::Fact::Pair(name) => count(&mut self.pairs, name),
                facts::Fact::Feature(name) => count(&mut self.features, name.to_owned()),
            }
        }
    }

    fn groups(&self) -> [(&'static str, &Counts); 5] {
        [
            ("operators", &self.operators),
            ("options", &self.options),
            ("functions", &self.functions),
            ("pairs of adjacent operators", &self.pairs),
            ("shapes, settings and inputs", &self.features),
        ]
    }

    /// Everything that is possible and never occurred.
    pub fn missing(&self) -> Vec<String> {
        let missing = |(group, counts): (&'static str, &Counts)| {
            let names = counts.iter().filter(|(_, count)| **count == 0);
            names.map(|(name, _)| format!("{group}: {name}")).collect::<Vec<_>>()
        };
        self.groups().into_iter().flat_map(missing).collect()
    }

    /// The counts and what is missing, as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({"counts": self, "missing": self.missing()})
    }
}

/// A table: names and counts, two pairs beside each other.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} cases", self.cases)?;
        for (group, counts) in self.groups() {
            let seen = counts.values().filter(|count| **count > 0).count();
            writeln!(f, "\n{group}: {seen} of {}", counts.len())?;
            let width = counts.keys().map(String::len).max().unwrap_or(0);
            let cells: Vec<String> = counts.iter().map(|(name, count)| format!("{name:width$} {count:>7}")).collect();
            for row in cells.chunks(2) {
                writeln!(f, "  {}", row.join("   "))?;
            }
        }
        let missing = self.missing();
        writeln!(f, "\nnever occurred: {}", if missing.is_empty() { "nothing" } else { "" })?;
        missing.iter().try_for_each(|name| writeln!(f, "  {name}"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// A case with one stream, a filter that is named and a sink.
    fn small() -> Case {
        let json = serde_json::json!({
            "name": "c",
            "topics": {"t": {"key": "string", "value": "string"}, "u": {"key": "string", "value": "string"}},
            "nodes": [
                {"op": "stream", "id": "a", "topics": ["t"]},
                {"op": "filter", "id": "b", "of": "a", "predicate": "less:3", "named": "x"},
                {"op": "to", "of": "b", "topic": "u"},
            ],
            "inputs": [{"topic": "t", "key": null, "value": "x", "timestamp": 0}],
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_a_case_contains_is_counted_and_the_rest_is_missing() {
        let mut coverage = Coverage::default();
        let possible = coverage.clone();
        coverage.add(&small());
        coverage.add(&small());
        let counted = |counts: &Counts| {
            counts.iter().filter(|(_, count)| **count > 0).map(|(name, count)| format!("{name} {count}")).collect()
        };
        let all: Vec<Vec<String>> = coverage.groups().iter().map(|(_, counts)| counted(counts)).collect();
        assert_eq!(all[0], ["filter of a stream 2", "stream 2", "to of a stream 2"]);
        assert_eq!(
            all[1],
            ["filter of a stream: named 2", "stream: without named 2", "to of a stream: without named 2"]
        );
        assert_eq!(all[2], ["predicate less 2"]);
        assert_eq!(all[3], ["filter of a stream > to of a stream 2", "stream > filter of a stream 2"]);
        assert_eq!(all[4], ["default cache 2", "null key 2"]);
        let names = |coverage: &Coverage| coverage.groups().iter().map(|(_, counts)| counts.len()).sum::<usize>();
        assert_eq!(names(&coverage), names(&possible), "nothing but what is possible is counted");
        assert_eq!(possible.missing().len(), names(&possible));
        assert_eq!(coverage.missing().len(), names(&possible) - 11);
    }
}
