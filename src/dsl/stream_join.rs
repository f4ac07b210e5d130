//! Stream-table joins: each stream record looks up the table's row of its key, as it is now.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use super::operators::Function;
use super::options::Joined;
use super::plan::{FanOut, Plan, Seam};
use super::rows::{Getter, GetterRecipe};
use super::stream::KStream;
use super::table::KTable;
use crate::serde::{Nullable, Serde};
use crate::task::{Cx, DropReason, Fault, Push, Record, Wiring, push_new};
use crate::topology::NodeId;

/// Which stream records a join keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Inner,
    Left,
}

impl<K: 'static, V: 'static, P: Plan<K, V>> KStream<K, V, P> {
    /// Joins each record with the table's row of its key; records without a row give nothing. Records with a null
    /// key or a null value are dropped.
    pub fn join<GK, GV, VT, VO, F, KS, VS>(
        self,
        table: &KTable<GK, VT>,
        joiner: F,
        joined: Joined<KS, VS>,
    ) -> KStream<GK, VO>
    where
        K: Nullable<GK>,
        V: Nullable<GV>,
        GK: Clone + 'static,
        GV: 'static,
        VT: Clone + 'static,
        VO: Clone + 'static,
        F: Fn(&GK, GV, VT) -> VO + Function,
        KS: Serde<GK>,
        VS: Serde<GV>,
    {
        self.join_with(table, joined, Kind::Inner, |seam, getter| {
            move |w| Inner { getter: getter(w), joiner: joiner.clone(), down: seam.wire(w), types: PhantomData }
        })
    }

    /// As [`KStream::join`]; a record without a row is joined with `None`, and so is a record with a null key.
    pub fn left_join<GK, GV, VT, VO, F, KS, VS>(
        self,
        table: &KTable<GK, VT>,
        joiner: F,
        joined: Joined<KS, VS>,
    ) -> KStream<Option<GK>, VO>
    where
        K: Nullable<GK>,
        V: Nullable<GV>,
        GK: Clone + 'static,
        GV: 'static,
        VT: Clone + 'static,
        VO: Clone + 'static,
        F: Fn(Option<&GK>, GV, Option<VT>) -> VO + Function,
        KS: Serde<GK>,
        VS: Serde<GV>,
    {
        self.join_with(table, joined, Kind::Left, |seam, getter| {
            move |w| Left { getter: getter(w), joiner: joiner.clone(), down: seam.wire(w), types: PhantomData }
        })
    }

    /// Describes the join, then closes the stream, repartitioned first where its key changed, over `make`'s join.
    fn join_with<GK, GV, VT, KO, VO, KS, VS, J, M>(
        mut self,
        table: &KTable<GK, VT>,
        joined: Joined<KS, VS>,
        kind: Kind,
        make: impl FnOnce(Seam<KO, VO>, GetterRecipe<GK, VT>) -> M,
    ) -> KStream<KO, VO>
    where
        K: Nullable<GK>,
        V: Nullable<GV>,
        GK: Clone + 'static,
        GV: 'static,
        VT: Clone + 'static,
        KO: 'static,
        VO: 'static,
        KS: Serde<GK>,
        VS: Serde<GV>,
        M: Fn(&mut Wiring<'_>) -> J + Send + Sync + 'static,
        J: Push<K, V> + Push<Option<GK>, Option<GV>> + 'static,
    {
        let seam = Seam::new();
        let recipe = make(seam.clone(), table.rows.getter());
        let builder = self.builder.clone();
        let (node, sources) = if self.repartition_required {
            let mut through = self.through_for_join(&joined);
            let described = describe(&through, kind, joined.name, table);
            through.take_plan().close(recipe);
            described
        } else {
            let described = describe(&self, kind, joined.name, table);
            self.take_plan().close(recipe);
            described
        };
        KStream::new(builder, node, sources, false, seam)
    }
}

/// Adds the join's node, connected to the stores that answer lookups of the table.
fn describe<K: 'static, V: 'static, P: Plan<K, V>, GK: 'static, VT: 'static>(
    stream: &KStream<K, V, P>,
    kind: Kind,
    name: Option<String>,
    table: &KTable<GK, VT>,
) -> (NodeId, BTreeSet<NodeId>) {
    let mut build = stream.builder.build_mut();
    let sources: BTreeSet<NodeId> = stream.sources.union(&table.sources).copied().collect();
    let all: Vec<NodeId> = sources.iter().copied().collect();
    build.copartition(&all);
    let prefix = match kind {
        Kind::Inner => "KSTREAM-JOIN-",
        Kind::Left => "KSTREAM-LEFTJOIN-",
    };
    let name = build.name(prefix, name);
    let stores = table.rows.stores(&mut build);
    let node = build.processor(&name, &[stream.node]);
    for store in stores {
        build.connect(node, store);
    }
    if kind == Kind::Left {
        build.left_joins.insert(node);
    }
    (node, sources)
}

/// The running inner join (Kafka Streams' `KStreamKTableJoinProcessor`).
struct Inner<K, V, VT, F, VO> {
    getter: Box<dyn Getter<K, VT>>,
    joiner: F,
    down: FanOut<K, VO>,
    types: PhantomData<fn() -> V>,
}

impl<KIn, VIn, K, V, VT, F, VO> Push<KIn, VIn> for Inner<K, V, VT, F, VO>
where
    KIn: Nullable<K>,
    VIn: Nullable<V>,
    K: Clone,
    VO: Clone,
    F: Fn(&K, V, VT) -> VO,
{
    fn push(&mut self, record: Record<KIn, VIn>, cx: &mut Cx) -> Result<(), Fault> {
        let Some(key) = record.key.into_option() else {
            cx.drop_record(DropReason::NullKey);
            return Ok(());
        };
        let Some(value) = record.value.into_option() else {
            cx.drop_record(DropReason::NullValue);
            return Ok(());
        };
        let Some(row) = self.getter.get(&key, cx)? else { return Ok(()) };
        let value = (self.joiner)(&key, value, row.value);
        push_new(&mut self.down, Record { key, value, timestamp: record.timestamp }, cx)
    }
}

/// The running left join.
struct Left<K, V, VT, F, VO> {
    getter: Box<dyn Getter<K, VT>>,
    joiner: F,
    down: FanOut<Option<K>, VO>,
    types: PhantomData<fn() -> V>,
}

impl<KIn, VIn, K, V, VT, F, VO> Push<KIn, VIn> for Left<K, V, VT, F, VO>
where
    KIn: Nullable<K>,
    VIn: Nullable<V>,
    K: Clone,
    VO: Clone,
    F: Fn(Option<&K>, V, Option<VT>) -> VO,
{
    fn push(&mut self, record: Record<KIn, VIn>, cx: &mut Cx) -> Result<(), Fault> {
        let key = record.key.into_option();
        let Some(value) = record.value.into_option() else {
            cx.drop_record(DropReason::NullValue);
            return Ok(());
        };
        let row = match &key {
            Some(key) => self.getter.get(key, cx)?,
            None => None,
        };
        let value = (self.joiner)(key.as_ref(), value, row.map(|row| row.value));
        push_new(&mut self.down, Record { key, value, timestamp: record.timestamp }, cx)
    }
}
