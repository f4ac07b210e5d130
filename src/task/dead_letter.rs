//! What happens to a record whose bytes do not decode.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::cx::{Cx, DropReason};
use super::fault::{Fault, Part};
use super::outbox::{Outbox, SinkSlot};
use super::wiring::DecodePolicy;
use crate::serde::SerdeError;
use crate::types::{RecordView, TopicPartition};

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
        match (policy, self.slot) {
            (DecodePolicy::Fail, _) | (DecodePolicy::DeadLetter, None) => Err(fault),
            (DecodePolicy::Skip, _) => {
                cx.drop_record(DropReason::Skipped);
                Ok(())
            }
            (DecodePolicy::DeadLetter, Some(slot)) => {
                cx.drop_record(DropReason::DeadLetter);
                if let Some((input, _)) = cx.input {
                    *cx.dead_letters.entry((input, fault.reason())).or_default() += 1;
                }
                write(slot, &fault, partition, record, cx);
                Ok(())
            }
        }
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
    // A negative time is itself a fault and cannot be produced again.
    let timestamp = record.timestamp.max(0);
    let written: Result<(), Infallible> = cx.outbox.push(slot, timestamp, record.key, all.view(), |out| {
        out.extend_from_slice(record.value.unwrap_or_default());
        Ok(record.value.is_some())
    });
    match written {
        Ok(()) => {}
    }
}

/// The fault of a record without a usable time (Kafka Streams' `FailOnInvalidTimestamp`).
pub(super) fn negative_timestamp() -> Fault {
    Fault::Decode { part: Part::Timestamp, error: SerdeError::Malformed("the record time is negative".into()) }
}
