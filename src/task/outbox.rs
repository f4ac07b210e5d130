//! The records a task wants produced: sinks, changelogs and dead letters, in one arena per partition.
//!
//! They leave in an order that keeps the promise of at-least-once. After a crash the stores are restored to the end of
//! their changelogs, so an event whose changelog record is out looks processed: everything that follows from it must be
//! out before. Hence sinks first, then the changelogs from the last store of the chain to the first, each step
//! acknowledged before the next one.

use std::sync::Arc;

use thalweg_state::StoreIndex;

use crate::types::{ArenaRecord, HeadersView, RecordArena, Timestamp, TopicPartition, partition_of};

/// Where a sink's records go: a run of lanes, one per partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkSlot {
    first_lane: usize,
    partitions: i32,
}

/// Where a store's changelog records go: exactly one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangelogSlot {
    lane: usize,
}

/// One partition's records waiting to be produced.
#[derive(Debug)]
struct Lane {
    to: TopicPartition,
    arena: RecordArena,
    /// The store whose changelog this is; `None`: a sink.
    store: Option<StoreIndex>,
    /// Which of the lanes it was, in turn, that got a first record.
    turn: u32,
}

/// All records a task wants produced since the outbox was last drained.
#[derive(Debug, Default)]
pub struct Outbox {
    lanes: Vec<Lane>,
    sinks: Vec<(Arc<str>, SinkSlot)>,
    sink_bytes: usize,
    changelog_bytes: usize,
    null_keys: u32,
    turns: u32,
}

/// Which records leave together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Those of all sinks, dead letters included.
    Sinks,
    /// Those of one store's changelog.
    Changelog(StoreIndex),
}

impl Step {
    /// The steps of tasks with at most `stores` stores, in the order in which they must be acknowledged.
    pub fn all(stores: usize) -> impl Iterator<Item = Self> {
        std::iter::once(Self::Sinks).chain((0..stores).rev().map(Self::Changelog))
    }

    fn of(lane: &Lane) -> Self {
        lane.store.map_or(Self::Sinks, Self::Changelog)
    }
}

impl Outbox {
    /// Opens the lanes of a topic that keys are spread over. Asking again for the topic gives the same slot.
    pub fn sink(&mut self, topic: &str, partitions: i32) -> SinkSlot {
        if let Some((_, slot)) = self.sinks.iter().find(|(name, _)| &**name == topic) {
            return *slot;
        }
        let topic: Arc<str> = topic.into();
        let slot = SinkSlot { first_lane: self.lanes.len(), partitions };
        for partition in 0..partitions {
            self.open(TopicPartition::new(Arc::clone(&topic), partition), None);
        }
        self.sinks.push((topic, slot));
        slot
    }

    /// Opens the lane of a store's changelog partition.
    pub fn changelog(&mut self, store: StoreIndex, topic: &str, partition: i32) -> ChangelogSlot {
        ChangelogSlot { lane: self.open(TopicPartition::new(topic, partition), Some(store)) }
    }

    fn open(&mut self, to: TopicPartition, store: Option<StoreIndex>) -> usize {
        self.lanes.push(Lane { to, arena: RecordArena::new(), store, turn: 0 });
        self.lanes.len() - 1
    }

    /// Appends a record for a sink; its key picks the partition (murmur2), null keys take turns.
    pub fn push<E>(
        &mut self,
        slot: SinkSlot,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        headers: HeadersView<'_>,
        serialize: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let partition = match key {
            Some(key) => partition_of(key, slot.partitions),
            None => {
                self.null_keys = self.null_keys.wrapping_add(1);
                (self.null_keys % slot.partitions.unsigned_abs()) as i32
            }
        };
        let Lane { arena, turn, .. } = &mut self.lanes[slot.first_lane + partition as usize];
        if arena.is_empty() {
            self.turns = self.turns.wrapping_add(1);
            *turn = self.turns;
        }
        let before = arena.bytes();
        arena.write(timestamp, key, headers, serialize)?;
        self.sink_bytes += arena.bytes() - before;
        Ok(())
    }

