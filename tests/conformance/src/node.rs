//! The calls of the DSL that a case makes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::case::Type;

/// Name of a node in the case.
pub type Id = String;

/// A function's name with its argument, such as `mod:3`.
pub type Function = String;

/// Kafka Streams' `Materialized`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Materialized {
    /// Name of the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// In memory instead of RocksDB.
    #[serde(skip_serializing_if = "is_false")]
    pub in_memory: bool,
    /// With a changelog.
    #[serde(skip_serializing_if = "is_true")]
    pub logging: bool,
    /// Behind the record cache.
    #[serde(skip_serializing_if = "is_true")]
    pub caching: bool,
    /// Configuration of the changelog topic.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub changelog_config: BTreeMap<String, String>,
}

impl Default for Materialized {
    fn default() -> Self {
        Self { name: None, in_memory: false, logging: true, caching: true, changelog_config: BTreeMap::new() }
    }
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_true(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// One call of the DSL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Node {
    /// A stream of topics.
    Stream {
        /// Its own id.
        id: Id,
        /// Topics it reads.
        topics: Vec<String>,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// A table of a topic.
    Table {
        /// Its own id.
        id: Id,
        /// The topic.
        topic: String,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
        /// How it is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        materialized: Option<Materialized>,
    },
    /// A store for processors.
    Store {
        /// Its own id.
        id: Id,
        /// Name of the store.
        name: String,
        /// Selector or type of the key.
        key: Type,
        /// Mapper or type of the value.
        value: Type,
        /// In memory instead of RocksDB.
        #[serde(default, skip_serializing_if = "is_false")]
        in_memory: bool,
        /// With a changelog.
        #[serde(default = "yes", skip_serializing_if = "is_true")]
        logging: bool,
    },
    /// Keeps records or rows.
    Filter {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Predicate.
        predicate: Function,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
        /// How it is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        materialized: Option<Materialized>,
    },
    /// Leaves records or rows out.
    FilterNot {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Predicate.
        predicate: Function,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
        /// How it is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        materialized: Option<Materialized>,
    },
    /// Replaces key and value.
    Map {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Selector or type of the key.
        key: Function,
        /// Mapper or type of the value.
        value: Function,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// Replaces values.
    MapValues {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Mapper.
        mapper: Function,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
        /// How it is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        materialized: Option<Materialized>,
    },
    /// Replaces a record by several.
    FlatMap {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Selector or type of the key.
        key: Function,
        /// Expander.
        expand: Function,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// Replaces a value by several.
    FlatMapValues {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Expander.
        expand: Function,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// Replaces the key.
    SelectKey {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Selector.
        selector: Function,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// Counts the records that pass.
    Peek {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// Counts the records that end here.
    Foreach {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// Two streams as one.
    Merge {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// The other side.
        with: Id,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// Starts a split.
    Split {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// A branch of a split.
    Branch {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Predicate.
        predicate: Function,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// The last branch of a split.
    DefaultBranch {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// Ends a stream in a topic.
    To {
        /// Its parent.
        of: Id,
        /// The topic.
        topic: String,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// Through a repartition topic.
    Repartition {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
        /// Partitions of the topic.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partitions: Option<i32>,
    },
    /// A stream as a table.
    ToTable {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
        /// How it is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        materialized: Option<Materialized>,
    },
    /// Groups a stream by its key.
    GroupByKey {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// Groups a stream or a table anew.
    GroupBy {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Selector or type of the key.
        key: Function,
        /// Mapper or type of the value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Function>,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// Counts.
    Count {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
        /// How it is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        materialized: Option<Materialized>,
    },
    /// Combines values.
    Reduce {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Reducer.
        reducer: Function,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
        /// How it is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        materialized: Option<Materialized>,
    },
    /// Folds values.
    Aggregate {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Aggregator.
        aggregator: Function,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
        /// How it is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        materialized: Option<Materialized>,
    },
    /// A processor.
    Process {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Processor.
        processor: Function,
        /// Ids of its stores.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stores: Vec<Id>,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// A processor that keeps the key.
    ProcessValues {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Processor.
        processor: Function,
        /// Ids of its stores.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stores: Vec<Id>,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// A table's changes as a stream.
    ToStream {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
    },
    /// Inner join of a stream or table with a table.
    Join {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// The other side.
        with: Id,
        /// Joiner.
        joiner: Function,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
        /// How it is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        materialized: Option<Materialized>,
    },
    /// Left join of a stream or table with a table.
    LeftJoin {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// The other side.
        with: Id,
        /// Joiner.
        joiner: Function,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
        /// How it is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        materialized: Option<Materialized>,
    },
    /// Outer join of two tables.
    OuterJoin {
        /// Its own id.
        id: Id,
        /// Its parent.
        of: Id,
        /// The other side.
        with: Id,
        /// Joiner.
        joiner: Function,
        /// Name in the DSL.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        named: Option<String>,
        /// How it is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        materialized: Option<Materialized>,
    },
}
