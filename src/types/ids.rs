//! Names of the things that move: partitions and tasks.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Topic name; shared, so that a clone is cheap.
    pub topic: Arc<str>,
    /// Partition number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Names partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// One sub-topology on one partition number; the unit of assignment.
///
/// Its text is Kafka Streams' `<subtopology>_<partition>` (class `TaskId`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// Number of the sub-topology, from 0.
    pub subtopology: u32,
    /// Partition number that the task owns of each of its source topics.
    pub partition: i32,
}

impl TaskId {
    /// Names the task of `subtopology` on `partition`.
    pub const fn new(subtopology: u32, partition: i32) -> Self {
        Self { subtopology, partition }
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.subtopology, self.partition)
    }
}

/// The text was not `<subtopology>_<partition>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a task id, expected <subtopology>_<partition> such as 0_3")]
pub struct ParseTaskIdError(String);

impl FromStr for TaskId {
    type Err = ParseTaskIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (subtopology, partition) = text.split_once('_')?;
            Some(Self::new(subtopology.parse().ok()?, partition.parse().ok()?))
        };
        parse().ok_or_else(|| ParseTaskIdError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_id_reads_back_what_it_prints() {
        let id = TaskId::new(3, 11);
        assert_eq!(id.to_string(), "3_11");
        assert_eq!("3_11".parse(), Ok(id));
        assert!("3-11".parse::<TaskId>().is_err());
        assert!("a_1".parse::<TaskId>().is_err());
    }
}
