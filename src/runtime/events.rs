//! What the threads tell the control thread, and what it tells them. Every channel is bounded.

use std::collections::BTreeSet;

use thalweg_state::TaskState;

use super::control::RunError;
use super::progress::ProgressCell;
use crate::types::{TaskId, TopicPartition};

/// Most events that may wait for the control thread; who tells one waits for room.
pub(super) const EVENTS_MAX: usize = 1024;
/// Commands about one task that may wait in one channel: one life of a task here needs at most an opening or a start,
/// a release, a second one that says it is lost, and a closing.
const COMMANDS_PER_TASK: usize = 4;
/// Commands that may wait beside: the last one, and further lives of a few tasks while the reader is held up.
const COMMANDS_BESIDE: usize = 64;

/// Most commands that may wait in the channel of one thread, in a process whose plan has `tasks` tasks. The control
/// thread never waits for room: a thread with a full channel counts as stuck ([`Stuck`]).
pub(super) const fn commands_max(tasks: usize) -> usize {
    tasks * COMMANDS_PER_TASK + COMMANDS_BESIDE
}

/// A thread takes none of the commands that wait for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{thread} is stuck: {waiting} commands wait for it; the process must be started again")]
pub struct Stuck {
    /// Name of the thread.
    pub thread: String,
    /// Commands that wait, as many as its channel holds.
    pub waiting: usize,
}

/// Number of one opening of a task, from 1: an answer to an older opening of the same task says nothing about this one.
pub(super) type Opening = u64;

/// What happened.
pub(super) enum ControlEvent {
    /// The restorer brought a task's state to the end of its changelogs.
    Restored { task: TaskId, opening: Opening, state: TaskState },
    /// The restorer cannot open a task's state.
    RestoreFailed { task: TaskId, opening: Opening, error: thalweg_state::Error },
    /// The restorer closed a task's state.
    Closed(TaskId),
    /// A stream thread gave tasks up.
    Released(Released),
    /// A stream thread ended with an error that nobody but a person can settle.
    ThreadFailed { thread: usize, reason: String },
    /// The restorer ended with an error that nobody but a person can settle.
    RestorerFailed(String),
    /// What the run stands on is gone: only a person can settle it.
    Failed(RunError),
    /// The process shall stop.
    Stop,
}

/// Tasks that a stream thread gave up.
pub(super) struct Released {
    /// Each with its state.
    pub(super) tasks: Vec<(TaskId, TaskState)>,
    /// Why.
    pub(super) cause: ReleaseCause,
}

/// Why a stream thread gave tasks up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReleaseCause {
    /// It was told to.
    Told,
    /// Its commit was fenced: the tasks are another's, or were.
    Fenced,
    /// Nothing since the last commit may be kept: restore and start again.
    Reopen { reason: String },
    /// The store cannot be trusted: wipe, restore and start again.
    Wipe { reason: String },
}

/// What a stream thread is told.
pub(super) enum ThreadCommand {
    /// Process this task.
    Start(StartTask),
    /// Give these tasks up, after a commit unless they are lost already.
    Release { tasks: BTreeSet<TaskId>, commit: bool },
    /// Commit, give everything up and end.
    Stop,
}

/// A restored task.
pub(super) struct StartTask {
    pub(super) task: TaskId,
    pub(super) state: TaskState,
    pub(super) inputs: Vec<TopicPartition>,
    pub(super) progress: ProgressCell,
}
