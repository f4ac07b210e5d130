//! Decide: sans-IO machines for membership, assignment, task lifecycle and commit.
//!
//! Nothing here has a thread, a clock, a socket or a random source: time is an argument ([`Tick`]), randomness a seed,
//! and the answer is a plain value. The control thread and the stream threads drive the machines.

pub mod assign;
pub mod codec;
pub mod commit;
mod commit_metadata;
mod commit_policy;
mod error_code;
pub mod leader;
pub mod lifecycle;
pub mod member;
mod reconcile;
mod tick;

pub use commit_metadata::CommitMetadata;
pub use commit_policy::{CommitPolicy, Uncommitted, commit_is_due};
pub use error_code::ErrorCode;
pub use reconcile::{Steps, TaskSet, reconcile};
pub use tick::Tick;
