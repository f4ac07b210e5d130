//! Decides which part of a run counts: from the end of the warm-up to the end of the work.

use std::time::Duration;

use serde::Serialize;

/// One look at a running process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Time since the process was started.
    pub at: Duration,
    /// CPU time it has used.
    pub cpu: Duration,
    /// Input records that it has processed and committed.
    pub taken: u64,
}

/// What a run cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measured {
    /// Records that counted.
    pub records: u64,
    /// How long they took, the wait for the last commit included.
    pub seconds: f64,
    /// CPU time that they took, all threads.
    pub cpu_seconds: f64,
    /// How many of them came per second while there was work.
    pub records_per_s: f64,
    /// Largest resident memory of the process over its whole life, in bytes.
    pub rss_bytes: u64,
}

impl Measured {
    /// The same for records of the input when each of them was read `passes` times.
    pub fn per_pass(self, passes: u64) -> Self {
        Self { records: self.records / passes, records_per_s: self.records_per_s / passes as f64, ..self }
    }

    /// CPU-seconds per million records, which is also µs per record.
    pub fn cpu_per_million(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.records as f64
    }
}

/// Watches one run.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    warm_up: u64,
    /// The looks that found a new commit: the first after the warm-up, the last but one, the last.
    begun: Option<Sample>,
    before: Option<Sample>,
    last: Option<Sample>,
}

impl Watch {
    /// The first quarter of `records` is warm-up.
    pub fn new(records: u64) -> Self {
        Self { warm_up: records / 4, begun: None, before: None, last: None }
    }

    /// Whether the warm-up is over.
    pub fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// Takes a look. Commits make the marks: what counts lies between the first commit at or after the end of the
    /// warm-up and the one that leaves nothing to do.
    pub fn see(&mut self, sample: Sample) {
        if sample.taken <= self.last.map_or(0, |last| last.taken) {
            return;
        }
        (self.before, self.last) = (self.last, Some(sample));
        if self.begun.is_none() && sample.taken >= self.warm_up {
            self.begun = Some(sample);
        }
    }

    /// What the run cost when `end` is the look that found everything committed. A run so short that one commit took
    /// it all counts from the start of its process.
    pub fn end(&self, end: Sample, rss_bytes: u64) -> Measured {
        let start = Sample { at: Duration::ZERO, cpu: Duration::ZERO, taken: 0 };
        let from = self.begun.filter(|from| from.taken < end.taken).unwrap_or(start);
        Measured {
            records: end.taken - from.taken,
            seconds: (end.at - from.at).as_secs_f64(),
            cpu_seconds: (end.cpu - from.cpu).as_secs_f64(),
            records_per_s: self.rate(from, end),
            rss_bytes,
        }
    }

    /// A process that is done early in a commit interval idles until its last commit. Where the commits before the last
    /// one cover half of the records, they tell the rate.
    fn rate(&self, from: Sample, end: Sample) -> f64 {
        let half = from.taken.midpoint(end.taken);
        let to = self.before.filter(|before| before.taken >= half && before.taken < end.taken).unwrap_or(end);
        (to.taken - from.taken) as f64 / (to.at - from.at).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at_ms: u64, cpu_ms: u64, taken: u64) -> Sample {
        Sample { at: Duration::from_millis(at_ms), cpu: Duration::from_millis(cpu_ms), taken }
    }

    #[test]
    fn the_first_quarter_does_not_count() {
        let mut watch = Watch::new(4_000_000);
        let looks = [sample(100, 50, 0), sample(2_000, 1_900, 900_000), sample(3_000, 3_000, 1_500_000)];
        for look in looks {
            watch.see(look);
        }
        assert!(watch.has_begun());
        watch.see(sample(4_000, 4_000, 2_000_000));
        let measured = watch.end(sample(8_000, 7_000, 4_000_000), 1 << 20);
        let expected = Measured {
            records: 2_500_000,
            seconds: 5.0,
            cpu_seconds: 4.0,
            records_per_s: 500_000.0,
            rss_bytes: 1 << 20,
        };
        assert_eq!(measured, expected);
        assert!((measured.cpu_per_million() - 1.6).abs() < 1e-9);
    }

    #[test]
    fn the_wait_for_the_last_commit_costs_no_throughput() {
        let mut watch = Watch::new(4_000);
        let commits =
            [sample(1_000, 10, 1_000), sample(2_000, 20, 2_000), sample(3_000, 30, 3_900), sample(4_000, 31, 4_000)];
        for commit in commits {
            watch.see(commit);
            watch.see(Sample { at: commit.at + Duration::from_millis(20), ..commit });
        }
        let measured = watch.end(sample(4_010, 31, 4_000), 0);
        assert_eq!((measured.records, measured.seconds, measured.records_per_s), (3_000, 3.01, 1_450.0));
        // Too few commits to tell.
        let mut watch = Watch::new(4_000);
        watch.see(sample(1_000, 10, 1_000));
        watch.see(sample(2_000, 20, 4_000));
        assert_eq!(watch.end(sample(2_000, 20, 4_000), 0).records_per_s, 3_000.0);
    }

    #[test]
    fn a_record_that_is_read_twice_counts_once() {
        let mut watch = Watch::new(2_000);
        watch.see(sample(1_000, 100, 1_000));
        let measured = watch.end(sample(2_000, 300, 2_000), 5).per_pass(2);
        let expected = Measured { records: 500, seconds: 1.0, cpu_seconds: 0.2, records_per_s: 500.0, rss_bytes: 5 };
        assert_eq!(measured, expected);
    }

    #[test]
    fn a_run_of_one_commit_counts_whole() {
        let mut watch = Watch::new(1_000);
        watch.see(sample(10, 10, 0));
        watch.see(sample(1_000, 500, 1_000));
        let measured = watch.end(sample(1_000, 500, 1_000), 0);
        assert_eq!((measured.records, measured.seconds, measured.cpu_seconds), (1_000, 1.0, 0.5));
    }

    #[test]
    fn nothing_begins_before_the_warm_up_is_over() {
        let mut watch = Watch::new(3);
        watch.see(sample(10, 10, 0));
        assert!(!watch.has_begun());
    }
}
