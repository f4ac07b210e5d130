//! The connection to the group coordinator: blocking sockets, typed requests, and the threads that drive them.
//!
//! A member needs two connections, because a JoinGroup in flight blocks its own until the rebalance ends: one for
//! JoinGroup and SyncGroup, one for heartbeats, commits and fetches of offsets ([`GroupClient`]). [`Membership`]
//! joins them with the machine of [`crate::group::member`]; the control thread owns it. Plaintext only; any
//! other `security.protocol` is refused at the start.

mod client;
mod connection;
mod frame;
mod membership;
mod offsets;
mod requests;
pub(crate) mod responses;
mod settings;
mod versions;
mod worker;

pub use client::GroupClient;
pub use connection::CoordinatorConnection;
pub use membership::Membership;
pub use offsets::{CommitError, FetchError, OffsetsClient};
pub use responses::{CommittedOffset, JoinError, Joined, Said};
pub use settings::CoordinatorSettings;

use super::{Error, ErrorKind};

fn fatal(context: impl Into<String>, reason: impl Into<String>) -> Error {
    Error { kind: ErrorKind::Fatal, context: context.into(), reason: reason.into() }
}

fn retriable(context: impl Into<String>, reason: impl Into<String>) -> Error {
    Error { kind: ErrorKind::Retriable, context: context.into(), reason: reason.into() }
}

#[cfg(test)]
mod tests;
