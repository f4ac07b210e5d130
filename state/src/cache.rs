//! The record cache of one store: the newest row of each key, kept above the committed and the uncommitted rows.
//!
//! A written row stays dirty until it is flushed; flushing forwards and logs each key once, with its newest value
//! (Kafka Streams' `CachingKeyValueStore` and `NamedCache`). Rows that were read or flushed stay as clean ones and save
//! reads, until they have to make room: the clock algorithm picks what was not asked for lately.
//!
//! A put or get allocates nothing once the cache has grown to its size, apart from one arena after as many dead bytes as
//! are alive. Bounding it is the caller's job, through [`RecordCache::bytes`] and [`RecordCache::evict`].

use std::ops::RangeBounds;

use hashbrown::HashTable;

use crate::Error;
use crate::overlay::{Overlay, hash_of};
use crate::store::{KeyRange, Visit};

/// Below this much garbage, in bytes, compaction is not worth the copy.
const GARBAGE_MIN: usize = 64 << 10;

/// Rows of one store by key. `C` is what the owner wants back when a written row is flushed.
#[derive(Debug)]
pub struct RecordCache<C> {
    arena: Vec<u8>,
    entries: Vec<Entry<C>>,
    /// Numbers of entries that hold no row.
    free: Vec<u32>,
    /// Numbers of entries by the hash of their key.
    index: HashTable<u32>,
    /// Bytes of the arena that no row uses.
    garbage: usize,
    /// Entries that became dirty since the last flush.
    dirty: Vec<u32>,
    writes: u32,
    /// Where the clock stands.
    hand: usize,
}

/// One row: the key's bytes at `start`, then `room` bytes that begin with the value and its attachment.
#[derive(Debug)]
struct Entry<C> {
    start: usize,
    key_len: u32,
    room: u32,
    /// Bytes of the value, or `DELETED`.
    value_len: u32,
    attachment_len: u32,
    /// Number of the write, since the last flush, that made the row what it is.
    written: u32,
    state: State,
    context: C,
}

const DELETED: u32 = u32::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    /// Not asked for since the clock passed.
    Idle,
    Recent,
    Dirty,
}

/// A row that is being flushed.
#[derive(Debug, PartialEq, Eq)]
pub struct CachedRow<'a, C> {
    /// Key bytes.
    pub key: &'a [u8],
    /// Row bytes; `None`: deleted.
    pub value: Option<&'a [u8]>,
    /// The bytes that came with the last write.
    pub attachment: &'a [u8],
    /// What came with the last write.
    pub context: &'a C,
}

impl<C> Default for RecordCache<C> {
    fn default() -> Self {
        Self {
            arena: Vec::new(),
            entries: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            garbage: 0,
            dirty: Vec::new(),
            writes: 0,
            hand: 0,
        }
    }
}

impl<C> Entry<C> {
    fn key<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        &arena[self.start..self.value_start()]
    }

    fn value_start(&self) -> usize {
        self.start + self.key_len as usize
    }

    fn value_len(&self) -> u32 {
        if self.value_len == DELETED { 0 } else { self.value_len }
    }

    fn used(&self) -> u32 {
        self.value_len() + self.attachment_len
    }
}

impl<C: Default> RecordCache<C> {
    /// The row of `key` as last written or kept: a value, a deletion (`Some(None)`), or `None` when it is not here.
    pub fn get(&mut self, key: &[u8]) -> Option<Option<&[u8]>> {
        let number = self.find(hash_of(key), key)?;
        let entry = &mut self.entries[number as usize];
        if entry.state == State::Idle {
            entry.state = State::Recent;
        }
        Some(self.row(number).value)
    }

    /// Writes the row of `key`; no value deletes it. The row is dirty until [`RecordCache::take_dirty`] lists it.
    pub fn put(&mut self, key: &[u8], value: Option<&[u8]>, attachment: &[u8], context: C) {
        let hash = hash_of(key);
        let number = match self.find(hash, key) {
            Some(number) => {
                self.overwrite(number, value, attachment);
                number
            }
            None => self.insert(hash, key, value, attachment),
        };
        // As many writes between two flushes as the number can tell apart; then their order counts for nothing.
        self.writes = self.writes.saturating_add(1);
        let entry = &mut self.entries[number as usize];
        entry.context = context;
        entry.written = self.writes;
        if entry.state != State::Dirty {
            entry.state = State::Dirty;
            self.dirty.push(number);
        }
    }

    /// Keeps a row that was read from below, so that the next read finds it here; `key` must not be here yet.
    pub fn keep(&mut self, key: &[u8], value: &[u8]) {
        self.insert(hash_of(key), key, Some(value), &[]);
    }

    /// Lists the dirty rows in the order of their last writes, as numbers for [`RecordCache::row`]; they count as clean
    /// from now on. The numbers stay good until the next [`RecordCache::evict`].
    pub fn take_dirty(&mut self, numbers: &mut Vec<u32>) {
        numbers.clear();
        numbers.append(&mut self.dirty);
        self.writes = 0;
        numbers.sort_unstable_by_key(|number| self.entries[*number as usize].written);
        for number in numbers {
            self.entries[*number as usize].state = State::Recent;
        }
    }

