//! What the runtime publishes for readers: plain values behind atomic swaps.
//!
//! The runtime stores new values, handlers load them; nobody locks, and no handler can reach a task.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde_json::Value;
use thalweg_state::{SharedReader, StoreIndex};

use crate::query::tracer::Tracer;
use crate::serde::ViewCodec;
use crate::types::{Offset, TaskId, Timestamp, TopicPartition};

/// Everything that HTTP may see of an instance. One per instance, shared by the runtime and the HTTP server.
pub struct Published {
    /// The views and the graph; stored at the start and again once partition counts are known.
    pub topology: ArcSwap<Topology>,
    /// Who runs what; stored after each rebalance.
    pub routing: ArcSwap<RoutingTable>,
    /// The tasks of this instance; stored whenever one comes, goes or changes its role.
    pub catalog: ArcSwap<Catalog>,
    /// What the probes judge.
    pub health: ArcSwap<Health>,
    /// Who holds memory beside the tasks; stored once, at the start.
    pub memory: ArcSwap<Vec<MemoryOwner>>,
    /// Where spans go; `None`: nobody wants them.
    pub tracer: Option<Arc<Tracer>>,
}

impl Published {
    /// The state of an instance before its first assignment.
    pub fn starting(topology: Topology, this_instance: Instance, health: Health) -> Self {
        Self {
            topology: ArcSwap::from_pointee(topology),
            routing: ArcSwap::from_pointee(RoutingTable::alone(this_instance)),
            catalog: ArcSwap::from_pointee(Catalog::default()),
            health: ArcSwap::from_pointee(health),
            memory: ArcSwap::default(),
            tracer: None,
        }
    }
}

/// Who holds memory that no task counts as its own, such as the block cache.
pub struct MemoryOwner {
    /// A word of the code, as in the metrics.
    pub name: &'static str,
    /// Bytes held now; called at each scrape.
    pub bytes: Box<dyn Fn() -> u64 + Send + Sync>,
}

/// The processing graph and what of it can be read.
#[derive(Default)]
pub struct Topology {
    /// Application id.
    pub application_id: String,
    /// The views by name.
    pub views: BTreeMap<String, Arc<ViewSpec>>,
    /// The graph as JSON.
    pub graph: Value,
    /// The text of `describe()`, as Kafka Streams prints it.
    pub describe: String,
}

/// A store that can be read over HTTP. Its rows are timestamped: 8 bytes big-endian ms, then the value bytes.
#[derive(Clone)]
pub struct ViewSpec {
    /// Name in URLs.
    pub name: String,
    /// Store name.
    pub store: String,
    /// The sub-topology that owns the store.
    pub subtopology: u32,
    /// Index of the store among the stores of its task.
    pub store_index: StoreIndex,
    /// Partition count of the sub-topology's source topics; 0 until it is known.
    pub partitions: i32,
    /// Key type, for people.
    pub key_type: String,
    /// Value type, for people.
    pub value_type: String,
    /// How keys and values look over HTTP.
    pub codec: Arc<dyn ViewCodec>,
}

/// One process of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Name of the process in the group: visible ASCII.
    pub id: String,
    /// `host:port` of its HTTP server; `None` when it does not serve.
    pub endpoint: Option<String>,
}

/// Who runs what, as of one rebalance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingTable {
    /// Grows with each publication; 0 before the first assignment.
    pub version: u64,
    /// This process.
    pub this_instance: Instance,
    /// All processes, this one included once it is a member.
    pub instances: Vec<Instance>,
    /// The owner of each active task, as an index into `instances`.
    pub active: BTreeMap<TaskId, usize>,
    /// The standbys of each task, best first, as indexes into `instances`.
    pub standbys: BTreeMap<TaskId, Vec<usize>>,
}

impl RoutingTable {
    /// The table of a process that has no assignment yet.
    pub fn alone(this_instance: Instance) -> Self {
        Self {
            version: 0,
            instances: vec![this_instance.clone()],
            this_instance,
            active: BTreeMap::new(),
            standbys: BTreeMap::new(),
        }
    }

    /// The owner of `task`.
    pub fn owner(&self, task: TaskId) -> Option<&Instance> {
        self.instances.get(*self.active.get(&task)?)
    }

    /// The standbys of `task`, best first.
    pub fn standbys(&self, task: TaskId) -> impl Iterator<Item = &Instance> {
        self.standbys.get(&task).into_iter().flatten().filter_map(|index| self.instances.get(*index))
    }

    /// Whether `instance` is this process.
    pub fn is_this(&self, instance: &Instance) -> bool {
        instance.id == self.this_instance.id
    }
}

/// What a replica of a task does here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Processes.
    Active,
    /// Follows the changelogs.
    Standby,
    /// Will be active; still replays its changelogs.
    Restoring,
}

impl Role {
    /// The word in headers and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Standby => "standby",
            Self::Restoring => "restoring",
        }
    }
}

/// The tasks of this instance.
#[derive(Clone, Default)]
pub struct Catalog {
    /// By task id.
    pub tasks: BTreeMap<TaskId, LocalTask>,
}

/// One task of this instance.
#[derive(Clone)]
pub struct LocalTask {
    /// What it does.
    pub role: Role,
    /// Its lifecycle state, for people.
    pub state: String,
    /// Reads its stores; `None` while they are not open, and for a stateless task.
    pub reader: Option<SharedReader>,
    /// How far it is; its thread stores a new value now and then.
    pub progress: Arc<ArcSwap<TaskProgress>>,
}

