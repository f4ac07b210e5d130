//! What can be wrong with a topology, each with what to do about it.

use std::collections::BTreeMap;

/// Why a topology cannot be built, or cannot run on the topics that exist.
///
/// The cases are those of Kafka Streams' `TopologyException`, `CopartitionedTopicsEnforcer`, `RepartitionTopics`
/// and `InternalTopicManager.validate`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopologyError {
    /// Two nodes have one name.
    #[error("operator '{name}' is already added; give one of the two another name")]
    DuplicateNode {
        /// The name.
        name: String,
    },
    /// A parent is not a node of this blueprint.
    #[error("a parent of '{name}' is unknown; parents must come from the same builder")]
    UnknownParent {
        /// The node that was to be added.
        name: String,
    },
    /// A processor or sink has no parent.
    #[error("'{name}' has no parent; connect it to at least one source or operator")]
    NoParent {
        /// The node that was to be added.
        name: String,
    },
    /// A sink was named as parent.
    #[error("sink '{sink}' cannot be the parent of '{name}'; read the sink's topic with a new source instead")]
    SinkAsParent {
        /// The node that was to be added.
        name: String,
        /// The sink.
        sink: String,
    },
    /// A source has no topic.
    #[error("source '{name}' has no topic; name at least one")]
    NoTopic {
        /// The source.
        name: String,
    },
    /// Two sources read one topic.
    #[error(
        "topic '{topic}' is already read by source '{source_name}'; read it once and use that stream or table twice"
    )]
    TopicAlreadyRegistered {
        /// The topic.
        topic: String,
        /// The source that has it.
        source_name: String,
    },
    /// Two streams share some topics but not all.
    #[error(
        "topic '{topic}' is in two sources whose topics overlap but are not equal; use equal lists, or one stream per topic and merge"
    )]
    OverlappingSources {
        /// A shared topic.
        topic: String,
    },
    /// Two stores have one name.
    #[error("a different store named '{name}' is already added; give one of the two another name")]
    DuplicateStore {
        /// The name.
        name: String,
    },
    /// A store is not of this blueprint.
    #[error("store {index} of '{node}' is not added yet; add it to the same builder first")]
    UnknownStore {
        /// The node it was to be connected to.
        node: String,
        /// Index of the store.
        index: usize,
    },
    /// A store was connected to a source or a sink.
    #[error("a store cannot be connected to '{node}', which is not a processor")]
    NotAProcessor {
        /// The node.
        node: String,
    },
    /// A name breaks the rules of Kafka's `Named.validate`.
    #[error("name '{name}' is illegal: {reason}; use 1 to 249 ASCII letters, digits, '.', '_' and '-'")]
    InvalidName {
        /// The name.
        name: String,
        /// The broken rule.
        reason: &'static str,
    },
    /// A repartition topic was added twice.
    #[error(
        "repartition topic '{name}' is already added; give the operators different names, or group once and aggregate twice"
    )]
    DuplicateRepartitionTopic {
        /// The name without application id.
        name: String,
    },
    /// An internal topic is used but was never added.
    #[error("internal topic '{name}' is used by '{node}' but not added; add the repartition topic first")]
    UnknownRepartitionTopic {
        /// The name without application id.
        name: String,
        /// The source or sink.
        node: String,
    },
    /// A partition count below one.
    #[error("topic '{topic}' cannot have {partitions} partitions; use at least 1")]
    InvalidPartitionCount {
        /// The topic.
        topic: String,
        /// The count.
        partitions: i32,
    },
    /// Nothing to read.
    #[error("the topology has no source; read at least one topic with stream or table")]
    NoSource,
    /// Topics that must have equal partition counts have not.
    #[error(
        "topics are not co-partitioned: {}; give them equal partition counts, or repartition one side",
        list(counts)
    )]
    NotCopartitioned {
        /// Each topic with its partition count.
        counts: BTreeMap<String, i32>,
    },
    /// Source topics that do not exist.
    #[error("source topics are missing: {}; create them, then start again", topics.join(", "))]
    MissingSourceTopics {
        /// The topics in order of name.
        topics: Vec<String>,
    },
    /// Nothing upstream of a repartition topic says how many partitions it has.
    #[error("partition counts of repartition topics are unknown: {}; no source topic is upstream of them, so set a count", topics.join(", "))]
    UnknownPartitionCount {
        /// The topics in order of name.
        topics: Vec<String>,
    },
    /// An internal topic exists and differs from what is needed.
    #[error("internal topic '{topic}' does not fit: {}; alter it, or delete it and reset the application", problems.join("; "))]
    MisconfiguredTopic {
        /// The topic.
        topic: String,
        /// Everything that differs.
        problems: Vec<String>,
    },
}

fn list(counts: &BTreeMap<String, i32>) -> String {
    counts.iter().map(|(topic, count)| format!("{topic}={count}")).collect::<Vec<_>>().join(", ")
}
