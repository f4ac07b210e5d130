//! `KStream`: a stream of records, and its stateless operators.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use super::branch::BranchedStream;
use super::builder::StreamsBuilder;
use super::grouped_stream::KGroupedStream;
use super::operators::{AsNullable, Filter, FlatMap, FlatMapValues, Function, Map, MapValues, Peek, SelectKey};
use super::options::{Grouped, Joined, Produced, Repartitioned};
use super::plan::{Merged, Operator, Place, Plan, Seam, Then};
use super::sink::{Foreach, NonNull, Sink};
use super::source::Source;
use crate::serde::{Nullable, OptionalSerde, Serde, Serializer};
use crate::topology::{NodeId, Repartition, RepartitionNames, Topic};

/// A stream of records. `P` is its plan and is inferred; `KStream<K, V>` is what [`KStream::fan_out`] returns.
///
/// An operator consumes the stream it is called on, so that no chain can run twice by accident; to continue a
/// stream in several ways, call [`KStream::fan_out`] and clone.
pub struct KStream<K: 'static, V: 'static, P: Plan<K, V> = Seam<K, V>> {
    pub(super) builder: StreamsBuilder,
    pub(super) node: NodeId,
    pub(super) sources: BTreeSet<NodeId>,
    pub(super) repartition_required: bool,
    pub(super) next_name: Option<String>,
    /// Whether an earlier stream has the same source.
    pub(super) is_second: bool,
    plan: Option<P>,
    types: PhantomData<fn() -> (K, V)>,
}

/// A stream after a repartition topic, where nulls may come back.
pub(super) type NullableStream<K, V, KS, VS> =
    KStream<Option<K>, Option<V>, Source<Option<K>, Option<V>, OptionalSerde<KS>, OptionalSerde<VS>>>;

impl<K: 'static, V: 'static, P: Plan<K, V>> Drop for KStream<K, V, P> {
    // A stream that nobody continues still runs its operators, as a node without children does in Kafka Streams.
    fn drop(&mut self) {
        if let Some(plan) = self.plan.take() {
            plan.abandon();
        }
    }
}

impl<K: 'static, V: 'static> Clone for KStream<K, V> {
    fn clone(&self) -> Self {
        Self {
            builder: self.builder.clone(),
            node: self.node,
            sources: self.sources.clone(),
            repartition_required: self.repartition_required,
            next_name: self.next_name.clone(),
            is_second: self.is_second,
            plan: self.plan.clone(),
            types: PhantomData,
        }
    }
}

impl<K: 'static, V: 'static, P: Plan<K, V>> KStream<K, V, P> {
    pub(super) fn new(
        builder: StreamsBuilder,
        node: NodeId,
        sources: BTreeSet<NodeId>,
        repartition_required: bool,
        plan: P,
    ) -> Self {
        Self {
            builder,
            node,
            sources,
            repartition_required,
            next_name: None,
            is_second: false,
            plan: Some(plan),
            types: PhantomData,
        }
    }

    pub(super) fn take_plan(&mut self) -> P {
        let mut plan = self.plan.take().expect("every operator consumes its stream");
        plan.begin(self.builder.build_mut().blueprint.len());
        plan
    }

    /// Moves what follows at one place to another one.
    pub(super) fn postpone(&mut self, from: Place, to: Place) {
        if let Some(plan) = &mut self.plan {
            plan.postpone(from, to);
        }
    }

    /// Adds one processor node; returns it. The counter is burned even when the user named the operator.
    pub(super) fn add_node(&mut self, prefix: &str) -> NodeId {
        let mut build = self.builder.build_mut();
        let name = build.name(prefix, self.next_name.take());
        build.processor(&name, &[self.node])
    }

    fn then<KO: 'static, VO: 'static, O: Operator<K, V, KO, VO>>(
        mut self,
        prefix: &str,
        changes_key: bool,
        op: O,
    ) -> KStream<KO, VO, Then<P, O, K, V>> {
        let node = self.add_node(prefix);
        let plan = Then::new(self.take_plan(), op);
        let repartition_required = self.repartition_required || changes_key;
        KStream::new(self.builder.clone(), node, std::mem::take(&mut self.sources), repartition_required, plan)
    }

