//! The restorer: opens, restores and closes the stores of tasks, on a thread of its own.
//!
//! It owns a task's state from the moment it is opened until it is handed to a stream thread, and again from the
//! moment a stream thread gave it up until it is closed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use thalweg_state::{ErrorKind, Position, SharedMemory, StoreIndex, StoreSpec, TaskState, layout};

use super::clock::Clock;
use super::events::{ControlEvent, Opening};
use super::progress::{self, ProgressCell};
use crate::group::Tick;
use crate::query::{Heartbeat, Metrics, ReopenCause, RestoreProgress};
use crate::types::{Backoff, Offset, SourceBatch, TaskId, TopicPartition};
use crate::wire::{self, Consumer, PartitionEvent};

/// Records of one changelog partition restored per turn: bounds a turn and the memory of a batch.
const RECORDS_PER_TURN: usize = 20_000;
/// Longest wait for commands when nothing is restored.
const IDLE_TURN: Duration = Duration::from_millis(200);
/// How long a turn waits for records.
const ACTIVE_TURN: Duration = Duration::from_millis(5);
/// How long the broker may take to tell offsets.
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(10);

/// What the restorer is told.
pub(super) enum RestorerCommand {
    /// Open the task's stores and bring them to the end of their changelogs.
    Open(OpenTask),
    /// Close a state that a stream thread gave up; `wipe` deletes what it kept.
    Close { task: TaskId, state: TaskState, directory: PathBuf, wipe: bool },
    /// Forget a task that is being restored.
    Abandon(TaskId),
    /// Close everything and end.
    Stop,
}

/// A task to open.
pub(super) struct OpenTask {
    pub(super) task: TaskId,
    pub(super) opening: Opening,
    /// Waits between attempts to open it.
    pub(super) backoff: Backoff,
    pub(super) directory: PathBuf,
    pub(super) stores: Vec<StoreSpec>,
    /// Changelog partition of each logged store.
    pub(super) changelogs: Vec<(StoreIndex, TopicPartition)>,
    pub(super) progress: ProgressCell,
}

/// One changelog being replayed.
struct Changelog {
    store: StoreIndex,
    partition: TopicPartition,
    /// Where the restore began.
    first: Offset,
    next: Offset,
    end: Offset,
}

struct Restoring {
    open: OpenTask,
    state: TaskState,
    changelogs: Vec<Changelog>,
    began: Instant,
}

/// The restorer's side of its thread.
pub(super) struct Restorer {
    consumer: Box<dyn Consumer>,
    memory: Arc<SharedMemory>,
    clock: Clock,
    heartbeat: Heartbeat,
    commands: Receiver<RestorerCommand>,
    events: Sender<ControlEvent>,
    metrics: Arc<Metrics>,
    tasks: BTreeMap<TaskId, Restoring>,
    /// To be opened, and when: new ones at once, others after the cluster did not tell their offsets.
    waiting: Vec<(Tick, OpenTask)>,
    /// Tasks whose state was handed over and did not come back to be closed: until then it cannot be opened again.
    lent: BTreeSet<TaskId>,
    batch: SourceBatch,
}

impl Restorer {
    pub(super) fn new(
        consumer: Box<dyn Consumer>,
        memory: Arc<SharedMemory>,
        clock: Clock,
        heartbeat: Heartbeat,
        commands: Receiver<RestorerCommand>,
        events: Sender<ControlEvent>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (tasks, waiting, lent, batch) = (BTreeMap::new(), Vec::new(), BTreeSet::new(), SourceBatch::new());
        Self { consumer, memory, clock, heartbeat, commands, events, metrics, tasks, waiting, lent, batch }
    }

    /// Works until it is told to stop.
    pub(super) fn run(mut self) {
        while self.command() {
            for open in self.take_due() {
                self.open(open);
                self.beat();
            }
            let tasks: Vec<TaskId> = self.tasks.keys().copied().collect();
            for task in tasks {
                self.turn(task);
                self.beat();
            }
        }
        for (_, restoring) in std::mem::take(&mut self.tasks) {
            close(restoring.state, &restoring.open.directory, false);
        }
        self.consumer.close(super::CLOSE_DEADLINE);
    }

