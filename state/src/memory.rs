//! Committed rows of a memory store: an ordered map with structural sharing.
//!
//! A version is published by cloning the map, which costs one reference count. A reader keeps its version for as long as
//! it likes; the writer then copies only the nodes it touches. A lock around one map would let a long scan stop a commit.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

use imbl::OrdSet;

use crate::store::{self, KeyRange, Visit};

/// Committed rows of a memory store. A clone is a version that later writes do not change.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryStore {
    rows: OrdSet<Row>,
    bytes: usize,
}

/// Key and value in one allocation; ordered by the key alone.
#[derive(Debug, Clone)]
struct Row {
    bytes: Arc<[u8]>,
    key_len: usize,
}

impl MemoryStore {
    /// Writes `key`; no value deletes it. `scratch` is used to put the row together.
    pub(crate) fn put(&mut self, key: &[u8], value: Option<&[u8]>, scratch: &mut Vec<u8>) {
        let Some(value) = value else {
            self.bytes -= self.rows.remove(key).map_or(0, |row| row.bytes.len());
            return;
        };
        scratch.clear();
        scratch.extend_from_slice(key);
        scratch.extend_from_slice(value);
        let replaced = self.rows.insert(Row { bytes: Arc::from(scratch.as_slice()), key_len: key.len() });
        self.bytes = self.bytes + scratch.len() - replaced.map_or(0, |row| row.bytes.len());
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.rows.get(key).map(Row::value)
    }

    pub(crate) fn scan(&self, range: KeyRange<'_>, visit: &mut Visit<'_>) {
        if store::is_empty(range) {
            return;
        }
        for row in self.rows.range::<_, [u8]>(range) {
            if visit(row.key(), row.value()).is_break() {
                return;
            }
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of all keys and values.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Row {
    fn key(&self) -> &[u8] {
        &self.bytes[..self.key_len]
    }

    fn value(&self) -> &[u8] {
        &self.bytes[self.key_len..]
    }
}

impl Borrow<[u8]> for Row {
    fn borrow(&self) -> &[u8] {
        self.key()
    }
}

impl Ord for Row {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(other.key())
    }
}

impl PartialOrd for Row {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Row {}
