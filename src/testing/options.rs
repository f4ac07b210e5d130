//! What a test may choose about its driver, and why a driver does not start.

use std::collections::BTreeMap;

use crate::task::DecodePolicy;
use crate::topology::TopologyError;
use crate::types::Timestamp;

/// How a driver runs its topology. The default: one partition per topic, rows in memory, undecodable records fail
/// the task, wall clock at 0, record caches of 10 MiB, a commit after every record.
#[derive(Debug, Clone)]
pub struct DriverOptions {
    pub(super) partitions: BTreeMap<String, i32>,
    pub(super) on_disk: bool,
    pub(super) decode_policy: Option<DecodePolicy>,
    pub(super) wall_clock: Timestamp,
    pub(super) manual_commit: bool,
    pub(super) cache_max_bytes: usize,
    pub(super) timestamp_ahead_max_ms: Option<i64>,
    pub(super) one_task: bool,
}

impl Default for DriverOptions {
    fn default() -> Self {
        Self {
            partitions: BTreeMap::new(),
            on_disk: false,
            decode_policy: None,
            wall_clock: 0,
            manual_commit: false,
            cache_max_bytes: CACHE_MAX_BYTES,
            timestamp_ahead_max_ms: None,
            one_task: false,
        }
    }
}

/// Kafka Streams' default of `statestore.cache.max.bytes`.
const CACHE_MAX_BYTES: usize = 10 << 20;

impl DriverOptions {
    /// The number of partitions of an external topic; 1 where nothing is said.
    pub fn partitions(mut self, topic: impl Into<String>, count: i32) -> Self {
        self.partitions.insert(topic.into(), count);
        self
    }

    /// Keeps stores where the topology says, in a temporary directory, instead of all in memory.
    pub fn on_disk(self) -> Self {
        Self { on_disk: true, ..self }
    }

    /// What happens to undecodable records of sources without a policy of their own.
    pub fn decode_policy(self, policy: DecodePolicy) -> Self {
        Self { decode_policy: Some(policy), ..self }
    }

    /// The wall clock at the start, in ms since the epoch.
    pub fn wall_clock(self, now: Timestamp) -> Self {
        Self { wall_clock: now, ..self }
    }

    /// Bytes of each task's record caches; 0 turns them off.
    pub fn cache_max_bytes(self, bytes: usize) -> Self {
        Self { cache_max_bytes: bytes, ..self }
    }

    /// How far a record's time may lie ahead of the wall clock and of stream time, in ms; without it as far as it likes.
    pub fn timestamp_ahead_max_ms(self, ms: i64) -> Self {
        Self { timestamp_ahead_max_ms: Some(ms), ..self }
    }

    /// Runs the whole topology as one task, every topic with one partition, exactly as Kafka Streams'
    /// `TopologyTestDriver` does: one stream time, and of all topics the record with the lowest timestamp comes next.
    pub fn one_task(self) -> Self {
        Self { one_task: true, ..self }
    }

    /// Commits only when the test calls `commit` or a processor asks for it. What tasks produce is written at once
    /// all the same, as a producer without transactions does.
    pub fn manual_commit(self) -> Self {
        Self { manual_commit: true, ..self }
    }
}

/// Why a driver does not start.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The topology does not fit the partition counts.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A store does not open.
    #[error(transparent)]
    State(#[from] thalweg_state::Error),
    /// No temporary directory.
    #[error("cannot make a temporary directory for the stores: {0}")]
    Directory(#[from] std::io::Error),
}
