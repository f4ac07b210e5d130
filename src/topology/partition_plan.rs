//! From partition counts to tasks and internal topics.

use std::collections::BTreeMap;

use super::{InternalTopic, SubTopology, TopicKind, Topology, TopologyError};
use crate::types::{TaskId, TopicPartition};

/// One task and what it reads and restores from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPlan {
    /// Sub-topology and partition.
    pub id: TaskId,
    /// Its partition of every source topic that has one, in the order of the sources.
    pub inputs: Vec<TopicPartition>,
    /// The changelog partition of each store, in the order of the stores; `None`: not logged.
    pub changelogs: Vec<Option<TopicPartition>>,
}

/// What a topology becomes on topics with known partition counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionPlan {
    /// All tasks in order of their ids.
    pub tasks: Vec<TaskPlan>,
    /// All topics to create or verify: repartition topics, then changelogs, each in order of sub-topologies.
    pub internal_topics: Vec<InternalTopic>,
}

impl Topology {
    /// Decides partition counts and tasks from the counts of the external source topics (others are ignored).
    ///
    /// Rules of Kafka's `RepartitionTopics`, `CopartitionedTopicsEnforcer`, `PartitionGrouper` and `ChangelogTopics`.
    pub fn partitions(
        &self,
        counts_of_external_topics: &BTreeMap<String, i32>,
    ) -> Result<PartitionPlan, TopologyError> {
        let mut counts = self.external_counts(counts_of_external_topics)?;
        self.count_repartition_topics(&mut counts)?;
        self.enforce_copartitioning(&mut counts)?;

        let mut tasks = Vec::new();
        let mut repartitions = Vec::new();
        let mut changelogs = Vec::new();
        for sub_topology in &self.sub_topologies {
            let topics = sub_topology.sources.iter().map(|source| &source.topic);
            let size = topics.clone().map(|topic| counts[&topic.name]).max().unwrap_or(0);
            tasks.extend((0..size).map(|partition| task_plan(sub_topology, partition, &counts)));
            repartitions.extend(
                topics
                    .filter(|topic| topic.kind == TopicKind::Repartition)
                    .map(|topic| InternalTopic::repartition(topic.name.clone(), counts[&topic.name])),
            );
            changelogs.extend(sub_topology.stores.iter().filter_map(|store| {
                let overrides = store.definition.changelog.as_ref()?;
                Some(InternalTopic::changelog(store.changelog_topic.clone()?, size, overrides))
            }));
        }
        repartitions.append(&mut changelogs);
        Ok(PartitionPlan { tasks, internal_topics: repartitions })
    }

    fn external_counts(&self, known: &BTreeMap<String, i32>) -> Result<BTreeMap<String, i32>, TopologyError> {
        let mut counts = BTreeMap::new();
        let mut missing = Vec::new();
        let sources = self.sub_topologies.iter().flat_map(|sub_topology| &sub_topology.sources);
        for source in sources.filter(|source| source.topic.kind == TopicKind::External) {
            let name = &source.topic.name;
            match known.get(name) {
                Some(count) if *count >= 1 => {
                    counts.insert(name.clone(), *count);
                }
                _ => missing.push(name.clone()),
            }
        }
        if missing.is_empty() {
            return Ok(counts);
        }
        missing.sort_unstable();
        Err(TopologyError::MissingSourceTopics { topics: missing })
    }

    /// A repartition topic has its enforced count, else the largest count of all source topics of the
    /// sub-topologies that write it, through other repartition topics too.
    fn count_repartition_topics(&self, counts: &mut BTreeMap<String, i32>) -> Result<(), TopologyError> {
        for (topic, enforced) in &self.repartition_topics {
            if let Some(count) = enforced {
                counts.insert(topic.clone(), *count);
            }
        }
        // Counts only grow and a topic is at most as large as the largest known one, which reaches each topic
        // within one round per repartition topic.
        for _ in 0..=self.repartition_topics.len() {
            for sub_topology in &self.sub_topologies {
                let upstream = sub_topology.sources.iter().filter_map(|source| counts.get(&source.topic.name)).max();
                let Some(upstream) = upstream.copied() else { continue };
                for sink in sub_topology.repartition_sinks() {
                    if self.repartition_topics.get(&sink.topic.name) == Some(&None) {
                        let count = counts.entry(sink.topic.name.clone()).or_insert(upstream);
                        *count = upstream.max(*count);
                    }
                }
            }
        }
        let unknown: Vec<String> =
            self.repartition_topics.keys().filter(|topic| !counts.contains_key(*topic)).cloned().collect();
        if unknown.is_empty() { Ok(()) } else { Err(TopologyError::UnknownPartitionCount { topics: unknown }) }
    }

    /// Gives the topics of each co-partitioned group one count: that of the external topics, else the enforced one,
    /// else the largest.
    fn enforce_copartitioning(&self, counts: &mut BTreeMap<String, i32>) -> Result<(), TopologyError> {
        for group in &self.copartition_groups {
            let is_free = |topic: &&String| self.repartition_topics.get(*topic) == Some(&None);
            let fixed: BTreeMap<String, i32> =
                group.iter().filter(|topic| !is_free(topic)).map(|topic| (topic.clone(), counts[topic])).collect();
            let Some(count) = fixed.values().max().or(group.iter().map(|topic| &counts[topic]).max()).copied() else {
                continue;
            };
            if fixed.values().any(|other| *other != count) {
                return Err(TopologyError::NotCopartitioned { counts: fixed });
            }
            for topic in group {
                counts.insert(topic.clone(), count);
            }
        }
        Ok(())
    }
}

fn task_plan(sub_topology: &SubTopology, partition: i32, counts: &BTreeMap<String, i32>) -> TaskPlan {
    let at = |topic: &String| TopicPartition::new(topic.as_str(), partition);
    TaskPlan {
        id: TaskId::new(sub_topology.id, partition),
        inputs: sub_topology
            .sources
            .iter()
            .filter(|source| partition < counts[&source.topic.name])
            .map(|source| at(&source.topic.name))
            .collect(),
        changelogs: sub_topology.stores.iter().map(|store| store.changelog_topic.as_ref().map(at)).collect(),
    }
}
