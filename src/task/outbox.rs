//! The records a task wants produced: sinks, changelogs and dead letters, in one arena per partition.

use std::sync::Arc;

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
}

/// All records a task wants produced since the outbox was last drained.
#[derive(Debug, Default)]
pub struct Outbox {
    lanes: Vec<Lane>,
    sinks: Vec<(Arc<str>, SinkSlot)>,
    bytes: usize,
    records: usize,
    null_keys: u32,
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
            self.open(TopicPartition::new(Arc::clone(&topic), partition));
        }
        self.sinks.push((topic, slot));
        slot
    }

    /// Opens the lane of a changelog partition.
    pub fn changelog(&mut self, topic: &str, partition: i32) -> ChangelogSlot {
        ChangelogSlot { lane: self.open(TopicPartition::new(topic, partition)) }
    }

    fn open(&mut self, to: TopicPartition) -> usize {
        self.lanes.push(Lane { to, arena: RecordArena::new() });
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
        let arena = &mut self.lanes[slot.first_lane + partition as usize].arena;
        let before = arena.bytes();
        arena.write(timestamp, key, headers, serialize)?;
        self.bytes += arena.bytes() - before;
        self.records += 1;
        Ok(())
    }

    /// Appends a changelog record.
    pub fn log(&mut self, slot: ChangelogSlot, timestamp: Timestamp, key: &[u8], value: Option<&[u8]>) {
        let headers = HeadersView::default();
        self.lanes[slot.lane].arena.push(ArenaRecord { timestamp, key: Some(key), value, headers });
        self.bytes += key.len() + value.map_or(0, <[u8]>::len);
        self.records += 1;
    }

    /// Bytes waiting.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Records waiting.
    pub fn records(&self) -> usize {
        self.records
    }

    /// Hands every non-empty arena to `send`, emptying it after success. After an error the rest stays.
    pub fn drain<E>(&mut self, mut send: impl FnMut(&TopicPartition, &RecordArena) -> Result<(), E>) -> Result<(), E> {
        if self.records == 0 {
            return Ok(());
        }
        for lane in self.lanes.iter_mut().filter(|lane| !lane.arena.is_empty()) {
            send(&lane.to, &lane.arena)?;
            lane.arena.clear();
        }
        self.bytes = 0;
        self.records = 0;
        Ok(())
    }

    /// Drops what waits.
    pub fn discard(&mut self) {
        for lane in &mut self.lanes {
            lane.arena.clear();
        }
        self.bytes = 0;
        self.records = 0;
    }
}
