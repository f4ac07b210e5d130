//! `KTable`: a table of the newest value per key, as a stream of changes plus a way to look rows up.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::builder::{StreamsBuilder, definition};
use super::forward::Forward;
use super::grouped_table::KGroupedTable;
use super::operators::Function;
use super::options::{Consumed, Grouped, Materialized};
use super::plan::{Plan, Seam, Then};
use super::rows::{Computed, Kept, SharedRows, Stored};
use super::source::Source;
use super::stream::KStream;
use super::table_operators::{FromUpserts, NewValue, Transform, Upsert};
use crate::serde::{Nullable, OptionalSerde, Serde};
use crate::task::Change;
use crate::topology::{NodeId, StoreDefinition, Topic};

/// The plan of a table's changes as a stream.
pub type NewValues<K, V> = Then<Seam<K, Change<V>>, NewValue, K, Change<V>>;

/// A table. Cheap to clone; every handle is the same table.
pub struct KTable<K: 'static, V: 'static> {
    pub(super) builder: StreamsBuilder,
    pub(super) node: NodeId,
    pub(super) sources: BTreeSet<NodeId>,
    pub(super) changes: Seam<K, Change<V>>,
    pub(super) rows: SharedRows<K, V>,
    pub(super) next_name: Option<String>,
}

