//! The calls of a case, made to our DSL with one dynamic type of keys and values.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thalweg::dsl::{
    BranchedStream, Consumed, Grouped, Joined, KStream, KTable, Materialized, Plan, Produced, Repartitioned,
    StoreHandle, StreamsBuilder,
};
use thalweg::serde::{Nullable, OptionalSerde};
use thalweg::topology::StoreId;

use super::grouped::{GroupedStream, GroupedTable};
use super::processor::Step;
use crate::case::{Case, Datum, Topic};
use crate::check::{Kind, Shapes};
use crate::datum::DatumSerde;
use crate::function::{Expander, Joiner, Mapper, Predicate, Processor, Selector};
use crate::node::{self, Id, Node};

/// A key or value of a stream.
pub(super) type Maybe = Option<Datum>;
/// Every stream.
pub(super) type Stream = KStream<Maybe, Maybe>;
/// Every table.
pub(super) type Table = KTable<Datum, Datum>;
/// Serde of keys and values of streams.
type MaybeSerde = OptionalSerde<DatumSerde>;

/// Counts of what each `peek` and `foreach` saw.
#[derive(Debug, Clone, Default)]
pub struct Seen(BTreeMap<Id, Arc<AtomicU64>>);

impl Seen {
    /// The counts now, by id.
    pub fn counts(&self) -> BTreeMap<Id, u64> {
        self.0.iter().map(|(id, count)| (id.clone(), count.load(Ordering::Relaxed))).collect()
    }

