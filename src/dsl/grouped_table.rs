//! `KGroupedTable`: aggregations that take a row's old value out of its group and put the new one in.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::rc::Rc;

use super::changed::ChangedSerde;
use super::forward::Forward;
use super::operators::Function;
use super::options::{Grouped, Materialized};
use super::plan::{Plan, Seam};
use super::rows::{Kept, Stored};
use super::sink::Sink;
use super::source::Source;
use super::table::KTable;
use crate::serde::{I64Serde, Serde};
use crate::task::{Change, Cx, Fault, KeyValueStore, Push, Record, Wiring};
use crate::topology::{NodeId, Repartition, StoreId, Topic};

/// A table grouped by a new key.
pub struct KGroupedTable<K: 'static, V: 'static, KO, VO, F, KS, VS> {
    table: KTable<K, V>,
    select: NodeId,
    selector: F,
    grouped: Grouped<KO, VO, KS, VS>,
    repartition: Rc<Cell<Option<Repartition>>>,
}

/// For several aggregations of one grouping. Under a name of its own the grouping has one repartition topic, which
/// they share; else each has one.
impl<K: 'static, V: 'static, KO, VO, F: Clone, KS: Clone, VS: Clone> Clone for KGroupedTable<K, V, KO, VO, F, KS, VS> {
    fn clone(&self) -> Self {
        Self {
            table: KTable { changes: self.table.changes.same_place(), ..self.table.clone() },
            select: self.select,
            selector: self.selector.clone(),
            grouped: self.grouped.clone(),
            repartition: Rc::clone(&self.repartition),
        }
    }
}

impl<K: 'static, V: 'static, KO, VO, F, KS, VS> KGroupedTable<K, V, KO, VO, F, KS, VS> {
    pub(super) fn new(table: KTable<K, V>, select: NodeId, selector: F, grouped: Grouped<KO, VO, KS, VS>) -> Self {
        Self { table, select, selector, grouped, repartition: Rc::default() }
    }
}

