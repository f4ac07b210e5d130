//! The Kafka port: narrow, batch-shaped traits, and the adapters behind them.
//!
//! Nothing here decides; every call does one thing and reports what happened. The rdkafka adapter is the only
//! user of librdkafka; a record-batch path of our own can take its place behind the same traits.

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod conformance;
pub mod coordinator;
mod embedded;
mod rdkafka;

use std::collections::BTreeMap;
use std::time::Duration;

pub use embedded::EmbeddedBroker;
pub use rdkafka::{ForbiddenSetting, KafkaClients, SettingError, Settings, Table, check_settings, setting_names};

use crate::types::{Offset, RecordArena, SourceBatch, TopicPartition};

/// The reaction an error asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Trying again later may succeed.
    Retriable,
    /// A newer holder exists: stop, release, rejoin.
    Fenced,
    /// Nothing here helps; the owner of the connection must be replaced or a person must act.
    Fatal,
}

/// What failed at the Kafka port.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{context}: {reason}")]
pub struct Error {
    /// The reaction.
    pub kind: ErrorKind,
    /// What was being done, to what.
    pub context: String,
    /// What the client or the broker said.
    pub reason: String,
}

/// Something a consumer met on one partition that is not a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionEvent {
    /// The reader is at the end of the partition (read committed: of what is committed). `offset` is the next
    /// offset, which may be beyond the last record: transaction markers and compaction occupy offsets.
    End {
        /// Where the reader stands.
        offset: Offset,
    },
    /// The wanted offset does not exist (any more).
    OffsetOutOfRange,
    /// The partition reported an error; reading goes on when it heals.
    Failed(String),
}

/// Reads the records of assigned partitions; never joins a group and never commits.
///
/// One thread owns it. Back-pressure is leaving a partition unread.
pub trait Consumer: Send {
    /// Starts reading `partition` at `from`.
    fn assign(&mut self, partition: &TopicPartition, from: Offset) -> Result<(), Error>;

    /// Stops reading `partition`; records fetched but not yet read are dropped. Unknown partitions are ignored.
    fn unassign(&mut self, partition: &TopicPartition) -> Result<(), Error>;

    /// Appends what has already arrived for `partition` to `batch`, at most about `max_records`, without waiting.
    ///
    /// Returns what happened on the partition after the appended records, if anything.
    fn read(
        &mut self,
        partition: &TopicPartition,
        max_records: usize,
        batch: &mut SourceBatch,
    ) -> Result<Option<PartitionEvent>, Error>;

    /// Waits until something arrived for an assigned partition since the last call, or `timeout` is over, and
    /// serves the client's own events. Returns whether something arrived.
    ///
    /// Arrivals are announced when a partition had nothing unread. Of a partition that was left with unread records
    /// (a read that returned as many as asked for) nothing is announced until it was read to the end.
    fn wait(&mut self, timeout: Duration) -> bool;

    /// First and next-to-write offset of a partition, asked from the leader that is known; waits at most `timeout`.
    ///
    /// After a failure the partition's leader is looked for, for at most `timeout` again: the caller asks once more.
    fn offsets(&mut self, partition: &TopicPartition, timeout: Duration) -> Result<std::ops::Range<Offset>, Error>;

    /// Next-to-write offset of an assigned partition as the last fetch from it told, without asking; `None` before the
    /// first one. Records of an open transaction count, which cannot be read yet.
    fn fetched_end(&self, partition: &TopicPartition) -> Option<Offset>;

    /// Closes within `deadline`; afterwards nothing is read.
    fn close(self: Box<Self>, deadline: Duration);
}

/// The newest acknowledged offset of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Where the records went.
    pub partition: TopicPartition,
    /// Offset after the last acknowledged record.
    pub next_offset: Offset,
}

/// Writes arenas of records; acknowledgement is per flush, never per record.
pub trait Producer: Send {
    /// Hands all records of `arena` to the client, in order, waiting while its queue is full, at most `timeout`.
    ///
    /// After an error the producer must not be used for further records: some may have been taken.
    fn send(&mut self, to: &TopicPartition, arena: &RecordArena, timeout: Duration) -> Result<(), Error>;

    /// Waits until every record sent so far is acknowledged. Fails with the first record's error.
    ///
    /// On success returns, for each partition written since the last flush, the newest acknowledged offset.
    fn flush(&mut self, timeout: Duration) -> Result<Vec<Acknowledged>, Error>;

    /// Closes within `deadline`; unacknowledged records are dropped.
    fn close(self: Box<Self>, deadline: Duration);
}

/// A topic as the broker describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDescription {
    /// Topic name.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
}

/// A topic to create, or to compare an existing one with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Topic name.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// Copies of each partition; -1 is the broker's default.
    pub replication_factor: i32,
    /// Topic configuration by Kafka's names.
    pub config: Vec<(String, String)>,
}

/// Creates and describes topics.
pub trait Admin: Send + Sync {
    /// Describes those of `topics` that exist.
    fn describe(&self, topics: &[String]) -> Result<Vec<TopicDescription>, Error>;

    /// Creates topics; one that exists already is no error.
    fn create(&self, topics: &[NewTopic]) -> Result<(), Error>;

    /// The effective configuration of an existing topic; `None` where the broker cannot tell (embedded broker).
    fn config(&self, topic: &str) -> Result<Option<Vec<(String, String)>>, Error>;

    /// The id that each of `topics` got when it was created (KIP-516); one that does not exist is absent. `None` where
    /// the broker cannot tell (embedded broker).
    fn ids(&self, topics: &[String]) -> Result<Option<BTreeMap<String, String>>, Error>;
}

/// How far a consumer fetches ahead of its reader, in each of its partitions. What the user sets for a client wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefetch {
    /// Nothing more is fetched while this many bytes wait.
    pub bytes: usize,
    /// Nothing more is fetched while this many records wait.
    pub records: usize,
    /// Bytes of one fetch, on top of what waits; a larger batch of the broker comes whole.
    pub fetch_bytes: usize,
}

/// Makes clients for one cluster.
pub trait Kafka: Send + Sync {
    /// A consumer for records of source and repartition topics, or for changelogs.
    fn consumer(&self, client_id: &str) -> Result<Box<dyn Consumer>, Error>;

    /// A consumer as [`Kafka::consumer`] that fetches ahead no further than `prefetch` says.
    fn bounded_consumer(&self, client_id: &str, prefetch: Prefetch) -> Result<Box<dyn Consumer>, Error>;

    /// An idempotent producer.
    fn producer(&self, client_id: &str) -> Result<Box<dyn Producer>, Error>;

    /// The topic administration.
    fn admin(&self) -> Result<Box<dyn Admin>, Error>;
}
