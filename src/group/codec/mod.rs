//! Bytes that members of a group exchange: Kafka Streams' version 11, inside Kafka's consumer protocol.
//!
//! Decoders take hostile input: they answer with a [`DecodeError`], never with a panic or a huge allocation.

mod assignment;
mod bytes;
mod consumer_protocol;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod golden;
mod subscription;

pub use assignment::{AssignmentInfo, Endpoint, NO_REBALANCE, PartitionsByHost, REBALANCE_NOW};
pub use bytes::{DecodeError, Reader, Writer};
pub use consumer_protocol::{ConsumerAssignment, ConsumerSubscription};
pub use subscription::{RUNNING, Subscription, SubscriptionInfo};

use crate::types::TaskId;

/// Version of the subscription and assignment bytes that we speak.
pub const LATEST_VERSION: i32 = 11;

/// Identity of a process: 16 bytes, kept in its state directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub [u8; 16]);

fn task_id(from: &mut Reader<'_>) -> Result<TaskId, DecodeError> {
    let subtopology = u32::try_from(from.i32()?).map_err(|_| from.error("negative sub-topology"))?;
    let partition = from.i32()?;
    if partition < 0 {
        return Err(from.error("negative partition"));
    }
    Ok(TaskId::new(subtopology, partition))
}
