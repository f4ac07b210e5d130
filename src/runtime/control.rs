//! The control thread: drives the membership, moves tasks between restorer and stream threads, publishes who has what.
//!
//! It never touches a running task and never waits for one: what it learns comes through two channels, one from its
//! threads, one from the group coordinator.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};
use thalweg_state::TaskState;

use super::clock::Clock;
use super::events::{ControlEvent, Opening, ReleaseCause, Released, StartTask, Stuck, ThreadCommand};
use super::placement::Placement;
use super::publisher::Publisher;
use super::restorer::RestorerCommand;
use super::retries::Retries;
use super::workers::Workers;
use crate::group::codec::SubscriptionInfo;
use crate::group::leader::{self, Tasks};
use crate::group::member::{End, Event, Order, Target};
use crate::group::{ErrorCode, TaskSet, reconcile};
use crate::query::{Heartbeat, Membership, ReopenCause};
use crate::types::TaskId;
use crate::wire::coordinator::Membership as Group;

/// Longest sleep without an event.
const TURN: Duration = Duration::from_millis(500);

/// Why a run ended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RunError {
    /// The membership ended by itself.
    #[error(transparent)]
    Group(#[from] End),
    /// A stream thread ended.
    #[error("stream thread {thread} failed: {reason}")]
    Thread {
        /// Number of the thread, from 1.
        thread: usize,
        /// What it said.
        reason: String,
    },
    /// The restorer ended.
    #[error("the restorer failed: {0}")]
    Restorer(String),
    /// A thread takes no commands.
    #[error(transparent)]
    Stuck(#[from] Stuck),
    /// A task's store cannot be opened, or the disk refuses what is to be written.
    #[error("task {task}: {error}")]
    Store {
        /// The task.
        task: TaskId,
        /// What the store said, with the path.
        error: thalweg_state::Error,
    },
    /// Nobody may tell a task where it goes on.
    #[error(
        "task {task}: the group coordinator refused to tell offsets: {code}; \
         let this client read the group and the task's input topics, then start again"
    )]
    Offsets {
        /// The task.
        task: TaskId,
        /// How.
        code: ErrorCode,
    },
    /// Topics are not as the application needs them.
    #[error("{0}")]
    Topics(String),
    /// The state directory is not this process's any more.
    #[error("{0}")]
    StateDirectory(String),
    /// A client of the cluster cannot be made.
    #[error("{0}")]
    Client(String),
}

/// The control thread's state.
pub(super) struct Control {
    pub(super) clock: Clock,
    pub(super) group: Group,
    pub(super) subscription: SubscriptionInfo,
    pub(super) tasks: Tasks,
    pub(super) workers: Workers,
    pub(super) publisher: Publisher,
    pub(super) heartbeat: Heartbeat,
    pub(super) events: Receiver<ControlEvent>,
    /// The tasks of this process.
    pub(super) placements: BTreeMap<TaskId, Placement>,
    /// Tasks whose release the member waits for; one set per order.
    pub(super) releasing: Vec<BTreeSet<TaskId>>,
    /// The last opening of a task.
    pub(super) last_opening: Opening,
    pub(super) retries: Retries,
    pub(super) failure: Option<RunError>,
}

impl Control {
    /// Works until the membership is over.
    pub(super) fn run(mut self) -> Result<(), RunError> {
        let end = loop {
            self.heartbeat.beat(Instant::now());
            if let Some(end) = self.turn() {
                break end;
            }
        };
        let Self { mut workers, events, failure, .. } = self;
        // From here on nobody reads the events: a thread that tells one must not wait for room.
        drop(events);
        workers.stop();
        match (failure, end) {
            (Some(failure), _) => Err(failure),
            (None, End::Left) => Ok(()),
            (None, end) => Err(end.into()),
        }
    }

    /// Waits for something to happen and settles it; an end of the membership is the end of the run.
    fn turn(&mut self) -> Option<End> {
        let mut event = self.wait();
        loop {
            // A refused commit reaches the member through its connection before the thread that gave its tasks up for
            // it can say so: in this order the member has let go of them first.
            while let Ok(event) = self.group.events().try_recv() {
                self.tell_group(event);
            }
            if let Some(end) = self.drain_group() {
                return Some(end);
            }
            match event.take().or_else(|| self.events.try_recv().ok()) {
                Some(event) => self.handle(event),
                None => break,
            }
        }
        self.retry_failed();
        self.publisher.publish(&self.placements);
        None
    }

