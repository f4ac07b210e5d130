//! What a task hands to a sink: one growing byte arena per (topic, partition) that serdes write into.

use std::ops::Range;

use super::Timestamp;
use super::headers::HeadersView;
use super::recycle::recycle;

/// Records for one partition, in order, in one byte arena.
#[derive(Debug, Default)]
pub struct RecordArena {
    bytes: Vec<u8>,
    records: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    timestamp: Timestamp,
    key: Option<Range<u32>>,
    value: Option<Range<u32>>,
    headers: Range<u32>,
}

/// One record, borrowed from its arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArenaRecord<'a> {
    /// Record time in ms.
    pub timestamp: Timestamp,
    /// Key bytes, `None` for null.
    pub key: Option<&'a [u8]>,
    /// Value bytes, `None` for null: a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers in order.
    pub headers: HeadersView<'a>,
}

impl RecordArena {
    /// An empty arena.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), records: Vec::new() }
    }

    /// Appends a record whose bytes exist already.
    pub fn push(&mut self, record: ArenaRecord<'_>) {
        let ArenaRecord { timestamp, key, value, headers } = record;
        let written: Result<(), std::convert::Infallible> = self.write(timestamp, key, headers, |out| {
            out.extend_from_slice(value.unwrap_or_default());
            Ok(value.is_some())
        });
        match written {
            Ok(()) => {}
        }
    }

    /// Appends a record whose value `serialize` writes straight into the arena; it appends bytes and returns
    /// whether there is a value (`false`: null). On an error nothing is appended.
    pub fn write<E>(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        headers: HeadersView<'_>,
        serialize: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        let key = key.map(|bytes| self.append(bytes));
        let headers = self.append(headers.encoded());
        let value_start = self.bytes.len();
        match serialize(&mut self.bytes) {
            Ok(present) => {
                let value = value_start as u32..self.bytes.len() as u32;
                self.records.push(Entry { timestamp, key, value: present.then_some(value), headers });
                Ok(())
            }
            Err(error) => {
                self.bytes.truncate(start);
                Err(error)
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Range<u32> {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len() as u32
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of keys, values and headers.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Record `index`, counted from 0. Panics when out of bounds, as a slice does.
    pub fn get(&self, index: usize) -> ArenaRecord<'_> {
        let entry = &self.records[index];
        ArenaRecord {
            timestamp: entry.timestamp,
            key: entry.key.clone().map(|range| self.slice(range)),
            value: entry.value.clone().map(|range| self.slice(range)),
            headers: HeadersView::from_encoded(self.slice(entry.headers.clone())),
        }
    }

    fn slice(&self, range: Range<u32>) -> &[u8] {
        &self.bytes[range.start as usize..range.end as usize]
    }

    /// All records in order.
    pub fn iter(&self) -> impl Iterator<Item = ArenaRecord<'_>> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Empties the arena, keeping as much memory as it needs when it is used alike again.
    pub fn clear(&mut self) {
        recycle(&mut self.bytes);
        recycle(&mut self.records);
    }
}
