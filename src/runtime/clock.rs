//! The only place where the runtime reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::group::Tick;
use crate::types::Timestamp;

/// The process's clocks, passed to whoever needs them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Ms since the process started; never goes back.
    pub(super) fn tick(self) -> Tick {
        Tick(u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Wall clock in ms since the epoch.
    pub(super) fn wall_ms(self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::try_from(since_epoch.as_millis()).unwrap_or(Timestamp::MAX)
    }
}
