//! One task: record queues, stream time, the operator chain, punctuation, outbox.
//!
//! A task is one sub-topology on one partition number. It is synchronous and knows no broker, thread or clock:
//! whoever drives it feeds batches in, calls [`Task::process`], drains the outbox, and reports what was committed.
//! Its chain is built on the thread that drives it and never leaves that thread.

mod cx;
mod dead_letter;
mod fault;
mod outbox;
mod preparation;
mod punctuate;
mod push;
mod queue;
mod record_cache;
mod store;
#[cfg(test)]
mod tests;
mod traced;
mod wait;
mod wiring;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use thalweg_state::{Position, StoreSpec, TaskState};

pub use cx::{Cx, DropReason, Dropped, RecordMetadata};
pub use fault::{Fault, Part};
pub use outbox::{ChangelogSlot, Outbox, SinkSlot, Step};
pub use punctuate::{Due, PunctuationType, ScheduleId, Schedules};
pub use push::{Change, Nothing, Push, Record};
pub use queue::{Choice, RecordQueue, choose};
pub(crate) use record_cache::Flusher;
pub use store::{KeyValueStore, StoreSlot, ValueAndTimestamp};
pub use traced::RecordSpan;
pub use wait::Wait;
pub use wiring::{DecodePolicy, Entry, EntryRecipe, Punctuate, Recipes, ViewRecipe, Wiring};

use crate::topology::{Store, SubTopology};
use crate::types::{Now, Offset, SourceBatch, Spans, Spread, TaskId, Timestamp, TopicPartition};
use dead_letter::DeadLetters;
use preparation::Preparation;
use record_cache::FlushCache;
use traced::RecordSpans;
use wiring::Wired;

/// How every task of an application behaves.
#[derive(Debug, Clone)]
pub struct TaskOptions {
    /// What to do with undecodable records of sources without a policy of their own.
    pub decode_policy: DecodePolicy,
    /// The dead letter topic, if undecodable records are kept; its partition count must be among the resolved ones.
    pub dead_letter_topic: Option<String>,
    /// How long records of an empty partition's producers are waited for while others have records, in ms
    /// (`max.task.idle.ms`); records at the broker are always waited for, except with -1.
    pub max_task_idle_ms: i64,
    /// Bytes of a thread's record caches (`statestore.cache.max.bytes`); 0: no store is cached.
    pub cache_max_bytes: usize,
    /// How far a record's time may lie ahead of now, in ms; a record further ahead meets the decode policy. `i64::MAX`:
    /// no limit.
    pub timestamp_ahead_max_ms: i64,
}

/// One input partition of a task, where to start, and what was known about it.
#[derive(Debug, Clone)]
pub struct Input {
    /// The partition.
    pub partition: TopicPartition,
    /// First offset to process.
    pub position: Offset,
    /// Highest timestamp processed before, from the committed metadata.
    pub partition_time: Option<Timestamp>,
}

/// What one call of [`Task::process`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Records processed, dropped ones included.
    pub records: usize,
    /// Whether the call stopped for want of records, not because the budget was used up.
    pub starved: bool,
}

/// The position of one input to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputPosition {
    /// The partition.
    pub partition: TopicPartition,
    /// Offset of the first unprocessed record.
    pub offset: Offset,
    /// Leader epoch of the newest processed record.
    pub leader_epoch: Option<i32>,
    /// Highest timestamp processed.
    pub partition_time: Option<Timestamp>,
}

/// A running task.
pub struct Task {
    id: TaskId,
    entries: Vec<Vec<Box<dyn Entry>>>,
    routes: Vec<Route>,
    queues: Vec<RecordQueue>,
    processors: Vec<Rc<RefCell<dyn Punctuate>>>,
    flushers: Vec<Box<dyn FlushCache>>,
    changelogs: Vec<TopicPartition>,
    stores: usize,
    cx: Cx,
    dead_letters: DeadLetters,
    preparation: Preparation,
    max_task_idle_ms: i64,
    timestamp_ahead_max_ms: i64,
    idle_since: Option<Timestamp>,
    spare: Vec<SourceBatch>,
    uncommitted: bool,
    punctuations: u64,
    /// `None`: nobody wants spans, and trace contexts pass as they came.
    spans: Option<RecordSpans>,
}

