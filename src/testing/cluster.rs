//! All tasks of a topology and the log between them, driven in one deterministic order.

use std::collections::BTreeMap;
use std::time::Duration;

use tempfile::TempDir;
use thalweg_state::{Backend, SharedMemory, TaskState};

use super::log::Log;
use super::one_task::Waiting;
use super::options::{DriverError, DriverOptions};
use super::record::{RawRecord, TestRecord};
use crate::task::{DecodePolicy, Dropped, Fault, Input, Recipes, Step, Task, TaskOptions, store_specs};
use crate::topology::{PartitionPlan, TaskPlan, TopicKind};
use crate::types::{ArenaRecord, Headers, Offset, RecordView, TaskId, Timestamp, TopicPartition, partition_of};

/// Bytes of RocksDB's memory; a test's rows are few.
const STORE_MEMORY_BYTES: usize = 8 << 20;

/// Time between two looks for an answer that is under way.
const LOOK: Duration = Duration::from_millis(1);

/// A task and what it wrote since its last commit.
struct Running {
    task: Task,
    written: BTreeMap<TopicPartition, Offset>,
}

/// An application without its clients.
pub(super) struct Cluster {
    pub(super) recipes: Recipes,
    pub(super) log: Log,
    pub(super) now: Timestamp,
    partitions: BTreeMap<String, i32>,
    dead_letter_topic: String,
    /// In order of task ids.
    tasks: Vec<Running>,
    /// Which task, and which of its inputs, reads a partition.
    readers: BTreeMap<TopicPartition, (usize, usize)>,
    manual_commit: bool,
    failed: Option<TaskId>,
    /// Records of all topics that wait for their turn, where all sub-topologies run as one task.
    waiting: Option<Waiting>,
    /// The text of the topology that the test made.
    pub(super) describe: String,
    /// Dropped last: the stores are in it.
    _directory: Option<TempDir>,
}

impl Cluster {
    pub(super) fn start(mut recipes: Recipes, options: DriverOptions) -> Result<Self, DriverError> {
        let describe = recipes.topology.describe();
        if options.one_task {
            recipes.topology = recipes.topology.as_one_task();
        }
        let dead_letter_topic = format!("{}.dlq", recipes.topology.application_id());
        let chosen = if options.one_task { BTreeMap::new() } else { options.partitions };
        let mut partitions = external_counts(&recipes, chosen);
        let plan = recipes.topology.partitions(&partitions)?;
        partitions.extend(plan.internal_topics.iter().map(|topic| (topic.name.clone(), topic.partitions)));
        partitions.entry(dead_letter_topic.clone()).or_insert(1);
        let directory = if options.on_disk { Some(TempDir::new()?) } else { None };
        let mut cluster = Self {
            recipes,
            log: Log::default(),
            now: options.wall_clock,
            partitions,
            dead_letter_topic,
            tasks: Vec::new(),
            readers: BTreeMap::new(),
            manual_commit: options.manual_commit,
            failed: None,
            waiting: options.one_task.then(Waiting::default),
            describe,
            _directory: directory,
        };
        let decode_policy = options.decode_policy.unwrap_or(DecodePolicy::Fail);
        let ahead_max_ms = options.timestamp_ahead_max_ms.unwrap_or(i64::MAX);
        cluster.start_tasks(&plan, decode_policy, options.cache_max_bytes, ahead_max_ms)?;
        Ok(cluster)
    }

    fn start_tasks(
        &mut self,
        plan: &PartitionPlan,
        decode_policy: DecodePolicy,
        cache_max_bytes: usize,
        timestamp_ahead_max_ms: i64,
    ) -> Result<(), DriverError> {
        let memory = SharedMemory::new(STORE_MEMORY_BYTES)?;
        let dead_letter_topic = Some(self.dead_letter_topic.clone());
        // Readers always stand at the end of what is written, so nothing is ever waited for.
        let options = TaskOptions {
            decode_policy,
            dead_letter_topic,
            max_task_idle_ms: 0,
            cache_max_bytes,
            timestamp_ahead_max_ms,
        };
        for plan in &plan.tasks {
            let state = self.open_state(plan, &memory)?;
            let input =
                |partition: &TopicPartition| Input { partition: partition.clone(), position: 0, partition_time: None };
            let inputs: Vec<Input> = plan.inputs.iter().map(input).collect();
            let mut task = Task::start(&self.recipes, plan.id, state, &inputs, &self.partitions, &options, self.now);
            for (index, partition) in plan.inputs.iter().enumerate() {
                task.reached_end(index, 0);
                self.readers.insert(partition.clone(), (self.tasks.len(), index));
            }
            self.tasks.push(Running { task, written: BTreeMap::new() });
        }
        Ok(())
    }