impl<K: 'static, V: 'static> Clone for KTable<K, V> {
    fn clone(&self) -> Self {
        Self {
            builder: self.builder.clone(),
            node: self.node,
            sources: self.sources.clone(),
            changes: self.changes.clone(),
            rows: Rc::clone(&self.rows),
            next_name: self.next_name.clone(),
        }
    }
}

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    pub(super) fn new(
        builder: StreamsBuilder,
        node: NodeId,
        sources: BTreeSet<NodeId>,
        changes: Seam<K, Change<V>>,
        rows: SharedRows<K, V>,
    ) -> Self {
        Self { builder, node, sources, changes, rows, next_name: None }
    }

    /// The changes, for an operator whose node was just added.
    pub(super) fn changes(&self) -> Seam<K, Change<V>> {
        let mut changes = self.changes.clone();
        changes.begin(self.builder.build_mut().blueprint.len());
        changes
    }

    /// Names the next operator's node (Kafka Streams' `Named`).
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.next_name = Some(name.into());
        self
    }

    /// Keeps the rows for which `keep` is true; a row that stops matching is deleted downstream.
    pub fn filter<F: Fn(&K, &V) -> bool + Function>(self, keep: F) -> Self {
        self.transform("KTABLE-FILTER-", true, move |key: &K, value: V| keep(key, &value).then_some(value))
    }

    /// Keeps the rows for which `drop` is false.
    pub fn filter_not<F: Fn(&K, &V) -> bool + Function>(self, drop: F) -> Self {
        self.transform("KTABLE-FILTER-", true, move |key: &K, value: V| (!drop(key, &value)).then_some(value))
    }

    /// As [`KTable::filter`], kept in a store of its own.
    pub fn filter_materialized<F, KS, VS>(self, keep: F, keys: KS, values: VS, materialized: Materialized<K, V>) -> Self
    where
        F: Fn(&K, &V) -> bool + Function,
        KS: Serde<K>,
        VS: Serde<V>,
    {
        let function = move |key: &K, value: V| keep(key, &value).then_some(value);
        self.transform_materialized("KTABLE-FILTER-", true, function, keys, values, materialized)
    }

    /// Replaces the value of every row; the key is read-only.
    pub fn map_values<VO: Clone + 'static, F: Fn(&K, V) -> VO + Function>(self, mapper: F) -> KTable<K, VO> {
        self.transform("KTABLE-MAPVALUES-", false, move |key: &K, value: V| Some(mapper(key, value)))
    }

    /// As [`KTable::map_values`], kept in a store of its own.
    pub fn map_values_materialized<VO, F, KS, VS>(
        self,
        mapper: F,
        keys: KS,
        values: VS,
        materialized: Materialized<K, VO>,
    ) -> KTable<K, VO>
    where
        VO: Clone + 'static,
        F: Fn(&K, V) -> VO + Function,
        KS: Serde<K>,
        VS: Serde<VO>,
    {
        let function = move |key: &K, value: V| Some(mapper(key, value));
        self.transform_materialized("KTABLE-MAPVALUES-", false, function, keys, values, materialized)
    }

    fn transform<VO, F>(mut self, prefix: &str, is_filter: bool, function: F) -> KTable<K, VO>
    where
        VO: Clone + 'static,
        F: Fn(&K, V) -> Option<VO> + Function,
    {
        let node = self.add_node(prefix, is_filter);
        let seam = Seam::new();
        let (down, run) = (seam.clone(), function.clone());
        self.changes().close(move |w| Transform {
            function: run.clone(),
            sends_old: w.sends_old_values(node),
            is_filter,
            down: down.wire(w),
        });
        let rows = Rc::new(Computed { node, parent: Rc::clone(&self.rows), function });
        KTable::new(self.builder, node, self.sources, seam, rows)
    }

    fn transform_materialized<VO, F, KS, VS>(
        mut self,
        prefix: &str,
        is_filter: bool,
        function: F,
        keys: KS,
        values: VS,
        materialized: Materialized<K, VO>,
    ) -> KTable<K, VO>
    where
        VO: Clone + 'static,
        F: Fn(&K, V) -> Option<VO> + Function,
        KS: Serde<K>,
        VS: Serde<VO>,
    {
        let Some(store_name) = materialized.name.clone() else {
            // Kafka Streams burns a store name here and keeps no store.
            self.builder.build_mut().blueprint.new_store_name(prefix);
            return self.transform(prefix, is_filter, function);
        };
        let node = self.add_node(prefix, is_filter);
        let store = self.builder.build_mut().own_store(node, &store_name, &keys, &values, &materialized);
        let seam = Seam::new();
        let (down, keys_, values_) = (seam.clone(), keys.clone(), values.clone());
        self.changes().close(move |w| {
            let store = w.store(store, keys_.clone(), values_.clone());
            let down = Upsert::wire(w, store, node, is_filter, &down);
            Transform { function: function.clone(), sends_old: false, is_filter: false, down }
        });
        let rows = Rc::new(Stored { node, keys, values, kept: Kept::Always(store) });
        KTable::new(self.builder, node, self.sources, seam, rows)
    }

    fn add_node(&mut self, prefix: &str, is_filter: bool) -> NodeId {
        let mut build = self.builder.build_mut();
        let name = build.name(prefix, self.next_name.take());
        let node = build.processor(&name, &[self.node]);
        // A filter over a kept table can tell needless tombstones when it knows the old value (`KTableFilter`).
        if is_filter && self.rows.send_old_values(&mut build, false) {
            build.old_values.insert(node);
        }
        node
    }

    /// The table's changes as a stream of new values; `None` where a row was deleted.
    pub fn to_stream(mut self) -> KStream<K, Option<V>, NewValues<K, V>> {
        let node = {
            let mut build = self.builder.build_mut();
            let name = build.name("KTABLE-TOSTREAM-", self.next_name.take());
            build.processor(&name, &[self.node])
        };
        let changes = self.changes();
        KStream::new(self.builder, node, self.sources, false, Then::new(changes, NewValue))
    }

    /// Groups the rows by a new key and value, through a repartition topic; `None` leaves a row out.
    #[expect(clippy::type_complexity, reason = "the selector's type is inferred, users never write it")]
    pub fn group_by<KO, VO, R, F, KS, VS>(
        mut self,
        selector: F,
        grouped: Grouped<KO, VO, KS, VS>,
    ) -> KGroupedTable<K, V, KO, VO, impl Fn(&K, V) -> Option<(KO, VO)> + Function, KS, VS>
    where
        R: Into<Option<(KO, VO)>>,
        F: Fn(&K, V) -> R + Function,
    {
        let select = {
            let mut build = self.builder.build_mut();
            let name = build.name("KTABLE-SELECT-", grouped.name.clone());
            let select = build.processor(&name, &[self.node]);
            self.rows.send_old_values(&mut build, true);
            select
        };
        self.next_name = None;
        // The selection is a receiver from now on, whichever aggregation comes first.
        self.changes = self.changes();
        KGroupedTable::new(self, select, move |key: &K, value: V| selector(key, value).into(), grouped)
    }
}