    /// Appends a changelog record.
    pub fn log(&mut self, slot: ChangelogSlot, timestamp: Timestamp, key: &[u8], value: Option<&[u8]>) {
        let headers = HeadersView::default();
        self.lanes[slot.lane].arena.push(ArenaRecord { timestamp, key: Some(key), value, headers });
        self.changelog_bytes += key.len() + value.map_or(0, <[u8]>::len);
    }

    /// Bytes waiting for sinks.
    pub fn sink_bytes(&self) -> usize {
        self.sink_bytes
    }

    /// Bytes waiting in all.
    pub fn bytes(&self) -> usize {
        self.sink_bytes + self.changelog_bytes
    }

    /// Hands the non-empty arenas of one step to `send`, emptying each after success. After an error the rest stays.
    /// Arenas that stay empty give memory back, too.
    pub fn drain<E>(
        &mut self,
        step: Step,
        mut send: impl FnMut(&TopicPartition, &RecordArena) -> Result<(), E>,
    ) -> Result<(), E> {
        for lane in self.lanes.iter_mut().filter(|lane| Step::of(lane) == step) {
            if !lane.arena.is_empty() {
                send(&lane.to, &lane.arena)?;
            }
            let waiting = if lane.store.is_none() { &mut self.sink_bytes } else { &mut self.changelog_bytes };
            *waiting = waiting.saturating_sub(lane.arena.bytes());
            lane.arena.clear();
        }
        Ok(())
    }

    /// Hands all non-empty arenas to `send`, in the order in which they got their first records, and empties them. For the
    /// test driver: the order in which a producer got the records decides which of equal times comes first.
    pub fn drain_in_turn(&mut self, mut send: impl FnMut(&TopicPartition, &RecordArena)) {
        let mut lanes: Vec<&mut Lane> = self.lanes.iter_mut().filter(|lane| !lane.arena.is_empty()).collect();
        lanes.sort_by_key(|lane| lane.turn);
        for lane in lanes {
            send(&lane.to, &lane.arena);
            lane.arena.clear();
        }
        (self.sink_bytes, self.changelog_bytes, self.turns) = (0, 0, 0);
    }

    /// Drops what waits.
    pub fn discard(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.arena.clear());
        (self.sink_bytes, self.changelog_bytes) = (0, 0);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What follows from an event must be out before its changelog record makes it look processed.
    #[test]
    fn sinks_leave_before_changelogs_and_the_last_store_of_a_chain_before_the_first() {
        let mut outbox = Outbox::default();
        let first = outbox.changelog(0, "app-first-changelog", 3);
        let second = outbox.changelog(1, "app-second-changelog", 3);
        let sink = outbox.sink("out", 2);
        outbox.log(first, 7, b"k", Some(b"1"));
        outbox.log(second, 7, b"k", Some(b"22"));
        outbox
            .push(sink, 7, Some(b"k"), HeadersView::default(), |out| {
                Ok::<_, ()>({
                    out.push(9);
                    true
                })
            })
            .unwrap();
        assert_eq!((outbox.sink_bytes(), outbox.bytes()), (2, 7));

        let mut left = Vec::new();
        for step in Step::all(2) {
            let sent: Result<(), ()> = outbox.drain(step, |to, arena| {
                left.push((to.to_string(), arena.len()));
                Ok(())
            });
            sent.unwrap();
        }
        let topics: Vec<_> = left.iter().map(|(to, _)| to.split_once("-").map_or("", |(head, _)| head)).collect();
        assert_eq!(topics, ["out", "app", "app"]);
        assert_eq!(left[1], ("app-second-changelog-3".to_owned(), 1));
        assert_eq!(left[2], ("app-first-changelog-3".to_owned(), 1));
        assert_eq!(outbox.bytes(), 0);
    }
}
