//! Record queues of a task's partitions, and the choice of the next record.

use std::collections::VecDeque;

use super::InputPosition;
use super::wait::Wait;
use crate::serde::SerdeError;
use crate::types::{Offset, RecordView, SourceBatch, Timestamp, TopicPartition};

/// Fetched but unprocessed records of one partition.
#[derive(Debug)]
pub struct RecordQueue {
    partition: TopicPartition,
    batches: VecDeque<SourceBatch>,
    next: usize,
    records: usize,
    head: Option<Timestamp>,
    position: Offset,
    leader_epoch: Option<i32>,
    partition_time: Option<Timestamp>,
    at_end: bool,
    /// The head cannot be decoded yet. Boxed: it is rare, and every choice reads the queues.
    wait: Option<Box<Wait>>,
}

impl RecordQueue {
    /// An empty queue that will read from `position`; `partition_time` is what was processed before.
    pub fn new(partition: TopicPartition, position: Offset, partition_time: Option<Timestamp>) -> Self {
        Self {
            partition,
            batches: VecDeque::new(),
            next: 0,
            records: 0,
            head: None,
            position,
            leader_epoch: None,
            partition_time,
            at_end: false,
            wait: None,
        }
    }

    /// The partition whose records wait here.
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// Records waiting.
    pub fn len(&self) -> usize {
        self.records
    }

    /// Bytes of the batches that still have unprocessed records.
    pub fn bytes(&self) -> usize {
        self.batches.iter().map(SourceBatch::bytes).sum()
    }

    /// Whether no record waits.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Offset of the first unprocessed record: what to commit (kafka-streams `StreamTask`).
    pub fn position(&self) -> Offset {
        self.position
    }

    /// What to commit for this partition.
    pub fn input_position(&self) -> InputPosition {
        InputPosition {
            partition: self.partition.clone(),
            offset: self.position,
            leader_epoch: self.leader_epoch,
            partition_time: self.partition_time,
        }
    }

    /// Appends fetched records.
    pub fn enqueue(&mut self, batch: SourceBatch) {
        if batch.is_empty() {
            return;
        }
        self.records += batch.len();
        self.batches.push_back(batch);
        self.at_end = false;
        self.refresh_head();
    }

    /// Notes that the reader stands at the end of the partition, at `offset`; returns whether the position moved
    /// (past transaction markers or compacted records).
    pub fn reached_end(&mut self, offset: Offset) -> bool {
        self.at_end = true;
        let moved = self.is_empty() && offset > self.position;
        if moved {
            self.position = offset;
        }
        moved
    }

    /// Whether it is empty and nothing more is known to be at the broker.
    pub fn is_drained(&self) -> bool {
        self.is_empty() && self.at_end
    }

    /// The record at the head.
    pub fn peek(&self) -> Option<RecordView<'_>> {
        self.batches.front().map(|batch| batch.get(self.next))
    }

    /// Notes that the head cannot be decoded now; until the wait is due, nothing is taken from here.
    pub fn pause(&mut self, error: &SerdeError, now: Timestamp) {
        match &mut self.wait {
            Some(wait) => wait.go_on(error, now),
            None => self.wait = Some(Box::new(Wait::begin(error, now, self.partition.partition.unsigned_abs().into()))),
        }
    }

    /// What the head waits for.
    pub fn wait(&self) -> Option<&Wait> {
        self.wait.as_deref()
    }

    pub(super) fn wait_mut(&mut self) -> Option<&mut Wait> {
        self.wait.as_deref_mut()
    }

    /// Moves past the head, which is processed. Returns an emptied batch to be filled again.
    pub fn advance(&mut self) -> Option<SourceBatch> {
        self.partition_time = self.partition_time.max(self.head);
        self.skip()
    }

    /// As [`RecordQueue::advance`], past a head that did not decode: its time counts for nothing.
    pub fn skip(&mut self) -> Option<SourceBatch> {
        let batch = self.batches.front()?;
        let record = batch.get(self.next);
        let (offset, epoch) = (record.offset, record.leader_epoch);
        let exhausted = self.next + 1 == batch.len();
        self.position = offset + 1;
        self.leader_epoch = epoch.or(self.leader_epoch);
        self.records -= 1;
        self.wait = None;
        let emptied = if exhausted {
            self.next = 0;
            self.batches.pop_front()
        } else {
            self.next += 1;
            None
        };
        self.refresh_head();
        emptied
    }

    fn refresh_head(&mut self) {
        self.head = self.peek().map(|record| record.timestamp);
    }
}

/// Which queue gives the next record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The queue with this index: its head has the lowest timestamp.
    Take(usize),
    /// A partition that may still have older records is empty, or has just begun to wait for a schema: wait for it.
    Wait,
    /// Nothing to process.
    Nothing,
}

