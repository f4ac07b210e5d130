//! Which record comes next where the whole topology is one task: Kafka Streams' `PartitionGroup`, equal times included.

use std::collections::VecDeque;

use super::record::RawRecord;
use crate::types::{Offset, Timestamp};

/// The records of all inputs that wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// By input.
    queues: Vec<VecDeque<(Offset, RawRecord)>>,
    /// Inputs with records, as `java.util.PriorityQueue` keeps them: a binary heap by the time of the first record. Which
    /// of equal times comes first depends on its steps, so they are the same here.
    heap: Vec<usize>,
}

impl Waiting {
    /// Appends a record of an input.
    pub(super) fn add(&mut self, input: usize, offset: Offset, record: RawRecord) {
        if self.queues.len() <= input {
            self.queues.resize_with(input + 1, VecDeque::new);
        }
        self.queues[input].push_back((offset, record));
        if self.queues[input].len() == 1 {
            self.offer(input);
        }
    }

    /// Takes the record whose turn it is.
    pub(super) fn next(&mut self) -> Option<(usize, Offset, RawRecord)> {
        let input = self.poll()?;
        let (offset, record) = self.queues[input].pop_front()?;
        if !self.queues[input].is_empty() {
            self.offer(input);
        }
        Some((input, offset, record))
    }

    fn time(&self, input: usize) -> Option<Timestamp> {
        self.queues[input].front().map(|(_, record)| record.timestamp)
    }

    /// `PriorityQueue.offer`, with its `siftUp`.
    fn offer(&mut self, input: usize) {
        self.heap.push(input);
        let mut at = self.heap.len() - 1;
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.time(input) >= self.time(self.heap[parent]) {
                break;
            }
            self.heap.swap(at, parent);
            at = parent;
        }
    }

    /// `PriorityQueue.poll`, with its `siftDown`. Called before the head of the first input is taken.
    fn poll(&mut self) -> Option<usize> {
        let last = self.heap.pop()?;
        let Some(first) = self.heap.first().copied() else { return Some(last) };
        self.heap[0] = last;
        let mut at = 0;
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            let Some(mut child) = self.heap.get(left).map(|_| left) else { break };
            if self.heap.get(right).is_some_and(|right| self.time(self.heap[left]) > self.time(*right)) {
                child = right;
            }
            if self.time(last) <= self.time(self.heap[child]) {
                break;
            }
            self.heap.swap(at, child);
            at = child;
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_time_comes_next_and_equal_times_as_in_java() {
        let mut waiting = Waiting::default();
        let record = |timestamp| RawRecord { key: None, value: None, timestamp, headers: Default::default() };
        for (input, timestamp) in [(0, 5), (1, 5), (2, 5), (3, 1), (1, 2)] {
            waiting.add(input, 0, record(timestamp));
        }
        let order: Vec<_> = std::iter::from_fn(|| waiting.next()).map(|(input, _, r)| (input, r.timestamp)).collect();
        // The heap was [3, 0, 2, 1], then [1, 0, 2], then [2, 0], then with the second record of 1 [1, 0, 2], then [2, 0].
        assert_eq!(order, [(3, 1), (1, 5), (1, 2), (2, 5), (0, 5)]);
    }
}
