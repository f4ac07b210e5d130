//! When a stream thread commits.

use super::Tick;

/// The bounds; whichever is reached first causes a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitPolicy {
    /// Longest time between commits in ms (`commit.interval.ms`; Kafka Streams: 30 s at least once, 100 ms exactly once).
    pub interval_ms: u64,
    /// Most bytes of uncommitted writes (overlays and outboxes of the thread).
    pub uncommitted_bytes_max: usize,
}

/// What a thread has not committed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Uncommitted {
    /// Records consumed since the last commit.
    pub records: u64,
    /// Bytes of uncommitted writes.
    pub bytes: usize,
    /// A processor asked for a commit (`ProcessorContext.commit`).
    pub requested: bool,
}

/// Whether to commit now. With nothing consumed and nothing written there is nothing to commit.
pub fn commit_is_due(policy: &CommitPolicy, now: Tick, last_commit: Tick, uncommitted: Uncommitted) -> bool {
    let dirty = uncommitted.records > 0 || uncommitted.bytes > 0;
    let in_time = now.since(last_commit) < policy.interval_ms;
    dirty && (uncommitted.requested || uncommitted.bytes >= policy.uncommitted_bytes_max || !in_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_bytes_or_a_request_cause_a_commit_of_something() {
        let policy = CommitPolicy { interval_ms: 100, uncommitted_bytes_max: 1_000 };
        let table = [
            (99, 1, 0, false, false),
            (100, 1, 0, false, true),
            (0, 1, 999, false, false),
            (0, 1, 1_000, false, true),
            (0, 1, 0, true, true),
            (500, 0, 0, true, false),
            // A punctuation may write without a record.
            (500, 0, 1, false, true),
        ];
        for (elapsed, records, bytes, requested, due) in table {
            let uncommitted = Uncommitted { records, bytes, requested };
            let actual = commit_is_due(&policy, Tick(50 + elapsed), Tick(50), uncommitted);
            assert_eq!(actual, due, "{elapsed} ms, {uncommitted:?}");
        }
    }
}