    /// Does what the membership asks for; an end is the end of the run.
    fn drain_group(&mut self) -> Option<End> {
        while let Some(order) = self.group.poll(self.clock.tick()) {
            match order {
                Order::Stop(end) => return Some(end),
                order => self.obey(order),
            }
        }
        None
    }

    fn wait(&mut self) -> Option<ControlEvent> {
        let due = self.retries.deadline().min(self.group.deadline());
        let wait = Duration::from_millis(due.since(self.clock.tick())).min(TURN);
        // The connections end with the membership, the other senders with this thread: neither channel closes first.
        select! {
            recv(self.events) -> event => return event.ok(),
            recv(self.group.events()) -> event => event.into_iter().for_each(|event| self.tell_group(event)),
            default(wait) => {}
        }
        None
    }

    fn tell_group(&mut self, event: Event) {
        self.group.handle(self.clock.tick(), event);
    }

    fn leave(&mut self) {
        self.publisher.membership(Membership::Leaving);
        self.tell_group(Event::LeaveRequested);
    }

    fn fail(&mut self, failure: RunError) {
        tracing::error!(error = %failure, "stopping");
        self.failure.get_or_insert(failure);
        self.leave();
    }

    fn handle(&mut self, event: ControlEvent) {
        match event {
            ControlEvent::Restored { task, opening, state } => self.restored(task, opening, state),
            ControlEvent::RestoreFailed { task, opening, error } => {
                if self.is_current(task, opening) {
                    self.placements.remove(&task);
                    self.fail(RunError::Store { task, error });
                }
            }
            ControlEvent::Closed(task) => self.closed(task),
            ControlEvent::Released(released) => self.released(released),
            ControlEvent::ThreadFailed { thread, reason } => {
                let lost = self.workers.thread_failed(thread, &mut self.placements);
                self.fail(RunError::Thread { thread: thread + 1, reason });
                self.settle(&lost);
            }
            ControlEvent::RestorerFailed(reason) => self.fail(RunError::Restorer(reason)),
            ControlEvent::Failed(error) => self.fail(error),
            ControlEvent::Stop => self.leave(),
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Describe { owned, generation } => {
                self.publisher.rebalance_began();
                let running =
                    |(id, placement): (&TaskId, &Placement)| placement.running_offset_sum().map(|sum| (*id, sum));
                self.subscription.offset_sums = self.placements.iter().filter_map(running).collect();
                self.subscription.unique = self.subscription.unique.wrapping_add(1);
                let bytes = leader::describe(&self.tasks, &self.subscription, &owned, generation);
                self.tell_group(Event::Described(bytes));
            }
            Order::Compute(members) => {
                let assignments = leader::lead(&members, &self.tasks, &BTreeMap::new());
                self.tell_group(Event::Computed(assignments));
            }
            // Offsets of other topics would be taken for those of the topics that are there now.
            Order::Revoke { tasks, .. } => self.release(tasks, !matches!(self.failure, Some(RunError::Topics(_)))),
            Order::LoseAll(tasks) => {
                self.publisher.membership_lost();
                self.release(tasks, false);
            }
            Order::Assign(target) => self.assign(target),
            Order::Stop(_) => unreachable!("the end of the membership is handled by the caller"),
        }
    }

    /// Takes tasks away from whoever has them; the member hears of it when all are gone.
    fn release(&mut self, tasks: BTreeSet<TaskId>, commit: bool) {
        tracing::info!(tasks = %texts(&tasks), commit, "releasing tasks");
        let mut waiting = BTreeSet::new();
        let mut on_threads: BTreeMap<usize, BTreeSet<TaskId>> = BTreeMap::new();
        for task in tasks {
            self.retries.forget(task);
            let Some(placement) = self.placements.get_mut(&task) else { continue };
            match placement.release(commit) {
                Some(thread) => {
                    waiting.insert(task);
                    on_threads.entry(thread).or_default().insert(task);
                }
                None => {
                    // Still being opened or restored, or waiting to be: nothing of it is uncommitted.
                    self.placements.remove(&task);
                    self.tell_restorer(RestorerCommand::Abandon(task));
                }
            }
        }
        // Readers must not be sent to a task that is about to be another's.
        self.publisher.publish(&self.placements);
        self.releasing.push(waiting);
        for (thread, tasks) in on_threads {
            self.tell_thread(thread, ThreadCommand::Release { tasks, commit });
        }
        self.settle(&BTreeSet::new());
    }

    /// Notes that `gone` are released; answers the member's orders that are complete.
    fn settle(&mut self, gone: &BTreeSet<TaskId>) {
        for waiting in &mut self.releasing {
            waiting.retain(|task| !gone.contains(task));
        }
        while let Some(complete) = self.releasing.iter().position(BTreeSet::is_empty) {
            self.releasing.remove(complete);
            self.tell_group(Event::Revoked);
        }
    }

