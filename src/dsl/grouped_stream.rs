//! `KGroupedStream`: count, reduce and aggregate over the records of a key.

use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;

use super::forward::Forward;
use super::options::{Grouped, Materialized};
use super::plan::{Place, Plan, Seam};
use super::rows::{Kept, Stored};
use super::stream::{KStream, NullableStream};
use super::table::KTable;
use crate::serde::{I64Serde, Nullable, Serde};
use crate::task::{Change, Cx, DropReason, Fault, KeyValueStore, Push, Record, Wiring};
use crate::topology::{NodeId, Repartition, RepartitionNames, StoreId};

/// A stream grouped by key. `K` and `V` are the stream's types, `GK` and `GV` their non-null parts.
pub struct KGroupedStream<K: 'static, V: 'static, P: Plan<K, V>, GK, GV, KS, VS> {
    stream: KStream<K, V, P>,
    grouped: Grouped<GK, GV, KS, VS>,
    /// With the place that it has among the operators of the stream.
    repartition: Rc<Cell<Option<(Repartition, Place)>>>,
}

/// For several aggregations of one grouping. Under a name of its own the grouping has one repartition topic, which
/// they share; else each has one.
impl<K: 'static, V: 'static, GK, GV, KS: Clone, VS: Clone> Clone for KGroupedStream<K, V, Seam<K, V>, GK, GV, KS, VS> {
    fn clone(&self) -> Self {
        Self { stream: self.stream.clone(), grouped: self.grouped.clone(), repartition: Rc::clone(&self.repartition) }
    }
}

impl<K: 'static, V: 'static, P: Plan<K, V>, GK, GV, KS, VS> KGroupedStream<K, V, P, GK, GV, KS, VS> {
    pub(super) fn new(stream: KStream<K, V, P>, grouped: Grouped<GK, GV, KS, VS>) -> Self {
        Self { stream, grouped, repartition: Rc::default() }
    }

    /// Makes the grouping aggregable in several ways: clone the result.
    pub fn fan_out(self) -> KGroupedStream<K, V, Seam<K, V>, GK, GV, KS, VS>
    where
        K: Clone,
        V: Clone,
    {
        KGroupedStream { stream: self.stream.fan_out(), grouped: self.grouped, repartition: self.repartition }
    }
}

impl<K, V, P, GK, GV, KS, VS> KGroupedStream<K, V, P, GK, GV, KS, VS>
where
    K: Nullable<GK> + 'static,
    V: Nullable<GV> + 'static,
    P: Plan<K, V>,
    GK: Clone + 'static,
    GV: Clone + 'static,
    KS: Serde<GK>,
    VS: Serde<GV>,
{
    /// Names the aggregation's node.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.stream.next_name = Some(name.into());
        self
    }

    /// Counts the records of each key.
    pub fn count(self, materialized: Materialized<GK, i64>) -> KTable<GK, i64> {
        self.count_as(I64Serde, materialized)
    }

    /// As [`KGroupedStream::count`], in a type of the user's own.
    pub fn count_as<C, CS>(self, counts: CS, materialized: Materialized<GK, C>) -> KTable<GK, C>
    where
        C: From<i64> + Into<i64> + Clone + 'static,
        CS: Serde<C>,
    {
        if materialized.is_given && materialized.name.is_none() {
            // Kafka Streams uses up a name here, so that topologies of old keep theirs (`KGroupedStreamImpl.count`).
            self.stream.builder.build_mut().blueprint.new_store_name("KSTREAM-AGGREGATE-");
        }
        let add = |_: &GK, _: GV, count: C| C::from(count.into().wrapping_add(1));
        self.aggregate(|| C::from(0), add, counts, materialized)
    }

    /// Combines the values of each key; the first value stands for itself. `None` deletes the row.
    pub fn reduce<R, F>(self, reducer: F, materialized: Materialized<GK, GV>) -> KTable<GK, GV>
    where
        R: Into<Option<GV>>,
        F: Fn(GV, GV) -> R + Clone + Send + Sync + 'static,
    {
        let values = self.grouped.values.clone();
        let fold = move |_: &GK, value: GV, before: Option<GV>| match before {
            None => Some(value),
            Some(before) => reducer(before, value).into(),
        };
        self.fold("KSTREAM-REDUCE-", values, materialized, fold, || None)
    }

    /// Folds the records of each key into one value, starting from `initializer`. `None` deletes the row.
    pub fn aggregate<A, R, AS, I, F>(
        self,
        initializer: I,
        aggregator: F,
        values: AS,
        materialized: Materialized<GK, A>,
    ) -> KTable<GK, A>
    where
        A: Clone + 'static,
        R: Into<Option<A>>,
        AS: Serde<A>,
        I: Fn() -> A + Clone + Send + Sync + 'static,
        F: Fn(&GK, GV, A) -> R + Clone + Send + Sync + 'static,
    {
        let initial = initializer.clone();
        let fold = move |key: &GK, value: GV, before: Option<A>| {
            aggregator(key, value, before.unwrap_or_else(&initializer)).into()
        };
        // Kafka Streams sends the initial value as the old value of a key's first update.
        self.fold("KSTREAM-AGGREGATE-", values, materialized, fold, move || Some(initial()))
    }

    /// The stream after its repartition topic.
    fn through(&mut self, names: RepartitionNames) -> NullableStream<GK, GV, KS, VS> {
        let Grouped { keys, values, name, .. } = &self.grouped;
        if let Some((repartition, place)) = self.repartition.get().filter(|_| name.is_some()) {
            let last = {
                let mut build = self.stream.builder.build_mut();
                build.reuse_repartition(repartition);
                // Behind all nodes so far, and before the next one.
                build.blueprint.len()
            };
            self.stream.postpone(place, last);
            self.repartition.set(Some((repartition, last)));
            return self.stream.reuse(repartition.source, keys, values);
        }
        let (through, repartition) = self.stream.through_non_null(names, keys, values);
        let place = self.stream.builder.build_mut().blueprint.len();
        self.repartition.set(Some((repartition, place)));
        through
    }

    fn fold<A, AS, F, I>(
        mut self,
        prefix: &str,
        values: AS,
        materialized: Materialized<GK, A>,
        fold: F,
        old_of_first: I,
    ) -> KTable<GK, A>
    where
        A: Clone + 'static,
        AS: Serde<A>,
        F: Fn(&GK, GV, Option<A>) -> Option<A> + Clone + Send + Sync + 'static,
        I: Fn() -> Option<A> + Clone + Send + Sync + 'static,
    {
        let builder = self.stream.builder.clone();
        let (store_name, name, names) = {
            let mut build = builder.build_mut();
            let store_name = match build.user_name(materialized.name.clone()) {
                Some(name) => name,
                None => build.blueprint.new_store_name(prefix),
            };
            let name = build.name(prefix, self.stream.next_name.take());
            let prefix = self.grouped.name.clone().unwrap_or_else(|| store_name.clone());
            let names = self.stream.repartition_required.then(|| build.blueprint.repartition_names(&prefix));
            (store_name, name, names)
        };
        let keys = self.grouped.keys.clone();
        let seam = Seam::new();
        let aggregation = Aggregation { keys: keys.clone(), values: values.clone(), fold, old_of_first };
        let add = |parent| {
            let mut build = builder.build_mut();
            let node = build.processor(&name, &[parent]);
            (node, build.own_store(node, &store_name, &keys, &values, &materialized))
        };
        let (node, store, sources) = match names {
            None => {
                let (node, store) = add(self.stream.node);
                self.stream.take_plan().close(aggregation.recipe::<GK, GV, A>(node, store, seam.clone()));
                (node, store, std::mem::take(&mut self.stream.sources))
            }
            Some(names) => {
                let mut through = self.through(names);
                let (node, store) = add(through.node);
                through.take_plan().close(aggregation.recipe::<GK, GV, A>(node, store, seam.clone()));
                (node, store, std::mem::take(&mut through.sources))
            }
        };
        let rows = Rc::new(Stored { node, keys: keys.clone(), values: values.clone(), kept: Kept::Always(store) });
        KTable::new(builder.clone(), node, sources, seam, rows)
    }
}

