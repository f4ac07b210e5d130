//! Starts and stops one instance: the composition root of the runtime.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use thalweg_state::SharedMemory;

use super::buffers::Share;
use super::clock::{Clock, WallClock};
use super::control::{Control, RunError};
use super::events::{ControlEvent, EVENTS_MAX, commands_max};
use super::publisher::{Publisher, instance};
use super::restorer::Restorer;
use super::retries::Retries;
use super::state_directory::{StateDirectory, StateDirectoryError};
use super::stream_thread::ThreadSetup;
use super::topic_ids::{self, KnownTopics};
use super::topics::{self, Topics, TopicsError};
use super::watch::{Watch, Watching};
use super::workers::{Worker, Workers};
use crate::group::CommitPolicy;
use crate::group::codec::{LATEST_VERSION, SubscriptionInfo};
use crate::group::leader::{THREADS_TAG, TaskInputs, Tasks};
use crate::group::member::MemberConfig;
use crate::query::{self, Health, Heartbeat, MemoryOwner, Metrics, Published, ViewSpec};
use crate::task::{Recipes, TaskOptions};
use crate::types::Backoff;
use crate::wire::coordinator::{CoordinatorSettings, Membership as Group};
use crate::wire::{self, ErrorKind, Kafka};

/// A control loop that has not turned for this long is stuck.
const CONTROL_STUCK_AFTER: Duration = Duration::from_secs(60);
/// A stream thread waits for acknowledgements within one turn, as long as the client tries.
const THREAD_STUCK_AFTER: Duration = Duration::from_secs(360);
/// The restorer turns after each task at the latest: offsets of its changelogs, a database opened, wiped or flushed.
const RESTORER_STUCK_AFTER: Duration = Duration::from_secs(300);

/// How an instance runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Parent of the application's state directory.
    pub state_dir: PathBuf,
    /// Number of stream threads, at least 1.
    pub stream_threads: usize,
    /// When to commit.
    pub commit: CommitPolicy,
    /// Memory that all stores of the process share, in bytes.
    pub state_memory_bytes: usize,
    /// Memory for fetched records that wait to be processed or restored, in bytes.
    pub input_buffer_max_bytes: usize,
    /// How tasks behave.
    pub task: TaskOptions,
    /// Copies of each internal topic's partitions; -1 is the broker's default.
    pub replication_factor: i32,
    /// How the process takes part in its group; the group id is the application id.
    pub member: MemberConfig,
    /// How the group coordinator is reached.
    pub coordinator: CoordinatorSettings,
    /// `host:port` under which other instances reach this one's HTTP server.
    pub endpoint: String,
    /// The wall clock that processors see; no wait depends on it.
    pub wall_clock: WallClock,
}

