//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(20);

/// `what` did not happen in time.
#[derive(Debug)]
pub struct TimedOut {
    /// What was waited for.
    pub what: String,
    /// How long it was waited for.
    pub deadline: Duration,
}

impl std::fmt::Display for TimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "waited {:?} for: {}", self.deadline, self.what)
    }
}

/// Waits until `condition` holds; panics with `what` when it does not within `deadline`.
#[track_caller]
pub fn wait_until(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    if let Err(late) = wait_for(deadline, what, || condition().then_some(())) {
        panic!("{late}");
    }
}

/// Waits until `attempt` yields a value.
pub fn wait_for<T>(deadline: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> Result<T, TimedOut> {
    let started = Instant::now();
    loop {
        if let Some(value) = attempt() {
            return Ok(value);
        }
        if started.elapsed() >= deadline {
            return Err(TimedOut { what: what.to_owned(), deadline });
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_with_the_condition_or_with_the_deadline() {
        let mut calls = 0;
        let third = wait_for(Duration::from_secs(5), "the third call", || {
            calls += 1;
            (calls == 3).then_some("here")
        });
        assert_eq!(third.ok(), Some("here"));
        let late = wait_for(Duration::ZERO, "never", || None::<()>);
        assert_eq!(late.expect_err("no value comes").to_string(), "waited 0ns for: never");
    }
}
