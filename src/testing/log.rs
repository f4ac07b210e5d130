//! What a cluster would hold: every record ever written, by topic, in the order of writing.

use std::collections::BTreeMap;

use super::record::{RawRecord, WrittenRecord};
use crate::types::{Offset, TopicPartition};

/// All topics of a driver.
#[derive(Debug, Default)]
pub(super) struct Log {
    topics: BTreeMap<String, Vec<WrittenRecord>>,
    ends: BTreeMap<TopicPartition, Offset>,
}

impl Log {
    /// The offset that the next record of a partition gets.
    pub(super) fn end(&self, of: &TopicPartition) -> Offset {
        self.ends.get(of).copied().unwrap_or_default()
    }

    /// Appends a record.
    pub(super) fn append(&mut self, to: &TopicPartition, record: RawRecord) {
        let end = self.ends.entry(to.clone()).or_default();
        let offset = *end;
        *end += 1;
        let written = WrittenRecord { partition: to.partition, offset, record };
        self.topics.entry(to.topic.to_string()).or_default().push(written);
    }

    /// The records of a topic in the order of writing; none for a topic that nobody wrote.
    pub(super) fn records(&self, topic: &str) -> &[WrittenRecord] {
        self.topics.get(topic).map_or(&[], Vec::as_slice)
    }

    /// Names of the topics with records.
    pub(super) fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }
}