/// Which entry a queue feeds, and what happens to its undecodable records.
struct Route {
    entry: usize,
    policy: DecodePolicy,
}

/// Emptied batches kept for the next fetch, per task.
const SPARE_BATCHES: usize = 8;

impl Task {
    /// Wires the chain of `id` over an opened state. `partitions` has the count of every topic that the task writes.
    pub fn start(
        recipes: &Recipes,
        id: TaskId,
        state: TaskState,
        inputs: &[Input],
        partitions: &BTreeMap<String, i32>,
        options: &TaskOptions,
        now: impl Into<Now>,
    ) -> Self {
        let sub_topology = &recipes.topology.sub_topologies()[id.subtopology as usize];
        let now = now.into();
        let mut cx = Cx::new(state, now.wall);
        cx.steady = now.steady;
        let caching = options.cache_max_bytes > 0;
        let mut wiring = Wiring::new(recipes, sub_topology, id, partitions, caching, &mut cx);
        let mut entries = Vec::new();
        let mut by_node = BTreeMap::new();
        let mut by_topic = BTreeMap::new();
        for source in &sub_topology.sources {
            let entry = *by_node.entry(source.node).or_insert_with(|| {
                let built = recipes.entries.get(&source.node).into_iter().flatten();
                entries.push(built.map(|recipe| recipe(&mut wiring)).collect());
                entries.len() - 1
            });
            let policy = recipes.policies.get(&source.node).copied().unwrap_or(options.decode_policy);
            by_topic.insert(source.topic.name.as_str(), (entry, policy));
        }
        let Wired { processors, flushers, preparation } = wiring.finish();
        cx.caches.set_limit(options.cache_max_bytes);
        let dead_letters = DeadLetters::open(&mut cx.outbox, options.dead_letter_topic.as_deref(), partitions);
        let (mut routes, mut queues) = (Vec::new(), Vec::new());
        for input in inputs {
            let (entry, policy) = by_topic[&*input.partition.topic];
            routes.push(Route { entry, policy });
            queues.push(RecordQueue::new(input.partition.clone(), input.position, input.partition_time));
            cx.inputs.push(input.partition.clone());
            cx.stream_time = cx.stream_time.max(input.partition_time);
        }
        Self {
            id,
            entries,
            routes,
            queues,
            processors,
            flushers,
            changelogs: changelogs(sub_topology, id.partition),
            stores: sub_topology.stores.len(),
            cx,
            dead_letters,
            preparation: Preparation::new(preparation, id.partition.unsigned_abs().into()),
            max_task_idle_ms: options.max_task_idle_ms,
            timestamp_ahead_max_ms: options.timestamp_ahead_max_ms,
            idle_since: None,
            spare: Vec::new(),
            uncommitted: false,
            punctuations: 0,
            spans: None,
        }
    }

    /// Gives each record of a sampled trace a span of its own from now on.
    pub fn trace(&mut self, spans: Spans) {
        self.spans = Some(RecordSpans::new(spans));
    }

