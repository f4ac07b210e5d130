//! What comes out of a case, the same from both sides; `README.md` describes each field.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a side says about a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// It ran.
    Ran(Ran),
    /// The side refused it, as its semantics say.
    Refused(Refused),
    /// The side cannot say or run the case. Never equal to anything.
    Failed(Failed),
}

/// Everything that a run wrote, keeps and counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ran {
    /// The topology's text.
    pub describe: String,
    /// Records that the application wrote, by the topic's full name.
    pub topics: BTreeMap<String, Vec<OutputRecord>>,
    /// Rows of the stores to dump, in order of key bytes.
    pub stores: BTreeMap<String, Vec<Row>>,
    /// Records that each `peek` and `foreach` saw, by id.
    pub seen: BTreeMap<String, u64>,
    /// Dropped records of all tasks.
    pub dropped: u64,
}

/// What was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// `topology` or `input`.
    pub refused: What,
    /// Index of the input that the task failed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<usize>,
}

/// What can be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The DSL refuses the topology.
    Topology,
    /// The task fails on an input.
    Input,
}

/// Why a side has nothing to compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// The reason.
    pub error: String,
}

/// A record as bytes, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputRecord {
    /// Key.
    pub key: Option<String>,
    /// Value.
    pub value: Option<String>,
    /// Record time in ms.
    pub timestamp: i64,
    /// Headers in order.
    pub headers: Vec<(String, Option<String>)>,
}

/// A row as bytes, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Key.
    pub key: String,
    /// Value.
    pub value: String,
    /// Its time in ms.
    pub timestamp: i64,
}

impl Outcome {
    /// The refusal of a topology.
    pub const fn refused_topology() -> Self {
        Self::Refused(Refused { refused: What::Topology, at: None })
    }

    /// The refusal of an input.
    pub const fn refused_input(at: usize) -> Self {
        Self::Refused(Refused { refused: What::Input, at: Some(at) })
    }

    /// A side that has nothing to compare.
    pub fn failed(error: impl ToString) -> Self {
        Self::Failed(Failed { error: error.to_string() })
    }
}

/// Bytes in hexadecimal, lower case.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of hexadecimal text.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_the_json_of_the_readme() {
        let text = r#"{"describe":"d","topics":{"counts":[{"key":"78","value":null,"timestamp":10,"headers":[["trace","31"],["trace",null]]}]},"stores":{"store":[{"key":"78","value":"01","timestamp":10}]},"seen":{"p":3},"dropped":1}"#;
        let outcome: Outcome = serde_json::from_str(text).unwrap();
        assert!(matches!(&outcome, Outcome::Ran(ran) if ran.dropped == 1));
        assert_eq!(serde_json::to_string(&outcome).unwrap(), text);
        for (text, expected) in [
            (r#"{"refused":"topology"}"#, Outcome::refused_topology()),
            (r#"{"refused":"input","at":2}"#, Outcome::refused_input(2)),
            (r#"{"error":"e"}"#, Outcome::failed("e")),
        ] {
            assert_eq!(serde_json::from_str::<Outcome>(text).unwrap(), expected);
            assert_eq!(serde_json::to_string(&expected).unwrap(), text);
        }
    }

    #[test]
    fn hexadecimal_goes_both_ways() {
        assert_eq!(hex(b"\0\xffx"), "00ff78");
        assert_eq!(unhex("00ff78").unwrap(), b"\0\xffx");
        assert_eq!((unhex("0"), unhex("zz")), (None, None));
    }
}
