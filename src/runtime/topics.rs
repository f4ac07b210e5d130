//! What the application needs of the cluster before it joins its group: source topics that exist, internal topics
//! with the right partitions and configs, and the dead letter topic.

use std::collections::BTreeMap;

use super::topic_ids::TopicIds;
use crate::task::Recipes;
use crate::topology::{ExistingTopic, InternalTopic, NodeKind, PartitionPlan, TopologyError, verify};
use crate::wire::{self, Admin, NewTopic};

/// Why the topics are not as the application needs them.
#[derive(Debug, thiserror::Error)]
pub enum TopicsError {
    /// A person has to act; nothing was processed.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A topic that a sink writes does not exist.
    #[error("sink topics {topics:?} do not exist: create them, then start again")]
    MissingSinkTopics {
        /// The topics.
        topics: Vec<String>,
    },
    /// The cluster did not answer.
    #[error(transparent)]
    Wire(#[from] wire::Error),
}

/// The cluster as the application found or made it.
pub(super) struct Topics {
    /// Tasks and internal topics.
    pub(super) plan: PartitionPlan,
    /// Partition count of every topic that the application writes.
    pub(super) partitions: BTreeMap<String, i32>,
    /// Ids of the topics whose offsets are kept: those that are read, and changelogs. Empty where the broker has none.
    pub(super) ids: TopicIds,
}

/// Checks source and sink topics, creates or verifies internal topics and the dead letter topic.
pub(super) fn prepare(
    admin: &dyn Admin,
    recipes: &Recipes,
    dead_letter_topic: Option<&str>,
    replication_factor: i32,
) -> Result<Topics, TopicsError> {
    let (sources, sinks) = external_topics(recipes);
    let mut read = sources.clone();
    let mut wanted: Vec<String> = sources.iter().chain(&sinks).cloned().collect();
    wanted.extend(dead_letter_topic.map(str::to_owned));
    wanted.sort_unstable();
    wanted.dedup();
    let mut partitions = describe(admin, &wanted)?;
    let plan = recipes.topology.partitions(&partitions)?;
    let missing: Vec<String> = sinks.into_iter().filter(|topic| !partitions.contains_key(topic)).collect();
    if !missing.is_empty() {
        return Err(TopicsError::MissingSinkTopics { topics: missing });
    }
    make_ready(admin, &plan.internal_topics, replication_factor)?;
    partitions.extend(plan.internal_topics.iter().map(|topic| (topic.name.clone(), topic.partitions)));
    if let Some(name) = dead_letter_topic.filter(|topic| !partitions.contains_key(*topic)) {
        // A letter is larger than the record that it keeps.
        let config = [("retention.ms", "-1"), ("max.message.bytes", "2097152")];
        let config = config.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let topic = NewTopic { name: name.to_owned(), partitions: 1, replication_factor, config };
        admin.create(&[topic])?;
        partitions.insert(name.to_owned(), 1);
    }
    read.extend(plan.internal_topics.iter().map(|topic| topic.name.clone()));
    Ok(Topics { ids: ids(admin, read)?, plan, partitions })
}

fn ids(admin: &dyn Admin, mut topics: Vec<String>) -> Result<TopicIds, wire::Error> {
    topics.sort_unstable();
    topics.dedup();
    let ids = admin.ids(&topics)?.unwrap_or_default();
    match topics.iter().find(|topic| !ids.is_empty() && !ids.contains_key(*topic)) {
        None => Ok(ids),
        // Just created, and not everywhere yet.
        Some(topic) => Err(wire::Error {
            kind: wire::ErrorKind::Retriable,
            context: format!("asking the id of topic {topic}"),
            reason: "the broker does not know it yet".to_owned(),
        }),
    }
}

/// Names of the source topics and of the sink topics that are not the application's own.
fn external_topics(recipes: &Recipes) -> (Vec<String>, Vec<String>) {
    use crate::topology::TopicKind::External;
    let (mut sources, mut sinks) = (Vec::new(), Vec::new());
    for node in recipes.topology.nodes() {
        match &node.kind {
            NodeKind::Source { topics } => {
                sources.extend(topics.iter().filter(|topic| topic.kind == External).map(|topic| topic.name.clone()));
            }
            NodeKind::Sink { topic } if topic.kind == External => sinks.push(topic.name.clone()),
            NodeKind::Sink { .. } | NodeKind::Processor => {}
        }
    }
    (sources, sinks)
}

fn describe(admin: &dyn Admin, topics: &[String]) -> Result<BTreeMap<String, i32>, wire::Error> {
    Ok(admin.describe(topics)?.into_iter().map(|topic| (topic.name, topic.partitions)).collect())
}

/// Creates the internal topics that are missing and verifies the others (Kafka Streams' `InternalTopicManager`).
fn make_ready(admin: &dyn Admin, topics: &[InternalTopic], replication_factor: i32) -> Result<(), TopicsError> {
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let existing = describe(admin, &names)?;
    let mut missing = Vec::new();
    for topic in topics {
        match existing.get(&topic.name) {
            None => missing.push(NewTopic {
                name: topic.name.clone(),
                partitions: topic.partitions,
                replication_factor,
                config: topic.config.clone(),
            }),
            Some(partitions) => verify_existing(admin, topic, *partitions)?,
        }
    }
    if missing.is_empty() { Ok(()) } else { Ok(admin.create(&missing)?) }
}

fn verify_existing(admin: &dyn Admin, topic: &InternalTopic, partitions: i32) -> Result<(), TopicsError> {
    // An embedded broker has no topic configs: then only the partition count can be wrong.
    let config = admin.config(&topic.name)?.unwrap_or_else(|| topic.config.clone());
    let existing = ExistingTopic { partitions, config: config.into_iter().collect() };
    Ok(verify(&existing, topic)?)
}
