//! The typed face of a task's store: serdes, the timestamped row and the changelog record in one call.

use std::marker::PhantomData;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use thalweg_state::StoreIndex;

use super::cx::{Cx, Scratch};
use super::fault::Fault;
use super::outbox::ChangelogSlot;
use super::record_cache::WrittenBy;
use crate::serde::{Deserializer, SerdeError, Serializer};
use crate::types::Timestamp;

/// Where a store lives in its task.
#[derive(Debug, Clone)]
pub struct StoreSlot {
    /// Index among the task's stores.
    pub index: StoreIndex,
    /// Store name, for texts.
    pub name: Arc<str>,
    /// The topic that serdes are asked about: the changelog.
    pub topic: Arc<str>,
    /// Where changelog records go; `None`: not logged.
    pub changelog: Option<ChangelogSlot>,
    /// Whether writes stay in the record cache until it is flushed.
    pub cached: bool,
}

/// A value with the timestamp it was written with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueAndTimestamp<V> {
    /// The value.
    pub value: V,
    /// Its record time in ms.
    pub timestamp: Timestamp,
}

/// A timestamped key-value store, bound to one task: rows are `int64 timestamp` then the value's bytes, changelog
/// records carry the value alone with the timestamp as record time (Kafka Streams' `TimestampedKeyValueStore`).
#[derive(Clone)]
pub struct KeyValueStore<K, V, KS, VS> {
    slot: StoreSlot,
    keys: KS,
    values: VS,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V, KS, VS> KeyValueStore<K, V, KS, VS>
where
    KS: Serializer<K> + Deserializer<K>,
    VS: Serializer<V> + Deserializer<V>,
{
    pub(crate) fn new(slot: StoreSlot, keys: KS, values: VS) -> Self {
        Self { slot, keys, values, types: PhantomData }
    }

    /// The row of `key`, uncommitted writes of this task included.
    pub fn get(&self, key: &K, cx: &mut Cx) -> Result<Option<ValueAndTimestamp<V>>, Fault> {
        self.serialize_key(key, &mut cx.scratch)?;
        self.get_serialized(cx)
    }

    /// Writes the row of `key`, or deletes it with `None`; the changelog record goes out with the same call.
    pub fn put(&self, key: &K, value: Option<&V>, timestamp: Timestamp, cx: &mut Cx) -> Result<(), Fault> {
        self.serialize_key(key, &mut cx.scratch)?;
        self.put_serialized(value, timestamp, cx)
    }

    /// Visits the rows of `range` in the order of their key bytes, uncommitted writes included; `Break` ends it.
    pub fn range(
        &self,
        range: (Bound<&K>, Bound<&K>),
        cx: &mut Cx,
        mut visit: impl FnMut(K, ValueAndTimestamp<V>) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let (mut from, mut to) = (Vec::new(), Vec::new());
        let from = self.bound(range.0, &mut from)?;
        let to = self.bound(range.1, &mut to)?;
        let mut failed = None;
        let mut visit_row = |key: &[u8], row: &[u8]| {
            let decoded = self.keys.deserialize(&self.slot.topic, Some(key)).and_then(|key| Ok((key, self.row(row)?)));
            match decoded {
                Ok((key, row)) => visit(key, row),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        };
        let (index, state) = (self.slot.index, &cx.state);
        match cx.caches.of(index) {
            Some(cache) => {
                cache.merge_over((from, to), |visit| state.scan(index, (from, to), visit), &mut visit_row)?
            }
            None => state.scan(index, (from, to), &mut visit_row)?,
        }
        failed.map_or(Ok(()), |error| Err(self.undecodable(error)))
    }

    /// Serializes `key` into the scratch buffer, where the `_serialized` calls find it.
    pub(crate) fn serialize_key(&self, key: &K, scratch: &mut Scratch) -> Result<(), Fault> {
        scratch.key.clear();
        match self.keys.serialize(&self.slot.topic, key, &mut scratch.key) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.unencodable(SerdeError::Null { expected: "key" })),
            Err(error) => Err(self.unencodable(error)),
        }
    }