    fn open_state(&self, plan: &TaskPlan, memory: &SharedMemory) -> Result<TaskState, DriverError> {
        let sub_topology = &self.recipes.topology.sub_topologies()[plan.id.subtopology as usize];
        let mut specs = store_specs(sub_topology, plan.id.partition);
        let path = match &self._directory {
            Some(directory) => directory.path().join(plan.id.to_string()),
            None => {
                specs.iter_mut().for_each(|spec| spec.backend = Backend::Memory);
                std::path::PathBuf::new()
            }
        };
        Ok(TaskState::open(&path, &specs, memory)?.state)
    }

    pub(super) fn dead_letter_topic(&self) -> &str {
        &self.dead_letter_topic
    }

    pub(super) fn partitions_of(&self, topic: &str) -> Option<i32> {
        self.partitions.get(topic).copied()
    }

    pub(super) fn is_read(&self, topic: &str) -> bool {
        self.readers.keys().any(|partition| &*partition.topic == topic)
    }

    /// Writes a record to a partition, then runs until nothing moves; without `partition` the key picks it.
    pub(super) fn pipe(&mut self, topic: &str, partition: Option<i32>, record: RawRecord) -> Result<(), Fault> {
        if let Some(task) = self.failed {
            panic!("task {task} failed before; nothing may be piped any more");
        }
        assert!(self.is_read(topic), "the topology does not read topic '{topic}'");
        let count = self.partitions[topic];
        let partition = partition.unwrap_or_else(|| record.key.as_deref().map_or(0, |key| partition_of(key, count)));
        assert!((0..count).contains(&partition), "topic '{topic}' has no partition {partition}");
        self.write(&TopicPartition::new(topic, partition), record);
        self.settle()
    }

    pub(super) fn advance_wall_clock(&mut self, by_ms: i64) -> Result<(), Fault> {
        // Whatever was under way is settled in the time before.
        self.settle()?;
        self.now += by_ms;
        for index in 0..self.tasks.len() {
            let punctuated = self.tasks[index].task.punctuate(self.now);
            self.guard(index, punctuated)?;
            self.deliver(index)?;
        }
        self.settle()
    }

    /// Commits until nothing is left: what a commit forwards is processed and committed as well.
    pub(super) fn commit(&mut self) -> Result<(), Fault> {
        while self.tasks.iter().any(|running| running.task.is_dirty()) {
            (0..self.tasks.len()).try_for_each(|index| self.commit_task(index))?;
            self.settle()?;
        }
        Ok(())
    }

    /// Runs the tasks in turn, one record each, until no task has one left that it may take.
    fn settle(&mut self) -> Result<(), Fault> {
        loop {
            let mut moved = false;
            self.hand_over_next();
            for index in 0..self.tasks.len() {
                let processed = self.tasks[index].task.process(1, self.now);
                if self.guard(index, processed)?.records > 0 {
                    moved = true;
                    self.deliver(index)?;
                }
            }
            if !moved && !self.await_answers() {
                return Ok(());
            }
        }
    }

    /// Gives the one task the record whose turn it is, unless it still has one.
    fn hand_over_next(&mut self) {
        let Some(waiting) = &mut self.waiting else { return };
        let Some(Running { task, .. }) = self.tasks.first_mut() else { return };
        if task.queues().iter().any(|queue| !queue.is_empty()) {
            return;
        }
        if let Some((input, offset, record)) = waiting.next() {
            enqueue(task, input, offset, &record);
        }
    }

    /// Waits a moment when a task waits for an answer that is under way, such as a schema; returns whether one does.
    /// What a test sees must not depend on how quick a registry is; the registry's timeout bounds it.
    fn await_answers(&mut self) -> bool {
        let mut asking = false;
        for running in &mut self.tasks {
            asking |= running.task.hurry();
        }
        if asking {
            std::thread::sleep(LOOK);
        }
        asking
    }

