//! Which of many equal log lines are said: the first, then one per interval with the number of those that were not.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

/// Kinds of lines that are remembered; beyond that the oldest are forgotten, and may be said too often.
const KINDS_MAX: usize = 1024;

/// What was said when.
#[derive(Debug)]
pub(super) struct Repeats {
    interval: Duration,
    said: FxHashMap<u64, Said>,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    hushed: u64,
}

/// What happens to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is said; so many like it were not since the last one.
    Say { hushed: u64 },
    /// One like it was said within the interval.
    Hush,
}

impl Repeats {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, said: FxHashMap::default() }
    }

    /// Judges a line of this kind.
    pub(super) fn judge(&mut self, now: Instant, kind: u64) -> Verdict {
        if let Some(said) = self.said.get_mut(&kind) {
            if now.saturating_duration_since(said.at) < self.interval {
                said.hushed += 1;
                return Verdict::Hush;
            }
            let hushed = std::mem::take(&mut said.hushed);
            said.at = now;
            return Verdict::Say { hushed };
        }
        if self.said.len() >= KINDS_MAX {
            self.forget(now);
        }
        self.said.insert(kind, Said { at: now, hushed: 0 });
        Verdict::Say { hushed: 0 }
    }

    /// Makes room: what is over, and else the older half.
    fn forget(&mut self, now: Instant) {
        let interval = self.interval;
        self.said.retain(|_, said| now.saturating_duration_since(said.at) < interval);
        if self.said.len() >= KINDS_MAX {
            let mut times: Vec<Instant> = self.said.values().map(|said| said.at).collect();
            times.sort_unstable();
            let middle = times[times.len() / 2];
            self.said.retain(|_, said| said.at > middle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    #[test]
    fn a_line_is_said_once_and_then_once_per_interval_with_a_count() {
        let start = Instant::now();
        let mut repeats = Repeats::new(INTERVAL);
        let mut at = |ms| repeats.judge(start + Duration::from_millis(ms), 7);
        assert_eq!(at(0), Verdict::Say { hushed: 0 });
        for retry in 1..150 {
            assert_eq!(at(retry * 200), Verdict::Hush);
        }
        assert_eq!(at(30_000), Verdict::Say { hushed: 149 });
        assert_eq!(at(30_200), Verdict::Hush);
        assert_eq!(at(90_000), Verdict::Say { hushed: 1 });
    }

    #[test]
    fn other_lines_are_not_held_back() {
        let (now, mut repeats) = (Instant::now(), Repeats::new(INTERVAL));
        for kind in 0..100 {
            assert_eq!(repeats.judge(now, kind), Verdict::Say { hushed: 0 });
        }
    }

    #[test]
    fn memory_is_bounded() {
        let (start, mut repeats) = (Instant::now(), Repeats::new(INTERVAL));
        for kind in 0..100_000 {
            repeats.judge(start + Duration::from_micros(kind), kind);
        }
        assert!(repeats.said.len() <= KINDS_MAX);
        assert_eq!(repeats.judge(start, 99_999), Verdict::Hush, "the newest are remembered");
        let same_moment = Instant::now();
        let mut repeats = Repeats::new(INTERVAL);
        for kind in 0..10_000 {
            repeats.judge(same_moment, kind);
        }
        assert!(repeats.said.len() <= KINDS_MAX);
    }
}