/// A table read from a topic.
pub(super) fn source<K, V, KS, VS>(
    builder: &StreamsBuilder,
    topic: &str,
    consumed: Consumed<KS, VS>,
    materialized: Materialized<K, V>,
) -> KTable<K, V>
where
    K: Clone + 'static,
    V: Clone + 'static,
    KS: Serde<K>,
    VS: Serde<V>,
{
    let Consumed { keys, values, name, policy } = consumed;
    let (source, node, store_name) = {
        let mut build = builder.build_mut();
        let store_name = match build.user_name(materialized.name.clone()) {
            Some(name) => name,
            None => build.blueprint.new_store_name(&format!("{topic}-")),
        };
        let source_name = build.name("KSTREAM-SOURCE-", name.as_ref().map(|name| format!("{name}-source")));
        let table_name = build.name("KTABLE-SOURCE-", name);
        let added = build.blueprint.add_source(&source_name, &[Topic::External(topic.to_owned())]);
        let source = build.check(added);
        build.policy(source, policy);
        (source, build.processor(&table_name, &[source]), store_name)
    };
    let read = (OptionalSerde(keys.clone()), OptionalSerde(values.clone()));
    let plan: Source<Option<K>, Option<V>, _, _> = Source::new(builder.clone(), source, read.0, read.1);
    keep(builder, node, BTreeSet::from([source]), plan, (keys, values), &store_name, &materialized)
}

/// Ends a stream of upserts in a table that is kept when it is named or when somebody asks for its rows.
pub(super) fn keep<KIn, VIn, K, V, P, KS, VS>(
    builder: &StreamsBuilder,
    node: NodeId,
    sources: BTreeSet<NodeId>,
    upserts: P,
    (keys, values): (KS, VS),
    store_name: &str,
    materialized: &Materialized<K, V>,
) -> KTable<K, V>
where
    KIn: Nullable<K> + 'static,
    VIn: Nullable<V> + 'static,
    K: Clone + 'static,
    V: Clone + 'static,
    P: Plan<KIn, VIn>,
    KS: Serde<K>,
    VS: Serde<V>,
{
    let seam = Seam::new();
    let (down, keys_, values_, name) = (seam.clone(), keys.clone(), values.clone(), store_name.to_owned());
    upserts.close(move |w| {
        let store = w.store_named(&name).map(|store| w.store(store, keys_.clone(), values_.clone()));
        let sends_old = w.sends_old_values(node);
        let down = Forward::wire(w, store.as_ref(), sends_old, &down);
        FromUpserts { store, sends_old: sends_old && down.is_now(), down }
    });
    let definition: StoreDefinition = definition(store_name, materialized);
    if materialized.name.is_some() {
        let mut build = builder.build_mut();
        let store = build.materialize(node, &definition);
        build.serve(store, store_name, &keys, &values, materialized);
    }
    let rows = Rc::new(Stored { node, keys, values, kept: Kept::OnDemand(definition) });
    KTable::new(builder.clone(), node, sources, seam, rows)
}

impl<K: 'static, V: 'static, P: Plan<K, V>> KStream<K, V, P> {
    /// Reads the stream as a table of upserts; a null value deletes, a null key is dropped. Repartitions first when
    /// the key changed.
    pub fn to_table<TK, TV, KS, VS>(
        mut self,
        keys: KS,
        values: VS,
        materialized: Materialized<TK, TV>,
    ) -> KTable<TK, TV>
    where
        K: Nullable<TK>,
        V: Nullable<TV>,
        TK: Clone + 'static,
        TV: Clone + 'static,
        KS: Serde<TK>,
        VS: Serde<TV>,
    {
        let (name, store_name, names) = {
            let mut build = self.builder.build_mut();
            let name = build.name("KSTREAM-TOTABLE-", self.next_name.take());
            let store_name = match build.user_name(materialized.name.clone()) {
                Some(name) => name,
                None => build.blueprint.new_store_name("KSTREAM-TOTABLE-"),
            };
            let names = self.repartition_required.then(|| build.blueprint.repartition_names(&name));
            (name, store_name, names)
        };
        let builder = self.builder.clone();
        let add = |parent| builder.build_mut().processor(&name, &[parent]);
        let serdes = (keys, values);
        match names {
            None => {
                let node = add(self.node);
                let sources = std::mem::take(&mut self.sources);
                keep(&builder, node, sources, self.take_plan(), serdes, &store_name, &materialized)
            }
            Some(names) => {
                let (mut through, _) = self.through_non_null(names, &serdes.0, &serdes.1);
                let node = add(through.node);
                let sources = std::mem::take(&mut through.sources);
                keep(&builder, node, sources, through.take_plan(), serdes, &store_name, &materialized)
            }
        }
    }
}
