//! Table-table joins: a change on either side looks up the other side's row.

use std::rc::Rc;
use std::sync::Arc;

use super::builder::Build;
use super::forward::Forward;
use super::operators::Function;
use super::options::{Materialized, SharedSerde};
use super::plan::{FanIn, Plan, Seam};
use super::rows::{Getter, GetterRecipe, Kept, Rows, SharedRows, Stored};
use super::table::KTable;
use crate::serde::Serde;
use crate::task::{Change, Cx, Fault, KeyValueStore, Push, Record, ValueAndTimestamp, Wiring, push_new};
use crate::topology::{NodeId, StoreId};

/// Which rows a join keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Inner,
    Left,
    Outer,
}

impl Kind {
    /// The joined value of two rows, where this kind has one.
    fn join<L, R, O>(
        self,
        left: Option<&L>,
        right: Option<&R>,
        joiner: impl Fn(Option<&L>, Option<&R>) -> O,
    ) -> Option<O> {
        let exists = match self {
            Self::Inner => left.is_some() && right.is_some(),
            Self::Left => left.is_some(),
            Self::Outer => left.is_some() || right.is_some(),
        };
        exists.then(|| joiner(left, right))
    }
}

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// Joins rows that exist on both sides.
    pub fn join<VR, VO, F>(self, other: &KTable<K, VR>, joiner: F) -> KTable<K, VO>
    where
        VR: Clone + 'static,
        VO: Clone + 'static,
        F: Fn(&V, &VR) -> VO + Function,
    {
        self.join_kept_as(other, Kind::Inner, inner(joiner), None)
    }

    /// As [`KTable::join`], kept in a store of its own.
    pub fn join_materialized<VR, VO, F, KS, VS>(
        self,
        other: &KTable<K, VR>,
        joiner: F,
        keys: KS,
        values: VS,
        materialized: Materialized<K, VO>,
    ) -> KTable<K, VO>
    where
        VR: Clone + 'static,
        VO: Clone + 'static,
        F: Fn(&V, &VR) -> VO + Function,
        KS: Serde<K>,
        VS: Serde<VO>,
    {
        self.join_kept_as(other, Kind::Inner, inner(joiner), Some(Keep::new(keys, values, materialized)))
    }

    /// Joins every row of this side with the other side's row, `None` where there is none.
    pub fn left_join<VR, VO, F>(self, other: &KTable<K, VR>, joiner: F) -> KTable<K, VO>
    where
        VR: Clone + 'static,
        VO: Clone + 'static,
        F: Fn(&V, Option<&VR>) -> VO + Function,
    {
        self.join_kept_as(other, Kind::Left, left(joiner), None)
    }

    /// As [`KTable::left_join`], kept in a store of its own.
    pub fn left_join_materialized<VR, VO, F, KS, VS>(
        self,
        other: &KTable<K, VR>,
        joiner: F,
        keys: KS,
        values: VS,
        materialized: Materialized<K, VO>,
    ) -> KTable<K, VO>
    where
        VR: Clone + 'static,
        VO: Clone + 'static,
        F: Fn(&V, Option<&VR>) -> VO + Function,
        KS: Serde<K>,
        VS: Serde<VO>,
    {
        self.join_kept_as(other, Kind::Left, left(joiner), Some(Keep::new(keys, values, materialized)))
    }

    /// Joins rows that exist on either side, `None` for the missing one.
    pub fn outer_join<VR, VO, F>(self, other: &KTable<K, VR>, joiner: F) -> KTable<K, VO>
    where
        VR: Clone + 'static,
        VO: Clone + 'static,
        F: Fn(Option<&V>, Option<&VR>) -> VO + Function,
    {
        self.join_kept_as(other, Kind::Outer, joiner, None)
    }

    /// As [`KTable::outer_join`], kept in a store of its own.
    pub fn outer_join_materialized<VR, VO, F, KS, VS>(
        self,
        other: &KTable<K, VR>,
        joiner: F,
        keys: KS,
        values: VS,
        materialized: Materialized<K, VO>,
    ) -> KTable<K, VO>
    where
        VR: Clone + 'static,
        VO: Clone + 'static,
        F: Fn(Option<&V>, Option<&VR>) -> VO + Function,
        KS: Serde<K>,
        VS: Serde<VO>,
    {
        self.join_kept_as(other, Kind::Outer, joiner, Some(Keep::new(keys, values, materialized)))
    }

    fn join_kept_as<VR, VO, F>(
        mut self,
        other: &KTable<K, VR>,
        kind: Kind,
        joiner: F,
        keep: Option<Keep<K, VO>>,
    ) -> KTable<K, VO>
    where
        VR: Clone + 'static,
        VO: Clone + 'static,
        F: Fn(Option<&V>, Option<&VR>) -> VO + Function,
    {
        let user = self.next_name.take();
        let builder = self.builder.clone();
        let (merge, store) = self.describe(other, kind, user, keep.as_ref());
        let mut sources = self.sources.clone();
        sources.extend(&other.sources);

        let seam = Seam::new();
        let merger = Arc::new(Merger::recipe(merge, store, keep.as_ref(), seam.clone()));
        let (left, right) = (self.rows.getter(), other.rows.getter());
        let (same, joiner_, right_) = (Arc::clone(&merger), joiner.clone(), right.clone());
        self.changes().close(move |w| ThisSide {
            kind,
            joiner: joiner_.clone(),
            other: right_(w),
            sends_old: w.sends_old_values(merge),
            down: FanIn(w.shared(merge, |w| same(w))),
        });
        let (joiner_, left_) = (joiner.clone(), left.clone());
        other.changes().close(move |w| OtherSide {
            kind,
            joiner: joiner_.clone(),
            other: left_(w),
            sends_old: w.sends_old_values(merge),
            down: FanIn(w.shared(merge, |w| merger(w))),
        });
        let rows: SharedRows<K, VO> = match (store, keep) {
            (Some(store), Some(Keep { keys, values, .. })) => Rc::new(JoinedAndKept {
                stored: Stored { node: merge, keys, values, kept: Kept::Always(store) },
                left: self.rows,
                right: Rc::clone(&other.rows),
            }),
            _ => Rc::new(Joined { node: merge, kind, left: self.rows, right: Rc::clone(&other.rows), joiner }),
        };
        KTable::new(builder, merge, sources, seam, rows)
    }

    /// Adds the three nodes of the join, in Kafka Streams' order of names and nodes.
    fn describe<VR: 'static, VO: 'static>(
        &self,
        other: &KTable<K, VR>,
        kind: Kind,
        user: Option<String>,
        keep: Option<&Keep<K, VO>>,
    ) -> (NodeId, Option<StoreId>) {
        let mut build = self.builder.build_mut();
        let store_name = keep.map(|keep| match build.user_name(keep.materialized.name.clone()) {
            Some(name) => name,
            None => build.blueprint.new_store_name("KTABLE-MERGE-"),
        });
        let part = |part| user.as_ref().map(|name| format!("{name}-join-{part}"));
        let (this, that) = (part("this"), part("other"));
        let merge_name = build.name("KTABLE-MERGE-", user);
        let this_name = build.name("KTABLE-JOINTHIS-", this);
        let that_name = build.name("KTABLE-JOINOTHER-", that);
        let all: Vec<NodeId> = self.sources.union(&other.sources).copied().collect();
        build.copartition(&all);
        if kind != Kind::Inner {
            self.rows.send_old_values(&mut build, true);
        }
        if kind == Kind::Outer {
            other.rows.send_old_values(&mut build, true);
        }
        let left = self.rows.stores(&mut build);
        let right = other.rows.stores(&mut build);
        let this = build.processor(&this_name, &[self.node]);
        let that = build.processor(&that_name, &[other.node]);
        build.write_together(this, that);
        let merge = build.processor(&merge_name, &[this, that]);
        let store = keep
            .zip(store_name)
            .map(|(keep, name)| build.own_store(merge, &name, &keep.keys, &keep.values, &keep.materialized));
        right.iter().for_each(|store| build.connect(this, *store));
        left.iter().for_each(|store| build.connect(that, *store));
        (merge, store)
    }
}