/// Why an instance did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory cannot be used.
    #[error(transparent)]
    StateDirectory(#[from] StateDirectoryError),
    /// The stores' shared memory cannot be made.
    #[error(transparent)]
    State(#[from] thalweg_state::Error),
    /// A client of the cluster cannot be made.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// The system refused a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A running instance. Dropping it without [`Runtime::join`] leaves its threads running until the process ends.
pub struct Runtime {
    events: Sender<ControlEvent>,
    control: JoinHandle<Result<(), RunError>>,
}

impl Runtime {
    /// Takes the state directory, then starts the control thread, which prepares topics and joins the group.
    ///
    /// A cluster that does not answer is waited for; what only a person can settle ends the run ([`Runtime::join`]).
    pub fn start(
        kafka: Arc<dyn Kafka>,
        recipes: Recipes,
        options: Options,
        published: Arc<Published>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StartError> {
        let recipes = Arc::new(recipes);
        let directory = Arc::new(StateDirectory::open(&options.state_dir, recipes.topology.application_id())?);
        let memory = Arc::new(SharedMemory::new(options.state_memory_bytes)?);
        published.memory.store(Arc::new(memory_owners(&memory)));
        let (events, received) = bounded(EVENTS_MAX);
        let clock = Clock::start(options.wall_clock);
        let start =
            Start { kafka, recipes, options, published, metrics, directory, memory, clock, events: events.clone() };
        let control = std::thread::Builder::new().name("control".to_owned()).spawn(move || start.run(received))?;
        Ok(Self { events, control })
    }

    /// Asks the instance to commit, leave its group and stop.
    pub fn stop(&self) {
        // When the control thread has ended there is nothing to stop.
        let _ = self.events.send(ControlEvent::Stop);
    }

    /// Whether the run has ended.
    pub fn is_finished(&self) -> bool {
        self.control.is_finished()
    }

    /// Waits for the end of the run.
    pub fn join(self) -> Result<(), RunError> {
        self.control.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// What the control thread is made from.
struct Start {
    kafka: Arc<dyn Kafka>,
    recipes: Arc<Recipes>,
    options: Options,
    published: Arc<Published>,
    metrics: Arc<Metrics>,
    directory: Arc<StateDirectory>,
    memory: Arc<SharedMemory>,
    clock: Clock,
    events: Sender<ControlEvent>,
}

impl Start {
    fn run(self, received: Receiver<ControlEvent>) -> Result<(), RunError> {
        let heartbeat = Heartbeat::new("control", CONTROL_STUCK_AFTER, Instant::now());
        let Some(topics) = self.prepare_topics(&heartbeat, &received)? else { return Ok(()) };
        let _watching = self.watch(&topics)?;
        let client = |error: wire::Error| RunError::Client(error.to_string());
        let mut group =
            Group::start(self.clock.tick(), &self.options.coordinator, self.options.member.clone()).map_err(client)?;
        let tasks = tasks(&topics);
        self.publish_views(&topics);
        let (workers, loops) =
            self.workers(&mut group, topics, &heartbeat).map_err(|error| RunError::Client(error.to_string()))?;
        self.published.health.store(Arc::new(Health { loops, ..Health::default() }));
        let publisher = Publisher::new(self.published, self.metrics, instance(self.options.endpoint.clone()));
        let control = Control {
            clock: self.clock,
            group,
            last_opening: 0,
            retries: Retries::new(self.options.member.seed),
            subscription: SubscriptionInfo {
                latest_supported_version: LATEST_VERSION,
                process_id: workers.directory.process_id(),
                endpoint: Some(self.options.endpoint),
                offset_sums: BTreeMap::new(),
                unique: 0,
                error_code: 0,
                client_tags: [(THREADS_TAG.to_owned(), self.options.stream_threads.to_string())].into(),
            },
            tasks,
            workers,
            publisher,
            heartbeat,
            events: received,
            placements: BTreeMap::new(),
            releasing: Vec::new(),
            failure: None,
        };
        control.run()
    }

    /// Waits until the cluster has what the application needs; `None`: told to stop before.
    fn prepare_topics(
        &self,
        heartbeat: &Heartbeat,
        received: &Receiver<ControlEvent>,
    ) -> Result<Option<Topics>, RunError> {
        let mut backoff = Backoff::new(self.options.member.seed);
        // The first answer may take as long as a request may, when nobody is there.
        self.fault(Some("the cluster has not answered yet".to_owned()));
        loop {
            heartbeat.beat(Instant::now());
            let prepared = self.kafka.admin().map_err(TopicsError::from).and_then(|admin| {
                let dead_letters = self.options.task.dead_letter_topic.as_deref();
                topics::prepare(&*admin, &self.recipes, dead_letters, self.options.replication_factor)
            });
            match prepared {
                Ok(topics) => {
                    tracing::info!(tasks = topics.plan.tasks.len(), "the cluster has the topics of the application");
                    return Ok(Some(topics));
                }
                Err(TopicsError::Wire(error)) if error.kind == ErrorKind::Retriable => {
                    tracing::warn!(%error, "cannot prepare the topics yet, trying again");
                    self.fault(Some(format!("the cluster cannot prepare the topics yet: {error}")));
                }
                Err(error) => return Err(RunError::Topics(error.to_string())),
            }
            let wait = Duration::from_millis(backoff.next_ms());
            if let Ok(ControlEvent::Stop) = received.recv_timeout(wait) {
                return Ok(None);
            }
        }
    }

    /// Refuses topics that the state directory was not built from, and watches from now on.
    fn watch(&self, topics: &Topics) -> Result<Watching, RunError> {
        let place = self.directory.place();
        if let Some(mismatch) = topic_ids::mismatch(&self.directory.topic_ids(), &topics.ids) {
            return Err(RunError::Topics(mismatch));
        }
        let kept = self.directory.keep_topic_ids(&topics.ids);
        let place = kept.and(place).map_err(|error| RunError::StateDirectory(error.to_string()))?;
        let topics = KnownTopics::new(topics.ids.clone());
        let watch = Watch { kafka: Arc::clone(&self.kafka), place, topics, events: self.events.clone() };
        watch.start().map_err(|error| RunError::Client(error.to_string()))
    }

    fn fault(&self, fault: Option<String>) {
        let faults: Vec<String> = fault.into_iter().collect();
        self.published.health.rcu(|health| Health { faults: faults.clone(), ..Health::clone(health) });
    }

    /// Publishes the views with their partition counts, now that these are known.
    fn publish_views(&self, topics: &Topics) {
        let topology = self.published.topology.load();
        let views = topology.views.iter().map(|(name, view)| {
            let tasks = topics.plan.tasks.iter().filter(|task| task.id.subtopology == view.subtopology);
            let partitions = i32::try_from(tasks.count()).unwrap_or(i32::MAX);
            (name.clone(), Arc::new(ViewSpec { partitions, ..ViewSpec::clone(view) }))
        });
        let topology = query::Topology {
            application_id: topology.application_id.clone(),
            views: views.collect(),
            graph: topology.graph.clone(),
            describe: topology.describe.clone(),
        };
        self.published.topology.store(Arc::new(topology));
    }

    fn workers(
        &self,
        group: &mut Group,
        topics: Topics,
        control: &Heartbeat,
    ) -> Result<(Workers, Vec<Heartbeat>), StartError> {
        let client_id = format!("{}-{}", self.recipes.topology.application_id(), self.directory.process_name());
        let share = Share::of(self.options.input_buffer_max_bytes, partitions_read(&topics));
        let commands_max = commands_max(topics.plan.tasks.len());
        let partitions = Arc::new(topics.partitions);
        let mut loops = vec![control.clone()];
        let mut threads = Vec::new();
        for index in 0..self.options.stream_threads {
            let name = format!("{client_id}-StreamThread-{}", index + 1);
            let heartbeat = Heartbeat::new(name.as_str(), THREAD_STUCK_AFTER, Instant::now());
            loops.push(heartbeat.clone());
            let (sender, commands) = bounded(commands_max);
            let setup = ThreadSetup {
                name,
                index,
                kafka: Arc::clone(&self.kafka),
                recipes: Arc::clone(&self.recipes),
                partitions: Arc::clone(&partitions),
                options: self.options.task.clone(),
                policy: self.options.commit,
                share,
                offsets: group.offsets(),
                lost: Arc::default(),
                metrics: Arc::clone(&self.metrics),
                tracer: self.published.tracer.clone(),
                heartbeat,
                clock: self.clock,
                commands,
                events: self.events.clone(),
            };
            threads.push(Worker::start(setup, sender)?);
        }
        let consumer = self.kafka.bounded_consumer(&format!("{client_id}-restore-consumer"), share.prefetch)?;
        let (restorer, commands) = bounded(commands_max);
        let heartbeat = Heartbeat::new("restorer", RESTORER_STUCK_AFTER, Instant::now());
        loops.push(heartbeat.clone());
        let memory = Arc::clone(&self.memory);
        let restorer_join = Workers::start_restorer(
            Restorer::new(
                consumer,
                memory,
                self.clock,
                heartbeat,
                commands,
                self.events.clone(),
                Arc::clone(&self.metrics),
            ),
            self.events.clone(),
        )?;
        let workers = Workers {
            recipes: Arc::clone(&self.recipes),
            directory: Arc::clone(&self.directory),
            threads,
            restorer,
            restorer_join: Some(restorer_join),
        };
        Ok((workers, loops))
    }
}

/// Who holds memory beside the tasks.
fn memory_owners(memory: &Arc<SharedMemory>) -> Vec<MemoryOwner> {
    let owner = |name, bytes: fn(&SharedMemory) -> usize| {
        let memory = Arc::clone(memory);
        MemoryOwner { name, bytes: Box::new(move || bytes(&memory) as u64) }
    };
    vec![
        // Write buffers are charged to the cache.
        owner("block_cache", |memory| memory.used_bytes().saturating_sub(memory.write_buffer_bytes())),
        owner("memtables", SharedMemory::write_buffer_bytes),
    ]
}

/// The tasks as the group sees them.
fn tasks(topics: &Topics) -> Tasks {
    let inputs = |task: &crate::topology::TaskPlan| TaskInputs {
        stateful: task.changelogs.iter().any(Option::is_some),
        partitions: task.inputs.clone(),
    };
    topics.plan.tasks.iter().map(|task| (task.id, inputs(task))).collect()
}

/// How many partitions a process reads that has all tasks: inputs, and changelogs while they are restored.
fn partitions_read(topics: &Topics) -> usize {
    let of_task = |task: &crate::topology::TaskPlan| task.inputs.len() + task.changelogs.iter().flatten().count();
    topics.plan.tasks.iter().map(of_task).sum()
}

/// What HTTP may know of a topology before its partition counts are known.
pub fn describe_for_readers(recipes: &Recipes) -> query::Topology {
    let topology = &recipes.topology;
    let view = |view: &crate::task::ViewRecipe| {
        let (sub_topology, store_index) = topology.store(&view.name)?;
        let spec = ViewSpec {
            name: view.name.clone(),
            store: view.name.clone(),
            subtopology: sub_topology.id,
            store_index,
            partitions: 0,
            key_type: view.key_type.clone(),
            value_type: view.value_type.clone(),
            codec: Arc::clone(&view.codec),
        };
        Some((view.name.clone(), Arc::new(spec)))
    };
    query::Topology {
        application_id: topology.application_id().to_owned(),
        views: recipes.views.iter().filter_map(view).collect(),
        graph: serde_json::to_value(topology).unwrap_or_default(),
        describe: topology.describe(),
    }
}

#[cfg(test)]
mod tests;
