//! Executes one commit of a stream thread: what `group::Commit` decides, done with the thread's producer, the
//! coordinator and the tasks' stores.

use std::sync::atomic::Ordering;
use std::time::Duration;

use thalweg_state::fault_point;

use super::events::ReleaseCause;
use super::stream_thread::StreamThread;
use crate::group::CommitMetadata;
use crate::group::commit::{Action, Commit, Event, OffsetToCommit, Outcome, Recovery, Refusal};
use crate::task::{Fault, Step};
use crate::types::{Offset, TaskId, TopicPartition};
use crate::wire::{self, ErrorKind};

/// How long acknowledgements may take; the client gives records up after its own `message.timeout.ms`.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(300);
/// How long offsets are repeated (Kafka Streams' `task.timeout.ms`).
const OFFSETS_TIMEOUT_MS: u64 = 300_000;
/// Longest sleep between looks at a commit that waits to be repeated.
const REPEAT_WAIT: Duration = Duration::from_millis(50);

/// A commit that failed, and what must happen.
pub(super) struct CommitFailure {
    pub(super) reason: String,
    pub(super) retire_producer: bool,
    /// The task whose store could not take what was committed.
    pub(super) store: Option<(TaskId, thalweg_state::Error)>,
    lost: bool,
}

impl CommitFailure {
    /// What the tasks of the thread are told to do.
    pub(super) fn cause(&self) -> ReleaseCause {
        if self.lost { ReleaseCause::Fenced } else { ReleaseCause::Reopen { reason: self.reason.clone() } }
    }
}

/// Commits every task of the thread that has something to commit; returns whether any had.
pub(super) fn execute(thread: &mut StreamThread) -> Result<bool, CommitFailure> {
    let dirty: Vec<TaskId> = thread.tasks.iter().filter(|(_, t)| t.task.is_dirty()).map(|(id, _)| *id).collect();
    if dirty.is_empty() {
        return Ok(false);
    }
    let offsets = dirty.iter().flat_map(|id| thread.tasks[id].task.input_positions()).map(offset_to_commit).collect();
    let clock = thread.setup.clock;
    let seed = thread.setup.index as u64;
    let mut execution = Execution { thread, acknowledged: Vec::new(), reason: String::new(), store: None };
    let mut commit = Commit::new(clock.tick(), dirty, offsets, OFFSETS_TIMEOUT_MS, seed);
    loop {
        while let Some(action) = commit.poll(clock.tick()) {
            let event = execution.act(action);
            commit.handle(clock.tick(), event);
        }
        match commit.outcome() {
            Outcome::Done => return Ok(true),
            Outcome::Failed(recovery) => return Err(execution.failure(recovery)),
            Outcome::Pending => {
                execution.thread.consumer.wait(REPEAT_WAIT);
                execution.thread.setup.heartbeat.beat(std::time::Instant::now());
                if execution.thread.setup.lost.load(Ordering::Acquire) {
                    commit.handle(clock.tick(), Event::Lost);
                }
            }
        }
    }
}

fn offset_to_commit(position: crate::task::InputPosition) -> OffsetToCommit {
    let metadata =
        CommitMetadata { partition_time: position.partition_time.unwrap_or(-1), ..CommitMetadata::default() };
    OffsetToCommit {
        partition: position.partition,
        offset: position.offset,
        leader_epoch: position.leader_epoch,
        metadata: metadata.encode(),
    }
}

struct Execution<'a> {
    thread: &'a mut StreamThread,
    acknowledged: Vec<(TopicPartition, Offset)>,
    reason: String,
    store: Option<(TaskId, thalweg_state::Error)>,
}

impl Execution<'_> {
    fn act(&mut self, action: Action) -> Event {
        match action {
            Action::Flush => Event::Flushed(self.flush()),
            Action::CommitOffsets(offsets) => {
                fault_point::reach("commit: after acks");
                let committed = self.thread.setup.offsets.commit(offsets);
                Event::OffsetsCommitted(committed.map_err(|error| self.because(error.refusal(), error.to_string())))
            }
            Action::Apply(tasks) => {
                fault_point::reach("commit: after offsets");
                Event::Applied(self.apply(&tasks))
            }
        }
    }

    fn because(&mut self, refusal: Refusal, reason: String) -> Refusal {
        self.reason = reason;
        refusal
    }

    fn flush(&mut self) -> Result<(), Refusal> {
        fault_point::reach("commit: before flush");
        let stores = self.thread.tasks.values().map(|running| running.task.stores()).max().unwrap_or(0);
        for step in Step::all(stores) {
            if let Err(error) = self.flush_step(step) {
                // Without transactions nobody fences a producer on purpose: the records may be written or not.
                let kind = if error.kind == ErrorKind::Retriable { Refusal::Retriable } else { Refusal::Fatal };
                return Err(self.because(kind, error.to_string()));
            }
            fault_point::reach("commit: between two steps of the flush");
        }
        Ok(())
    }

    /// Sends one step of every task's outbox and waits until it is acknowledged.
    fn flush_step(&mut self, step: Step) -> Result<(), wire::Error> {
        let StreamThread { tasks, producer, setup, .. } = &mut *self.thread;
        // Sinks may have been sent since the last commit without being acknowledged yet.
        let mut waiting = step == Step::Sinks;
        for running in tasks.values_mut() {
            waiting |= running.send(step, &mut **producer, &setup.metrics)?;
        }
        if waiting {
            let acknowledged = producer.flush(FLUSH_TIMEOUT)?;
            self.acknowledged.extend(acknowledged.into_iter().map(|ack| (ack.partition, ack.next_offset)));
        }
        Ok(())
    }

    fn apply(&mut self, tasks: &[TaskId]) -> Result<(), TaskId> {
        for id in tasks {
            let Some(running) = self.thread.tasks.get_mut(id) else { continue };
            if let Err(fault) = running.task.committed(&self.acknowledged) {
                self.reason = format!("task {id}: {fault}");
                if let Fault::Store(error) = fault {
                    self.store = Some((*id, error));
                }
                return Err(*id);
            }
            running.committed(&self.thread.setup.metrics);
            fault_point::reach("commit: in the middle of apply");
        }
        Ok(())
    }

    fn failure(self, recovery: Recovery) -> CommitFailure {
        CommitFailure {
            reason: self.reason,
            retire_producer: matches!(recovery, Recovery::RetireProducer),
            store: self.store,
            lost: matches!(recovery, Recovery::Lose),
        }
    }
}

#[cfg(test)]
mod tests;
