//! Reading the stores of a topology.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::{Bound, ControlFlow};
use std::rc::Rc;

use thalweg_state::{StoreIndex, layout};

use super::cluster::Cluster;
use crate::serde::{Deserializer, Serializer};
use crate::task::ValueAndTimestamp;
use crate::types::Timestamp;

/// One row of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreRow<K, V> {
    /// Partition of the task that keeps it.
    pub partition: i32,
    /// Key.
    pub key: K,
    /// Value.
    pub value: V,
    /// The time it was written with, in ms.
    pub timestamp: Timestamp,
}

/// Reads a timestamped key-value store over all its partitions.
///
/// # Panics
/// Every read panics when a row does not decode with the store's serdes, or when the store fails.
pub struct TestKeyValueStore<K, V, KS, VS> {
    cluster: Rc<RefCell<Cluster>>,
    name: String,
    sub_topology: u32,
    index: StoreIndex,
    keys: KS,
    values: VS,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V, KS: Serializer<K> + Deserializer<K>, VS: Deserializer<V>> TestKeyValueStore<K, V, KS, VS> {
    pub(super) fn new(
        cluster: Rc<RefCell<Cluster>>,
        name: &str,
        (sub_topology, index): (u32, StoreIndex),
        keys: KS,
        values: VS,
    ) -> Self {
        Self { cluster, name: name.to_owned(), sub_topology, index, keys, values, types: PhantomData }
    }

    /// The value of a key, uncommitted writes included; of several partitions that have it, the first.
    #[track_caller]
    pub fn get(&self, key: impl Into<K>) -> Option<V> {
        self.get_with_timestamp(key).map(|row| row.value)
    }

    /// As [`TestKeyValueStore::get`], with the time the value was written with.
    #[track_caller]
    pub fn get_with_timestamp(&self, key: impl Into<K>) -> Option<ValueAndTimestamp<V>> {
        let mut bytes = Vec::new();
        let serialized = self.keys.serialize(&self.name, &key.into(), &mut bytes);
        assert_eq!(serialized, Ok(true), "the key serializes");
        let cluster = self.cluster.borrow();
        let mut found = None;
        for (_, state) in cluster.states(self.sub_topology) {
            let read = state.get(self.index, &bytes, &mut |row| {
                found.get_or_insert_with(|| row.to_vec());
            });
            self.check(read);
        }
        found.map(|row| self.row(&row))
    }

    /// All rows, uncommitted writes included, in order of partition and key bytes.
    #[track_caller]
    pub fn all(&self) -> Vec<StoreRow<K, V>> {
        let cluster = self.cluster.borrow();
        let mut rows = Vec::new();
        for (partition, state) in cluster.states(self.sub_topology) {
            let mut visit = collect(partition, &mut rows);
            let scanned = state.scan(self.index, EVERYTHING, &mut visit);
            self.check(scanned);
        }
        rows.into_iter().map(|row| self.decode(row)).collect()
    }

    /// As [`TestKeyValueStore::all`], but what a reader sees: committed rows only.
    #[track_caller]
    pub fn all_committed(&self) -> Vec<StoreRow<K, V>> {
        let cluster = self.cluster.borrow();
        let mut rows = Vec::new();
        for (partition, state) in cluster.states(self.sub_topology) {
            let mut visit = collect(partition, &mut rows);
            let scanned =
                state.reader().snapshot().and_then(|snapshot| snapshot.scan(self.index, EVERYTHING, &mut visit));
            self.check(scanned);
        }
        rows.into_iter().map(|row| self.decode(row)).collect()
    }

    #[track_caller]
    fn decode(&self, (partition, key, row): RawRow) -> StoreRow<K, V> {
        let ValueAndTimestamp { value, timestamp } = self.row(&row);
        match self.keys.deserialize(&self.name, Some(&key)) {
            Ok(key) => StoreRow { partition, key, value, timestamp },
            Err(error) => panic!("a key of store '{}' does not decode: {error}", self.name),
        }
    }

    #[track_caller]
    fn row(&self, row: &[u8]) -> ValueAndTimestamp<V> {
        let (timestamp, value) = self.check(layout::split_timestamped(row));
        match self.values.deserialize(&self.name, Some(value)) {
            Ok(value) => ValueAndTimestamp { value, timestamp },
            Err(error) => panic!("a value of store '{}' does not decode: {error}", self.name),
        }
    }

    #[track_caller]
    fn check<T>(&self, result: Result<T, thalweg_state::Error>) -> T {
        match result {
            Ok(value) => value,
            Err(error) => panic!("store '{}' failed: {error}", self.name),
        }
    }
}

/// Partition, key and row.
type RawRow = (i32, Vec<u8>, Vec<u8>);

const EVERYTHING: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Unbounded, Bound::Unbounded);

fn collect(partition: i32, rows: &mut Vec<RawRow>) -> impl FnMut(&[u8], &[u8]) -> ControlFlow<()> + '_ {
    move |key, row| {
        rows.push((partition, key.to_vec(), row.to_vec()));
        ControlFlow::Continue(())
    }
}