/// What an aggregation needs besides its store.
struct Aggregation<KS, AS, F, I> {
    keys: KS,
    values: AS,
    fold: F,
    old_of_first: I,
}

impl<KS, AS, F, I> Aggregation<KS, AS, F, I> {
    fn recipe<GK, GV, A>(
        self,
        node: NodeId,
        store: StoreId,
        seam: Seam<GK, Change<A>>,
    ) -> impl Fn(&mut Wiring<'_>) -> Aggregate<GK, GV, A, KS, AS, F, I> + Send + Sync + 'static
    where
        GK: Clone + 'static,
        GV: 'static,
        A: Clone + 'static,
        KS: Serde<GK>,
        AS: Serde<A>,
        F: Clone + Send + Sync + 'static,
        I: Clone + Send + Sync + 'static,
    {
        move |w| {
            let store = w.store(store, self.keys.clone(), self.values.clone());
            let sends_old = w.sends_old_values(node);
            let down = Forward::wire(w, Some(&store), sends_old, &seam);
            let sends_old = sends_old && down.is_now();
            let (fold, old_of_first) = (self.fold.clone(), self.old_of_first.clone());
            Aggregate { store, fold, old_of_first, sends_old, down, types: PhantomData }
        }
    }
}

/// The running aggregation (Kafka Streams' `KStreamAggregate` and `KStreamReduce`).
struct Aggregate<GK, GV, A, KS, AS, F, I> {
    store: KeyValueStore<GK, A, KS, AS>,
    fold: F,
    old_of_first: I,
    sends_old: bool,
    down: Forward<GK, A>,
    types: PhantomData<fn() -> GV>,
}

impl<K, V, GK, GV, A, KS, AS, F, I> Push<K, V> for Aggregate<GK, GV, A, KS, AS, F, I>
where
    K: Nullable<GK>,
    V: Nullable<GV>,
    GK: Clone,
    A: Clone,
    KS: Serde<GK>,
    AS: Serde<A>,
    F: Fn(&GK, GV, Option<A>) -> Option<A>,
    I: Fn() -> Option<A>,
{
    fn push(&mut self, record: Record<K, V>, cx: &mut Cx) -> Result<(), Fault> {
        let Some(key) = record.key.into_option() else {
            cx.drop_record(DropReason::NullKey);
            return Ok(());
        };
        let Some(value) = record.value.into_option() else {
            cx.drop_record(DropReason::NullValue);
            return Ok(());
        };
        self.store.serialize_key(&key, &mut cx.scratch)?;
        let (before, timestamp) = match self.store.get_serialized(cx)? {
            Some(row) => (Some(row.value), record.timestamp.max(row.timestamp)),
            None => (None, record.timestamp),
        };
        let old = match (&before, self.sends_old) {
            (_, false) => None,
            (Some(before), true) => Some(before.clone()),
            (None, true) => (self.old_of_first)(),
        };
        let new = (self.fold)(&key, value, before);
        // A row that goes is logged, and flushed, with the time of the record that removes it.
        let written = if new.is_some() { timestamp } else { record.timestamp };
        self.store.put_serialized(new.as_ref(), written, cx)?;
        self.down.push(Record { key, value: Change { new, old }, timestamp }, cx)
    }
}