    /// Names the next operator's node (Kafka Streams' `Named`).
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.next_name = Some(name.into());
        self
    }

    /// Keeps the records for which `keep` is true.
    pub fn filter<F: Fn(&K, &V) -> bool + Function>(self, keep: F) -> KStream<K, V, Then<P, Filter<F, true>, K, V>> {
        self.then("KSTREAM-FILTER-", false, Filter(keep))
    }

    /// Keeps the records for which `drop` is false.
    pub fn filter_not<F: Fn(&K, &V) -> bool + Function>(
        self,
        drop: F,
    ) -> KStream<K, V, Then<P, Filter<F, false>, K, V>> {
        self.then("KSTREAM-FILTER-", false, Filter(drop))
    }

    /// Replaces key and value; a later operation by key repartitions.
    pub fn map<KO: 'static, VO: 'static, F: Fn(K, V) -> (KO, VO) + Function>(
        self,
        mapper: F,
    ) -> KStream<KO, VO, Then<P, Map<F>, K, V>> {
        self.then("KSTREAM-MAP-", true, Map(mapper))
    }

    /// Replaces the value; the key is read-only.
    pub fn map_values<VO: 'static, F: Fn(&K, V) -> VO + Function>(
        self,
        mapper: F,
    ) -> KStream<K, VO, Then<P, MapValues<F>, K, V>> {
        self.then("KSTREAM-MAPVALUES-", false, MapValues(mapper))
    }

    /// Replaces a record by any number of records; a later operation by key repartitions.
    pub fn flat_map<KO, VO, I, F>(self, mapper: F) -> KStream<KO, VO, Then<P, FlatMap<F>, K, V>>
    where
        KO: 'static,
        VO: 'static,
        I: IntoIterator<Item = (KO, VO)>,
        F: Fn(K, V) -> I + Function,
    {
        self.then("KSTREAM-FLATMAP-", true, FlatMap(mapper))
    }

    /// Replaces a value by any number of values under the same key.
    pub fn flat_map_values<VO, I, F>(self, mapper: F) -> KStream<K, VO, Then<P, FlatMapValues<F>, K, V>>
    where
        K: Clone,
        VO: 'static,
        I: IntoIterator<Item = VO>,
        F: Fn(&K, V) -> I + Function,
    {
        self.then("KSTREAM-FLATMAPVALUES-", false, FlatMapValues(mapper))
    }

    /// Replaces the key; a later operation by key repartitions.
    pub fn select_key<KO: 'static, F: Fn(&K, &V) -> KO + Function>(
        self,
        selector: F,
    ) -> KStream<KO, V, Then<P, SelectKey<F>, K, V>> {
        self.then("KSTREAM-KEY-SELECT-", true, SelectKey(selector))
    }

    /// Looks at each record and passes it on.
    pub fn peek<F: Fn(&K, &V) + Function>(self, look: F) -> KStream<K, V, Then<P, Peek<F>, K, V>> {
        self.then("KSTREAM-PEEK-", false, Peek(look))
    }

    /// Ends the stream in a function.
    pub fn foreach<F: Fn(&K, &V) + Function>(mut self, action: F) {
        self.add_node("KSTREAM-FOREACH-");
        self.take_plan().close(move |_| Foreach(action.clone()));
    }

    /// Joins two streams of one type into one; there is no order between them.
    pub fn merge<R: Plan<K, V>>(mut self, mut other: KStream<K, V, R>) -> KStream<K, V, Merged<P, R>> {
        let node = {
            let mut build = self.builder.build_mut();
            let name = build.name("KSTREAM-MERGE-", self.next_name.take());
            // Kafka Streams moves the children of a second source of the same topics behind their other parents
            // (`StreamSourceNode.merge`), which shows in `describe()`.
            let parents = if self.is_second { [other.node, self.node] } else { [self.node, other.node] };
            build.processor(&name, &parents)
        };
        let is_one = self.node == other.node;
        let plan = Merged { node, is_one, left: self.take_plan(), right: other.take_plan() };
        let mut sources = std::mem::take(&mut self.sources);
        sources.append(&mut other.sources);
        let repartition_required = self.repartition_required || other.repartition_required;
        KStream::new(self.builder.clone(), node, sources, repartition_required, plan)
    }

    /// The same records with types that may be null: no node and no repartition. A stream of a table or of a join has
    /// keys that are never null; this makes it mergeable with one whose keys may be.
    pub fn nullable<NK, NV>(mut self) -> KStream<Option<NK>, Option<NV>, Then<P, AsNullable, K, V>>
    where
        K: Nullable<NK>,
        V: Nullable<NV>,
        NK: 'static,
        NV: 'static,
    {
        let plan = Then::new(self.take_plan(), AsNullable);
        let sources = std::mem::take(&mut self.sources);
        let mut stream = KStream::new(self.builder.clone(), self.node, sources, self.repartition_required, plan);
        stream.is_second = self.is_second;
        stream
    }

    /// Makes the stream continuable in several ways: clone the result. Records are cloned for all but the last.
    pub fn fan_out(mut self) -> KStream<K, V>
    where
        K: Clone,
        V: Clone,
    {
        let seam = self.take_plan().fan_out();
        let sources = std::mem::take(&mut self.sources);
        let mut stream = KStream::new(self.builder.clone(), self.node, sources, self.repartition_required, seam);
        stream.is_second = self.is_second;
        stream
    }

    /// Starts a split: each record goes to the first branch whose predicate holds, else to the default branch, else
    /// nowhere.
    pub fn split(mut self) -> BranchedStream<K, V>
    where
        K: Clone,
        V: Clone,
    {
        let (node, name) = {
            let mut build = self.builder.build_mut();
            let name = build.name("KSTREAM-BRANCH-", self.next_name.take());
            (build.processor(&name, &[self.node]), name)
        };
        let sources = std::mem::take(&mut self.sources);
        BranchedStream::start(self.builder.clone(), node, name, sources, self.repartition_required, self.take_plan())
    }

    /// Ends the stream in a topic, which must exist.
    pub fn to<KS, VS>(mut self, topic: &str, produced: Produced<KS, VS>)
    where
        KS: Serializer<K> + Clone,
        VS: Serializer<V> + Clone,
    {
        let topic = Topic::External(topic.to_owned());
        {
            let mut build = self.builder.build_mut();
            let name = build.name("KSTREAM-SINK-", produced.name);
            let added = build.blueprint.add_sink(&name, &[self.node], topic.clone());
            build.check(added);
        }
        let (keys, values) = (produced.keys, produced.values);
        self.take_plan().close(move |w| Sink::wire::<K, V>(w, &topic, keys.clone(), values.clone()));
    }

    /// Sends every record with a key through a repartition topic and goes on from there.
    pub fn repartition<KS, VS>(mut self, repartitioned: Repartitioned<KS, VS>) -> KStream<K, V, Source<K, V, KS, VS>>
    where
        KS: Serde<K>,
        VS: Serde<V>,
    {
        let Repartitioned { keys, values, name, partitions } = repartitioned;
        let (repartition, topic) = {
            let mut build = self.builder.build_mut();
            let prefix = match build.user_name(name) {
                Some(name) => name,
                None => build.blueprint.new_processor_name("KSTREAM-REPARTITION-"),
            };
            let names = build.blueprint.repartition_names(&prefix);
            (build.repartition(self.node, &names, partitions), names.topic)
        };
        let (write, read) = ((keys.clone(), values.clone()), (keys, values));
        self.through(repartition, topic, write, read)
    }

    /// Ends this stream in the topic of a repartition that hangs on it, and starts the stream that reads it; the two sides may name the same
    /// bytes by different types.
    fn through<KW, VW, KO, VO, KR, VR>(
        &mut self,
        repartition: Repartition,
        topic: String,
        write: (KW, VW),
        read: (KR, VR),
    ) -> KStream<KO, VO, Source<KO, VO, KR, VR>>
    where
        KW: Serializer<K> + Clone,
        VW: Serializer<V> + Clone,
        KO: 'static,
        VO: 'static,
        KR: Serde<KO>,
        VR: Serde<VO>,
    {
        let (topic, (keys, values)) = (Topic::Internal(topic), write);
        self.take_plan().close(move |w| {
            let sink = Sink::wire::<K, V>(w, &topic, keys.clone(), values.clone());
            let passes = repartition.filter.is_some_and(|filter| w.passes_null_keys(filter));
            if passes { sink } else { sink.dropping_null_keys() }
        });
        Self::after(&self.builder, repartition.source, read)
    }

    /// The stream that reads a repartition topic.
    fn after<KO, VO, KR, VR>(
        builder: &StreamsBuilder,
        source: NodeId,
        (keys, values): (KR, VR),
    ) -> KStream<KO, VO, Source<KO, VO, KR, VR>>
    where
        KO: 'static,
        VO: 'static,
        KR: Serde<KO>,
        VR: Serde<VO>,
    {
        let plan = Source::new(builder.clone(), source, keys, values);
        KStream::new(builder.clone(), source, BTreeSet::from([source]), false, plan)
    }

    /// As [`KStream::through`], with the serdes of the non-null parts; the stream after it may carry nulls.
    pub(super) fn through_non_null<GK, GV, KS, VS>(
        &mut self,
        names: RepartitionNames,
        keys: &KS,
        values: &VS,
    ) -> (NullableStream<GK, GV, KS, VS>, Repartition)
    where
        K: Nullable<GK>,
        V: Nullable<GV>,
        GK: 'static,
        GV: 'static,
        KS: Serde<GK>,
        VS: Serde<GV>,
    {
        let repartition = self.builder.build_mut().repartition(self.node, &names, None);
        let write = (NonNull::new(keys.clone()), NonNull::new(values.clone()));
        let read = (OptionalSerde(keys.clone()), OptionalSerde(values.clone()));
        (self.through(repartition, names.topic, write, read), repartition)
    }

    /// Gives this stream up for one that was repartitioned before.
    pub(super) fn reuse<GK, GV, KS, VS>(
        &mut self,
        source: NodeId,
        keys: &KS,
        values: &VS,
    ) -> NullableStream<GK, GV, KS, VS>
    where
        K: Nullable<GK>,
        V: Nullable<GV>,
        GK: 'static,
        GV: 'static,
        KS: Serde<GK>,
        VS: Serde<GV>,
    {
        self.take_plan().abandon();
        Self::after(&self.builder, source, (OptionalSerde(keys.clone()), OptionalSerde(values.clone())))
    }

    /// As [`KStream::through_non_null`] for a join. A stream that was repartitioned for a join before, under its own
    /// name, is not written a second time (Kafka Streams' `KStreamImpl.repartitionForJoin`).
    pub(super) fn through_for_join<GK, GV, KS, VS>(&mut self, joined: &Joined<KS, VS>) -> NullableStream<GK, GV, KS, VS>
    where
        K: Nullable<GK>,
        V: Nullable<GV>,
        GK: 'static,
        GV: 'static,
        KS: Serde<GK>,
        VS: Serde<GV>,
    {
        let (names, made) = {
            let mut build = self.builder.build_mut();
            let own_name = build.node_name(self.node);
            let name = build.user_name(joined.name.clone()).unwrap_or_else(|| own_name.clone());
            let made = build.join_repartitions.get(&self.node).copied().filter(|_| name == own_name);
            (build.blueprint.repartition_names(&name), made)
        };
        if let Some(source) = made {
            return self.reuse(source, &joined.keys, &joined.values);
        }
        let (through, _) = self.through_non_null(names, &joined.keys, &joined.values);
        self.builder.build_mut().join_repartitions.insert(self.node, through.node);
        through
    }

    /// Groups by the key; aggregations follow. Null keys and null values are dropped by the aggregation.
    pub fn group_by_key<GK, GV, KS, VS>(
        self,
        grouped: Grouped<GK, GV, KS, VS>,
    ) -> KGroupedStream<K, V, P, GK, GV, KS, VS>
    where
        K: Nullable<GK>,
        V: Nullable<GV>,
        KS: Serde<GK>,
        VS: Serde<GV>,
    {
        KGroupedStream::new(self, grouped)
    }

    /// Groups by a new key, through a repartition topic.
    #[expect(clippy::type_complexity, reason = "the plan is inferred, users never write it")]
    pub fn group_by<KO, GK, GV, KS, VS, F>(
        mut self,
        selector: F,
        grouped: Grouped<GK, GV, KS, VS>,
    ) -> KGroupedStream<KO, V, Then<P, SelectKey<F>, K, V>, GK, GV, KS, VS>
    where
        KO: Nullable<GK> + 'static,
        V: Nullable<GV>,
        KS: Serde<GK>,
        VS: Serde<GV>,
        F: Fn(&K, &V) -> KO + Function,
    {
        self.next_name.clone_from(&grouped.name);
        KGroupedStream::new(self.select_key(selector), grouped)
    }
}