impl<K, V, KO, VO, F, KS, VS> KGroupedTable<K, V, KO, VO, F, KS, VS>
where
    K: Clone + 'static,
    V: Clone + 'static,
    KO: Clone + PartialEq + 'static,
    VO: Clone + 'static,
    F: Fn(&K, V) -> Option<(KO, VO)> + Function,
    KS: Serde<KO>,
    VS: Serde<VO>,
{
    /// Names the aggregation's node.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.table.next_name = Some(name.into());
        self
    }

    /// Counts the rows of each group.
    pub fn count(self, materialized: Materialized<KO, i64>) -> KTable<KO, i64> {
        self.count_as(I64Serde, materialized)
    }

    /// As [`KGroupedTable::count`], in a type of the user's own.
    pub fn count_as<C, CS>(self, counts: CS, materialized: Materialized<KO, C>) -> KTable<KO, C>
    where
        C: From<i64> + Into<i64> + Clone + 'static,
        CS: Serde<C>,
    {
        let add = |_: &KO, _: VO, count: C| C::from(count.into().wrapping_add(1));
        let subtract = |_: &KO, _: VO, count: C| C::from(count.into().wrapping_sub(1));
        self.aggregate(|| C::from(0), add, subtract, counts, materialized)
    }

    /// Combines the values of each group; the first value stands for itself. `None` deletes the group's row.
    pub fn reduce<RA, RS, A, S>(self, adder: A, subtractor: S, materialized: Materialized<KO, VO>) -> KTable<KO, VO>
    where
        RA: Into<Option<VO>>,
        RS: Into<Option<VO>>,
        A: Fn(VO, VO) -> RA + Function,
        S: Fn(VO, VO) -> RS + Function,
    {
        let add = move |_: &KO, value: VO, before: Option<VO>| match before {
            None => Some(value),
            Some(before) => adder(before, value).into(),
        };
        let subtract = move |_: &KO, value: VO, before: VO| subtractor(before, value).into();
        let values = self.grouped.values.clone();
        self.fold("KTABLE-REDUCE-", add, subtract, values, materialized)
    }

    /// Folds the values of each group into one, starting from `initializer`; `subtractor` takes an old value out.
    /// `None` deletes the group's row.
    pub fn aggregate<T, RA, RS, TS, I, A, S>(
        self,
        initializer: I,
        adder: A,
        subtractor: S,
        values: TS,
        materialized: Materialized<KO, T>,
    ) -> KTable<KO, T>
    where
        T: Clone + 'static,
        RA: Into<Option<T>>,
        RS: Into<Option<T>>,
        TS: Serde<T>,
        I: Fn() -> T + Function,
        A: Fn(&KO, VO, T) -> RA + Function,
        S: Fn(&KO, VO, T) -> RS + Function,
    {
        let add =
            move |key: &KO, value: VO, before: Option<T>| adder(key, value, before.unwrap_or_else(&initializer)).into();
        let subtract = move |key: &KO, value: VO, before: T| subtractor(key, value, before).into();
        self.fold("KTABLE-AGGREGATE-", add, subtract, values, materialized)
    }

    fn fold<T, TS, A, S>(
        mut self,
        prefix: &str,
        add: A,
        subtract: S,
        values: TS,
        materialized: Materialized<KO, T>,
    ) -> KTable<KO, T>
    where
        T: Clone + 'static,
        TS: Serde<T>,
        A: Fn(&KO, VO, Option<T>) -> Option<T> + Function,
        S: Fn(&KO, VO, T) -> Option<T> + Function,
    {
        let builder = self.table.builder.clone();
        let user = self.table.next_name.take();
        let mut build = builder.build_mut();
        let store_name = match build.user_name(materialized.name.clone()) {
            Some(name) => name,
            None => build.blueprint.new_store_name("KTABLE-AGGREGATE-"),
        };
        let topic = self.grouped.name.as_deref().unwrap_or(&store_name);
        let names = build.blueprint.table_repartition_names(topic, user.as_deref());
        let name = build.name(prefix, user);
        let made = self.repartition.get().filter(|_| self.grouped.name.is_some());
        let repartition = match made {
            Some(made) => {
                build.reuse_repartition(made);
                made
            }
            None => build.repartition(self.select, &names, None),
        };
        self.repartition.set(Some(repartition));
        let node = build.processor(&name, &[repartition.source]);
        let Grouped { keys, values: changed, .. } = self.grouped;
        let store = build.own_store(node, &store_name, &keys, &values, &materialized);
        drop(build);

        if made.is_none() {
            let (selector, write) = (self.selector, (keys.clone(), ChangedSerde(changed.clone())));
            let topic = Topic::Internal(names.topic);
            self.table.changes.close(move |w| Select {
                selector: selector.clone(),
                down: Sink::wire::<KO, Change<VO>>(w, &topic, write.0.clone(), write.1.clone()),
                types: PhantomData,
            });
        }
        let seam = Seam::new();
        let source: Source<KO, Change<VO>, _, _> =
            Source::new(builder.clone(), repartition.source, keys.clone(), ChangedSerde(changed));
        let fold = Fold { keys: keys.clone(), values: values.clone(), add, subtract };
        source.close(fold.recipe::<KO, VO, T>(node, store, seam.clone()));
        let rows = Rc::new(Stored { node, keys, values, kept: Kept::Always(store) });
        KTable::new(builder.clone(), node, BTreeSet::from([repartition.source]), seam, rows)
    }
}

/// Sends a change to the groups it concerns: the old value out of its group first, then the new one into its own;
/// one record when they are the same group (Kafka Streams' `KTableRepartitionMap`).
struct Select<KO, VO, F, D> {
    selector: F,
    down: D,
    types: PhantomData<fn() -> (KO, VO)>,
}

