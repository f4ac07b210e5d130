//! What a store is, and how others read it.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use crate::{Error, Position};

/// Index of a store among the stores of its task.
pub type StoreIndex = usize;

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

/// A committed change of a store's changelog: store, key and new value, `None` for a tombstone.
pub type Change<'a> = (StoreIndex, &'a [u8], Option<&'a [u8]>);

/// Keys of a scan, in unsigned byte order.
pub type KeyRange<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// Called with each row of a scan; `Break` ends it.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Whether no key can be in `range`: ordered maps panic on such ranges, a store has no rows there.
pub(crate) fn is_empty(range: KeyRange<'_>) -> bool {
    match range {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(first), Bound::Included(last)) => first > last,
        (Bound::Included(first) | Bound::Excluded(first), Bound::Included(last) | Bound::Excluded(last)) => {
            first >= last
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_empty_when_no_key_fits() {
        let (a, b) = (b"a".as_slice(), b"b".as_slice());
        let check = |range: KeyRange<'_>, empty: bool| assert_eq!(is_empty(range), empty, "{range:?}");
        check((Bound::Unbounded, Bound::Unbounded), false);
        check((Bound::Excluded(b), Bound::Unbounded), false);
        check((Bound::Unbounded, Bound::Excluded(a)), false);
        check((Bound::Included(a), Bound::Included(a)), false);
        check((Bound::Included(a), Bound::Excluded(a)), true);
        check((Bound::Excluded(a), Bound::Included(a)), true);
        check((Bound::Excluded(a), Bound::Excluded(a)), true);
        check((Bound::Included(b), Bound::Included(a)), true);
        check((Bound::Included(b), Bound::Excluded(a)), true);
        check((Bound::Excluded(a), Bound::Included(b)), false);
    }
}