/// How a join's result is kept. Its serdes are behind a pointer: one indirect call per kept row.
struct Keep<K, V> {
    keys: Arc<dyn SharedSerde<K>>,
    values: Arc<dyn SharedSerde<V>>,
    materialized: Materialized<K, V>,
}

impl<K, V> Keep<K, V> {
    fn new<KS: Serde<K>, VS: Serde<V>>(keys: KS, values: VS, materialized: Materialized<K, V>) -> Self {
        Self { keys: Arc::new(keys), values: Arc::new(values), materialized }
    }
}

fn inner<L, R, O>(joiner: impl Fn(&L, &R) -> O + Function) -> impl Fn(Option<&L>, Option<&R>) -> O + Function {
    move |left, right| match (left, right) {
        (Some(left), Some(right)) => joiner(left, right),
        _ => unreachable!("an inner join has both sides"),
    }
}

fn left<L, R, O>(joiner: impl Fn(&L, Option<&R>) -> O + Function) -> impl Fn(Option<&L>, Option<&R>) -> O + Function {
    move |left, right| match left {
        Some(left) => joiner(left, right),
        None => unreachable!("a left join has its left side"),
    }
}

/// The running join where a change of this (left) side arrives.
struct ThisSide<K, R, F, D> {
    kind: Kind,
    joiner: F,
    other: Box<dyn Getter<K, R>>,
    sends_old: bool,
    down: D,
}