    fn counter(&mut self, id: &str) -> impl Fn(&Maybe, &Maybe) + Clone + Send + Sync + 'static {
        let count = Arc::clone(self.0.entry(id.to_owned()).or_default());
        move |_: &Maybe, _: &Maybe| {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What a node became.
enum Built {
    Stream(Stream),
    Table(Table),
    GroupedStream(GroupedStream),
    GroupedTable(Rc<dyn GroupedTable>),
    /// Taken by its default branch.
    Split(Option<BranchedStream<Maybe, Maybe>>),
    Store(StoreHandle<Datum, Datum, DatumSerde, DatumSerde>),
}

/// The case while it is described.
pub(super) struct Description<'a> {
    builder: StreamsBuilder,
    topics: &'a BTreeMap<String, Topic>,
    shapes: &'a Shapes,
    built: BTreeMap<Id, Built>,
    seen: Seen,
}

/// Why a lookup of a node cannot fail.
const CHECKED: &str = "the case was checked";

/// Makes all calls of a checked case.
pub(super) fn describe(case: &Case, shapes: &Shapes) -> (StreamsBuilder, Seen) {
    let mut description = Description {
        builder: StreamsBuilder::new(),
        topics: &case.topics,
        shapes,
        built: BTreeMap::new(),
        seen: Seen::default(),
    };
    for node in &case.nodes {
        if let Some(built) = description.call(node) {
            description.built.insert(node.id().expect(CHECKED).clone(), built);
        }
    }
    (description.builder, description.seen)
}

/// The function of a name in a checked case.
pub(super) fn parsed<F: std::str::FromStr>(name: &str) -> F {
    name.parse().ok().expect(CHECKED)
}

/// What `Materialized` says.
pub(super) fn materialized(materialized: Option<&node::Materialized>) -> Materialized<Datum, Datum> {
    let Some(said) = materialized else { return Materialized::unnamed() };
    let mut kept = said.name.as_ref().map_or_else(Materialized::with_defaults, Materialized::named);
    for (key, value) in &said.changelog_config {
        kept = kept.changelog_config(key, value);
    }
    if said.in_memory {
        kept = kept.in_memory();
    }
    if !said.logging {
        kept = kept.without_logging();
    }
    if !said.caching {
        kept = kept.without_caching();
    }
    kept
}

/// Ends a segment: a stream of the one type, continuable in several ways.
fn stream<K, V, P>(stream: KStream<K, V, P>) -> Option<Built>
where
    K: Nullable<Datum> + 'static,
    V: Nullable<Datum> + 'static,
    P: Plan<K, V>,
{
    Some(Built::Stream(stream.nullable::<Datum, Datum>().fan_out()))
}

fn maybe(serde: DatumSerde) -> MaybeSerde {
    OptionalSerde(serde)
}

impl Description<'_> {
    /// Makes one call; a `to` and a `foreach` give nothing.
    fn call(&mut self, node: &Node) -> Option<Built> {
        match node {
            Node::Stream { topics, named, .. } => self.source(topics, named.as_ref()),
            Node::Table { id, topic, named, materialized: kept } => {
                let (keys, values) = self.serdes(id);
                let mut consumed = Consumed::with(keys, values);
                if let Some(name) = named {
                    consumed = consumed.named(name);
                }
                Some(Built::Table(self.builder.table(topic, consumed, materialized(kept.as_ref()))))
            }
            Node::Store { name, key, value, in_memory, logging, .. } => {
                let kept = node::Materialized {
                    name: Some(name.clone()),
                    in_memory: *in_memory,
                    logging: *logging,
                    ..node::Materialized::default()
                };
                let (keys, values) = (DatumSerde { kind: *key }, DatumSerde { kind: *value });
                Some(Built::Store(self.builder.add_state_store(keys, values, materialized(Some(&kept)))))
            }
            Node::Split { of, named, .. } => Some(Built::Split(Some(self.stream(of, named.as_ref()).split()))),
            Node::Branch { of, named, .. } | Node::DefaultBranch { of, named, .. } => {
                self.branch(of, node, named.as_ref())
            }
            Node::Process { of, processor, stores, named, .. } => {
                let (ids, step) = self.step(processor, stores);
                stream(self.stream(of, named.as_ref()).process(&ids, move |stores| step.open(stores)))
            }
            Node::ProcessValues { of, processor, stores, named, .. } => {
                let (ids, step) = self.step(processor, stores);
                stream(self.stream(of, named.as_ref()).process_values(&ids, move |stores| step.open(stores)))
            }
            Node::GroupByKey { .. }
            | Node::GroupBy { .. }
            | Node::Count { .. }
            | Node::Reduce { .. }
            | Node::Aggregate { .. } => self.grouping(node),
            Node::Filter { of, .. }
            | Node::FilterNot { of, .. }
            | Node::MapValues { of, .. }
            | Node::Join { of, .. }
            | Node::LeftJoin { of, .. }
                if self.is_table(of) =>
            {
                Some(Built::Table(self.table_operator(node)))
            }
            Node::OuterJoin { .. } => Some(Built::Table(self.table_operator(node))),
            Node::Join { of, with, joiner, named, .. } => {
                let joiner: Joiner = parsed(joiner);
                let (joined, table) = (self.joined(of, named.as_ref()), self.table(with, None));
                let join = move |_: &Datum, left: Datum, right: Datum| joiner.apply(Some(&left), Some(&right));
                stream(self.stream(of, None).join(&table, join, joined))
            }
            Node::LeftJoin { of, with, joiner, named, .. } => {
                let joiner: Joiner = parsed(joiner);
                let (joined, table) = (self.joined(of, named.as_ref()), self.table(with, None));
                let join =
                    move |_: Option<&Datum>, left: Datum, right: Maybe| joiner.apply(Some(&left), right.as_ref());
                stream(self.stream(of, None).left_join(&table, join, joined))
            }
            Node::ToStream { of, named, .. } => stream(self.table(of, named.as_ref()).to_stream()),
            _ => self.stream_operator(node),
        }
    }

    fn source(&mut self, topics: &[String], named: Option<&String>) -> Option<Built> {
        let types = &self.topics[topics.first().expect(CHECKED)];
        let (keys, values) = (DatumSerde { kind: types.key }, DatumSerde { kind: types.value });
        let mut consumed = Consumed::with(maybe(keys), maybe(values));
        if let Some(name) = named {
            consumed = consumed.named(name);
        }
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        Some(Built::Stream(self.builder.stream_of::<Maybe, Maybe, _, _>(&names, consumed).fan_out()))
    }

