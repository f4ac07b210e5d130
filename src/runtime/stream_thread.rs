//! A stream thread: fetch, process, punctuate, commit; it owns its tasks, its consumer and its producer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use thalweg_state::ErrorKind;

use super::buffers::Share;
use super::clock::Clock;
use super::commit::{self, CommitFailure};
use super::control::RunError;
use super::events::{ControlEvent, ReleaseCause, Released, StartTask, ThreadCommand};
use super::running_task::RunningTask;
use crate::group::{CommitMetadata, CommitPolicy, Tick, Uncommitted, commit_is_due};
use crate::query::{Heartbeat, Metrics, ThreadMetrics, Tracer};
use crate::task::{Fault, Input, Recipes, Step, Task, TaskOptions};
use crate::types::{TaskId, TopicPartition};
use crate::wire::coordinator::{FetchError, OffsetsClient};
use crate::wire::{self, Consumer, Kafka, Producer};

/// Records of one task processed before the next task has its turn.
const RECORDS_PER_TURN: usize = 1_000;
/// How long a turn without work waits for records; also the longest a command waits.
const IDLE_WAIT: Duration = Duration::from_millis(10);
/// Bytes for sinks in one outbox that are handed to the client before the commit.
const OUTBOX_BYTES: usize = 256 * 1024;
/// How long the client may refuse records because its queue is full.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the coordinator and the brokers may take to tell where a task goes on.
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(10);
/// How often lags and positions are published.
const PUBLISH_EVERY: Duration = Duration::from_millis(500);

/// What a stream thread is made of.
pub(super) struct ThreadSetup {
    pub(super) name: String,
    pub(super) index: usize,
    pub(super) kafka: Arc<dyn Kafka>,
    pub(super) recipes: Arc<Recipes>,
    pub(super) partitions: Arc<BTreeMap<String, i32>>,
    pub(super) options: TaskOptions,
    pub(super) policy: CommitPolicy,
    /// What may wait of each partition.
    pub(super) share: Share,
    pub(super) offsets: OffsetsClient,
    /// Set before a release without a commit is sent: a commit that waits to be repeated is pointless then.
    pub(super) lost: Arc<AtomicBool>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tracer: Option<Arc<Tracer>>,
    pub(super) heartbeat: Heartbeat,
    pub(super) clock: Clock,
    pub(super) commands: Receiver<ThreadCommand>,
    pub(super) events: Sender<ControlEvent>,
}

/// The thread's state.
pub(super) struct StreamThread {
    pub(super) setup: ThreadSetup,
    pub(super) consumer: Box<dyn Consumer>,
    pub(super) producer: Box<dyn Producer>,
    pub(super) tasks: BTreeMap<TaskId, RunningTask>,
    metrics: ThreadMetrics,
    last_commit: Tick,
    last_publish: Instant,
}

/// Why a thread cannot go on with all or some of its tasks.
pub(super) enum ThreadError {
    /// The client failed.
    Wire(wire::Error),
    /// A task failed.
    Task(TaskId, Fault),
    /// The commit failed.
    Commit(CommitFailure),
}

impl std::fmt::Display for ThreadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wire(error) => error.fmt(f),
            Self::Task(task, fault) => write!(f, "task {task}: {fault}"),
            Self::Commit(failure) => f.write_str(&failure.reason),
        }
    }
}

impl From<wire::Error> for ThreadError {
    fn from(error: wire::Error) -> Self {
        Self::Wire(error)
    }
}

impl StreamThread {
    pub(super) fn new(setup: ThreadSetup) -> Result<Self, wire::Error> {
        let consumer = setup.kafka.bounded_consumer(&format!("{}-consumer", setup.name), setup.share.prefetch)?;
        let producer = setup.kafka.producer(&format!("{}-producer", setup.name))?;
        let (last_commit, last_publish) = (setup.clock.tick(), Instant::now());
        let metrics = setup.metrics.thread(&setup.name);
        Ok(Self { setup, consumer, producer, tasks: BTreeMap::new(), metrics, last_commit, last_publish })
    }

