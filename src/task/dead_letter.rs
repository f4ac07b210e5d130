//! What happens to a record whose bytes do not decode.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::cx::{Cx, DropReason};
use super::fault::{Fault, Part};
use super::outbox::{Outbox, SinkSlot};
use super::wiring::DecodePolicy;
use crate::serde::SerdeError;
use crate::types::{RecordView, Timestamp, TopicPartition};

/// Header names of a dead letter, those of KIP-1034.
pub mod headers {
    /// The kind of fault, one word.
    pub const EXCEPTION: &str = "__streams.errors.exception";
    /// What was wrong, in a sentence that never quotes the record.
    pub const MESSAGE: &str = "__streams.errors.message";
    /// Topic of the record.
    pub const TOPIC: &str = "__streams.errors.topic";
    /// Partition of the record, decimal text.
    pub const PARTITION: &str = "__streams.errors.partition";
    /// Offset of the record, decimal text.
    pub const OFFSET: &str = "__streams.errors.offset";
}

/// The dead letter topic of a task, if the application has one.
pub(super) struct DeadLetters {
    slot: Option<SinkSlot>,
}

impl DeadLetters {
    pub(super) fn open(outbox: &mut Outbox, topic: Option<&str>, partitions: &BTreeMap<String, i32>) -> Self {
        let known = topic.and_then(|topic| Some((topic, *partitions.get(topic)?)));
        Self { slot: known.map(|(topic, count)| outbox.sink(topic, count)) }
    }

    /// Applies the policy: an error is returned for [`DecodePolicy::Fail`], else the record is settled.
    pub(super) fn settle(
        &self,
        policy: DecodePolicy,
        fault: Fault,
        partition: &TopicPartition,
        record: &RecordView<'_>,
        cx: &mut Cx,
    ) -> Result<(), Fault> {
        let fate = match (policy, self.slot) {
            (DecodePolicy::Fail, _) | (DecodePolicy::DeadLetter, None) => return Err(fault),
            (DecodePolicy::Skip, _) => DropReason::Skipped,
            (DecodePolicy::DeadLetter, Some(slot)) => {
                write(slot, &fault, partition, record, cx);
                DropReason::DeadLetter
            }
        };
        cx.drop_record(fate);
        if let Some((input, _)) = cx.input {
            *cx.undecodable.entry((input, fate, fault.reason())).or_default() += 1;
        }
        Ok(())
    }
}

/// Writes the record as it came, with its headers, and where it came from and why in further headers.
fn write(slot: SinkSlot, fault: &Fault, partition: &TopicPartition, record: &RecordView<'_>, cx: &mut Cx) {
    let all = &mut cx.headers;
    all.push(headers::EXCEPTION, Some(fault.reason().as_bytes()));
    all.push(headers::MESSAGE, Some(fault.to_string().as_bytes()));
    all.push(headers::TOPIC, Some(partition.topic.as_bytes()));
    all.push(headers::PARTITION, Some(partition.partition.to_string().as_bytes()));
    all.push(headers::OFFSET, Some(record.offset.to_string().as_bytes()));
    // A time that is itself the fault cannot be produced again; the message tells it.
    let timestamp = match fault {
        Fault::Decode { part: Part::Timestamp, .. } => cx.wall_clock.max(0),
        _ => record.timestamp,
    };
    let written: Result<(), Infallible> = cx.outbox.push(slot, timestamp, record.key, all.view(), |out| {
        out.extend_from_slice(record.value.unwrap_or_default());
        Ok(record.value.is_some())
    });
    match written {
        Ok(()) => {}
    }
}

/// The latest record time that can be used: `ahead_max_ms` after the wall clock, or after stream time where that is
/// later, so that a clock that steps back makes no record invalid.
pub(super) fn latest_time(cx: &Cx, ahead_max_ms: i64) -> Timestamp {
    let now = cx.stream_time.map_or(cx.wall_clock, |stream_time| stream_time.max(cx.wall_clock));
    now.saturating_add(ahead_max_ms)
}

/// Whether a record's time can be used: not negative (Kafka Streams' `FailOnInvalidTimestamp`), and not so far ahead
/// that a broker would refuse what follows from it, and stream time would run away (KIP-937, KIP-1030).
pub(super) fn check_time(time: Timestamp, latest: Timestamp) -> Result<(), Fault> {
    let text = match time {
        ..0 => format!("the record time {time} is negative"),
        _ if time > latest => format!("the record time {time} is too far ahead: {latest} would be the latest now"),
        _ => return Ok(()),
    };
    Err(Fault::Decode { part: Part::Timestamp, error: SerdeError::Malformed(text) })
}