    /// The row of the key in the scratch buffer.
    pub(crate) fn get_serialized(&self, cx: &mut Cx) -> Result<Option<ValueAndTimestamp<V>>, Fault> {
        if !self.slot.cached {
            return self.get_below(cx);
        }
        let Some(cache) = cx.caches.of(self.slot.index) else { return self.get_below(cx) };
        let key = &cx.scratch.key;
        let mut row = match cache.get(key) {
            Some(cached) => return cached.map(|bytes| self.row(bytes)).transpose().map_err(|e| self.undecodable(e)),
            None => None,
        };
        cx.state.get(self.slot.index, key, &mut |bytes| {
            cache.keep(key, bytes);
            row = Some(self.row(bytes));
        })?;
        row.transpose().map_err(|error| self.undecodable(error))
    }

    /// As [`KeyValueStore::get_serialized`], without what waits in the record cache.
    pub(super) fn get_below(&self, cx: &Cx) -> Result<Option<ValueAndTimestamp<V>>, Fault> {
        let mut row = None;
        cx.state.get(self.slot.index, &cx.scratch.key, &mut |bytes| row = Some(self.row(bytes)))?;
        row.transpose().map_err(|error| self.undecodable(error))
    }

    /// Writes the row of the key in the scratch buffer: into the record cache, or at once.
    pub(crate) fn put_serialized(&self, value: Option<&V>, timestamp: Timestamp, cx: &mut Cx) -> Result<(), Fault> {
        let Scratch { key, row } = &mut cx.scratch;
        row.clear();
        let present = match value {
            None => false,
            Some(value) => {
                row.extend_from_slice(&timestamp.to_be_bytes());
                self.values.serialize(&self.slot.topic, value, row).map_err(|error| self.unencodable(error))?
            }
        };
        match cx.caches.of(self.slot.index).filter(|_| self.slot.cached) {
            Some(cache) => {
                let written_by = WrittenBy::new(cx.input, timestamp);
                cache.put(key, present.then_some(&**row), cx.headers.view().encoded(), written_by);
                Ok(())
            }
            None => self.write_below(present, timestamp, cx),
        }
    }

    /// Writes and logs the row in the scratch buffers.
    pub(super) fn write_below(&self, present: bool, timestamp: Timestamp, cx: &mut Cx) -> Result<(), Fault> {
        let Scratch { key, row } = &cx.scratch;
        let row = present.then_some(&**row);
        cx.state.put(self.slot.index, key, row)?;
        if let Some(changelog) = self.slot.changelog {
            let (timestamp, value) = match row.and_then(|row| row.split_first_chunk()) {
                Some((of_row, value)) => (Timestamp::from_be_bytes(*of_row), Some(value)),
                None => (timestamp, None),
            };
            cx.outbox.log(changelog, timestamp, key, value);
        }
        Ok(())
    }

    /// Key and row in the scratch buffers.
    pub(super) fn decode(&self, present: bool, scratch: &Scratch) -> Result<(K, Option<ValueAndTimestamp<V>>), Fault> {
        let row = if present { Some(self.row(&scratch.row)) } else { None };
        let key = self.keys.deserialize(&self.slot.topic, Some(&scratch.key));
        key.and_then(|key| Ok((key, row.transpose()?))).map_err(|error| self.undecodable(error))
    }

    /// Index of the store in its task.
    pub(super) fn index(&self) -> StoreIndex {
        self.slot.index
    }

    /// Whether writes stay in the record cache until it is flushed.
    pub(crate) fn is_cached(&self) -> bool {
        self.slot.cached
    }

    fn row(&self, row: &[u8]) -> Result<ValueAndTimestamp<V>, SerdeError> {
        let (timestamp, value) =
            row.split_first_chunk().ok_or_else(|| SerdeError::Malformed("row shorter than its timestamp".into()))?;
        let value = self.values.deserialize(&self.slot.topic, Some(value))?;
        Ok(ValueAndTimestamp { value, timestamp: Timestamp::from_be_bytes(*timestamp) })
    }

    fn bound<'a>(&self, bound: Bound<&K>, buffer: &'a mut Vec<u8>) -> Result<Bound<&'a [u8]>, Fault> {
        if let Bound::Included(key) | Bound::Excluded(key) = bound {
            self.keys.serialize(&self.slot.topic, key, buffer).map_err(|error| self.unencodable(error))?;
        }
        Ok(bound.map(|_| &**buffer))
    }

    fn undecodable(&self, error: SerdeError) -> Fault {
        Fault::Row { store: self.slot.name.to_string(), error }
    }

    fn unencodable(&self, error: SerdeError) -> Fault {
        Fault::Encode { target: format!("store {}", self.slot.name), error }
    }
}