    /// Works until it is told to stop. An error is one that only a person can settle.
    pub(super) fn run(mut self) -> Result<(), String> {
        loop {
            self.setup.heartbeat.beat(Instant::now());
            match self.commands() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => self.recover(error)?,
            }
            if let Err(error) = self.turn() {
                self.recover(error)?;
            }
        }
        self.consumer.close(super::CLOSE_DEADLINE);
        self.producer.close(super::CLOSE_DEADLINE);
        Ok(())
    }

    /// Obeys what waits; false: stop.
    fn commands(&mut self) -> Result<bool, ThreadError> {
        while let Ok(command) = self.setup.commands.try_recv() {
            match command {
                ThreadCommand::Start(start) => self.start(start),
                ThreadCommand::Release { tasks, commit } => self.release(&tasks, commit)?,
                ThreadCommand::Stop => {
                    let all = self.tasks.keys().copied().collect();
                    if let Err(error) = self.release(&all, true) {
                        // The thread ends in any case; what is not committed is processed again by the next owner.
                        tracing::warn!(reason = %error, "the last commit failed");
                        self.hand_back(&all, ReleaseCause::Told);
                    }
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn start(&mut self, start: StartTask) {
        let StartTask { task: id, state, inputs, progress } = start;
        let inputs = match self.inputs(&inputs).and_then(|inputs| Ok(self.read_from(inputs)?)) {
            Ok(inputs) => inputs,
            Err(error) => {
                let cause = ReleaseCause::Reopen { reason: error.to_string() };
                self.tell(ControlEvent::Released(Released { tasks: vec![(id, state)], cause }));
                // Opened again, it would be refused again.
                if let FetchError::Refused(code) = error {
                    self.tell(ControlEvent::Failed(RunError::Offsets { task: id, code }));
                }
                return;
            }
        };
        let setup = &self.setup;
        let now = setup.clock.now();
        let mut task = Task::start(&setup.recipes, id, state, &inputs, &setup.partitions, &setup.options, now);
        if let Some(tracer) = &setup.tracer {
            task.trace(tracer.spans().clone());
        }
        let metrics = setup.metrics.task(id);
        let mut running = RunningTask::new(task, &inputs, progress, metrics, &setup.recipes, setup.share.queue_bytes);
        running.publish(&setup.name, now.steady);
        self.tasks.insert(id, running);
        self.metrics.created.inc();
        self.share_caches();
    }

    /// Every task of the thread gets the same share of its record caches.
    fn share_caches(&mut self) {
        let share = self.setup.options.cache_max_bytes / self.tasks.len().max(1);
        self.tasks.values_mut().for_each(|running| running.task.set_cache_limit(share));
    }

    fn tell(&self, event: ControlEvent) {
        // Control ends last; when it is gone nobody waits for the answer.
        let _ = self.setup.events.send(event);
    }

    /// Starts to read every input; when one cannot be read none is.
    fn read_from(&mut self, inputs: Vec<Input>) -> Result<Vec<Input>, wire::Error> {
        let assigned = inputs.iter().try_for_each(|input| self.consumer.assign(&input.partition, input.position));
        if let Err(error) = assigned {
            for input in &inputs {
                self.consumer.unassign(&input.partition)?;
            }
            return Err(error);
        }
        Ok(inputs)
    }

    /// Where each input goes on: at its committed offset, else at the start of its log.
    fn inputs(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Input>, FetchError> {
        let committed = self.setup.offsets.fetch(partitions, OFFSETS_TIMEOUT)?;
        let mut inputs = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let (position, partition_time) = match committed.get(partition) {
                Some(known) => {
                    let time = CommitMetadata::decode(&known.metadata).partition_time;
                    (known.offset, Some(time).filter(|time| *time >= 0))
                }
                None => (self.consumer.offsets(partition, OFFSETS_TIMEOUT)?.start, None),
            };
            inputs.push(Input { partition: partition.clone(), position, partition_time });
        }
        Ok(inputs)
    }

    /// Gives tasks up. A failed commit gives every task of the thread up, through [`StreamThread::recover`].
    fn release(&mut self, tasks: &BTreeSet<TaskId>, commit: bool) -> Result<(), ThreadError> {
        if commit {
            self.commit()?;
        } else {
            self.setup.lost.store(false, Ordering::Release);
        }
        self.hand_back(tasks, ReleaseCause::Told);
        Ok(())
    }

    fn hand_back(&mut self, tasks: &BTreeSet<TaskId>, cause: ReleaseCause) {
        let mut released = Vec::new();
        for id in tasks {
            let Some(running) = self.tasks.remove(id) else { continue };
            for queue in running.task.queues() {
                if let Err(error) = self.consumer.unassign(queue.partition()) {
                    tracing::warn!(%error, "cannot stop reading a partition");
                }
            }
            released.push((*id, running.task.into_state()));
            self.metrics.closed.inc();
        }
        self.share_caches();
        self.tell(ControlEvent::Released(Released { tasks: released, cause }));
    }

    fn turn(&mut self) -> Result<(), ThreadError> {
        let now = self.setup.clock.now();
        let mut records = 0;
        for (id, running) in &mut self.tasks {
            let polling = Instant::now();
            running.fetch(&mut *self.consumer, &self.setup.metrics)?;
            self.metrics.poll.inc_by(polling.elapsed().as_secs_f64());
            let processed = running.process(RECORDS_PER_TURN, now, &self.metrics, self.setup.tracer.as_deref());
            records += processed.map_err(|fault| ThreadError::Task(*id, fault))?;
            if running.task.outbox().sink_bytes() >= OUTBOX_BYTES {
                running.send(Step::Sinks, &mut *self.producer, &self.setup.metrics)?;
            }
        }
        if self.commit_is_due() {
            self.commit()?;
        }
        if self.last_publish.elapsed() >= PUBLISH_EVERY {
            self.publish()?;
        }
        if records == 0 {
            self.consumer.wait(IDLE_WAIT);
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<(), ThreadError> {
        self.last_publish = Instant::now();
        let now = self.setup.clock.now().steady;
        for (id, running) in &mut self.tasks {
            if let Some(damage) = running.task.state().damage() {
                return Err(ThreadError::Task(*id, Fault::Store(damage.clone())));
            }
            running.refresh_ends(&*self.consumer);
            running.publish(&self.setup.name, now);
        }
        Ok(())
    }

    fn commit_is_due(&self) -> bool {
        let mut uncommitted = Uncommitted::default();
        for running in self.tasks.values() {
            uncommitted.records += u64::from(running.task.is_dirty());
            uncommitted.bytes += running.task.uncommitted_bytes();
            uncommitted.requested |= running.task.commit_requested();
        }
        commit_is_due(&self.setup.policy, self.setup.clock.tick(), self.last_commit, uncommitted)
    }

    fn commit(&mut self) -> Result<(), ThreadError> {
        let started = Instant::now();
        for (id, running) in &mut self.tasks {
            running.task.flush_caches().map_err(|fault| ThreadError::Task(*id, fault))?;
        }
        let committed = commit::execute(self);
        let seconds = started.elapsed().as_secs_f64();
        self.metrics.commit.inc_by(seconds);
        match committed {
            Ok(committed) => {
                self.last_commit = self.setup.clock.tick();
                if committed {
                    self.metrics.commit_seconds.observe(seconds);
                }
                Ok(())
            }
            Err(failure) => {
                self.metrics.commit_failures.inc();
                Err(ThreadError::Commit(failure))
            }
        }
    }

    /// Gives up what cannot go on; an error is one that only a person can settle.
    fn recover(&mut self, error: ThreadError) -> Result<(), String> {
        let all: BTreeSet<TaskId> = self.tasks.keys().copied().collect();
        match error {
            ThreadError::Task(id, Fault::Store(error)) => {
                // The producer may hold records of this task and of others: all start again from their commits.
                self.retire_producer()?;
                self.store_failed(id, error);
            }
            ThreadError::Commit(CommitFailure { store: Some((id, error)), .. }) => self.store_failed(id, error),
            ThreadError::Task(id, fault) if fault.is_retriable() => {
                tracing::warn!(task = %id, error = %fault, "starting again from the last commit");
                self.retire_producer()?;
                self.hand_back(&all, ReleaseCause::Reopen { reason: fault.to_string() });
            }
            ThreadError::Task(id, fault) => return Err(format!("task {id}: {fault}")),
            ThreadError::Wire(error) => {
                tracing::warn!(%error, "starting again from the last commit");
                self.retire_producer()?;
                self.hand_back(&all, ReleaseCause::Reopen { reason: error.to_string() });
            }
            ThreadError::Commit(failure) => {
                tracing::warn!(reason = %failure.reason, "a commit failed");
                if failure.retire_producer {
                    self.retire_producer()?;
                }
                self.hand_back(&all, failure.cause());
            }
        }
        Ok(())
    }

    /// A store that cannot be trusted is rebuilt. A disk that refuses is a person's business: opening the task again
    /// would meet it again.
    fn store_failed(&mut self, task: TaskId, error: thalweg_state::Error) {
        tracing::error!(%task, %error, "a store failed");
        let reason = error.to_string();
        if error.kind == ErrorKind::Corrupt {
            self.hand_back(&BTreeSet::from([task]), ReleaseCause::Wipe { reason: reason.clone() });
        }
        let others = self.tasks.keys().copied().collect();
        self.hand_back(&others, ReleaseCause::Reopen { reason });
        if error.kind == ErrorKind::Io {
            self.tell(ControlEvent::Failed(RunError::Store { task, error }));
        }
    }

    fn retire_producer(&mut self) -> Result<(), String> {
        let name = format!("{}-producer", self.setup.name);
        let producer = self.setup.kafka.producer(&name).map_err(|error| error.to_string())?;
        std::mem::replace(&mut self.producer, producer).close(Duration::ZERO);
        Ok(())
    }
}
