//! What a source hands over: one buffer with the records of one partition, read through borrowed views.

use std::ops::Range;

use super::headers::HeadersView;
use super::recycle::recycle;
use super::{Offset, Timestamp};

/// One record, borrowed from its batch.
#[derive(Debug, Clone, Copy)]
pub struct RecordView<'a> {
    /// Offset of the record itself.
    pub offset: Offset,
    /// Record time in ms.
    pub timestamp: Timestamp,
    /// Leader epoch of the record's batch, when the source knows it; travels into the offset commit.
    pub leader_epoch: Option<i32>,
    /// Key bytes, `None` for null.
    pub key: Option<&'a [u8]>,
    /// Value bytes, `None` for null.
    pub value: Option<&'a [u8]>,
    /// Headers in order.
    pub headers: HeadersView<'a>,
}

/// Records of one partition in offset order, over one buffer.
///
/// A source fills it with [`SourceBatch::push`]; a record-batch path of our own can hand over its fetch buffer with
/// the places of the records in it. Reading costs no call through a trait, no allocation and no copy.
#[derive(Debug, Default)]
pub struct SourceBatch {
    buffer: Vec<u8>,
    records: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    offset: Offset,
    timestamp: Timestamp,
    leader_epoch: Option<i32>,
    key: Option<Range<u32>>,
    value: Option<Range<u32>>,
    headers: Range<u32>,
}

impl SourceBatch {
    /// An empty batch.
    pub const fn new() -> Self {
        Self { buffer: Vec::new(), records: Vec::new() }
    }

    /// Appends a record by copying its bytes into the batch's buffer.
    ///
    /// A batch holds at most 4 GiB; sources stay far below (see their byte bound).
    pub fn push(&mut self, record: RecordView<'_>) {
        let key = record.key.map(|bytes| self.append(bytes));
        let value = record.value.map(|bytes| self.append(bytes));
        let headers = self.append(record.headers.encoded());
        self.records.push(Entry {
            offset: record.offset,
            timestamp: record.timestamp,
            leader_epoch: record.leader_epoch,
            key,
            value,
            headers,
        });
    }

    fn append(&mut self, bytes: &[u8]) -> Range<u32> {
        let start = self.buffer.len() as u32;
        self.buffer.extend_from_slice(bytes);
        start..self.buffer.len() as u32
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes held, for the bounds of queues.
    pub fn bytes(&self) -> usize {
        self.buffer.len() + self.records.len() * size_of::<Entry>()
    }

    /// Record `index`, counted from 0. Panics when out of bounds, as a slice does.
    pub fn get(&self, index: usize) -> RecordView<'_> {
        let entry = &self.records[index];
        RecordView {
            offset: entry.offset,
            timestamp: entry.timestamp,
            leader_epoch: entry.leader_epoch,
            key: entry.key.clone().map(|range| self.slice(range)),
            value: entry.value.clone().map(|range| self.slice(range)),
            headers: HeadersView::from_encoded(self.slice(entry.headers.clone())),
        }
    }

    fn slice(&self, range: Range<u32>) -> &[u8] {
        &self.buffer[range.start as usize..range.end as usize]
    }

    /// All records in order.
    pub fn iter(&self) -> impl Iterator<Item = RecordView<'_>> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Empties the batch, keeping as much memory as the next one needs when it is alike.
    pub fn clear(&mut self) {
        recycle(&mut self.buffer);
        recycle(&mut self.records);
    }
}
