//! One moment on the two clocks of a process.

use super::Timestamp;

/// What the clocks show at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Wall clock in ms since the epoch. It is somebody's to set: it may step back and forth.
    pub wall: Timestamp,
    /// Ms on a clock that never goes back and never jumps: every wait is measured on it.
    pub steady: i64,
}

/// Both clocks are one, as in a test that moves the time by hand.
impl From<Timestamp> for Now {
    fn from(ms: Timestamp) -> Self {
        Self { wall: ms, steady: ms }
    }
}
