//! What an unsuccessful answer asks for: one table (Kafka's `AbstractCoordinator` and `ConsumerCoordinator`).

use super::Refusal;
use crate::group::ErrorCode;

/// The request that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "Kafka's names")]
pub enum Api {
    FindCoordinator,
    JoinGroup,
    SyncGroup,
    Heartbeat,
    LeaveGroup,
    OffsetCommit,
    OffsetFetch,
}

impl Api {
    /// Kafka's name of the request.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FindCoordinator => "FindCoordinator",
            Self::JoinGroup => "JoinGroup",
            Self::SyncGroup => "SyncGroup",
            Self::Heartbeat => "Heartbeat",
            Self::LeaveGroup => "LeaveGroup",
            Self::OffsetCommit => "OffsetCommit",
            Self::OffsetFetch => "OffsetFetch",
        }
    }
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// Wait and repeat; nothing is lost.
    Retry,
    /// The group rebalances: join again with the same identity, keeping the tasks.
    Rejoin,
    /// Find the coordinator again, keeping identity and tasks.
    FindCoordinator,
    /// The generation is over: lose all tasks, join again with the same member id.
    ResetGeneration,
    /// The member id is void: lose all tasks, join as a new member.
    ResetIdentity,
    /// Another process has this instance id: lose all tasks and stop.
    Fenced,
    /// Retrying is useless: lose all tasks and stop.
    Fatal(ErrorCode),
}

/// The table. A code that is not in it is retried: an unknown trouble of the broker must not stop a member.
pub fn reaction(api: Api, refusal: &Refusal) -> Reaction {
    let code = match refusal {
        Refusal::Disconnected(_) if api == Api::FindCoordinator => return Reaction::Retry,
        Refusal::Disconnected(_) => return Reaction::FindCoordinator,
        Refusal::Code(code) => *code,
    };
    match code {
        ErrorCode::INVALID_GROUP_ID
        | ErrorCode::TOPIC_AUTHORIZATION_FAILED
        | ErrorCode::GROUP_AUTHORIZATION_FAILED
        | ErrorCode::INCONSISTENT_GROUP_PROTOCOL
        | ErrorCode::INVALID_SESSION_TIMEOUT
        | ErrorCode::GROUP_MAX_SIZE_REACHED
        | ErrorCode::UNSUPPORTED_VERSION => Reaction::Fatal(code),
        _ if api == Api::FindCoordinator => Reaction::Retry,
        ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::NOT_COORDINATOR => Reaction::FindCoordinator,
        ErrorCode::REQUEST_TIMED_OUT if api == Api::OffsetCommit => Reaction::FindCoordinator,
        ErrorCode::REBALANCE_IN_PROGRESS => Reaction::Rejoin,
        ErrorCode::ILLEGAL_GENERATION => Reaction::ResetGeneration,
        ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::GROUP_ID_NOT_FOUND => Reaction::ResetIdentity,
        ErrorCode::FENCED_INSTANCE_ID => Reaction::Fenced,
        _ => Reaction::Retry,
    }
}
