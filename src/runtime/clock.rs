//! The only place where the runtime reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::group::Tick;
use crate::types::{Now, Timestamp};

/// Reads a wall clock: `SystemTime::now`, or what a test makes of it.
pub type WallClock = fn() -> SystemTime;

/// The process's clocks, passed to whoever needs them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    origin: Instant,
    wall: WallClock,
}

impl Clock {
    pub(super) fn start(wall: WallClock) -> Self {
        Self { origin: Instant::now(), wall }
    }

    /// Ms since the process started; never goes back.
    pub(super) fn tick(self) -> Tick {
        Tick(u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Both clocks. A wall clock before the epoch shows the epoch.
    pub(super) fn now(self) -> Now {
        let since_epoch = (self.wall)().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            wall: Timestamp::try_from(since_epoch.as_millis()).unwrap_or(Timestamp::MAX),
            steady: i64::try_from(self.tick().0).unwrap_or(i64::MAX),
        }
    }
}