    /// Drops what a failed task wanted produced, and remembers that it failed.
    fn guard<T>(&mut self, index: usize, result: Result<T, Fault>) -> Result<T, Fault> {
        result.inspect_err(|_| {
            let task = &mut self.tasks[index].task;
            task.outbox().discard();
            self.failed = Some(task.id());
        })
    }

    /// Writes what a task wants produced, commits, and hands the records to their readers.
    fn deliver(&mut self, index: usize) -> Result<(), Fault> {
        let task = &self.tasks[index].task;
        if task.commit_requested() || (task.is_dirty() && !self.manual_commit) {
            self.commit_task(index)
        } else {
            self.send(index);
            Ok(())
        }
    }

    fn send(&mut self, index: usize) {
        let mut produced = Vec::new();
        let task = &mut self.tasks[index].task;
        if self.waiting.is_some() {
            task.outbox().drain_in_turn(|to, arena| {
                produced.extend(arena.iter().map(|record| (to.clone(), raw(&record))));
            });
        }
        for step in Step::all(task.stores()) {
            let drained: Result<(), std::convert::Infallible> = task.outbox().drain(step, |to, arena| {
                produced.extend(arena.iter().map(|record| (to.clone(), raw(&record))));
                Ok(())
            });
            match drained {
                Ok(()) => {}
            }
        }
        for (to, record) in produced {
            let offset = self.write(&to, record);
            self.tasks[index].written.insert(to, offset + 1);
        }
    }

    fn commit_task(&mut self, index: usize) -> Result<(), Fault> {
        let flushed = self.tasks[index].task.flush_caches();
        self.guard(index, flushed)?;
        self.send(index);
        let Running { task, written } = &mut self.tasks[index];
        let acknowledged: Vec<_> = std::mem::take(written).into_iter().collect();
        let committed = task.committed(&acknowledged);
        self.guard(index, committed)
    }

    /// Appends a record to the log and to the queue of whoever reads the partition.
    fn write(&mut self, to: &TopicPartition, record: RawRecord) -> Offset {
        let offset = self.log.end(to);
        if let Some((task, input)) = self.readers.get(to) {
            match &mut self.waiting {
                Some(waiting) => waiting.add(*input, offset, record.clone()),
                None => enqueue(&mut self.tasks[*task].task, *input, offset, &record),
            }
        }
        self.log.append(to, record);
        offset
    }

    /// Dropped records of all tasks, by reason.
    pub(super) fn dropped(&self) -> Dropped {
        let mut all = Dropped::default();
        for running in &self.tasks {
            all.iter_mut().zip(running.task.dropped()).for_each(|(sum, dropped)| *sum += dropped);
        }
        all
    }

    /// The states of a sub-topology's tasks, in order of partitions.
    pub(super) fn states(&self, sub_topology: u32) -> impl Iterator<Item = (i32, &TaskState)> {
        let tasks = self.tasks.iter().map(|running| &running.task);
        tasks.filter(move |task| task.id().subtopology == sub_topology).map(|task| (task.id().partition, task.state()))
    }
}

/// Queues a record of an input, which is then read to its end.
fn enqueue(task: &mut Task, input: usize, offset: Offset, record: &RawRecord) {
    let mut batch = task.spare_batch();
    batch.push(RecordView {
        offset,
        timestamp: record.timestamp,
        leader_epoch: None,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers: record.headers.view(),
    });
    task.enqueue(input, batch);
    task.reached_end(input, offset + 1);
}

fn raw(record: &ArenaRecord<'_>) -> RawRecord {
    let mut headers = Headers::new();
    headers.assign(record.headers);
    TestRecord {
        key: record.key.map(<[u8]>::to_vec),
        value: record.value.map(<[u8]>::to_vec),
        timestamp: record.timestamp,
        headers,
    }
}

/// Counts of every external topic that the topology reads or writes: 1 where the test says nothing.
fn external_counts(recipes: &Recipes, mut counts: BTreeMap<String, i32>) -> BTreeMap<String, i32> {
    for sub_topology in recipes.topology.sub_topologies() {
        let sources = sub_topology.sources.iter().map(|source| &source.topic);
        let topics = sources.chain(sub_topology.sinks.iter().map(|sink| &sink.topic));
        for topic in topics.filter(|topic| topic.kind == TopicKind::External) {
            counts.entry(topic.name.clone()).or_insert(1);
        }
    }
    counts
}