/// How far a task is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskProgress {
    /// The stream thread that owns the task.
    pub thread: Option<String>,
    /// Highest record timestamp seen, ms.
    pub stream_time: Option<Timestamp>,
    /// When the last commit succeeded.
    pub last_commit: Option<Instant>,
    /// Its input partitions.
    pub inputs: Vec<InputProgress>,
    /// Its stores.
    pub stores: Vec<StoreProgress>,
    /// How the restore goes; `None` when the task does not restore.
    pub restore: Option<RestoreProgress>,
    /// Records that wait in its queues.
    pub buffered_records: u64,
    /// Bytes that it holds, by owner: a word of the code, as in the metrics.
    pub memory: Vec<(&'static str, u64)>,
    /// What it waits for.
    pub waits: Vec<WaitProgress>,
}

/// How far a restore is, over all changelogs of a task. Offsets count as records: of a compacted changelog there are fewer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestoreProgress {
    /// Records replayed since the restore began.
    pub restored_records: u64,
    /// Records still to be replayed.
    pub remaining_records: u64,
    /// Time since the restore began.
    pub elapsed: Duration,
}

impl RestoreProgress {
    /// Share that is done, 0 to 100.
    pub fn percent(&self) -> f64 {
        let all = self.restored_records.saturating_add(self.remaining_records);
        if all == 0 { 100.0 } else { self.restored_records as f64 * 100.0 / all as f64 }
    }

    /// Records per second since the restore began; 0 at its very begin.
    pub fn records_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { self.restored_records as f64 / seconds } else { 0.0 }
    }

    /// Seconds until it is done at the rate so far; `None` while there is no rate.
    pub fn estimate_seconds(&self) -> Option<f64> {
        let rate = self.records_per_second();
        (rate > 0.0).then(|| self.remaining_records as f64 / rate)
    }
}

/// A task or one of its partitions that waits for the schema registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitProgress {
    /// The partition whose next record waits; `None`: the task has not taken its first record yet.
    pub partition: Option<TopicPartition>,
    /// When it began to wait.
    pub since: Instant,
    /// What for, and why it is not there.
    pub reason: String,
}

/// How far a task is in one input partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputProgress {
    /// The partition.
    pub partition: TopicPartition,
    /// Next offset to commit.
    pub position: Offset,
    /// End offset as last seen.
    pub end: Option<Offset>,
}

/// How far a store reflects its changelog, and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreProgress {
    /// Store name.
    pub store: String,
    /// The changelog partition; `None`: not logged.
    pub changelog: Option<TopicPartition>,
    /// Next changelog offset that the store needs.
    pub position: Offset,
    /// End offset of the changelog as last seen.
    pub end: Option<Offset>,
    /// Bytes on disk and in memory; `None` while it is restored.
    pub bytes: Option<u64>,
}

/// Where the process stands in its group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Membership {
    /// Not joined yet, or joining again.
    #[default]
    Joining,
    /// Member of the current generation, its target reached.
    Stable,
    /// Moving towards a new target.
    Rebalancing,
    /// Leaving on purpose.
    Leaving,
}

impl Membership {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Stable => "stable",
            Self::Rebalancing => "rebalancing",
            Self::Leaving => "leaving",
        }
    }
}

/// What the probes judge.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// One per loop that must turn: the control thread and each stream thread.
    pub loops: Vec<Heartbeat>,
    /// Whether the first assignment was handled.
    pub assigned_once: bool,
    /// Where the process stands in its group.
    pub membership: Membership,
    /// Why the instance is not ready beyond its own tasks, one sentence each: such as a registry that does not answer.
    pub faults: Vec<String>,
}

impl Health {
    /// The loops of the stream threads.
    pub fn stream_threads(&self) -> impl Iterator<Item = &Heartbeat> {
        self.loops.iter().filter(|known| known.name().contains("StreamThread"))
    }
}

/// A loop's sign of life: one relaxed store per turn, read by the liveness probe.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    name: Arc<str>,
    limit: Duration,
    origin: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Heartbeat {
    /// A loop that counts as stuck when it has not turned for `limit`; it counts as turned `now`.
    pub fn new(name: impl Into<Arc<str>>, limit: Duration, now: Instant) -> Self {
        Self { name: name.into(), limit, origin: now, last_ms: Arc::default() }
    }

    /// Called by the loop once per turn.
    pub fn beat(&self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.origin).as_millis();
        self.last_ms.store(u64::try_from(elapsed).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The loop's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Time since the last turn, when that is over the limit.
    pub fn stuck_for(&self, now: Instant) -> Option<Duration> {
        let last = self.origin + Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        Some(now.saturating_duration_since(last)).filter(|age| *age > self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restore(restored_records: u64, remaining_records: u64, seconds: u64) -> RestoreProgress {
        RestoreProgress { restored_records, remaining_records, elapsed: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_restore_tells_share_rate_and_rest() {
        let half = restore(250_000, 750_000, 5);
        assert_eq!((half.percent(), half.records_per_second(), half.estimate_seconds()), (25.0, 50_000.0, Some(15.0)));
    }

    #[test]
    fn a_restore_without_records_or_time_divides_by_nothing() {
        assert_eq!((restore(0, 0, 1).percent(), restore(0, 0, 1).estimate_seconds()), (100.0, None));
        assert_eq!((restore(5, 5, 0).records_per_second(), restore(5, 5, 0).estimate_seconds()), (0.0, None));
        assert_eq!(restore(u64::MAX, u64::MAX, 1).percent(), 100.0, "a sum that does not fit stays below 101");
    }
}
