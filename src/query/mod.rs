//! HTTP: routing, reads, forwarding, health and metrics over published snapshots.
//!
//! The runtime stores immutable values in [`Published`] and counts in [`Metrics`]; [`router`] answers from them and
//! [`Server`] puts it on a socket. This room names no task, no wire and no runtime, and never waits for a stream thread.

mod answer;
mod app;
mod close_reason;
pub(crate) mod cursor;
mod error;
pub(crate) mod freshness;
mod gauges;
mod health;
mod metrics;
mod openapi;
mod outgoing;
mod params;
mod patience;
mod peer;
mod read;
mod route;
mod server;
mod snapshot;
mod status;
#[cfg(test)]
mod tests;
mod tracer;
mod views;

pub use app::{Config, router};
pub use metrics::{Metrics, ReopenCause, SpanOutcome, SpreadHistogram, TaskMetrics, ThreadMetrics, metrics_document};
pub use server::{Limits, Server, Stopped};
pub use snapshot::{
    Catalog, Health, Heartbeat, InputProgress, Instance, LocalTask, Membership, MemoryOwner, Published,
    RestoreProgress, Role, RoutingTable, StoreProgress, TaskProgress, Topology, ViewSpec, WaitProgress,
};
pub use tracer::{Tracer, Work};
