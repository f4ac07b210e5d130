//! What an assignment means for this process.

use std::collections::BTreeSet;

use crate::group::codec::{AssignmentInfo, ConsumerAssignment, DecodeError, PartitionsByHost, REBALANCE_NOW};
use crate::types::TaskId;

/// An assignment, read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// Active tasks.
    pub active: BTreeSet<TaskId>,
    /// Standby tasks.
    pub standby: BTreeSet<TaskId>,
    /// Who answers for which source partition: the routing table.
    pub active_hosts: PartitionsByHost,
    /// Who follows which source partition.
    pub standby_hosts: PartitionsByHost,
    /// Join again as soon as this is applied.
    pub rejoin_now: bool,
    /// `AssignorError`; not 0: stop.
    pub error_code: i32,
}

impl Target {
    /// Reads the bytes of a SyncGroup answer. No bytes at all: the leader did not know the member; it gets nothing.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let consumer = ConsumerAssignment::decode(bytes)?;
        let info = AssignmentInfo::decode(&consumer.user_data)?;
        if info.active.len() != consumer.partitions.len() {
            return Err(DecodeError { what: "active tasks and partitions differ in number", at: 0 });
        }
        Ok(Self {
            active: info.active.into_iter().collect(),
            standby: info.standby.into_keys().collect(),
            active_hosts: info.active_hosts,
            standby_hosts: info.standby_hosts,
            rejoin_now: info.next_rebalance_ms == REBALANCE_NOW,
            error_code: info.error_code,
        })
    }
}
