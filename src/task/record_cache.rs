//! The record cache of a task's stores: a cached store forwards and logs each changed key once per flush, with the
//! newest value and the old value of the last flush (Kafka Streams' `CachingKeyValueStore`, KIP-63).

use thalweg_state::{RecordCache, StoreIndex};

use super::cx::{Cx, Scratch};
use super::fault::Fault;
use super::push::{Change, Push, Record};
use super::store::KeyValueStore;
use crate::serde::{Deserializer, Serializer};
use crate::types::{HeadersView, Offset, Timestamp};

/// Where the record that wrote a row came from: it is in hand again when the row is flushed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WrittenBy {
    /// Number of the input plus one, so that each of many rows needs few bytes; 0 inside a punctuation.
    input: u32,
    offset: Offset,
    timestamp: Timestamp,
}

impl WrittenBy {
    pub(crate) fn new(input: Option<(usize, Offset)>, timestamp: Timestamp) -> Self {
        let (input, offset) = input.map_or((0, 0), |(input, offset)| (input as u32 + 1, offset));
        Self { input, offset, timestamp }
    }

    fn input(self) -> Option<(usize, Offset)> {
        Some((self.input.checked_sub(1)? as usize, self.offset))
    }
}

/// Caches of a task's stores, under one limit.
#[derive(Debug, Default)]
pub(crate) struct RecordCaches {
    /// By store; `None`: not cached.
    stores: Vec<Option<RecordCache<WrittenBy>>>,
    limit: usize,
    numbers: Vec<u32>,
}

impl RecordCaches {
    /// Caches the rows of `store` from now on.
    pub(crate) fn open(&mut self, store: StoreIndex) {
        if self.stores.len() <= store {
            self.stores.resize_with(store + 1, || None);
        }
        self.stores[store].get_or_insert_default();
    }

    pub(crate) fn of(&mut self, store: StoreIndex) -> Option<&mut RecordCache<WrittenBy>> {
        self.stores.get_mut(store)?.as_mut()
    }

    /// Sets how many bytes all caches of the task may use.
    pub(crate) fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }

    /// Bytes of all caches.
    pub(crate) fn bytes(&self) -> usize {
        self.stores.iter().flatten().map(RecordCache::bytes).sum()
    }

    pub(crate) fn are_full(&self) -> bool {
        self.bytes() > self.limit
    }

    pub(crate) fn is_dirty(&self, store: StoreIndex) -> bool {
        self.stores.get(store).and_then(Option::as_ref).is_some_and(|cache| cache.dirty_rows() > 0)
    }

    /// Removes clean rows, of the biggest caches first, until an eighth of the limit is free; returns whether it is.
    pub(crate) fn make_room(&mut self) -> bool {
        let target = self.limit - self.limit / 8;
        loop {
            let excess = self.bytes().saturating_sub(target);
            let Some(biggest) = self.stores.iter_mut().flatten().max_by_key(|cache| cache.bytes()) else { return true };
            let before = biggest.bytes();
            biggest.evict(before.saturating_sub(excess));
            if excess == 0 || biggest.bytes() == before {
                return excess == 0;
            }
        }
    }
}

/// The rows of one cached store that wait to be flushed.
pub trait FlushCache {
    /// Which store.
    fn store(&self) -> StoreIndex;

    /// Writes every dirty row, logs it, and forwards what changed, in the order of the last writes.
    fn flush(&mut self, cx: &mut Cx) -> Result<(), Fault>;
}

/// Flushes one store into what follows its table.
pub(crate) struct Flusher<K, V, KS, VS, D> {
    pub(crate) store: KeyValueStore<K, V, KS, VS>,
    pub(crate) sends_old: bool,
    /// `None`: nobody follows, and nothing is decoded.
    pub(crate) down: Option<D>,
}

impl<K, V, KS, VS, D> FlushCache for Flusher<K, V, KS, VS, D>
where
    KS: Serializer<K> + Deserializer<K>,
    VS: Serializer<V> + Deserializer<V>,
    D: Push<K, Change<V>>,
{
    fn store(&self) -> StoreIndex {
        self.store.index()
    }

    fn flush(&mut self, cx: &mut Cx) -> Result<(), Fault> {
        let mut numbers = std::mem::take(&mut cx.caches.numbers);
        if let Some(cache) = cx.caches.of(self.store.index()) {
            cache.take_dirty(&mut numbers);
        }
        for number in &numbers {
            self.flush_row(*number, cx)?;
        }
        cx.caches.numbers = numbers;
        Ok(())
    }
}

impl<K, V, KS, VS, D> Flusher<K, V, KS, VS, D>
where
    KS: Serializer<K> + Deserializer<K>,
    VS: Serializer<V> + Deserializer<V>,
    D: Push<K, Change<V>>,
{
    fn flush_row(&mut self, number: u32, cx: &mut Cx) -> Result<(), Fault> {
        let Some((written_by, present)) = take_in_hand(self.store.index(), number, cx) else { return Ok(()) };
        let old = if self.sends_old || !present { self.store.get_below(cx)? } else { None };
        if !present && old.is_none() {
            return Ok(());
        }
        self.store.write_below(present, written_by.timestamp, cx)?;
        let Some(down) = &mut self.down else { return Ok(()) };
        let (key, new) = self.store.decode(present, &cx.scratch)?;
        let timestamp = new.as_ref().map_or(written_by.timestamp, |row| row.timestamp);
        let old = old.filter(|_| self.sends_old).map(|row| row.value);
        down.push(Record { key, value: Change { new: new.map(|row| row.value), old }, timestamp }, cx)
    }
}

/// Puts a dirty row into the scratch buffers and its record's headers and place into the context; returns what wrote
/// it and whether the row exists.
fn take_in_hand(store: StoreIndex, number: u32, cx: &mut Cx) -> Option<(WrittenBy, bool)> {
    let row = cx.caches.of(store)?.row(number);
    let (written_by, present) = (*row.context, row.value.is_some());
    let Scratch { key, row: bytes } = &mut cx.scratch;
    key.clear();
    key.extend_from_slice(row.key);
    bytes.clear();
    bytes.extend_from_slice(row.value.unwrap_or_default());
    cx.headers.assign(HeadersView::from_encoded(row.attachment));
    cx.input = written_by.input();
    Some((written_by, present))
}
