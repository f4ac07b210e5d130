//! What a chain is lent while it processes one record.

use std::collections::BTreeMap;

use thalweg_state::TaskState;

use super::header_scopes::HeaderScopes;
use super::outbox::Outbox;
use super::punctuate::Schedules;
use super::record_cache::RecordCaches;
use crate::types::{Headers, Offset, Spread, Timestamp, TopicPartition};

/// Why an operator dropped a record (Kafka Streams' `dropped-records`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum DropReason {
    /// The key is null where the operator needs one.
    NullKey,
    /// The value is null where the operator needs one.
    NullValue,
    /// The source's bytes did not decode and its policy says skip.
    Skipped,
    /// The source's bytes did not decode and went to the dead letter topic.
    DeadLetter,
}

impl DropReason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::NullKey, Self::NullValue, Self::Skipped, Self::DeadLetter];

    /// The label in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::NullKey => "null_key",
            Self::NullValue => "null_value",
            Self::Skipped => "skipped",
            Self::DeadLetter => "dead_letter",
        }
    }
}

/// Dropped records by reason, since the task started.
pub type Dropped = [u64; DropReason::ALL.len()];

/// Where the record in hand came from; empty inside a punctuation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordMetadata<'a> {
    /// Topic and partition of the input record.
    pub partition: &'a TopicPartition,
    /// Its offset.
    pub offset: Offset,
}

/// Buffers that serdes write into, reused for every record.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) key: Vec<u8>,
    pub(crate) row: Vec<u8>,
}

/// Lends a task's stores, outbox, buffers and times to its chain. One per task, owned by it.
pub struct Cx {
    pub(crate) state: TaskState,
    pub(crate) caches: RecordCaches,
    pub(crate) outbox: Outbox,
    pub(crate) scratch: Scratch,
    pub(crate) schedules: Schedules,
    pub(crate) inputs: Vec<TopicPartition>,
    pub(crate) input: Option<(usize, Offset)>,
    pub(crate) stream_time: Option<Timestamp>,
    pub(crate) wall_clock: Timestamp,
    /// The clock that waits are measured on, in ms.
    pub(crate) steady: i64,
    pub(crate) commit_requested: bool,
    pub(crate) dropped: Dropped,
    pub(crate) undecodable: BTreeMap<(usize, DropReason, &'static str), u64>,
    pub(crate) headers: Headers,
    pub(crate) header_scopes: HeaderScopes,
    /// Whether the chain has a processor.
    pub(crate) may_change_headers: bool,
    /// How far the records of the batch in hand were behind stream time.
    pub(crate) lateness: Spread,
    /// How old they were, by the wall clock of the batch.
    pub(crate) latency: Spread,
}

impl Cx {
    pub(crate) fn new(state: TaskState, wall_clock: Timestamp) -> Self {
        Self {
            state,
            caches: RecordCaches::default(),
            outbox: Outbox::default(),
            scratch: Scratch::default(),
            schedules: Schedules::default(),
            inputs: Vec::new(),
            input: None,
            stream_time: None,
            wall_clock,
            steady: 0,
            commit_requested: false,
            dropped: Dropped::default(),
            undecodable: BTreeMap::new(),
            headers: Headers::new(),
            header_scopes: HeaderScopes::default(),
            may_change_headers: false,
            lateness: Spread::default(),
            latency: Spread::default(),
        }
    }

    /// Headers of the record in hand. Changes are seen by every later operator that gets this record, or one made of it.
    pub fn headers(&mut self) -> &mut Headers {
        self.header_scopes.save(&self.headers);
        &mut self.headers
    }

    /// An operator has made the record that is in hand from now on.
    #[inline]
    pub(crate) fn begin_record(&mut self) {
        self.header_scopes.begin();
    }

    /// The record that was made last is done with; the one before is in hand again, with its own headers.
    #[inline]
    pub(crate) fn end_record(&mut self) {
        self.header_scopes.end(&mut self.headers);
    }

    /// Highest record timestamp the task has seen, in ms; `None` before the first record.
    pub fn stream_time(&self) -> Option<Timestamp> {
        self.stream_time
    }

    /// The machine's time in ms, read once per loop iteration.
    pub fn wall_clock(&self) -> Timestamp {
        self.wall_clock
    }

    /// Where the record in hand came from; `None` inside a punctuation.
    pub fn record_metadata(&self) -> Option<RecordMetadata<'_>> {
        let (input, offset) = self.input?;
        Some(RecordMetadata { partition: self.inputs.get(input)?, offset })
    }

    /// Asks for a commit at the end of the current loop iteration.
    pub fn request_commit(&mut self) {
        self.commit_requested = true;
    }

    /// Moves stream time to a record that was decoded and is about to be processed.
    pub(crate) fn observe(&mut self, timestamp: Timestamp) {
        let stream_time = self.stream_time.map_or(timestamp, |seen| seen.max(timestamp));
        self.stream_time = Some(stream_time);
        self.lateness.count(stream_time.saturating_sub(timestamp));
        self.latency.count(self.wall_clock.saturating_sub(timestamp));
    }

    /// Counts a record that an operator drops.
    pub fn drop_record(&mut self, reason: DropReason) {
        self.dropped[reason as usize] += 1;
    }
}
