//! A task on its stream thread: its queues are filled, its outbox is drained, its progress is published.

use std::time::Instant;

use super::progress::{self, ProgressCell};
use super::stream_thread::SEND_TIMEOUT;
use crate::query::{Metrics, TaskMetrics, ThreadMetrics, Tracer, WaitProgress, Work};
use crate::task::{DropReason, Dropped, Fault, Input, Recipes, RecordSpan, Step, Task};
use crate::types::{Now, Offset, TopicPartition};
use crate::wire::{self, Consumer, PartitionEvent, Producer};

/// Records that may wait in one queue; a full queue leaves its partition unread.
const QUEUE_RECORDS: usize = 2_000;
/// Records asked for in one read.
const READ_RECORDS: usize = 1_000;

/// A task and what belongs to it on this thread.
pub(super) struct RunningTask {
    pub(super) task: Task,
    inputs: Vec<TopicPartition>,
    /// End offset of each input, as last seen.
    ends: Vec<Option<Offset>>,
    /// Bytes that may wait in one queue before it counts as full; one more read adds what the client has fetched.
    queue_bytes: usize,
    changelogs: Vec<(String, Option<TopicPartition>)>,
    progress: ProgressCell,
    metrics: TaskMetrics,
    dropped: Dropped,
    /// What the task waited for when it was last published.
    waits: Vec<WaitProgress>,
    pub(super) last_commit: Option<Instant>,
}

impl RunningTask {
    pub(super) fn new(
        task: Task,
        inputs: &[Input],
        progress: ProgressCell,
        metrics: TaskMetrics,
        recipes: &Recipes,
        queue_bytes: usize,
    ) -> Self {
        let id = task.id();
        let stores = &recipes.topology.sub_topologies()[id.subtopology as usize].stores;
        let changelog = |topic: &String| TopicPartition::new(topic.as_str(), id.partition);
        Self {
            inputs: inputs.iter().map(|input| input.partition.clone()).collect(),
            ends: vec![None; inputs.len()],
            queue_bytes,
            changelogs: stores
                .iter()
                .map(|store| (store.definition.name.clone(), store.changelog_topic.as_ref().map(changelog)))
                .collect(),
            progress,
            metrics,
            dropped: *task.dropped(),
            waits: Vec::new(),
            last_commit: None,
            task,
        }
    }

    /// Fills the queues that have room with what has arrived.
    pub(super) fn fetch(&mut self, consumer: &mut dyn Consumer, metrics: &Metrics) -> Result<(), wire::Error> {
        for (index, partition) in self.inputs.iter().enumerate() {
            let queue = &self.task.queues()[index];
            if queue.len() >= QUEUE_RECORDS || queue.bytes() >= self.queue_bytes {
                continue;
            }
            let mut batch = self.task.spare_batch();
            let event = consumer.read(partition, READ_RECORDS, &mut batch)?;
            if !batch.is_empty() {
                metrics.consumed(&partition.topic, batch.len(), batch.bytes());
                let next = batch.get(batch.len() - 1).offset + 1;
                self.ends[index] = self.ends[index].filter(|end| *end >= next);
                self.task.enqueue(index, batch);
            } else {
                self.task.keep_batch(batch);
            }
            match event {
                None => {}
                Some(PartitionEvent::End { offset }) => {
                    self.ends[index] = Some(offset);
                    self.task.reached_end(index, offset);
                }
                Some(PartitionEvent::OffsetOutOfRange) => {
                    reset(consumer, partition, self.task.queues()[index].position())?
                }
                Some(PartitionEvent::Failed(reason)) => tracing::warn!(%partition, %reason, "reading an input"),
            }
        }
        Ok(())
    }

    /// Runs the wall-clock schedules that are due and processes what may be processed; returns how many records that
    /// was. The clock is read per batch, never per record.
    pub(super) fn process(
        &mut self,
        budget: usize,
        now: Now,
        thread: &ThreadMetrics,
        tracer: Option<&Tracer>,
    ) -> Result<usize, Fault> {
        let (before, started) = (self.task.punctuations(), Instant::now());
        self.task.punctuate(now)?;
        let punctuated = Instant::now();
        let punctuations = self.task.punctuations();
        let processed = self.task.process(budget, now);
        if let Some(tracer) = tracer {
            self.send_spans(tracer);
        }
        let progress = processed?;
        if punctuations > before {
            let seconds = (punctuated - started).as_secs_f64();
            self.metrics.punctuate_seconds.inc_by(seconds);
            thread.punctuate.inc_by(seconds);
        }
        if progress.records > 0 {
            let seconds = punctuated.elapsed().as_secs_f64();
            self.metrics.process.inc_by(progress.records as u64);
            self.metrics.process_seconds.inc_by(seconds);
            thread.process.inc_by(seconds);
            thread.process_seconds.observe(seconds);
            self.task.take_spreads(|lateness, latency| {
                self.metrics.lateness.add(lateness);
                self.metrics.latency.add(latency);
            });
        }
        self.metrics.punctuate.inc_by(self.task.punctuations() - before);
        Ok(progress.records)
    }