/// Chooses the lowest head timestamp among the queues (Kafka Streams' `PartitionGroup`, KIP-695).
///
/// With `waits_for_fetch` nothing is chosen while an empty partition may still have records at the broker. A paused
/// queue is treated the same way for a moment, because an answer usually comes at once and records should keep the
/// order of their times. After that it is as if it were not there: it is not empty, so waiting for it would wait for the
/// registry, and the other partitions must go on. Its own records keep their order, since nothing passes its head.
///
/// A head later than `latest` has no usable time and counts as the earliest: it will be set aside, and would otherwise
/// hold back everything behind it until the other partitions are empty.
pub fn choose(queues: &[RecordQueue], waits_for_fetch: bool, now: Timestamp, latest: Timestamp) -> Choice {
    let mut best: Option<(Timestamp, usize)> = None;
    let mut waits = false;
    for (index, queue) in queues.iter().enumerate() {
        if let Some(wait) = queue.wait().filter(|wait| !wait.is_due(now)) {
            waits |= waits_for_fetch && wait.is_short(now);
            continue;
        }
        match queue.head.map(|head| if head > latest { Timestamp::MIN } else { head }) {
            Some(head) if best.is_none_or(|(lowest, _)| head < lowest) => best = Some((head, index)),
            Some(_) => {}
            None => waits |= waits_for_fetch && !queue.at_end,
        }
    }
    match best {
        None => Choice::Nothing,
        Some(_) if waits => Choice::Wait,
        Some((_, index)) => Choice::Take(index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::HeadersView;

    fn queue(timestamps: &[Timestamp], at_end: bool) -> RecordQueue {
        let mut batch = SourceBatch::new();
        for (offset, timestamp) in timestamps.iter().enumerate() {
            batch.push(RecordView {
                offset: offset as Offset,
                timestamp: *timestamp,
                leader_epoch: Some(7),
                key: None,
                value: None,
                headers: HeadersView::default(),
            });
        }
        let mut queue = RecordQueue::new(TopicPartition::new("t", 0), 0, None);
        queue.enqueue(batch);
        if at_end {
            queue.reached_end(timestamps.len() as Offset);
        }
        queue
    }

    #[test]
    fn the_lowest_head_timestamp_is_chosen_and_ties_go_to_the_first() {
        assert_eq!(choose(&[queue(&[5], true), queue(&[3], true)], true, 0, 9_000), Choice::Take(1));
        assert_eq!(choose(&[queue(&[3], true), queue(&[3], true)], true, 0, 9_000), Choice::Take(0));
        assert_eq!(choose(&[queue(&[], true), queue(&[], true)], true, 0, 9_000), Choice::Nothing);
    }

    #[test]
    fn an_empty_partition_that_may_have_more_is_waited_for() {
        assert_eq!(choose(&[queue(&[5], true), queue(&[], false)], true, 0, 9_000), Choice::Wait);
        assert_eq!(choose(&[queue(&[5], true), queue(&[], false)], false, 0, 9_000), Choice::Take(0));
        assert_eq!(choose(&[queue(&[5], true), queue(&[], true)], true, 0, 9_000), Choice::Take(0));
    }

    /// A queue that has waited for `waited` ms and is not due again.
    fn paused(timestamps: &[Timestamp], waited: i64) -> RecordQueue {
        let mut queue = queue(timestamps, true);
        let error = SerdeError::Unavailable("schema id 7: refused".to_owned());
        queue.pause(&error, -waited);
        queue.pause(&error, 0);
        queue
    }

    #[test]
    fn a_paused_queue_holds_the_others_for_a_moment_and_then_is_as_if_not_there() {
        assert_eq!(choose(&[paused(&[3], 1_999), queue(&[5], true)], true, 0, 9_000), Choice::Wait);
        assert_eq!(
            choose(&[paused(&[3], 1_999), queue(&[5], true)], false, 0, 9_000),
            Choice::Take(1),
            "-1 waits for nothing"
        );
        assert_eq!(choose(&[paused(&[3], 2_000), queue(&[5], true)], true, 0, 9_000), Choice::Take(1));
        assert_eq!(choose(&[paused(&[3], 2_000), queue(&[], false)], true, 0, 9_000), Choice::Nothing);
        assert_eq!(
            choose(&[paused(&[3], 2_000), queue(&[], false), queue(&[5], true)], true, 0, 9_000),
            Choice::Wait,
            "for 1"
        );
        assert_eq!(choose(&[paused(&[3], 2_000), queue(&[5], true)], true, 5_000, 9_000), Choice::Take(0), "due again");
    }

    #[test]
    fn a_head_without_a_usable_time_holds_nothing_back() {
        assert_eq!(choose(&[queue(&[5], true), queue(&[9_000], true)], true, 0, 9_000), Choice::Take(0));
        assert_eq!(choose(&[queue(&[5], true), queue(&[9_001], true)], true, 0, 9_000), Choice::Take(1));
    }

    #[test]
    fn a_pause_ends_when_the_head_is_passed() {
        let mut queue = paused(&[3, 4], 0);
        assert!(queue.wait().is_some());
        queue.advance();
        assert!(queue.wait().is_none());
        assert_eq!(choose(&[queue], true, 0, 9_000), Choice::Take(0));
    }

    #[test]
    fn the_position_is_the_first_unprocessed_record() {
        let mut queue = queue(&[10, 30, 20], false);
        assert_eq!(queue.position(), 0);
        queue.advance();
        queue.advance();
        assert_eq!((queue.position(), queue.input_position().partition_time, queue.len()), (2, Some(30), 1));
        queue.reached_end(5);
        assert_eq!(queue.position(), 2, "an unprocessed record holds the position");
        assert!(queue.advance().is_some(), "the emptied batch comes back");
        queue.reached_end(5);
        assert_eq!((queue.position(), queue.input_position().leader_epoch), (5, Some(7)));
        assert!(queue.is_drained());
    }
}