    /// Operators that only streams have, and those that tables have too, on a stream.
    fn stream_operator(&mut self, node: &Node) -> Option<Built> {
        match node {
            Node::Filter { of, predicate, named, .. } => {
                let predicate: Predicate = parsed(predicate);
                let keep = move |key: &Maybe, value: &Maybe| predicate.holds(key.as_ref(), value.as_ref());
                stream(self.stream(of, named.as_ref()).filter(keep))
            }
            Node::FilterNot { of, predicate, named, .. } => {
                let predicate: Predicate = parsed(predicate);
                let drop = move |key: &Maybe, value: &Maybe| predicate.holds(key.as_ref(), value.as_ref());
                stream(self.stream(of, named.as_ref()).filter_not(drop))
            }
            Node::Map { of, key, value, named, .. } => {
                let (selector, mapper): (Selector, Mapper) = (parsed(key), parsed(value));
                let map = move |key: Maybe, value: Maybe| {
                    let (key, value) = (key.as_ref(), value.as_ref());
                    (selector.apply(key, value), mapper.apply(key, value))
                };
                stream(self.stream(of, named.as_ref()).map(map))
            }
            Node::MapValues { of, mapper, named, .. } => {
                let mapper: Mapper = parsed(mapper);
                let map = move |key: &Maybe, value: Maybe| mapper.apply(key.as_ref(), value.as_ref());
                stream(self.stream(of, named.as_ref()).map_values(map))
            }
            Node::FlatMap { of, key, expand, named, .. } => {
                let (selector, expander): (Selector, Expander) = (parsed(key), parsed(expand));
                let map = move |key: Maybe, value: Maybe| {
                    let selected = selector.apply(key.as_ref(), value.as_ref());
                    expander.apply(value.as_ref()).into_iter().map(move |value| (selected.clone(), value))
                };
                stream(self.stream(of, named.as_ref()).flat_map(map))
            }
            Node::FlatMapValues { of, expand, named, .. } => {
                let expander: Expander = parsed(expand);
                let map = move |_: &Maybe, value: Maybe| expander.apply(value.as_ref());
                stream(self.stream(of, named.as_ref()).flat_map_values(map))
            }
            Node::SelectKey { of, selector, named, .. } => {
                let selector: Selector = parsed(selector);
                let select = move |key: &Maybe, value: &Maybe| selector.apply(key.as_ref(), value.as_ref());
                stream(self.stream(of, named.as_ref()).select_key(select))
            }
            Node::Peek { id, of, named } => {
                let look = self.seen.counter(id);
                stream(self.stream(of, named.as_ref()).peek(look))
            }
            Node::Merge { of, with, named, .. } => {
                let other = self.stream(with, None);
                stream(self.stream(of, named.as_ref()).merge(other))
            }
            _ => self.end_or_repartition(node),
        }
    }

    fn end_or_repartition(&mut self, node: &Node) -> Option<Built> {
        match node {
            Node::Foreach { id, of, named } => {
                let look = self.seen.counter(id);
                self.stream(of, named.as_ref()).foreach(look);
                None
            }
            Node::To { of, topic, named } => {
                let (keys, values) = self.serdes(of);
                let mut produced = Produced::with(maybe(keys), maybe(values));
                if let Some(name) = named {
                    produced = produced.named(name);
                }
                self.stream(of, None).to(topic, produced);
                None
            }
            Node::Repartition { of, named, partitions, .. } => {
                let (keys, values) = self.serdes(of);
                let mut repartitioned = Repartitioned::with(maybe(keys), maybe(values));
                if let Some(name) = named {
                    repartitioned = repartitioned.named(name);
                }
                if let Some(count) = partitions {
                    repartitioned = repartitioned.partitions(*count);
                }
                stream(self.stream(of, None).repartition(repartitioned))
            }
            Node::ToTable { of, named, materialized: kept, .. } => {
                let (keys, values) = self.serdes(of);
                let table = self.stream(of, named.as_ref()).to_table::<Datum, Datum, _, _>(
                    keys,
                    values,
                    materialized(kept.as_ref()),
                );
                Some(Built::Table(table))
            }
            _ => unreachable!("every other node was built before"),
        }
    }

