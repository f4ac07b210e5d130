//! The uncommitted writes of one store: keys and values in one byte arena, a hash table over them.
//!
//! A put or get allocates nothing once the arena and the table have grown to the size of a commit interval. Clearing
//! keeps the memory that such an interval needs. Bounding it is the caller's job, through [`Overlay::bytes`].

mod order;
mod rows;

use std::cell::RefCell;
use std::hash::Hasher;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use crate::recycle::{recycle, recycle_table};
use order::Order;
pub(crate) use rows::Rows;

/// Below this much garbage, in bytes, compaction is not worth the copy.
const GARBAGE_MIN: usize = 64 << 10;

/// Uncommitted writes of one store.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    arena: Vec<u8>,
    entries: Vec<Entry>,
    /// Numbers of entries by the hash of their key.
    index: HashTable<u32>,
    /// Bytes of the arena that no entry uses.
    garbage: usize,
    /// The other half of a compaction; empty between two.
    spare: Vec<u8>,
    /// Length of the arena before the longest compaction since the last clear.
    compacted: usize,
    order: RefCell<Order>,
}

/// One written key: key bytes at `start`, then `room` bytes of which the value uses the first.
#[derive(Debug)]
struct Entry {
    hash: u64,
    start: usize,
    key_len: u32,
    room: u32,
    /// `None`: deleted.
    value_len: Option<u32>,
}

impl Entry {
    fn value_start(&self) -> usize {
        self.start + self.key_len as usize
    }
}

/// The hash of a key in the tables over the arenas, here and in the record cache.
pub(crate) fn hash_of(key: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(key);
    hasher.finish()
}

impl Overlay {
    /// Writes `key`; no value deletes it.
    pub(crate) fn put(&mut self, key: &[u8], value: Option<&[u8]>) {
        let hash = hash_of(key);
        match self.find(hash, key) {
            Some(number) => self.overwrite(number, value),
            None => self.insert(hash, key, value),
        }
    }

    /// What was written to `key`: nothing, a deletion (`Some(None)`) or a value.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.find(hash_of(key), key).map(|number| self.value(number))
    }

    /// Written keys.
    pub(crate) fn rows(&self) -> usize {
        self.entries.len()
    }

    /// Bytes in use: arena with its garbage, entries and table.
    pub(crate) fn bytes(&self) -> usize {
        self.arena.len() + self.entries.len() * (size_of::<Entry>() + size_of::<u32>())
    }

    /// Forgets every write.
    pub(crate) fn clear(&mut self) {
        // Compactions swap the two.
        let used = self.arena.len().max(std::mem::take(&mut self.compacted));
        recycle(&mut self.arena, used);
        recycle(&mut self.spare, used);
        let rows = self.entries.len();
        recycle(&mut self.entries, rows);
        recycle_table(&mut self.index);
        self.garbage = 0;
        self.order.get_mut().clear();
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        self.index.find(hash, |number| self.key(*number) == key).copied()
    }

    fn key(&self, number: u32) -> &[u8] {
        let entry = &self.entries[number as usize];
        &self.arena[entry.start..entry.value_start()]
    }

    fn value(&self, number: u32) -> Option<&[u8]> {
        let entry = &self.entries[number as usize];
        entry.value_len.map(|len| &self.arena[entry.value_start()..][..len as usize])
    }

    fn insert(&mut self, hash: u64, key: &[u8], value: Option<&[u8]>) {
        let number = self.entries.len() as u32;
        let start = self.arena.len();
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(value.unwrap_or_default());
        let value_len = value.map(|value| value.len() as u32);
        let room = value_len.unwrap_or_default();
        self.entries.push(Entry { hash, start, key_len: key.len() as u32, room, value_len });
        let entries = &self.entries;
        self.index.insert_unique(hash, number, |other| entries[*other as usize].hash);
    }

    fn overwrite(&mut self, number: u32, value: Option<&[u8]>) {
        let entry = &mut self.entries[number as usize];
        entry.value_len = value.map(|value| value.len() as u32);
        let Some(value) = value else { return };
        if value.len() <= entry.room as usize {
            self.arena[entry.value_start()..][..value.len()].copy_from_slice(value);
            return;
        }
        self.garbage += entry.key_len as usize + entry.room as usize;
        let old = entry.start..entry.value_start();
        entry.start = self.arena.len();
        entry.room = value.len() as u32;
        self.arena.extend_from_within(old);
        self.arena.extend_from_slice(value);
        if self.garbage > GARBAGE_MIN && self.garbage > self.arena.len() / 2 {
            self.compact();
        }
    }

    /// Copies what is alive to the spare arena; entry numbers, and with them index and order, stay.
    fn compact(&mut self) {
        self.compacted = self.compacted.max(self.arena.len());
        for entry in &mut self.entries {
            let len = entry.key_len + entry.value_len.unwrap_or_default();
            let alive = &self.arena[entry.start..][..len as usize];
            entry.start = self.spare.len();
            entry.room = entry.value_len.unwrap_or_default();
            self.spare.extend_from_slice(alive);
        }
        std::mem::swap(&mut self.arena, &mut self.spare);
        self.spare.clear();
        self.garbage = 0;
    }
}

#[cfg(test)]
mod tests;
