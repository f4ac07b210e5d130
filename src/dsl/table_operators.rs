//! What tables do with a change.

use super::forward::Forward;
use super::plan::{Operator, Seam};
use crate::serde::{Nullable, Serde};
use crate::task::{Change, Cx, DropReason, Fault, KeyValueStore, Push, Record, Wiring, push_new};
use crate::topology::NodeId;

/// Turns upserts into changes, kept in a store where the table has one (Kafka Streams' `KTableSource`). Updates out
/// of time order overwrite, as there.
pub(super) struct FromUpserts<K, V, KS, VS> {
    pub(super) store: Option<KeyValueStore<K, V, KS, VS>>,
    pub(super) sends_old: bool,
    pub(super) down: Forward<K, V>,
}

impl<KIn, VIn, K, V, KS, VS> Push<KIn, VIn> for FromUpserts<K, V, KS, VS>
where
    KIn: Nullable<K>,
    VIn: Nullable<V>,
    K: Clone,
    V: Clone,
    KS: Serde<K>,
    VS: Serde<V>,
{
    fn push(&mut self, record: Record<KIn, VIn>, cx: &mut Cx) -> Result<(), Fault> {
        let Some(key) = record.key.into_option() else {
            cx.drop_record(DropReason::NullKey);
            return Ok(());
        };
        let (new, timestamp) = (record.value.into_option(), record.timestamp);
        let mut old = None;
        if let Some(store) = &self.store {
            store.serialize_key(&key, &mut cx.scratch)?;
            if self.sends_old {
                old = store.get_serialized(cx)?.map(|row| row.value);
            }
            store.put_serialized(new.as_ref(), timestamp, cx)?;
        }
        self.down.push(Record { key, value: Change { new, old }, timestamp }, cx)
    }
}

/// Applies a function to both sides of a change (`KTableFilter`, `KTableMapValues` without a store).
pub(super) struct Transform<F, D> {
    pub(super) function: F,
    pub(super) sends_old: bool,
    pub(super) is_filter: bool,
    pub(super) down: D,
}

impl<K, V, VO, F, D> Push<K, Change<V>> for Transform<F, D>
where
    F: Fn(&K, V) -> Option<VO>,
    D: Push<K, Change<VO>>,
{
    fn push(&mut self, record: Record<K, Change<V>>, cx: &mut Cx) -> Result<(), Fault> {
        let Record { key, value: change, timestamp } = record;
        let new = change.new.and_then(|value| (self.function)(&key, value));
        let old = if self.sends_old { change.old.and_then(|value| (self.function)(&key, value)) } else { None };
        if self.is_filter && self.sends_old && new.is_none() && old.is_none() {
            return Ok(());
        }
        push_new(&mut self.down, Record { key, value: Change { new, old }, timestamp }, cx)
    }
}

/// Keeps a computed change in the table's own store; the old value is what the store had.
pub(super) struct Upsert<K, V, KS, VS> {
    store: KeyValueStore<K, V, KS, VS>,
    sends_old: bool,
    skips_absent: bool,
    down: Forward<K, V>,
}

impl<K: Clone + 'static, V: Clone + 'static, KS: Serde<K>, VS: Serde<V>> Upsert<K, V, KS, VS> {
    /// Wires the table `node`; with `skips_absent` a deletion of a row that is not there goes no further.
    pub(super) fn wire(
        w: &mut Wiring<'_>,
        store: KeyValueStore<K, V, KS, VS>,
        node: NodeId,
        skips_absent: bool,
        down: &Seam<K, Change<V>>,
    ) -> Self {
        let sends_old = w.sends_old_values(node);
        let down = Forward::wire(w, Some(&store), sends_old, down);
        Self { store, sends_old: sends_old && (skips_absent || down.is_now()), skips_absent, down }
    }
}

impl<K, V, KS, VS> Push<K, Change<V>> for Upsert<K, V, KS, VS>
where
    K: Clone,
    V: Clone,
    KS: Serde<K>,
    VS: Serde<V>,
{
    fn push(&mut self, record: Record<K, Change<V>>, cx: &mut Cx) -> Result<(), Fault> {
        let Record { key, value: Change { new, .. }, timestamp } = record;
        self.store.serialize_key(&key, &mut cx.scratch)?;
        let old = if self.sends_old { self.store.get_serialized(cx)?.map(|row| row.value) } else { None };
        if self.skips_absent && self.sends_old && new.is_none() && old.is_none() {
            return Ok(());
        }
        self.store.put_serialized(new.as_ref(), timestamp, cx)?;
        self.down.push(Record { key, value: Change { new, old }, timestamp }, cx)
    }
}

/// Passes on what the row is now.
#[derive(Clone)]
pub struct NewValue;

impl<K, V: 'static> Operator<K, Change<V>, K, Option<V>> for NewValue {
    fn apply<D: Push<K, Option<V>>>(
        &mut self,
        record: Record<K, Change<V>>,
        down: &mut D,
        cx: &mut Cx,
    ) -> Result<(), Fault> {
        let Record { key, value, timestamp } = record;
        push_new(down, Record { key, value: value.new, timestamp }, cx)
    }
}