    fn beat(&self) {
        self.heartbeat.beat(Instant::now());
    }

    /// Takes the tasks that can be opened now.
    fn take_due(&mut self) -> Vec<OpenTask> {
        let Self { waiting, lent, clock, .. } = self;
        let now = clock.tick();
        let due = waiting.extract_if(.., |(due, open)| *due <= now && !lent.contains(&open.task));
        due.map(|(_, open)| open).collect()
    }

    /// How long to wait for commands when nothing is restored.
    fn idle_wait(&self) -> Duration {
        let due = self.waiting.iter().filter(|(_, open)| !self.lent.contains(&open.task)).map(|(due, _)| *due).min();
        let wait = due.unwrap_or(Tick::NEVER).since(self.clock.tick());
        Duration::from_millis(wait).min(IDLE_TURN)
    }

    /// Opens it again after a wait.
    fn wait_with(&mut self, mut open: OpenTask) {
        let due = self.clock.tick().after(open.backoff.next_ms());
        self.waiting.push((due, open));
    }

    /// Handles what waits; returns false when told to stop.
    fn command(&mut self) -> bool {
        self.beat();
        let wait = if self.tasks.is_empty() { self.idle_wait() } else { Duration::ZERO };
        let mut command = match self.commands.recv_timeout(wait) {
            Ok(command) => Some(command),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        while let Some(next) = command {
            match next {
                RestorerCommand::Open(open) => self.waiting.push((self.clock.tick(), open)),
                RestorerCommand::Close { task, state, directory, wipe } => {
                    close(state, &directory, wipe);
                    self.beat();
                    self.lent.remove(&task);
                    self.tell(ControlEvent::Closed(task));
                }
                RestorerCommand::Abandon(task) => self.abandon(task),
                RestorerCommand::Stop => return false,
            }
            command = self.commands.try_recv().ok();
        }
        if !self.tasks.is_empty() {
            self.consumer.wait(ACTIVE_TURN);
        }
        true
    }

    fn tell(&self, event: ControlEvent) {
        // Control ends last; when it is gone nobody waits for the answer.
        let _ = self.events.send(event);
    }

    fn abandon(&mut self, task: TaskId) {
        self.waiting.retain(|(_, open)| open.task != task);
        if let Some(restoring) = self.tasks.remove(&task) {
            self.unassign(&restoring.changelogs);
            close(restoring.state, &restoring.open.directory, false);
        }
        self.tell(ControlEvent::Closed(task));
    }

    fn open(&mut self, open: OpenTask) {
        match self.try_open(&open) {
            Ok((state, changelogs)) => {
                // From the begin on: a restore that gets nowhere is a rate of 0, not an absent one.
                self.metrics.restored(open.task, 0);
                self.tasks.insert(open.task, Restoring { open, state, changelogs, began: Instant::now() });
            }
            Err(RestoreError::Later(reason)) => {
                tracing::warn!(task = %open.task, %reason, "cannot open the task yet, trying again");
                self.wait_with(open);
            }
            Err(RestoreError::Store(error)) => {
                self.tell(ControlEvent::RestoreFailed { task: open.task, opening: open.opening, error });
            }
        }
    }

    fn try_open(&mut self, open: &OpenTask) -> Result<(TaskState, Vec<Changelog>), RestoreError> {
        let mut opened = TaskState::open(&open.directory, &open.stores, &self.memory)?;
        if let Some(reason) = &opened.wiped {
            self.metrics.reopened(ReopenCause::Rebuild);
            tracing::warn!(task = %open.task, %reason, "wiped a store that cannot be trusted, rebuilding it from its changelog");
        }
        let mut changelogs = self.offsets(open, opened.state.position())?;
        let impossible = changelogs.iter().find(|changelog| changelog.next > changelog.end).map(describe_impossible);
        if let Some(reason) = impossible {
            self.metrics.reopened(ReopenCause::Rebuild);
            tracing::warn!(task = %open.task, %reason, "wiped a store that cannot be trusted, rebuilding it from its changelog");
            opened.state.close()?;
            TaskState::wipe(&open.directory)?;
            opened = TaskState::open(&open.directory, &open.stores, &self.memory)?;
            changelogs = self.offsets(open, opened.state.position())?;
        }
        for changelog in changelogs.iter().filter(|changelog| changelog.next < changelog.end) {
            self.consumer.assign(&changelog.partition, changelog.next)?;
        }
        Ok((opened.state, changelogs))
    }

    /// Where each changelog is to be read from and to. A position before the log start cannot be continued: it is
    /// reported as beyond the end, so that the store is rebuilt.
    fn offsets(&mut self, open: &OpenTask, position: &Position) -> Result<Vec<Changelog>, RestoreError> {
        let mut changelogs = Vec::new();
        for (store, partition) in &open.changelogs {
            let range = self.consumer.offsets(partition, OFFSETS_TIMEOUT)?;
            let next = match position.get(&partition.to_string()) {
                None => range.start,
                Some(next) if next < range.start => Offset::MAX,
                Some(next) => next,
            };
            changelogs.push(Changelog {
                store: *store,
                partition: partition.clone(),
                first: next,
                next,
                end: range.end,
            });
            self.beat();
        }
        Ok(changelogs)
    }

    /// Replays some records of each changelog of the task; hands the state over when all are at their end.
    fn turn(&mut self, task: TaskId) {
        let Some(mut restoring) = self.tasks.remove(&task) else { return };
        match self.replay(&mut restoring) {
            Ok(()) => {
                let Restoring { open, changelogs, began, .. } = &restoring;
                let restore = restore_progress(changelogs, began.elapsed());
                progress::restoring(&open.progress, &open.stores, positions(changelogs), restore);
                if restoring.changelogs.iter().all(|changelog| changelog.next >= changelog.end) {
                    self.unassign(&restoring.changelogs);
                    self.lent.insert(task);
                    let opening = restoring.open.opening;
                    self.tell(ControlEvent::Restored { task, opening, state: restoring.state });
                } else {
                    self.tasks.insert(task, restoring);
                }
            }
            Err(RestoreError::Later(reason)) => {
                tracing::warn!(%task, %reason, "restoring stopped, starting again from the stored position");
                self.unassign(&restoring.changelogs);
                close(restoring.state, &restoring.open.directory, false);
                self.wait_with(restoring.open);
            }
            Err(RestoreError::Store(error)) => {
                self.unassign(&restoring.changelogs);
                let wipe = error.kind == ErrorKind::Corrupt;
                close(restoring.state, &restoring.open.directory, wipe);
                if wipe {
                    self.metrics.reopened(ReopenCause::Rebuild);
                    tracing::warn!(%task, %error, "wiped a store that cannot be trusted, rebuilding it from its changelog");
                    self.wait_with(restoring.open);
                } else {
                    let opening = restoring.open.opening;
                    self.tell(ControlEvent::RestoreFailed { task, opening, error });
                }
            }
        }
    }

    fn replay(&mut self, restoring: &mut Restoring) -> Result<(), RestoreError> {
        for changelog in restoring.changelogs.iter_mut().filter(|changelog| changelog.next < changelog.end) {
            self.batch.clear();
            let event = self.consumer.read(&changelog.partition, RECORDS_PER_TURN, &mut self.batch)?;
            if !self.batch.is_empty() {
                let mut rows = Vec::new();
                let spans = timestamped_rows(&self.batch, &mut rows);
                changelog.next = self.batch.get(self.batch.len() - 1).offset + 1;
                let mut position = Position::default();
                position.set(&changelog.partition.to_string(), changelog.next);
                let store = changelog.store;
                let rows = spans.iter().map(|(key, row)| (store, *key, row.clone().map(|span| &rows[span])));
                restoring.state.restore(rows, &position)?;
                self.metrics.restored(restoring.open.task, self.batch.len());
            }
            match event {
                None => {}
                // The end of what can be read, which transaction markers and compaction put past the last record.
                Some(PartitionEvent::End { offset }) => changelog.next = changelog.next.max(offset),
                Some(PartitionEvent::OffsetOutOfRange) => return Err(out_of_range(&changelog.partition)),
                Some(PartitionEvent::Failed(reason)) => {
                    tracing::warn!(partition = %changelog.partition, %reason, "reading a changelog");
                }
            }
            self.beat();
        }
        Ok(())
    }

    fn unassign(&mut self, changelogs: &[Changelog]) {
        for changelog in changelogs {
            if let Err(error) = self.consumer.unassign(&changelog.partition) {
                tracing::warn!(%error, "cannot stop reading a changelog");
            }
        }
    }
}

/// Why restoring stopped.
enum RestoreError {
    /// The cluster may answer later.
    Later(String),
    /// The store failed.
    Store(thalweg_state::Error),
}

impl From<wire::Error> for RestoreError {
    fn from(error: wire::Error) -> Self {
        Self::Later(error.to_string())
    }
}

impl From<thalweg_state::Error> for RestoreError {
    fn from(error: thalweg_state::Error) -> Self {
        Self::Store(error)
    }
}

fn out_of_range(partition: &TopicPartition) -> RestoreError {
    RestoreError::Store(thalweg_state::Error {
        kind: ErrorKind::Corrupt,
        context: format!("restoring from {partition}"),
        reason: "the stored position is not in the changelog any more".to_owned(),
    })
}

fn describe_impossible(changelog: &Changelog) -> String {
    let Changelog { partition, next, end, .. } = changelog;
    match *next {
        Offset::MAX => format!("the stored position is before the start of {partition}"),
        next => format!("the stored position {next} is beyond the end {end} of {partition}"),
    }
}

fn positions(changelogs: &[Changelog]) -> Vec<(StoreIndex, TopicPartition, Offset, Offset)> {
    changelogs.iter().map(|c| (c.store, c.partition.clone(), c.next, c.end)).collect()
}

fn restore_progress(changelogs: &[Changelog], elapsed: Duration) -> RestoreProgress {
    let between = |from: Offset, to: Offset| u64::try_from(to.saturating_sub(from)).unwrap_or(0);
    RestoreProgress {
        restored_records: changelogs.iter().map(|changelog| between(changelog.first, changelog.next)).sum(),
        remaining_records: changelogs.iter().map(|changelog| between(changelog.next, changelog.end)).sum(),
        elapsed,
    }
}

/// The rows of changelog records: `int64 timestamp` then the value. A record without a key cannot be a row.
fn timestamped_rows<'a>(batch: &'a SourceBatch, rows: &mut Vec<u8>) -> Vec<(&'a [u8], Option<Range<usize>>)> {
    let mut spans = Vec::with_capacity(batch.len());
    for record in batch.iter() {
        let Some(key) = record.key else { continue };
        let row = record.value.map(|value| {
            let start = rows.len();
            layout::encode_timestamped(record.timestamp, value, rows);
            start..rows.len()
        });
        spans.push((key, row));
    }
    spans
}

/// Closes a state; a failed flush costs a longer restore and nothing else.
fn close(state: TaskState, directory: &Path, wipe: bool) {
    if let Err(error) = state.close() {
        tracing::warn!(%error, "closing a store; the next start restores more of its changelog");
    }
    if wipe && let Err(error) = TaskState::wipe(directory) {
        tracing::error!(%error, "cannot wipe a store");
    }
}

#[cfg(test)]
mod turns;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restore_counts_from_where_it_began_over_all_changelogs() {
        let changelog = |first, next, end| {
            let partition = TopicPartition::new("app-store-changelog", 0);
            Changelog { store: 0, partition, first, next, end }
        };
        // One half done, one done, one read past the end that was seen at the start.
        let changelogs = [changelog(100, 600, 1_100), changelog(0, 50, 50), changelog(5, 12, 10)];
        let elapsed = Duration::from_secs(2);
        let expected = RestoreProgress { restored_records: 557, remaining_records: 500, elapsed };
        assert_eq!(restore_progress(&changelogs, elapsed), expected);
    }
}
