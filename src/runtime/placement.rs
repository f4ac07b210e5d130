//! One task of this process, as the control thread sees it: its lifecycle, its thread, what readers get.

use std::sync::Arc;

use arc_swap::ArcSwap;
use thalweg_state::{SharedReader, TaskState};

use super::events::Opening;
use super::progress::ProgressCell;
use crate::group::codec::RUNNING;
use crate::group::lifecycle::{Event, State};
use crate::query::{LocalTask, Role, TaskProgress};

/// A task of this process.
pub(super) struct Placement {
    state: State,
    thread: usize,
    opening: Opening,
    progress: ProgressCell,
    reader: Option<SharedReader>,
}

impl Placement {
    /// A task that is about to be opened and will run on `thread`.
    pub(super) fn new(thread: usize, opening: Opening) -> Self {
        let progress = Arc::new(ArcSwap::from_pointee(TaskProgress::default()));
        let state = State::Opening.next(Event::OpenedActive);
        Self { state, thread, opening, progress, reader: None }
    }

    pub(super) fn thread(&self) -> usize {
        self.thread
    }

    /// The opening that the task is in.
    pub(super) fn opening(&self) -> Opening {
        self.opening
    }

    pub(super) fn progress(&self) -> ProgressCell {
        Arc::clone(&self.progress)
    }

    pub(super) fn is_running(&self) -> bool {
        self.state == State::Running
    }

    /// What the leader is told about the task's state: a running task is at the end of its changelogs.
    pub(super) fn running_offset_sum(&self) -> Option<i64> {
        self.is_running().then_some(RUNNING)
    }

    /// The restorer is done: answers the thread to run on.
    pub(super) fn start(&mut self, state: &TaskState) -> (usize, ProgressCell) {
        self.reader = Some(state.reader());
        self.state = self.state.next(Event::CaughtUp);
        (self.thread, self.progress())
    }

    /// Takes the task away: answers the thread that must give it up, `None` when no thread has it.
    pub(super) fn release(&mut self, commit: bool) -> Option<usize> {
        let on_thread = matches!(self.state, State::Running | State::Suspending);
        self.state = self.state.next(if commit { Event::Revoked } else { Event::Lost });
        on_thread.then_some(self.thread)
    }

    /// Its thread gave it up because something failed.
    pub(super) fn failed(&mut self, wipe: bool) {
        self.state = self.state.next(Event::Fault { wipe });
        self.reader = None;
    }

    /// What readers see of it; nothing once it is on its way out.
    pub(super) fn local_task(&self) -> Option<LocalTask> {
        let (role, state) = match self.state {
            State::Running => (Role::Active, "running"),
            State::Restoring => (Role::Restoring, "restoring"),
            State::Failed { .. } => (Role::Restoring, "failed"),
            State::Opening | State::Standby { .. } | State::Suspending | State::Closing | State::Closed => return None,
        };
        let progress = Arc::clone(&self.progress);
        Some(LocalTask { role, state: state.to_owned(), reader: self.reader.clone(), progress })
    }
}