impl<K, L, R, VO, F, D> Push<K, Change<L>> for ThisSide<K, R, F, D>
where
    F: Fn(Option<&L>, Option<&R>) -> VO,
    D: Push<K, Change<VO>>,
{
    fn push(&mut self, record: Record<K, Change<L>>, cx: &mut Cx) -> Result<(), Fault> {
        let Record { key, value: change, timestamp } = record;
        let right = self.other.get(&key, cx)?;
        let nothing = change.new.is_none() && change.old.is_none();
        if right.is_none() && (self.kind == Kind::Inner || nothing) {
            return Ok(());
        }
        let timestamp = right.as_ref().map_or(timestamp, |row| timestamp.max(row.timestamp));
        let right = right.as_ref().map(|row| &row.value);
        let new = self.kind.join(change.new.as_ref(), right, &self.joiner);
        let old = if self.sends_old { self.kind.join(change.old.as_ref(), right, &self.joiner) } else { None };
        push_new(&mut self.down, Record { key, value: Change { new, old }, timestamp }, cx)
    }
}

/// The running join where a change of the other (right) side arrives.
struct OtherSide<K, L, F, D> {
    kind: Kind,
    joiner: F,
    other: Box<dyn Getter<K, L>>,
    sends_old: bool,
    down: D,
}

impl<K, L, R, VO, F, D> Push<K, Change<R>> for OtherSide<K, L, F, D>
where
    F: Fn(Option<&L>, Option<&R>) -> VO,
    D: Push<K, Change<VO>>,
{
    fn push(&mut self, record: Record<K, Change<R>>, cx: &mut Cx) -> Result<(), Fault> {
        let Record { key, value: change, timestamp } = record;
        let left = self.other.get(&key, cx)?;
        let nothing = change.new.is_none() && change.old.is_none();
        if left.is_none() && (self.kind != Kind::Outer || nothing) {
            return Ok(());
        }
        let timestamp = left.as_ref().map_or(timestamp, |row| timestamp.max(row.timestamp));
        let left = left.as_ref().map(|row| &row.value);
        let new = self.kind.join(left, change.new.as_ref(), &self.joiner);
        let old = if self.sends_old { self.kind.join(left, change.old.as_ref(), &self.joiner) } else { None };
        push_new(&mut self.down, Record { key, value: Change { new, old }, timestamp }, cx)
    }
}

type SharedStore<K, V> = KeyValueStore<K, V, Arc<dyn SharedSerde<K>>, Arc<dyn SharedSerde<V>>>;

/// Where both sides meet: keeps the result where the table is kept.
struct Merger<K: 'static, V: 'static> {
    store: Option<SharedStore<K, V>>,
    down: Forward<K, V>,
}