    fn send_spans(&mut self, tracer: &Tracer) {
        let task = self.task.id();
        for RecordSpan { span, input, offset, fault } in self.task.take_spans() {
            tracer.send(span, Work::Process { task, partition: self.inputs[input].clone(), offset, fault });
        }
    }

    /// Hands one step of the outbox to the producer; returns whether there was anything.
    pub(super) fn send(
        &mut self,
        step: Step,
        producer: &mut dyn Producer,
        metrics: &Metrics,
    ) -> Result<bool, wire::Error> {
        let mut sent = false;
        self.task.outbox().drain(step, |to, arena| {
            producer.send(to, arena, SEND_TIMEOUT)?;
            metrics.produced(&to.topic, arena.len(), arena.bytes());
            sent = true;
            Ok::<_, wire::Error>(())
        })?;
        Ok(sent)
    }

    /// Counts a commit and what was dropped since the last one.
    pub(super) fn committed(&mut self, metrics: &Metrics) {
        self.last_commit = Some(Instant::now());
        self.metrics.commits.inc();
        for (topic, fate, reason, records) in self.task.take_undecodable() {
            match fate {
                DropReason::Skipped => metrics.skipped(&topic, reason).inc_by(records),
                _ => metrics.dead_letters(&topic, reason).inc_by(records),
            }
        }
        for reason in DropReason::ALL {
            let now = self.task.dropped()[reason as usize];
            let news = now - std::mem::replace(&mut self.dropped[reason as usize], now);
            if news > 0 {
                self.metrics.dropped(reason.name(), news);
            }
        }
    }

    /// Looks up the ends of partitions that are not known to be read to their end. Nobody is asked: a broker that is
    /// away must not hold up the thread.
    pub(super) fn refresh_ends(&mut self, consumer: &dyn Consumer) {
        for (partition, end) in self.inputs.iter().zip(&mut self.ends) {
            *end = end.or_else(|| consumer.fetched_end(partition));
        }
    }

    /// Publishes how far the task is at wall clock `now`, and what it waits for; says when a wait begins or ends.
    pub(super) fn publish(&mut self, thread: &str, now: i64) {
        let waits = progress::waits(&self.task, now);
        self.tell_changes(&waits);
        self.waits.clone_from(&waits);
        let Self { progress, task, changelogs, ends, last_commit, .. } = self;
        progress::running(progress, thread, task, changelogs, ends, *last_commit, waits);
    }

    /// One line per change: a registry may be away for hours.
    fn tell_changes(&self, waits: &[WaitProgress]) {
        let task = self.task.id();
        let is_in = |all: &[WaitProgress], one: &WaitProgress| all.iter().any(|other| other.partition == one.partition);
        for wait in waits.iter().filter(|wait| !is_in(&self.waits, wait)) {
            let partition = wait.partition.as_ref().map(tracing::field::display);
            tracing::warn!(%task, partition, reason = wait.reason, "waiting for the schema registry, the rest goes on");
        }
        for over in self.waits.iter().filter(|over| !is_in(waits, over)) {
            let partition = over.partition.as_ref().map(tracing::field::display);
            let seconds = over.since.elapsed().as_secs();
            tracing::info!(%task, partition, seconds, "going on, the schema registry has answered");
        }
    }
}

/// Goes on at the start of the log, the default of Kafka Streams (`auto.offset.reset=earliest`).
fn reset(consumer: &mut dyn Consumer, partition: &TopicPartition, wanted: Offset) -> Result<(), wire::Error> {
    let range = consumer.offsets(partition, super::CLOSE_DEADLINE)?;
    tracing::warn!(
        %partition, wanted, start = range.start,
        "the wanted offset is not in the log any more, going on at its start; records in between were not processed"
    );
    consumer.unassign(partition)?;
    consumer.assign(partition, range.start)
}

#[cfg(test)]
mod tests;