impl<K, V, KO, VO, F, D> Push<K, Change<V>> for Select<KO, VO, F, D>
where
    KO: PartialEq,
    F: Fn(&K, V) -> Option<(KO, VO)>,
    D: Push<KO, Change<VO>>,
{
    fn push(&mut self, record: Record<K, Change<V>>, cx: &mut Cx) -> Result<(), Fault> {
        let Record { key, value: change, timestamp } = record;
        let select = |value: Option<V>| value.and_then(|value| (self.selector)(&key, value));
        match (select(change.new), select(change.old)) {
            (Some((new_key, new)), Some((old_key, old))) if new_key == old_key => {
                let value = Change { new: Some(new), old: Some(old) };
                self.down.push(Record { key: new_key, value, timestamp }, cx)
            }
            (new, old) => {
                if let Some((key, value)) = old {
                    self.down.push(Record { key, value: Change { new: None, old: Some(value) }, timestamp }, cx)?;
                }
                if let Some((key, value)) = new {
                    self.down.push(Record { key, value: Change { new: Some(value), old: None }, timestamp }, cx)?;
                }
                Ok(())
            }
        }
    }
}

/// What the aggregation needs besides its store.
struct Fold<KS, TS, A, S> {
    keys: KS,
    values: TS,
    add: A,
    subtract: S,
}

impl<KS, TS, A: Function, S: Function> Fold<KS, TS, A, S> {
    fn recipe<KO: Clone + 'static, VO: 'static, T: Clone + 'static>(
        self,
        node: NodeId,
        store: StoreId,
        seam: Seam<KO, Change<T>>,
    ) -> impl Fn(&mut Wiring<'_>) -> Aggregate<KO, VO, T, KS, TS, A, S> + Send + Sync + 'static
    where
        KS: Serde<KO>,
        TS: Serde<T>,
    {
        move |w| {
            let store = w.store(store, self.keys.clone(), self.values.clone());
            let sends_old = w.sends_old_values(node);
            let down = Forward::wire(w, Some(&store), sends_old, &seam);
            let sends_old = sends_old && down.is_now();
            let (add, subtract) = (self.add.clone(), self.subtract.clone());
            Aggregate { store, add, subtract, sends_old, down, types: PhantomData }
        }
    }
}

/// The running aggregation (Kafka Streams' `KTableAggregate` and `KTableReduce`).
struct Aggregate<KO, VO, T, KS, TS, A, S> {
    store: KeyValueStore<KO, T, KS, TS>,
    add: A,
    subtract: S,
    sends_old: bool,
    down: Forward<KO, T>,
    types: PhantomData<fn() -> VO>,
}

impl<KO, VO, T, KS, TS, A, S> Push<KO, Change<VO>> for Aggregate<KO, VO, T, KS, TS, A, S>
where
    KO: Clone,
    T: Clone,
    KS: Serde<KO>,
    TS: Serde<T>,
    A: Fn(&KO, VO, Option<T>) -> Option<T>,
    S: Fn(&KO, VO, T) -> Option<T>,
{
    fn push(&mut self, record: Record<KO, Change<VO>>, cx: &mut Cx) -> Result<(), Fault> {
        let Record { key, value: change, timestamp: record_time } = record;
        self.store.serialize_key(&key, &mut cx.scratch)?;
        let row = self.store.get_serialized(cx)?;
        // The later time counts as soon as a function ran on a stored aggregate.
        let stored = row.as_ref().map(|row| row.timestamp);
        let before = row.map(|row| row.value);
        let old = if self.sends_old { before.clone() } else { None };
        let mut ran = change.new.is_some();
        let kept = match (change.old, before) {
            (Some(value), Some(before)) => {
                ran = true;
                (self.subtract)(&key, value, before)
            }
            (_, before) => before,
        };
        let new = match change.new {
            Some(value) => (self.add)(&key, value, kept),
            None => kept,
        };
        let timestamp = stored.filter(|_| ran).map_or(record_time, |stored| record_time.max(stored));
        // A row that goes is logged, and flushed, with the time of the record that removes it.
        let written = if new.is_some() { timestamp } else { record_time };
        self.store.put_serialized(new.as_ref(), written, cx)?;
        self.down.push(Record { key, value: Change { new, old }, timestamp }, cx)
    }
}