impl<K: Clone + 'static, V: Clone + 'static> Merger<K, V> {
    fn recipe(
        node: NodeId,
        store: Option<StoreId>,
        keep: Option<&Keep<K, V>>,
        seam: Seam<K, Change<V>>,
    ) -> impl Fn(&mut Wiring<'_>) -> Self + Send + Sync + 'static {
        let kept = store.zip(keep.map(|keep| (Arc::clone(&keep.keys), Arc::clone(&keep.values))));
        move |w| {
            let store = kept.as_ref().map(|(id, (keys, values))| w.store(*id, Arc::clone(keys), Arc::clone(values)));
            let down = Forward::wire(w, store.as_ref(), w.sends_old_values(node), &seam);
            Self { store, down }
        }
    }
}

impl<K: Clone, V: Clone> Push<K, Change<V>> for Merger<K, V> {
    fn push(&mut self, record: Record<K, Change<V>>, cx: &mut Cx) -> Result<(), Fault> {
        if let Some(store) = &self.store {
            store.put(&record.key, record.value.new.as_ref(), record.timestamp, cx)?;
        }
        self.down.push(record, cx)
    }
}

/// Rows of a join that is not kept: joined again on every lookup.
struct Joined<K, L, R, F> {
    node: NodeId,
    kind: Kind,
    left: SharedRows<K, L>,
    right: SharedRows<K, R>,
    joiner: F,
}

/// Asks both sides of a join, then the join itself, to send old values.
fn both_send_old_values<K, L, R>(
    build: &mut Build,
    node: NodeId,
    left: &SharedRows<K, L>,
    right: &SharedRows<K, R>,
) -> bool {
    left.send_old_values(build, true);
    right.send_old_values(build, true);
    build.old_values.insert(node);
    true
}

impl<K, L, R, VO, F> Rows<K, VO> for Joined<K, L, R, F>
where
    K: 'static,
    L: 'static,
    R: 'static,
    VO: 'static,
    F: Fn(Option<&L>, Option<&R>) -> VO + Function,
{
    fn stores(&self, build: &mut Build) -> Vec<StoreId> {
        let mut stores = self.left.stores(build);
        for store in self.right.stores(build) {
            if !stores.contains(&store) {
                stores.push(store);
            }
        }
        stores
    }

    fn send_old_values(&self, build: &mut Build, _force: bool) -> bool {
        both_send_old_values(build, self.node, &self.left, &self.right)
    }

    fn getter(&self) -> GetterRecipe<K, VO> {
        let (left, right, kind, joiner) = (self.left.getter(), self.right.getter(), self.kind, self.joiner.clone());
        Arc::new(move |w| Box::new(JoinedGetter { kind, left: left(w), right: right(w), joiner: joiner.clone() }))
    }
}

struct JoinedGetter<K, L, R, F> {
    kind: Kind,
    left: Box<dyn Getter<K, L>>,
    right: Box<dyn Getter<K, R>>,
    joiner: F,
}

impl<K, L, R, VO, F: Fn(Option<&L>, Option<&R>) -> VO> Getter<K, VO> for JoinedGetter<K, L, R, F> {
    fn get(&mut self, key: &K, cx: &mut Cx) -> Result<Option<ValueAndTimestamp<VO>>, Fault> {
        let (left, right) = (self.left.get(key, cx)?, self.right.get(key, cx)?);
        let timestamp = [left.as_ref().map(|row| row.timestamp), right.as_ref().map(|row| row.timestamp)];
        let (left, right) = (left.as_ref().map(|row| &row.value), right.as_ref().map(|row| &row.value));
        let value = self.kind.join(left, right, &self.joiner);
        let timestamp = timestamp.into_iter().flatten().max();
        Ok(value.zip(timestamp).map(|(value, timestamp)| ValueAndTimestamp { value, timestamp }))
    }
}

/// Rows of a join that is kept; old values still come from both sides.
struct JoinedAndKept<K, L, R, KS, VS> {
    stored: Stored<KS, VS>,
    left: SharedRows<K, L>,
    right: SharedRows<K, R>,
}

impl<K, L, R, VO, KS, VS> Rows<K, VO> for JoinedAndKept<K, L, R, KS, VS>
where
    K: 'static,
    VO: 'static,
    KS: Serde<K>,
    VS: Serde<VO>,
{
    fn stores(&self, build: &mut Build) -> Vec<StoreId> {
        Rows::<K, VO>::stores(&self.stored, build)
    }

    fn send_old_values(&self, build: &mut Build, _force: bool) -> bool {
        both_send_old_values(build, self.stored.node, &self.left, &self.right)
    }

    fn getter(&self) -> GetterRecipe<K, VO> {
        Rows::<K, VO>::getter(&self.stored)
    }
}
