//! Waiting for what a serde lacks: since when, until the next try, and why. A machine without a clock of its own.

use crate::serde::SerdeError;
use crate::types::{Backoff, Timestamp};

/// A wait that is over within this time is not worth a word, and records keep the order of their times meanwhile. Long
/// enough for a registry that is only busy, short enough that a slow one does not hold up who does not need it.
const SHORT_MS: i64 = 2_000;
/// Time until the next look while an answer is under way: looking costs no question.
const LOOK_AGAIN_MS: i64 = 20;

/// A wait for an answer of the schema registry. Times are of a clock that is never set ([`crate::types::Now`]).
#[derive(Debug, Clone)]
pub struct Wait {
    since: Timestamp,
    tried_at: Timestamp,
    again_at: Timestamp,
    backoff: Backoff,
    reason: String,
    asking: bool,
}

impl Wait {
    /// Begins a wait because of `error`; equal seeds try again at equal times.
    pub fn begin(error: &SerdeError, now: Timestamp, seed: u64) -> Self {
        let mut wait = Self {
            since: now,
            tried_at: now,
            again_at: now,
            backoff: Backoff::new(seed),
            reason: String::new(),
            asking: false,
        };
        wait.go_on(error, now);
        wait
    }

    /// Notes that another try brought `error`.
    pub fn go_on(&mut self, error: &SerdeError, now: Timestamp) {
        self.asking = matches!(error, SerdeError::Pending(_));
        self.tried_at = now;
        self.again_at = now + if self.asking { LOOK_AGAIN_MS } else { self.backoff.next_ms() as i64 };
        self.reason = error.to_string();
    }

    /// Whether it is time to try again. A clock that steps back counts as time: it must not make the wait longer.
    pub fn is_due(&self, now: Timestamp) -> bool {
        !(self.tried_at..self.again_at).contains(&now)
    }

    /// Whether the wait began only a moment ago.
    pub fn is_short(&self, now: Timestamp) -> bool {
        (self.since..self.since + SHORT_MS).contains(&now)
    }

    /// When it began.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// What is waited for, and why: the newest error, which never quotes a record.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether an answer is under way.
    pub fn is_asking(&self) -> bool {
        self.asking
    }

    /// Makes the next try due at once.
    pub fn try_now(&mut self) {
        self.again_at = self.tried_at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> SerdeError {
        SerdeError::Unavailable("schema id 7: refused".to_owned())
    }

    #[test]
    fn failures_are_tried_again_after_doubling_times_and_answers_under_way_soon() {
        let mut wait = Wait::begin(&away(), 1_000, 3);
        let mut now = 1_000;
        for base in [100, 200, 400, 800, 1_000, 1_000] {
            let due = (now..).find(|time| wait.is_due(*time)).map_or(0, |time| time - now);
            assert!((base * 4 / 5..=base * 6 / 5).contains(&due), "{due} for {base}");
            assert!(!wait.is_asking());
            now += due;
            wait.go_on(&away(), now);
        }
        wait.go_on(&SerdeError::Pending("schema id 7".to_owned()), now);
        assert!(wait.is_asking() && !wait.is_due(now + 19) && wait.is_due(now + 20));
        assert_eq!(wait.reason(), "the schema registry has not answered yet: schema id 7");
        assert_eq!(wait.since(), 1_000, "however often it was tried");
    }

    #[test]
    fn a_wait_is_short_for_two_seconds_by_any_clock() {
        let wait = Wait::begin(&away(), 10_000, 3);
        assert!(wait.is_short(11_999) && !wait.is_short(12_000));
        assert!(!wait.is_short(9_999), "a clock that stepped back holds nothing up");
        assert!(wait.is_due(9_999), "and tries again");
    }
}