    fn branch(&mut self, of: &str, node: &Node, named: Option<&String>) -> Option<Built> {
        let Some(Built::Split(split)) = self.built.get_mut(of) else { unreachable!("{CHECKED}") };
        let mut branched = split.take().expect(CHECKED);
        if let Some(name) = named {
            branched = branched.named(name);
        }
        let Node::Branch { predicate, .. } = node else { return Some(Built::Stream(branched.default_branch())) };
        let predicate: Predicate = parsed(predicate);
        let taken = branched.branch(move |key: &Maybe, value: &Maybe| predicate.holds(key.as_ref(), value.as_ref()));
        *split = Some(branched);
        Some(Built::Stream(taken))
    }

    fn grouping(&mut self, node: &Node) -> Option<Built> {
        match node {
            Node::GroupByKey { of, named, .. } => {
                let grouped = self.grouped(of, named.as_ref());
                Some(Built::GroupedStream(self.stream(of, None).group_by_key(grouped)))
            }
            Node::GroupBy { id, of, key, value, named } => {
                let (grouped, selector): (_, Selector) = (self.grouped(id, named.as_ref()), parsed(key));
                if !self.is_table(of) {
                    let select = move |key: &Maybe, value: &Maybe| selector.apply(key.as_ref(), value.as_ref());
                    let grouped = self.stream(of, None).group_by::<Maybe, _, _, _, _, _>(select, grouped);
                    return Some(Built::GroupedStream(grouped.fan_out()));
                }
                let mapper: Mapper = parsed(value.as_ref().expect(CHECKED));
                let select = move |key: &Datum, value: Datum| {
                    let (key, value) = (Some(key), Some(&value));
                    selector.apply(key, value).zip(mapper.apply(key, value))
                };
                Some(Built::GroupedTable(Rc::new(self.table(of, None).group_by(select, grouped))))
            }
            Node::Count { of, .. } | Node::Reduce { of, .. } | Node::Aggregate { of, .. } => {
                let table = match self.built.get(of) {
                    Some(Built::GroupedStream(grouped)) => super::grouped::of_stream(grouped.clone(), node),
                    Some(Built::GroupedTable(grouped)) => grouped.fold(node),
                    _ => unreachable!("{CHECKED}"),
                };
                Some(Built::Table(table))
            }
            _ => unreachable!("only groupings and aggregations come here"),
        }
    }

    fn step(&self, processor: &str, stores: &[Id]) -> (Vec<StoreId>, Step) {
        let processor: Processor = parsed(processor);
        let handles = stores.iter().map(|id| match self.built.get(id) {
            Some(Built::Store(handle)) => handle.clone(),
            _ => unreachable!("{CHECKED}"),
        });
        let handles: Vec<_> = handles.collect();
        (handles.iter().map(StoreHandle::id).collect(), Step::new(processor, handles.into_iter().next()))
    }

    fn grouped(&self, types_of: &str, named: Option<&String>) -> Grouped<Datum, Datum, DatumSerde, DatumSerde> {
        let (keys, values) = self.serdes(types_of);
        let grouped = Grouped::with(keys, values);
        match named {
            Some(name) => grouped.named(name),
            None => grouped,
        }
    }

    fn joined(&self, of: &str, named: Option<&String>) -> Joined<DatumSerde, DatumSerde> {
        let (keys, values) = self.serdes(of);
        let joined = Joined::with(keys, values);
        match named {
            Some(name) => joined.named(name),
            None => joined,
        }
    }

    /// The serdes of what a node gives.
    pub(super) fn serdes(&self, id: &str) -> (DatumSerde, DatumSerde) {
        let shape = &self.shapes.nodes[id];
        (DatumSerde { kind: shape.key }, DatumSerde { kind: shape.value })
    }

    fn is_table(&self, id: &str) -> bool {
        self.shapes.nodes[id].kind == Kind::Table
    }

    /// A stream whose next operator has a name, or none.
    fn stream(&self, id: &str, named: Option<&String>) -> Stream {
        let Some(Built::Stream(stream)) = self.built.get(id) else { unreachable!("{CHECKED}") };
        match named {
            Some(name) => stream.clone().named(name),
            None => stream.clone(),
        }
    }

    /// A table whose next operator has a name, or none.
    pub(super) fn table(&self, id: &str, named: Option<&String>) -> Table {
        let Some(Built::Table(table)) = self.built.get(id) else { unreachable!("{CHECKED}") };
        match named {
            Some(name) => table.clone().named(name),
            None => table.clone(),
        }
    }
}