    fn released(&mut self, released: Released) {
        let Released { tasks, cause } = released;
        let mut gone = BTreeSet::new();
        let mut unasked = false;
        for (task, state) in tasks {
            let awaited = self.releasing.iter().any(|waiting| waiting.contains(&task));
            let wipe = matches!(cause, ReleaseCause::Wipe { .. });
            self.close(task, state, wipe);
            gone.insert(task);
            unasked |= !awaited && cause == ReleaseCause::Fenced;
            match &cause {
                ReleaseCause::Reopen { reason } | ReleaseCause::Wipe { reason } if !awaited => {
                    tracing::warn!(%task, %reason, "the task failed and is opened again");
                    self.publisher.metrics.reopened(if wipe { ReopenCause::Rebuild } else { ReopenCause::Retry });
                    if let Some(placement) = self.placements.get_mut(&task) {
                        placement.failed(wipe);
                        self.retries.failed(self.clock.tick(), task);
                    }
                }
                _ => {
                    self.placements.remove(&task);
                }
            }
        }
        self.settle(&gone);
        if unasked {
            // The member still counts them among its own: what it is assigned next is opened again.
            self.tell_group(Event::RejoinRequested);
        }
    }

    fn assign(&mut self, target: Target) {
        tracing::info!(active = %texts(&target.active), "assignment received");
        let owned = TaskSet { active: self.placements.keys().copied().collect(), standby: BTreeSet::new() };
        let steps = reconcile(&owned, &TaskSet { active: target.active.clone(), standby: BTreeSet::new() });
        // What leaves was revoked before this target arrived: the protocol is cooperative.
        steps.open_active.into_iter().for_each(|task| self.open(task));
        self.publisher.assigned(&target, &self.tasks, &self.placements);
    }

    fn open(&mut self, task: TaskId) {
        self.last_opening += 1;
        let placement = self.workers.place(&self.placements, self.last_opening);
        let open = self.workers.open_task(task, &placement, self.retries.backoff(task));
        tracing::info!(%task, thread = placement.thread() + 1, "task opens");
        self.placements.insert(task, placement);
        self.tell_restorer(RestorerCommand::Open(open));
    }

    fn retry_failed(&mut self) {
        let due = self.retries.take_due(self.clock.tick());
        due.into_iter().for_each(|task| self.open(task));
    }

    /// Whether the task is in this opening, and not released or given back since.
    fn is_current(&self, task: TaskId, opening: Opening) -> bool {
        self.placements.get(&task).is_some_and(|placement| placement.opening() == opening)
    }

    fn restored(&mut self, task: TaskId, opening: Opening, state: TaskState) {
        let current = self.placements.get_mut(&task).filter(|placement| placement.opening() == opening);
        let Some(placement) = current else { return self.close(task, state, false) };
        let (thread, progress) = placement.start(&state);
        let restored = progress.load().restore;
        tracing::info!(
            %task, thread = thread + 1, records = restored.map_or(0, |restore| restore.restored_records),
            seconds = restored.map_or(0.0, |restore| restore.elapsed.as_secs_f64()), "task is restored and runs"
        );
        let inputs = self.tasks.get(&task).map(|task| task.partitions.clone()).unwrap_or_default();
        self.tell_thread(thread, ThreadCommand::Start(StartTask { task, state, inputs, progress }));
    }

    fn close(&mut self, task: TaskId, state: TaskState, wipe: bool) {
        let close = self.workers.close(task, state, wipe);
        self.tell_restorer(close);
    }

    fn tell_restorer(&mut self, command: RestorerCommand) {
        if let Err(stuck) = self.workers.restorer(command) {
            self.fail(stuck.into());
        }
    }

    /// A thread that is stuck counts as ended: the release of its tasks is not waited for.
    fn tell_thread(&mut self, thread: usize, command: ThreadCommand) {
        if let Err(stuck) = self.workers.thread(thread, command) {
            let lost = self.workers.thread_failed(thread, &mut self.placements);
            self.fail(stuck.into());
            self.settle(&lost);
        }
    }

    fn closed(&mut self, task: TaskId) {
        if !self.placements.contains_key(&task) {
            tracing::info!(%task, "task is closed");
            self.publisher.forget(task);
        }
    }
}

fn texts(tasks: &BTreeSet<TaskId>) -> String {
    tasks.iter().map(TaskId::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