    /// The spans since the last call, to be taken after each [`Task::process`], a failed one too.
    pub fn take_spans(&mut self) -> impl Iterator<Item = RecordSpan> {
        self.spans.iter_mut().flat_map(RecordSpans::take)
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// The queues of its inputs.
    pub fn queues(&self) -> &[RecordQueue] {
        &self.queues
    }

    /// Queues fetched records of input `index` (in the order the task was started with).
    pub fn enqueue(&mut self, index: usize, batch: SourceBatch) {
        self.queues[index].enqueue(batch);
    }

    /// Notes that the reader of input `index` stands at the end of its partition.
    pub fn reached_end(&mut self, index: usize, offset: Offset) {
        self.uncommitted |= self.queues[index].reached_end(offset);
    }

    /// An emptied batch to fill again, or a new one.
    pub fn spare_batch(&mut self) -> SourceBatch {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes an unused batch back.
    pub fn keep_batch(&mut self, mut batch: SourceBatch) {
        if self.spare.len() < SPARE_BATCHES {
            batch.clear();
            self.spare.push(batch);
        }
    }

    /// Processes at most `budget` records, each to the end of its chain.
    ///
    /// Stops early when no record may be taken. A fault other than an undecodable record under a policy is returned:
    /// then nothing since the last commit may be kept.
    pub fn process(&mut self, budget: usize, now: impl Into<Now>) -> Result<Progress, Fault> {
        let now = self.look_at(now.into());
        let mut records = 0;
        if !self.preparation.poll(now)? {
            return Ok(Progress { records, starved: true });
        }
        while records < budget {
            match self.choose(now) {
                Choice::Take(index) => records += usize::from(self.process_head(index, now)?),
                Choice::Wait | Choice::Nothing => return Ok(Progress { records, starved: true }),
            }
        }
        Ok(Progress { records, starved: false })
    }

    /// Notes what the clocks show; returns the one that waits are measured on, because it is never set.
    fn look_at(&mut self, now: Now) -> i64 {
        (self.cx.wall_clock, self.cx.steady) = (now.wall, now.steady);
        now.steady
    }

    fn choose(&mut self, now: Timestamp) -> Choice {
        let latest = dead_letter::latest_time(&self.cx, self.timestamp_ahead_max_ms);
        let choice = choose(&self.queues, self.max_task_idle_ms >= 0, now, latest);
        match choice {
            Choice::Take(_) if self.queues.iter().all(|queue| !queue.is_empty()) => self.idle_since = None,
            // Read to its end: its producers may still be about to send something older. The time stays over until the
            // partition has records again, so that the next record need not wait once more.
            Choice::Take(_) if now - *self.idle_since.get_or_insert(now) < self.max_task_idle_ms => {
                return Choice::Wait;
            }
            Choice::Take(_) | Choice::Nothing => {}
            Choice::Wait => self.idle_since = None,
        }
        choice
    }

    /// Returns false when the record must be tried again later; its queue is paused until then.
    fn process_head(&mut self, index: usize, now: Timestamp) -> Result<bool, Fault> {
        let Some(record) = self.queues[index].peek() else { return Ok(false) };
        let cx = &mut self.cx;
        cx.input = Some((index, record.offset));
        cx.headers.assign(record.headers);
        if let Some(spans) = &mut self.spans {
            spans.begin(&mut cx.headers, index, record.offset);
        }
        let Route { entry, policy } = self.routes[index];
        let entries = &mut self.entries[entry];
        let latest = dead_letter::latest_time(cx, self.timestamp_ahead_max_ms);
        let decoded = dead_letter::check_time(record.timestamp, latest)
            .and_then(|()| entries.iter_mut().try_for_each(|entry| entry.decode(&record)));
        let emptied = match decoded {
            Ok(()) => {
                cx.observe(record.timestamp);
                let processed = entries.iter_mut().try_for_each(|entry| entry.process(cx));
                if let Some(spans) = &mut self.spans {
                    spans.end(processed.as_ref().err());
                }
                processed?;
                self.queues[index].advance()
            }
            Err(Fault::Decode { error, .. }) if error.is_retriable() => {
                self.queues[index].pause(&error, now);
                return Ok(false);
            }
            Err(fault) => {
                if let Some(spans) = &mut self.spans {
                    spans.end(Some(&fault));
                    // A letter has the headers that its record came with.
                    cx.headers.assign(record.headers);
                }
                let partition = self.queues[index].partition();
                self.dead_letters.settle(policy, fault, partition, &record, cx)?;
                self.queues[index].skip()
            }
        };
        self.uncommitted = true;
        if let Some(emptied) = emptied {
            self.keep_batch(emptied);
        }
        self.punctuate_due(PunctuationType::StreamTime)?;
        if self.cx.caches.are_full() {
            self.make_room()?;
        }
        Ok(true)
    }

    /// Clean rows go first; when they are not enough, dirty ones become clean (as `NamedCache` does on eviction).
    fn make_room(&mut self) -> Result<(), Fault> {
        if !self.cx.caches.make_room() {
            self.flush_caches()?;
            self.cx.caches.make_room();
        }
        Ok(())
    }

    /// Flushes the record caches: each changed key of a cached store is logged and forwarded once. Before every commit.
    ///
    /// What one store forwards may dirty a later one; the chain has no cycle, so there are at most as many rounds as
    /// stores.
    pub fn flush_caches(&mut self) -> Result<(), Fault> {
        for _ in 0..self.flushers.len() {
            for flusher in &mut self.flushers {
                if self.cx.caches.is_dirty(flusher.store()) {
                    flusher.flush(&mut self.cx)?;
                }
            }
        }
        Ok(())
    }

    /// Sets this task's share of its thread's record caches, in bytes.
    pub fn set_cache_limit(&mut self, bytes: usize) {
        self.cx.caches.set_limit(bytes);
    }

    /// Bytes of the record caches.
    pub fn cache_bytes(&self) -> usize {
        self.cx.caches.bytes()
    }

    /// Runs the wall-clock schedules that are due; their intervals do not follow a wall clock that is set.
    pub fn punctuate(&mut self, now: impl Into<Now>) -> Result<(), Fault> {
        let now = self.look_at(now.into());
        if !self.preparation.poll(now)? {
            return Ok(());
        }
        self.punctuate_due(PunctuationType::WallClockTime)
    }

    fn punctuate_due(&mut self, kind: PunctuationType) -> Result<(), Fault> {
        let now = match kind {
            PunctuationType::StreamTime => self.cx.stream_time,
            PunctuationType::WallClockTime => Some(self.cx.steady),
        };
        let Some(now) = now else { return Ok(()) };
        while self.cx.schedules.is_due(kind, now) {
            let Some(mut due) = self.cx.schedules.due(kind, now) else { break };
            if kind == PunctuationType::WallClockTime {
                due.timestamp = self.cx.wall_clock;
            }
            self.cx.input = None;
            self.cx.headers.clear();
            self.processors[due.node].borrow_mut().punctuate(due, &mut self.cx)?;
            self.uncommitted = true;
            self.punctuations += 1;
        }
        Ok(())
    }

    /// The records waiting to be produced.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.cx.outbox
    }

    /// Bytes of uncommitted rows and of records waiting to be produced.
    pub fn uncommitted_bytes(&self) -> usize {
        self.cx.state.overlay_bytes() + self.cx.outbox.bytes()
    }

    /// Bytes of the records waiting to be produced.
    pub fn outbox_bytes(&self) -> usize {
        self.cx.outbox.bytes()
    }

    /// Number of stores: how many changelog steps a commit has ([`Step::all`]).
    pub fn stores(&self) -> usize {
        self.stores
    }

    /// Whether a processor asked for a commit since the last one.
    pub fn commit_requested(&self) -> bool {
        self.cx.commit_requested
    }

    /// Whether anything happened since the last commit.
    pub fn is_dirty(&self) -> bool {
        self.uncommitted
    }

    /// Highest record timestamp seen, in ms.
    pub fn stream_time(&self) -> Option<Timestamp> {
        self.cx.stream_time
    }

    /// Punctuations since the start.
    pub fn punctuations(&self) -> u64 {
        self.punctuations
    }

    /// Hands over how far the records processed since the last call were behind stream time, and how old they were.
    pub fn take_spreads(&mut self, take: impl FnOnce(&Spread, &Spread)) {
        let Cx { lateness, latency, .. } = &mut self.cx;
        take(lateness, latency);
        lateness.clear();
        latency.clear();
    }

    /// Records dropped since the start, by reason.
    pub fn dropped(&self) -> &Dropped {
        &self.cx.dropped
    }

    /// Records that did not decode and were settled since the last call, by source topic, what became of them, and why.
    pub fn take_undecodable(&mut self) -> Vec<(Arc<str>, DropReason, &'static str, u64)> {
        let taken = std::mem::take(&mut self.cx.undecodable).into_iter();
        taken
            .map(|((input, fate, why), records)| (Arc::clone(&self.cx.inputs[input].topic), fate, why, records))
            .collect()
    }

    /// What the task has waited for, and not only for a moment: the schema of a partition's next record, or with `None`
    /// what it needs before its first record.
    pub fn waits(&self) -> impl Iterator<Item = (Option<&TopicPartition>, &Wait)> {
        let queues = self.queues.iter().filter_map(|queue| Some((Some(queue.partition()), queue.wait()?)));
        let all = self.preparation.wait().map(|wait| (None, wait)).into_iter().chain(queues);
        all.filter(|(_, wait)| !wait.is_short(self.cx.steady))
    }

    /// Has every wait for an answer that is under way end with the next call; returns whether there is one. For a
    /// driver whose clock stands still meanwhile.
    pub fn hurry(&mut self) -> bool {
        let queues = self.queues.iter_mut().filter_map(RecordQueue::wait_mut);
        let mut hurried = false;
        for wait in self.preparation.wait_mut().into_iter().chain(queues).filter(|wait| wait.is_asking()) {
            wait.try_now();
            hurried = true;
        }
        hurried
    }

    /// The input positions that a commit now would make durable.
    pub fn input_positions(&self) -> Vec<InputPosition> {
        self.queues.iter().map(RecordQueue::input_position).collect()
    }

    /// Applies the uncommitted rows, after everything produced was acknowledged and the input positions were
    /// committed. `acknowledged` has the next offset of each partition written since the last commit.
    pub fn committed(&mut self, acknowledged: &[(TopicPartition, Offset)]) -> Result<(), Fault> {
        let mut position = Position::default();
        for queue in &self.queues {
            position.set(&queue.partition().to_string(), queue.position());
        }
        for (partition, next_offset) in acknowledged.iter().filter(|(p, _)| self.changelogs.contains(p)) {
            position.set(&partition.to_string(), *next_offset);
        }
        self.cx.state.apply(&position)?;
        self.cx.commit_requested = false;
        self.uncommitted = false;
        Ok(())
    }

    /// Committed rows of its stores, for the test driver and for readers.
    pub fn state(&self) -> &TaskState {
        &self.cx.state
    }

    /// Ends the task and gives its state back, without the uncommitted rows.
    pub fn into_state(self) -> TaskState {
        let mut state = self.cx.state;
        state.discard();
        state
    }
}

fn changelogs(sub_topology: &SubTopology, partition: i32) -> Vec<TopicPartition> {
    let topics = sub_topology.stores.iter().filter_map(|store| store.changelog_topic.as_deref());
    topics.map(|topic| TopicPartition::new(topic, partition)).collect()
}

/// What [`TaskState::open`] is told about the stores of one task.
pub fn store_specs(sub_topology: &SubTopology, partition: i32) -> Vec<StoreSpec> {
    let spec = |store: &Store| StoreSpec {
        name: store.definition.name.clone(),
        backend: store.definition.backend,
        changelog: store.changelog_topic.as_deref().map(|topic| TopicPartition::new(topic, partition).to_string()),
    };
    sub_topology.stores.iter().map(spec).collect()
}
