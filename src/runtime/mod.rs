//! Do: control thread, stream threads, restorer, commit execution, internal topics.
//!
//! [`Runtime::start`] composes the parts of one instance; several instances fit in one process. The control thread
//! drives the membership and moves tasks; the restorer opens and restores their stores; stream threads process them;
//! readers see what is published. Every thread owns what it works on and talks through bounded channels.

mod buffers;
mod clock;
mod commit;
mod control;
mod events;
mod placement;
mod progress;
mod publisher;
mod restorer;
mod retries;
mod running_task;
mod start;
mod state_directory;
mod stream_thread;
mod topic_ids;
mod topics;
mod watch;
mod workers;

use std::time::Duration;

pub use clock::WallClock;
pub use control::RunError;
pub use events::Stuck;
pub use start::{Options, Runtime, StartError, describe_for_readers};
pub use state_directory::{StateDirectory, StateDirectoryError};
pub use topics::TopicsError;

/// How long a client may take to close.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod clock_steps;
#[cfg(test)]
mod refused;
