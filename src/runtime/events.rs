//! What the threads tell the control thread, and what it tells them. Every channel is bounded.

use std::collections::BTreeSet;

use thalweg_state::TaskState;

use super::control::RunError;
use super::progress::ProgressCell;
use crate::types::{TaskId, TopicPartition};

/// Most commands or events that may wait in one channel.
pub(super) const CHANNEL_CAPACITY: usize = 1024;

/// What happened.
pub(super) enum ControlEvent {
    /// The restorer brought a task's state to the end of its changelogs.
    Restored { task: TaskId, state: TaskState },
    /// The restorer cannot open a task's state.
    RestoreFailed { task: TaskId, error: thalweg_state::Error },
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
