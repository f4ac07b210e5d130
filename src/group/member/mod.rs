//! A member of a classic-protocol group, as a machine without IO.
//!
//! Driven by the control thread: [`Member::handle`] takes what happened, [`Member::poll`] is drained until `None`,
//! then the thread sleeps no longer than [`Member::deadline`]. Some actions are requests for the coordinator, some are
//! orders for the runtime. The protocol is cooperative: a task that stays never stops, a task that moves is
//! first revoked by its owner, who then joins again, and only then given to the new owner (KIP-429).

mod answers;
mod machine;
mod ownership;
mod reaction;
mod target;

use std::collections::BTreeSet;

pub use machine::Member;
pub use target::Target;

use super::ErrorCode;
use super::codec::DecodeError;
use crate::types::TaskId;

/// Protocol type of the group; with it Kafka's own tools can describe, reset and delete the group.
pub const PROTOCOL_TYPE: &str = "consumer";
/// Name of the assignment protocol, as in Kafka Streams.
pub const PROTOCOL_NAME: &str = "stream";

/// How a member takes part. The defaults are Kafka Streams'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberConfig {
    /// The application id.
    pub group_id: String,
    /// Identity that survives a restart (`group.instance.id`, KIP-345); such a member does not leave on close.
    pub instance_id: Option<String>,
    /// Silence in ms after which the coordinator drops the member (`session.timeout.ms`).
    pub session_timeout_ms: u64,
    /// Ms between heartbeats (`heartbeat.interval.ms`).
    pub heartbeat_interval_ms: u64,
    /// Ms that the coordinator waits for this member to rejoin (`max.poll.interval.ms`).
    pub rebalance_timeout_ms: u64,
    /// Ms after which a member that leaves no longer waits for the coordinator.
    pub leave_timeout_ms: u64,
    /// Spreads the retries of several members.
    pub seed: u64,
}

impl MemberConfig {
    /// Kafka Streams' defaults for `group_id`.
    pub fn new(group_id: impl Into<String>) -> Self {
        Self {
            group_id: group_id.into(),
            instance_id: None,
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 3_000,
            rebalance_timeout_ms: 300_000,
            leave_timeout_ms: 5_000,
            seed: 0,
        }
    }
}

/// Where the coordinator listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coordinator {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Who the member is towards the coordinator. Never with generation -1 or an empty member id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Given by the coordinator.
    pub member_id: String,
    /// Version of the group's membership.
    pub generation: i32,
    /// Stable identity, when static.
    pub instance_id: Option<String>,
}

/// Number of a request; a reply carries the number of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Attempt(pub u64);

/// A request for the coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Ask any broker for the coordinator.
    FindCoordinator,
    /// Join, with the member id if there is one.
    JoinGroup {
        /// Empty for a new member.
        member_id: String,
        /// Bytes for the leader.
        subscription: Vec<u8>,
        /// For the broker's log.
        reason: &'static str,
    },
    /// Hand in (leader) and receive an assignment.
    SyncGroup {
        /// Who asks.
        identity: Identity,
        /// Bytes per member id; empty unless the member leads.
        assignments: Vec<(String, Vec<u8>)>,
    },
    /// Stay.
    Heartbeat(Identity),
    /// Go.
    LeaveGroup {
        /// Who goes.
        member_id: String,
    },
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Coordinator connection: use this broker from now on; requests in flight to another are abandoned.
    Connect(Coordinator),
    /// Coordinator connection: send, and report the answer with the same attempt.
    Send {
        /// Travels back with the answer.
        attempt: Attempt,
        /// What to send.
        request: Request,
    },
    /// Runtime: obey.
    Order(Order),
}

/// An order for the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Give the bytes of the subscription in [`Event::Described`].
    Describe {
        /// Active tasks that the member has.
        owned: BTreeSet<TaskId>,
        /// Generation of that ownership; -1 for none.
        generation: i32,
    },
    /// This member leads; give everyone's assignment in [`Event::Computed`].
    Compute(Vec<JoinedMember>),
    /// Commit and release these active tasks, then say [`Event::Revoked`].
    Revoke {
        /// The tasks.
        tasks: BTreeSet<TaskId>,
        /// Those of them that stay here as standbys: keep their stores open.
        recycle: BTreeSet<TaskId>,
    },
    /// This is what the process has from now on; what it revoked is not in it.
    Assign(Target),
    /// These active tasks may already be another's; release them without a commit, then say [`Event::Revoked`].
    LoseAll(BTreeSet<TaskId>),
    /// The membership is over.
    Stop(End),
}

/// Why a membership ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// As requested.
    #[error("left the group")]
    Left,
    /// Another process has the same instance id.
    #[error("another process runs with this group.instance.id, stop one of the two")]
    Fenced,
    /// The coordinator refuses the member for good.
    #[error("the group coordinator refused {request}: {code}")]
    Refused {
        /// Which request.
        request: &'static str,
        /// How.
        code: ErrorCode,
    },
    /// The leader reported an error (`AssignorError`).
    #[error(
        "the leader of the group reported assignment error {0} (1 missing source topic, 3 unreadable subscription, 4 shutdown)"
    )]
    Assignor(i32),
    /// The leader's bytes are not an assignment of version 11.
    #[error("the assignment of the leader cannot be read: {0}")]
    Unreadable(DecodeError),
}

/// A member as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    /// Id from the coordinator.
    pub member_id: String,
    /// Stable identity, when static.
    pub instance_id: Option<String>,
    /// The bytes it joined with.
    pub subscription: Vec<u8>,
}

/// A successful answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To FindCoordinator.
    Coordinator(Coordinator),
    /// To JoinGroup with an empty id: join again with this one (code 79, KIP-394).
    MemberId(String),
    /// To JoinGroup.
    Joined {
        /// Own id.
        member_id: String,
        /// New generation.
        generation: i32,
        /// Everyone, when this member leads and must assign.
        lead: Option<Vec<JoinedMember>>,
    },
    /// To SyncGroup: the bytes of the assignment.
    Synced(Vec<u8>),
    /// To Heartbeat.
    Alive,
    /// To LeaveGroup.
    Left,
}

/// An unsuccessful answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The coordinator answered with an error.
    Code(ErrorCode),
    /// No answer: refused, closed, timed out, or broken; the connection is gone. The text says which, for the log.
    Disconnected(String),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request was answered.
    Reply {
        /// Of the request.
        attempt: Attempt,
        /// What came back.
        result: Result<Answer, Refusal>,
    },
    /// Answer to [`Order::Describe`].
    Described(Vec<u8>),
    /// Answer to [`Order::Compute`]: bytes per member id.
    Computed(Vec<(String, Vec<u8>)>),
    /// Answer to each [`Order::Revoke`] and [`Order::LoseAll`]: the tasks are released.
    Revoked,
    /// The process shuts down.
    LeaveRequested,
    /// The member's subscription changed.
    RejoinRequested,
    /// An offset commit of this generation was refused.
    CommitRefused {
        /// Generation that the commit carried.
        generation: i32,
        /// How.
        code: ErrorCode,
    },
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
