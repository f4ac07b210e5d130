//! A case as its JSON says it; `README.md` describes the format.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::node::Node;

/// One topology, its input and what to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The file's name without `.json`.
    pub name: String,
    /// What the case is about, one sentence.
    #[serde(default)]
    pub about: String,
    /// Configuration of the application.
    #[serde(default)]
    pub config: Config,
    /// User topics by name.
    pub topics: BTreeMap<String, Topic>,
    /// Calls of the DSL, in order.
    pub nodes: Vec<Node>,
    /// Records and steps of the wall clock, in order.
    pub inputs: Vec<Input>,
    /// Names of the stores to dump at the end.
    #[serde(default)]
    pub dump: Vec<String>,
}

/// Configuration that both sides run with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Kafka Streams' `topology.optimization`.
    pub optimization: Optimization,
    /// Kafka Streams' `processing.guarantee`.
    pub guarantee: Guarantee,
    /// Kafka Streams' `statestore.cache.max.bytes`.
    pub cache_max_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { optimization: Optimization::None, guarantee: Guarantee::AtLeastOnce, cache_max_bytes: 10 << 20 }
    }
}

/// Kafka Streams' `topology.optimization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimization {
    /// As described.
    None,
    /// All rewrites.
    All,
}

/// Kafka Streams' `processing.guarantee`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guarantee {
    /// Records may be processed again after a failure.
    AtLeastOnce,
    /// Transactions.
    ExactlyOnceV2,
}

/// Type of a key or value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// ASCII text.
    String,
    /// 64 bits with sign.
    Int64,
    /// A number and a text; never a key.
    Record,
}

/// A user topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Type of its keys.
    pub key: Type,
    /// Type of its values.
    pub value: Type,
    /// Partitions, on real brokers.
    #[serde(default = "one")]
    pub partitions: i32,
}

const fn one() -> i32 {
    1
}

/// A key or value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Datum {
    /// A `string`.
    String(String),
    /// An `int64`.
    Int64(i64),
    /// A `record`.
    Record {
        /// Its number.
        n: i64,
        /// Its text.
        s: String,
    },
}

/// One step of the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Input {
    /// Moves the wall clock.
    Advance(Advance),
    /// Pipes a record in.
    Record(InputRecord),
}

/// A step of the wall clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advance {
    /// By how many ms.
    pub advance_wall_clock: i64,
}

/// A record to pipe in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputRecord {
    /// Into this topic.
    pub topic: String,
    /// Into this partition, on real brokers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// Key.
    pub key: Option<Datum>,
    /// Value.
    pub value: Option<Datum>,
    /// Record time in ms.
    pub timestamp: i64,
    /// Headers in order; a value may be null.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, Option<String>)>,
}
