//! When failed tasks are opened again. Pure.

use std::collections::BTreeMap;

use crate::group::Tick;
use crate::types::{Backoff, TaskId};

/// A task that ran without a failure for this long starts from the shortest wait, in ms.
const QUIET_MS: u64 = 60_000;

/// The failed tasks of a process, each with a wait that grows with its failures.
#[derive(Debug)]
pub(super) struct Retries {
    seed: u64,
    tasks: BTreeMap<TaskId, Retry>,
}

#[derive(Debug)]
struct Retry {
    backoff: Backoff,
    failed_at: Tick,
    due: Option<Tick>,
}

impl Retries {
    /// `seed` spreads the attempts of several processes.
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed, tasks: BTreeMap::new() }
    }

    /// Waiting times for `task` alone.
    pub(super) fn backoff(&self, task: TaskId) -> Backoff {
        Backoff::new(self.seed ^ (u64::from(task.subtopology) << 32) ^ u64::from(task.partition.unsigned_abs()))
    }

    /// `task` failed: it is due again after a wait.
    pub(super) fn failed(&mut self, now: Tick, task: TaskId) {
        let backoff = self.backoff(task);
        let retry = self.tasks.entry(task).or_insert(Retry { backoff, failed_at: now, due: None });
        if now.since(retry.failed_at) >= QUIET_MS {
            retry.backoff.reset();
        }
        retry.failed_at = now;
        retry.due = Some(now.after(retry.backoff.next_ms()));
    }

    /// Takes the tasks that are due.
    pub(super) fn take_due(&mut self, now: Tick) -> Vec<TaskId> {
        let due = self.tasks.iter_mut().filter(|(_, retry)| retry.due.is_some_and(|due| due <= now));
        due.map(|(task, retry)| {
            retry.due = None;
            *task
        })
        .collect()
    }

    /// `task` is no longer of this process.
    pub(super) fn forget(&mut self, task: TaskId) {
        self.tasks.remove(&task);
    }

    /// When the next task is due.
    pub(super) fn deadline(&self) -> Tick {
        self.tasks.values().filter_map(|retry| retry.due).min().unwrap_or(Tick::NEVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId::new(1, 2);
    const OTHER: TaskId = TaskId::new(1, 3);

    /// Lets the task fail again as soon as it is due; returns the waits in ms.
    fn waits(retries: &mut Retries, mut now: Tick, count: usize) -> Vec<u64> {
        let mut waits = Vec::new();
        for _ in 0..count {
            retries.failed(now, TASK);
            let due = retries.deadline();
            assert_eq!(retries.take_due(Tick(due.0 - 1)), []);
            assert_eq!(retries.take_due(due), [TASK]);
            assert_eq!(retries.deadline(), Tick::NEVER, "taken");
            waits.push(due.since(now));
            now = due;
        }
        waits
    }

    #[test]
    fn waits_grow_with_each_failure_to_a_bound_and_start_anew_after_a_quiet_minute() {
        let mut retries = Retries::new(7);
        let grown = waits(&mut retries, Tick(1_000), 6);
        for (wait, base) in grown.iter().zip([100, 200, 400, 800, 1_000, 1_000]) {
            assert!((base * 4 / 5..=base * 6 / 5).contains(wait), "{wait} for {base}");
        }
        let later = Tick(1_000 + grown.iter().sum::<u64>());
        assert!(waits(&mut retries, later.after(50_000), 1)[0] >= 800, "not quiet for long enough");
        assert!(waits(&mut retries, later.after(50_000 + QUIET_MS), 1)[0] <= 120);
    }

    #[test]
    fn tasks_and_processes_wait_differently_and_a_task_that_left_is_not_opened() {
        let due = |seed, task| {
            let mut retries = Retries::new(seed);
            retries.failed(Tick(0), task);
            retries.deadline()
        };
        assert_eq!(due(7, TASK), due(7, TASK));
        assert_ne!(due(7, TASK), due(7, OTHER));
        assert_ne!(due(7, TASK), due(8, TASK));
        let mut retries = Retries::new(7);
        retries.failed(Tick(0), TASK);
        retries.failed(Tick(0), OTHER);
        retries.forget(TASK);
        assert_eq!(retries.take_due(Tick::NEVER), [OTHER]);
    }
}
