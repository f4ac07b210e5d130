//! The state of a task: store traits, the overlay of uncommitted writes, memory and RocksDB stores.
//!
//! This file is the contract; the rooms behind it do the work.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

/// Index of a store among the stores of its task.
pub type StoreIndex = usize;

/// The reaction an error asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The store cannot be trusted: wipe it and rebuild it from its changelog.
    Corrupt,
    /// The disk or the file system refused; the text names the path.
    Io,
    /// Another process holds the directory.
    Locked,
    /// The store is closed or poisoned by an earlier failed write.
    Closed,
}

/// What failed in a store.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{context}: {reason}")]
pub struct Error {
    /// The reaction.
    pub kind: ErrorKind,
    /// What was being done, with the path.
    pub context: String,
    /// What the engine said.
    pub reason: String,
}

/// The offsets a state reflects: `<topic>-<partition>` to the *next* offset, for changelogs and inputs alike.
///
/// Stored in the same atomic write as the data, so that data and position cannot part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    offsets: BTreeMap<String, i64>,
}

impl Position {
    /// Next offset of `partition` (`<topic>-<partition>`).
    pub fn get(&self, partition: &str) -> Option<i64> {
        self.offsets.get(partition).copied()
    }

    /// Records that the state reflects `partition` up to `next_offset`.
    pub fn set(&mut self, partition: &str, next_offset: i64) {
        match self.offsets.get_mut(partition) {
            Some(offset) => *offset = next_offset,
            None => {
                self.offsets.insert(partition.to_owned(), next_offset);
            }
        }
    }

    /// Takes over every offset of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (partition, offset) in &other.offsets {
            self.set(partition, *offset);
        }
    }

    /// All offsets in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.offsets.iter().map(|(partition, offset)| (partition.as_str(), *offset))
    }
}

/// Where the rows of a store live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A column family of the task's RocksDB.
    RocksDb,
    /// An ordered map in memory, rebuilt from the changelog on every start.
    Memory,
}

/// One store of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSpec {
    /// Store name, unique in the topology.
    pub name: String,
    /// Where its rows live.
    pub backend: Backend,
    /// The changelog partition (`<topic>-<partition>`) that its position is kept under; `None`: not logged.
    pub changelog: Option<String>,
}

/// Keys of a scan, in unsigned byte order.
pub type KeyRange<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// Called with each row of a scan; `Break` ends it.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// A consistent view of the committed rows of a task's stores, with the position it reflects.
///
/// Cheap to take, safe to use from any thread; it pins old data, so keep it for one query only.
pub trait Snapshot: Send {
    /// Calls `visit` with the value of `key` and returns `true`, or returns `false`.
    fn get(&self, store: StoreIndex, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, Error>;

    /// Visits the rows of `range` in key order.
    fn scan(&self, store: StoreIndex, range: KeyRange<'_>, visit: &mut Visit<'_>) -> Result<(), Error>;

    /// The position of exactly this view.
    fn position(&self) -> &Position;
}

/// Reads the committed rows of a task from other threads; never blocks its writer.
pub trait Reader: Send + Sync {
    /// The newest committed view; `Closed` once the task has gone.
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, Error>;

    /// Roughly how many rows `store` has.
    fn approximate_rows(&self, store: StoreIndex) -> Result<u64, Error>;
}

/// Shared handle to a [`Reader`].
pub type SharedReader = Arc<dyn Reader>;
