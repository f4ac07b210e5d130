//! A case as one application runs it on a broker: its own topics and its own application id.

use std::collections::BTreeMap;

use thalweg::topology::{InternalTopicKind, PartitionPlan, TopologyError};
use thalweg::types::TopicPartition;

use super::places::place;
use crate::case::{Case, Input, InputRecord};
use crate::node::Node;
use crate::ours;

/// The application id in drivers, and in what is compared.
const APP: &str = "app";

/// Topics and tasks of one application.
#[derive(Debug, Clone)]
pub struct World {
    /// Group id and prefix of internal topics.
    pub application_id: String,
    /// The case, with its topics renamed.
    pub case: Case,
    /// Its tasks and internal topics.
    pub plan: PartitionPlan,
    prefix: String,
}

/// Why a case has no world.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// It is no case, or has no topology of ours.
    #[error(transparent)]
    Ours(#[from] ours::Error),
    /// Its topics do not fit together.
    #[error(transparent)]
    Topology(#[from] TopologyError),
}

impl World {
    /// The world of `case` under an application id that nobody else has.
    pub fn new(case: &Case, application_id: String) -> Result<Self, WorldError> {
        let prefix = format!("{application_id}-user-");
        let case = renamed(case, &prefix);
        let (recipes, _) = ours::recipes(&case, &application_id)?;
        let counts = case.topics.iter().map(|(name, topic)| (name.clone(), topic.partitions)).collect();
        let plan = recipes.topology.partitions(&counts)?;
        Ok(Self { application_id, case, plan, prefix })
    }

    /// Every partition that its tasks read.
    pub fn inputs(&self) -> Vec<TopicPartition> {
        let mut all: Vec<TopicPartition> = self.plan.tasks.iter().flat_map(|task| task.inputs.clone()).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Its changelogs, with their partition counts; not those that are topics of the user.
    pub fn changelogs(&self) -> BTreeMap<String, i32> {
        let topics = self.plan.internal_topics.iter();
        let changelogs = topics.filter(|topic| topic.kind == InternalTopicKind::Changelog);
        changelogs.map(|topic| (topic.name.clone(), topic.partitions)).collect()
    }

    /// The name of a topic, of one's own or internal, or of a store, as every world of the case has it.
    pub fn common(&self, name: &str) -> String {
        let name = name.replace(&self.prefix, "");
        name.strip_prefix(&self.application_id).map_or_else(|| name.clone(), |rest| format!("{APP}{rest}"))
    }

    /// A user topic's name in this world.
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Where an input of this world goes.
    pub fn place(&self, input: &InputRecord) -> TopicPartition {
        let partitions = self.case.topics.get(&input.topic).map_or(1, |topic| topic.partitions);
        TopicPartition::new(&*input.topic, place(input, partitions))
    }

    /// The records of the case, in this world's topics.
    pub fn records(&self) -> impl Iterator<Item = &InputRecord> {
        self.case.inputs.iter().filter_map(|input| match input {
            Input::Record(record) => Some(record),
            Input::Advance(_) => None,
        })
    }
}

/// The case with all its records `by` ms later: our producer cannot write the time 0.
pub fn later(case: &Case, by: i64) -> Case {
    let mut later = case.clone();
    for input in &mut later.inputs {
        if let Input::Record(record) = input {
            record.timestamp += by;
        }
    }
    later
}

/// The case with other names of its topics, and so of the stores that are named after them.
fn renamed(case: &Case, prefix: &str) -> Case {
    let new = |name: &mut String| name.insert_str(0, prefix);
    let mut renamed = case.clone();
    renamed.topics = case.topics.iter().map(|(name, topic)| (format!("{prefix}{name}"), topic.clone())).collect();
    for node in &mut renamed.nodes {
        match node {
            Node::Stream { topics, .. } => topics.iter_mut().for_each(new),
            Node::Table { topic, .. } | Node::To { topic, .. } => new(topic),
            _ => {}
        }
    }
    for input in &mut renamed.inputs {
        if let Input::Record(record) = input {
            new(&mut record.topic);
        }
    }
    let is_of_topic = |store: &str| case.topics.keys().any(|topic| store.starts_with(&format!("{topic}-STATE-STORE-")));
    renamed.dump.iter_mut().filter(|store| is_of_topic(store)).for_each(new);
    renamed
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn world() -> World {
        let case = json!({
            "name": "c",
            "topics": {
                "words": {"key": "string", "value": "string", "partitions": 2},
                "rows": {"key": "string", "value": "string", "partitions": 2},
                "counts": {"key": "string", "value": "int64"},
            },
            "nodes": [
                {"op": "stream", "id": "a", "topics": ["words"]},
                {"op": "group_by", "id": "b", "of": "a", "key": "text"},
                {"op": "count", "id": "c", "of": "b", "materialized": {"name": "store"}},
                {"op": "to_stream", "id": "d", "of": "c"},
                {"op": "to", "of": "d", "topic": "counts"},
                {"op": "table", "id": "t", "topic": "rows", "materialized": {}},
                {"op": "join", "id": "j", "of": "a", "with": "t", "joiner": "pair"},
            ],
            "inputs": [{"topic": "words", "key": "x", "value": "hello", "timestamp": 10}],
            "dump": ["store", "rows-STATE-STORE-0000000008"],
        });
        World::new(&serde_json::from_value(case).unwrap(), "ours-1".to_owned()).unwrap()
    }

    #[test]
    fn user_topics_and_stores_named_after_them_have_the_prefix() {
        let world = world();
        assert_eq!(
            world.case.topics.keys().collect::<Vec<_>>(),
            ["ours-1-user-counts", "ours-1-user-rows", "ours-1-user-words"]
        );
        assert_eq!(world.records().next().unwrap().topic, "ours-1-user-words");
        assert_eq!(world.case.dump, ["store", "ours-1-user-rows-STATE-STORE-0000000008"]);
        assert_eq!(world.topic("words"), "ours-1-user-words");
    }

    #[test]
    fn names_are_common_to_all_worlds_without_id_and_prefix() {
        let world = world();
        let common = world.changelogs().into_keys().map(|name| world.common(&name)).collect::<Vec<_>>();
        assert!(common.contains(&"app-store-changelog".to_owned()), "{common:?}");
        assert!(common.iter().any(|name| name.starts_with("app-rows-STATE-STORE-")), "{common:?}");
        assert_eq!(world.common("ours-1-user-words"), "words");
        assert_eq!(world.common("store"), "store");
    }

    #[test]
    fn a_later_case_differs_in_times_alone() {
        let case = world().case;
        let after = later(&case, 1_000);
        assert_eq!(
            after.inputs[0],
            Input::Record(InputRecord { timestamp: 1_010, ..world().records().next().unwrap().clone() })
        );
        assert_eq!(later(&after, -1_000), case);
    }

    #[test]
    fn inputs_are_user_and_repartition_topics() {
        let world = world();
        let common: Vec<String> =
            world.inputs().iter().map(|input| format!("{}/{}", world.common(&input.topic), input.partition)).collect();
        let repartition = common.iter().filter(|name| name.starts_with("app-") && name.contains("-repartition/"));
        assert_eq!(repartition.count(), 2, "{common:?}");
        assert_eq!(common.iter().filter(|name| name.starts_with("words/")).count(), 2, "{common:?}");
    }
}
