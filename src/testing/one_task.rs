//! Which record comes next where the whole topology is one task: Kafka Streams' `PartitionGroup`, equal times included.

use std::collections::VecDeque;

use super::record::RawRecord;
use crate::types::{Offset, TimeQueue, Timestamp};

/// The records of all inputs that wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// By input.
    queues: Vec<VecDeque<(Offset, RawRecord)>>,
    /// Inputs with records, by the time of the first one.
    turns: TimeQueue<usize>,
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
        let input = self.turns.poll(|input| head(&self.queues, *input))?;
        let (offset, record) = self.queues[input].pop_front()?;
        if !self.queues[input].is_empty() {
            self.offer(input);
        }
        Some((input, offset, record))
    }

    fn offer(&mut self, input: usize) {
        self.turns.offer(input, |input| head(&self.queues, *input));
    }
}

fn head(queues: &[VecDeque<(Offset, RawRecord)>], input: usize) -> Option<Timestamp> {
    queues[input].front().map(|(_, record)| record.timestamp)
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