    /// The row with this number.
    pub fn row(&self, number: u32) -> CachedRow<'_, C> {
        let entry = &self.entries[number as usize];
        let bytes = &self.arena[entry.start..];
        let (key, rest) = bytes.split_at(entry.key_len as usize);
        let (value, rest) = rest.split_at(entry.value_len() as usize);
        CachedRow {
            key,
            value: (entry.value_len != DELETED).then_some(value),
            attachment: &rest[..entry.attachment_len as usize],
            context: &entry.context,
        }
    }

    /// Rows that wait to be flushed.
    pub fn dirty_rows(&self) -> usize {
        self.dirty.len()
    }

    /// Bytes of all rows: their bytes, entries and places in the table.
    pub fn bytes(&self) -> usize {
        let rows = self.entries.len() - self.free.len();
        self.arena.len() - self.garbage + rows * (size_of::<Entry<C>>() + size_of::<u32>())
    }

    /// Removes clean rows until at most `target` bytes are left, or no clean row is.
    pub fn evict(&mut self, target: usize) {
        // Twice round: the first may find every row asked for lately.
        for _ in 0..2 * self.entries.len() {
            if self.bytes() <= target {
                break;
            }
            self.hand = (self.hand + 1) % self.entries.len();
            let state = &mut self.entries[self.hand].state;
            match state {
                State::Recent => *state = State::Idle,
                State::Idle => self.remove(self.hand as u32),
                State::Free | State::Dirty => {}
            }
        }
        self.compact_if_worth_it();
    }

    /// Visits the dirty rows of `range` merged over the rows below, which `scan` visits in key order; a dirty row wins.
    ///
    /// Copies and sorts the dirty rows of the range: for scans that are rare beside writes.
    pub fn merge_over(
        &self,
        range: KeyRange<'_>,
        scan: impl FnOnce(&mut Visit<'_>) -> Result<(), Error>,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        let mut above = Overlay::default();
        for row in self.dirty.iter().map(|number| self.row(*number)).filter(|row| range.contains(row.key)) {
            above.put(row.key, row.value);
        }
        above.range(range).merge_over(scan, visit)
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        self.index.find(hash, |number| self.entries[*number as usize].key(&self.arena) == key).copied()
    }

    fn insert(&mut self, hash: u64, key: &[u8], value: Option<&[u8]>, attachment: &[u8]) -> u32 {
        let start = self.arena.len();
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(value.unwrap_or_default());
        self.arena.extend_from_slice(attachment);
        let entry = Entry {
            start,
            key_len: key.len() as u32,
            room: (self.arena.len() - start - key.len()) as u32,
            value_len: value.map_or(DELETED, |value| value.len() as u32),
            attachment_len: attachment.len() as u32,
            state: State::Recent,
            written: 0,
            context: C::default(),
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.entries[number as usize] = entry;
                number
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        let (entries, arena) = (&self.entries, &self.arena);
        self.index.insert_unique(hash, number, |other| hash_of(entries[*other as usize].key(arena)));
        number
    }

    fn overwrite(&mut self, number: u32, value: Option<&[u8]>, attachment: &[u8]) {
        let entry = &mut self.entries[number as usize];
        let bytes = value.unwrap_or_default();
        entry.value_len = value.map_or(DELETED, |value| value.len() as u32);
        entry.attachment_len = attachment.len() as u32;
        if entry.used() <= entry.room {
            let (to_value, rest) = self.arena[entry.value_start()..].split_at_mut(bytes.len());
            to_value.copy_from_slice(bytes);
            rest[..attachment.len()].copy_from_slice(attachment);
            return;
        }
        self.garbage += (entry.key_len + entry.room) as usize;
        let key = entry.start..entry.value_start();
        entry.start = self.arena.len();
        entry.room = entry.used();
        self.arena.extend_from_within(key);
        self.arena.extend_from_slice(bytes);
        self.arena.extend_from_slice(attachment);
        self.compact_if_worth_it();
    }

    fn remove(&mut self, number: u32) {
        let entry = &mut self.entries[number as usize];
        entry.state = State::Free;
        self.garbage += (entry.key_len + entry.room) as usize;
        if let Ok(found) = self.index.find_entry(hash_of(entry.key(&self.arena)), |other| *other == number) {
            found.remove();
        }
        self.free.push(number);
    }

    /// Copies what is alive to a new arena when half of the arena is not; entry numbers stay.
    fn compact_if_worth_it(&mut self) {
        if self.garbage <= GARBAGE_MIN || self.garbage <= self.arena.len() / 2 {
            return;
        }
        // Room until as much again is not alive. A second arena that is kept would be as big, in every cache.
        let mut arena = Vec::with_capacity(2 * (self.arena.len() - self.garbage) + GARBAGE_MIN);
        for entry in self.entries.iter_mut().filter(|entry| entry.state != State::Free) {
            let len = entry.key_len + entry.used();
            let alive = &self.arena[entry.start..][..len as usize];
            entry.start = arena.len();
            entry.room = entry.used();
            arena.extend_from_slice(alive);
        }
        self.arena = arena;
        self.garbage = 0;
    }
}

#[cfg(test)]
mod tests;
