//! The threads that do the work, as the control thread reaches them.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, TrySendError};
use thalweg_state::TaskState;

use super::events::{ControlEvent, Opening, Stuck, ThreadCommand};
use super::placement::Placement;
use super::restorer::{OpenTask, Restorer, RestorerCommand};
use super::state_directory::StateDirectory;
use super::stream_thread::{StreamThread, ThreadSetup};
use crate::task::{Recipes, store_specs};
use crate::types::{Backoff, TaskId, TopicPartition};

/// One stream thread.
pub(super) struct Worker {
    commands: Sender<ThreadCommand>,
    join: Option<JoinHandle<()>>,
    lost: Arc<AtomicBool>,
    alive: bool,
}

/// All threads of the process but the control thread.
pub(super) struct Workers {
    pub(super) recipes: Arc<Recipes>,
    pub(super) directory: Arc<StateDirectory>,
    pub(super) threads: Vec<Worker>,
    pub(super) restorer: Sender<RestorerCommand>,
    pub(super) restorer_join: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts a stream thread. Its clients are made on it; what it dies of is told to the control thread.
    pub(super) fn start(setup: ThreadSetup, commands: Sender<ThreadCommand>) -> std::io::Result<Self> {
        let (name, index, events, lost) =
            (setup.name.clone(), setup.index, setup.events.clone(), Arc::clone(&setup.lost));
        let work = move || {
            let run = || StreamThread::new(setup).map_err(|error| error.to_string()).and_then(StreamThread::run);
            let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(panic_text(&*panic)));
            if let Err(reason) = result {
                // Control ends last; when it is gone nobody asks why this thread ended.
                let _ = events.send(ControlEvent::ThreadFailed { thread: index, reason });
            }
        };
        let join = std::thread::Builder::new().name(name).spawn(work)?;
        Ok(Self { commands, join: Some(join), lost, alive: true })
    }
}

impl Workers {
    /// Starts the restorer's thread; what it dies of is told to the control thread.
    pub(super) fn start_restorer(restorer: Restorer, events: Sender<ControlEvent>) -> std::io::Result<JoinHandle<()>> {
        let work = move || {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| restorer.run())) {
                // Control ends last; when it is gone nobody asks why this thread ended.
                let _ = events.send(ControlEvent::RestorerFailed(panic_text(&*panic)));
            }
        };
        std::thread::Builder::new().name("restorer".to_owned()).spawn(work)
    }

    /// Chooses the thread of a new task: the one with the fewest tasks.
    pub(super) fn place(&self, placements: &BTreeMap<TaskId, Placement>, opening: Opening) -> Placement {
        let load = |thread: &usize| placements.values().filter(|placement| placement.thread() == *thread).count();
        let alive = (0..self.threads.len()).filter(|thread| self.threads[*thread].alive);
        Placement::new(alive.min_by_key(load).unwrap_or(0), opening)
    }

    /// What the restorer needs to open a task; `backoff` spaces its attempts.
    pub(super) fn open_task(&self, task: TaskId, placement: &Placement, backoff: Backoff) -> OpenTask {
        let sub_topology = &self.recipes.topology.sub_topologies()[task.subtopology as usize];
        let changelog = |(index, store): (usize, &crate::topology::Store)| {
            Some((index, TopicPartition::new(store.changelog_topic.as_deref()?, task.partition)))
        };
        OpenTask {
            task,
            opening: placement.opening(),
            backoff,
            directory: self.directory.task(task),
            stores: store_specs(sub_topology, task.partition),
            changelogs: sub_topology.stores.iter().enumerate().filter_map(changelog).collect(),
            progress: placement.progress(),
        }
    }

    /// Tells the restorer. When it has ended it has said so already; when it is stuck nobody waits for its end any more.
    pub(super) fn restorer(&mut self, command: RestorerCommand) -> Result<(), Stuck> {
        let told = tell(&self.restorer, command, || "the restorer".to_owned());
        told.inspect_err(|_| self.restorer_join = None)
    }

    /// What lets the restorer close a state.
    pub(super) fn close(&self, task: TaskId, state: TaskState, wipe: bool) -> RestorerCommand {
        RestorerCommand::Close { task, state, directory: self.directory.task(task), wipe }
    }

    /// Tells a stream thread. When it has ended it has said so already; when it is stuck nobody waits for its end any
    /// more.
    pub(super) fn thread(&mut self, thread: usize, command: ThreadCommand) -> Result<(), Stuck> {
        let worker = &mut self.threads[thread];
        if let ThreadCommand::Release { commit: false, .. } = command {
            worker.lost.store(true, Ordering::Release);
        }
        let told = tell(&worker.commands, command, || format!("stream thread {}", thread + 1));
        told.inspect_err(|_| worker.join = None)
    }

    /// Notes that a thread has ended; its tasks are gone with it. Returns them.
    pub(super) fn thread_failed(
        &mut self,
        thread: usize,
        placements: &mut BTreeMap<TaskId, Placement>,
    ) -> BTreeSet<TaskId> {
        self.threads[thread].alive = false;
        let lost: BTreeSet<TaskId> =
            placements.iter().filter(|(_, placement)| placement.thread() == thread).map(|(task, _)| *task).collect();
        placements.retain(|task, _| !lost.contains(task));
        lost
    }

    /// Stops every thread and waits for it, a stuck one excepted. A state that a thread gives up now closes itself.
    pub(super) fn stop(&mut self) {
        for worker in self.threads.iter().filter(|worker| worker.join.is_some()) {
            // A thread that has ended needs no word.
            let _ = worker.commands.send(ThreadCommand::Stop);
        }
        for worker in &mut self.threads {
            join(worker.join.take());
        }
        if let Some(restorer) = self.restorer_join.take() {
            let _ = self.restorer.send(RestorerCommand::Stop);
            join(Some(restorer));
        }
    }
}

#[cfg(test)]
impl Worker {
    /// A stream thread that a test plays.
    pub(super) fn played(commands: Sender<ThreadCommand>, join: Option<JoinHandle<()>>) -> Self {
        Self { commands, join, lost: Arc::default(), alive: true }
    }

    /// Whether the thread knows that its tasks are lost.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }
}

fn tell<T>(commands: &Sender<T>, command: T, thread: impl FnOnce() -> String) -> Result<(), Stuck> {
    match commands.try_send(command) {
        Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
        Err(TrySendError::Full(_)) => Err(Stuck { thread: thread(), waiting: commands.len() }),
    }
}

fn join(handle: Option<JoinHandle<()>>) {
    if let Some(Err(panic)) = handle.map(JoinHandle::join) {
        tracing::error!(reason = panic_text(&*panic), "a thread panicked");
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("without a text"))
}
