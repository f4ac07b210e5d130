//! The types of a case: what every node gives, and each mistake as an error that names its place.
//!
//! What the DSL itself refuses, such as a name given twice, is no mistake of the case: both sides must refuse it.

mod mistake;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::case::{Case, Datum, Input, Topic, Type};
use crate::function::{Aggregator, Expander, Joiner, Mapper, Predicate, Processor, Reducer, Selector, UnknownFunction};
use crate::node::{Id, Materialized, Node};
pub use mistake::{CaseError, Mistake, Place};

/// What a node gives to those that name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Which operators follow it.
    pub kind: Kind,
    /// Type of its keys.
    pub key: Type,
    /// Type of its values.
    pub value: Type,
}

/// Which operators follow a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Those of a stream.
    Stream,
    /// Those of a table.
    Table,
    /// Those of a grouped stream.
    GroupedStream,
    /// Those of a grouped table.
    GroupedTable,
    /// Branches.
    Split,
    /// None: processors connect to it.
    Store,
    /// None: records end here.
    End,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stream => "stream",
            Self::Table => "table",
            Self::GroupedStream => "grouped stream",
            Self::GroupedTable => "grouped table",
            Self::Split => "split",
            Self::Store => "store",
            Self::End => "end of a stream",
        })
    }
}

/// A checked case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shapes {
    /// By id.
    pub nodes: BTreeMap<Id, Shape>,
    /// Stores with a name of their own, with the types of their keys and values.
    pub stores: BTreeMap<String, (Type, Type)>,
    /// Topics that a node reads.
    pub read: BTreeSet<String>,
    ended_splits: BTreeSet<Id>,
}

/// Checks a whole case.
pub fn check(case: &Case) -> Result<Shapes, CaseError> {
    for (name, topic) in &case.topics {
        let error = |(field, mistake)| CaseError { place: Place::Topic(name.clone()), field, mistake };
        no_record_key(topic.key).map_err(error)?;
        positive(topic.partitions, "partitions").map_err(error)?;
    }
    let mut shapes = Shapes::default();
    for (index, node) in case.nodes.iter().enumerate() {
        let place = || Place::Node(index, node.id().cloned());
        shapes.add(&case.topics, node).map_err(|(field, mistake)| CaseError { place: place(), field, mistake })?;
    }
    for (index, input) in case.inputs.iter().enumerate() {
        let error = |(field, mistake)| CaseError { place: Place::Input(index), field, mistake };
        shapes.input(&case.topics, input).map_err(error)?;
    }
    Ok(shapes)
}

/// A mistake with its field.
pub type InField<T> = Result<T, (&'static str, Mistake)>;

fn rule<T>(holds: bool, field: &'static str, what: &'static str, then: T) -> InField<T> {
    if holds { Ok(then) } else { Err((field, Mistake::Rule(what))) }
}

fn no_record_key(key: Type) -> InField<()> {
    rule(key != Type::Record, "key", "a key is no record", ())
}

fn positive(count: i32, field: &'static str) -> InField<()> {
    rule(count > 0, field, "at least 1", ())
}

fn same(is: Type, wanted: Type, field: &'static str) -> InField<()> {
    if is == wanted { Ok(()) } else { Err((field, Mistake::Type { is, wanted })) }
}

fn parse<F: FromStr<Err = UnknownFunction>>(field: &'static str, name: &str) -> InField<F> {
    name.parse().map_err(|error| (field, Mistake::Function(error)))
}

fn stream(key: Type, value: Type) -> Option<Shape> {
    Some(Shape { kind: Kind::Stream, key, value })
}

fn table(key: Type, value: Type) -> Option<Shape> {
    Some(Shape { kind: Kind::Table, key, value })
}

impl Shapes {
    /// Checks the next node; its shape is known from then on.
    pub fn add(&mut self, topics: &BTreeMap<String, Topic>, node: &Node) -> InField<()> {
        if let Some(id) = node.id().filter(|id| self.nodes.contains_key(*id)) {
            return Err(("id", Mistake::DuplicateId(id.clone())));
        }
        let shape = self.shape(topics, node)?;
        if let (Some(materialized), Some(shape)) = (node.materialized(), shape) {
            self.materialized(materialized, shape)?;
        }
        if let Some((id, shape)) = node.id().zip(shape) {
            self.nodes.insert(id.clone(), shape);
        }
        Ok(())
    }

    fn materialized(&mut self, materialized: &Materialized, shape: Shape) -> InField<()> {
        let field = "materialized";
        rule(shape.kind == Kind::Table, field, "only tables are kept", ())?;
        let configured = materialized.logging || materialized.changelog_config.is_empty();
        rule(configured, field, "a store without logging has no changelog to configure", ())?;
        if let Some(name) = &materialized.name {
            self.stores.insert(name.clone(), (shape.key, shape.value));
        }
        Ok(())
    }

    fn shape(&mut self, topics: &BTreeMap<String, Topic>, node: &Node) -> InField<Option<Shape>> {
        match node {
            Node::Stream { topics: read, .. } => {
                let (key, value) = self.sources(topics, read)?;
                Ok(stream(key, value))
            }
            Node::Table { topic: name, .. } => {
                let topic = topic(topics, name, "topic")?;
                self.read.insert(name.clone());
                Ok(table(topic.key, topic.value))
            }
            Node::Store { name, key, value, .. } => {
                no_record_key(*key)?;
                self.stores.insert(name.clone(), (*key, *value));
                Ok(Some(Shape { kind: Kind::Store, key: *key, value: *value }))
            }
            Node::Filter { of, predicate, .. } | Node::FilterNot { of, predicate, .. } => {
                parse::<Predicate>("predicate", predicate)?;
                self.stream_or_table(of).map(Some)
            }
            Node::MapValues { of, mapper, .. } => self.map_values(of, mapper).map(Some),
            Node::Join { of, with, joiner, .. } => self.join(of, with, joiner, Join::Inner).map(Some),
            Node::LeftJoin { of, with, joiner, .. } => self.join(of, with, joiner, Join::Left).map(Some),
            Node::OuterJoin { of, with, joiner, .. } => self.join(of, with, joiner, Join::Outer).map(Some),
            Node::ToStream { of, .. } => {
                let Shape { key, value, .. } = self.table(of, "of")?;
                Ok(stream(key, value))
            }
            Node::Count { .. } | Node::Reduce { .. } | Node::Aggregate { .. } => self.aggregation(node).map(Some),
            Node::GroupBy { of, key, value, .. } => self.group_by(of, key, value.as_deref()).map(Some),
            Node::Branch { of, .. } | Node::DefaultBranch { of, .. } => self.branch(of, node).map(Some),
            Node::Process { of, processor, stores, .. } => self.process(of, processor, stores, true).map(Some),
            Node::ProcessValues { of, processor, stores, .. } => self.process(of, processor, stores, false).map(Some),
            Node::Map { of, .. }
            | Node::FlatMap { of, .. }
            | Node::FlatMapValues { of, .. }
            | Node::SelectKey { of, .. }
            | Node::Peek { of, .. }
            | Node::Foreach { of, .. }
            | Node::Merge { of, .. }
            | Node::Split { of, .. }
            | Node::To { of, .. }
            | Node::Repartition { of, .. }
            | Node::ToTable { of, .. }
            | Node::GroupByKey { of, .. } => {
                let from = self.stream(of, "of")?;
                self.after_stream(topics, node, from)
            }
        }
    }

    /// Operators that only streams have and that need nothing but their stream.
    fn after_stream(&self, topics: &BTreeMap<String, Topic>, node: &Node, from: Shape) -> InField<Option<Shape>> {
        let of_kind = |kind| Ok(Some(Shape { kind, ..from }));
        match node {
            Node::Map { key, value, .. } => {
                let (selector, mapper): (Selector, Mapper) = (parse("key", key)?, parse("value", value)?);
                Ok(stream(selector.result(from.key), mapper.result(from.value)))
            }
            Node::FlatMap { key, expand, .. } => {
                let (selector, expander): (Selector, Expander) = (parse("key", key)?, parse("expand", expand)?);
                Ok(stream(selector.result(from.key), expander.result(from.value)))
            }
            Node::FlatMapValues { expand, .. } => {
                Ok(stream(from.key, parse::<Expander>("expand", expand)?.result(from.value)))
            }
            Node::SelectKey { selector, .. } => {
                Ok(stream(parse::<Selector>("selector", selector)?.result(from.key), from.value))
            }
            Node::Merge { with, .. } => {
                let other = self.stream(with, "with")?;
                same(other.key, from.key, "with")?;
                same(other.value, from.value, "with")?;
                of_kind(Kind::Stream)
            }
            Node::To { topic: name, .. } => {
                let topic = topic(topics, name, "topic")?;
                same(topic.key, from.key, "topic")?;
                same(topic.value, from.value, "topic")?;
                Ok(None)
            }
            Node::Repartition { partitions, .. } => {
                partitions.map_or(Ok(()), |count| positive(count, "partitions"))?;
                of_kind(Kind::Stream)
            }
            Node::ToTable { .. } => of_kind(Kind::Table),
            Node::GroupByKey { .. } => of_kind(Kind::GroupedStream),
            Node::Split { .. } => of_kind(Kind::Split),
            Node::Foreach { .. } => of_kind(Kind::End),
            _ => of_kind(Kind::Stream),
        }
    }

    fn sources(&mut self, topics: &BTreeMap<String, Topic>, names: &[String]) -> InField<(Type, Type)> {
        let mut types = None;
        for name in names {
            let topic = topic(topics, name, "topics")?;
            let (key, value) = *types.get_or_insert((topic.key, topic.value));
            same(topic.key, key, "topics")?;
            same(topic.value, value, "topics")?;
            self.read.insert(name.clone());
        }
        types.ok_or(("topics", Mistake::Rule("at least one topic")))
    }

    fn map_values(&self, of: &str, mapper: &str) -> InField<Shape> {
        let from = self.stream_or_table(of)?;
        let mapper: Mapper = parse("mapper", mapper)?;
        let possible = from.kind == Kind::Stream || !mapper.makes_null();
        rule(possible, "mapper", "no mapper of a table makes null", ())?;
        Ok(Shape { value: mapper.result(from.value), ..from })
    }

    fn join(&self, of: &str, with: &str, joiner: &str, join: Join) -> InField<Shape> {
        let from = if join == Join::Outer { self.table(of, "of")? } else { self.stream_or_table(of)? };
        let other = self.table(with, "with")?;
        same(other.key, from.key, "with")?;
        let joiner: Joiner = parse("joiner", joiner)?;
        let possible = match joiner {
            Joiner::Left => join != Join::Outer,
            Joiner::Right => join == Join::Inner,
            Joiner::Pair | Joiner::Sum | Joiner::Record => true,
        };
        rule(possible, "joiner", "the joiner passes on a side that may be missing", ())?;
        Ok(Shape { value: joiner.result(from.value, other.value), ..from })
    }

    fn group_by(&self, of: &str, key: &str, value: Option<&str>) -> InField<Shape> {
        let from = self.stream_or_table(of)?;
        let key = parse::<Selector>("key", key)?.result(from.key);
        match (from.kind, value) {
            (Kind::Stream, None) => Ok(Shape { kind: Kind::GroupedStream, key, value: from.value }),
            (Kind::Stream, Some(_)) => Err(("value", Mistake::Rule("only the grouping of a table maps values"))),
            (_, None) => Err(("value", Mistake::Rule("the grouping of a table maps values"))),
            (_, Some(value)) => {
                let value = parse::<Mapper>("value", value)?.result(from.value);
                Ok(Shape { kind: Kind::GroupedTable, key, value })
            }
        }
    }

    fn aggregation(&self, node: &Node) -> InField<Shape> {
        let (of, value) = match node {
            Node::Reduce { of, reducer, .. } => {
                parse::<Reducer>("reducer", reducer)?;
                (of, None)
            }
            Node::Aggregate { of, aggregator, .. } => {
                (of, Some(parse::<Aggregator>("aggregator", aggregator)?.result()))
            }
            Node::Count { of, .. } => (of, Some(Type::Int64)),
            _ => unreachable!("only aggregations come here"),
        };
        let from = self.of_kind(of, "of", &[Kind::GroupedStream, Kind::GroupedTable], "grouped stream or table")?;
        Ok(Shape { kind: Kind::Table, key: from.key, value: value.unwrap_or(from.value) })
    }

    fn branch(&mut self, of: &str, node: &Node) -> InField<Shape> {
        let from = self.of_kind(of, "of", &[Kind::Split], "split")?;
        let open = !self.ended_splits.contains(of);
        rule(open, "of", "the default branch is the last of its split", ())?;
        match node {
            Node::Branch { predicate, .. } => {
                parse::<Predicate>("predicate", predicate)?;
            }
            _ => {
                self.ended_splits.insert(of.to_owned());
            }
        }
        Ok(Shape { kind: Kind::Stream, ..from })
    }

    fn process(&self, of: &str, processor: &str, stores: &[Id], may_change_key: bool) -> InField<Shape> {
        let from = self.stream(of, "of")?;
        let processor: Processor = parse("processor", processor)?;
        rule(may_change_key || !processor.needs_process(), "processor", "only 'process' runs this processor", ())?;
        match (processor.store(from.value), stores) {
            (None, []) => {}
            (None, _) => return Err(("stores", Mistake::Rule("the processor has no store"))),
            (Some(value), [store]) => {
                let store = self.of_kind(store, "stores", &[Kind::Store], "store")?;
                same(store.key, from.key, "stores")?;
                same(store.value, value, "stores")?;
            }
            (Some(_), _) => return Err(("stores", Mistake::Rule("the processor has one store"))),
        }
        let (key, value) = processor.result(from.key, from.value);
        Ok(Shape { kind: Kind::Stream, key, value })
    }

    fn input(&self, topics: &BTreeMap<String, Topic>, input: &Input) -> InField<()> {
        let record = match input {
            Input::Advance(advance) => {
                return rule(advance.advance_wall_clock >= 0, "advance_wall_clock", "the clock only goes forward", ());
            }
            Input::Record(record) => record,
        };
        let Topic { key, value, .. } = topic(topics, &record.topic, "topic")?;
        if !self.read.contains(&record.topic) {
            return Err(("topic", Mistake::UnreadTopic(record.topic.clone())));
        }
        record.key.as_ref().map(Datum::kind).map_or(Ok(()), |is| same(is, *key, "key"))?;
        record.value.as_ref().map(Datum::kind).map_or(Ok(()), |is| same(is, *value, "value"))?;
        rule(record.timestamp >= 0, "timestamp", "a timestamp is at least 0", ())
    }

    fn of_kind(&self, id: &str, field: &'static str, kinds: &[Kind], wanted: &'static str) -> InField<Shape> {
        let shape = self.nodes.get(id).ok_or_else(|| (field, Mistake::UnknownId(id.to_owned())))?;
        if kinds.contains(&shape.kind) {
            Ok(*shape)
        } else {
            Err((field, Mistake::Kind { id: id.to_owned(), is: shape.kind, wanted }))
        }
    }

    fn stream(&self, id: &str, field: &'static str) -> InField<Shape> {
        self.of_kind(id, field, &[Kind::Stream], "stream")
    }

    fn table(&self, id: &str, field: &'static str) -> InField<Shape> {
        self.of_kind(id, field, &[Kind::Table], "table")
    }

    fn stream_or_table(&self, id: &str) -> InField<Shape> {
        self.of_kind(id, "of", &[Kind::Stream, Kind::Table], "stream or table")
    }
}

fn topic<'a>(topics: &'a BTreeMap<String, Topic>, name: &str, field: &'static str) -> InField<&'a Topic> {
    topics.get(name).ok_or_else(|| (field, Mistake::UnknownTopic(name.to_owned())))
}

/// Which rows a join gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    Inner,
    Left,
    Outer,
}

impl Node {
    /// Its own id; a `to` has none.
    pub fn id(&self) -> Option<&Id> {
        match self {
            Self::To { .. } => None,
            Self::Stream { id, .. }
            | Self::Table { id, .. }
            | Self::Store { id, .. }
            | Self::Filter { id, .. }
            | Self::FilterNot { id, .. }
            | Self::Map { id, .. }
            | Self::MapValues { id, .. }
            | Self::FlatMap { id, .. }
            | Self::FlatMapValues { id, .. }
            | Self::SelectKey { id, .. }
            | Self::Peek { id, .. }
            | Self::Foreach { id, .. }
            | Self::Merge { id, .. }
            | Self::Split { id, .. }
            | Self::Branch { id, .. }
            | Self::DefaultBranch { id, .. }
            | Self::Repartition { id, .. }
            | Self::ToTable { id, .. }
            | Self::GroupByKey { id, .. }
            | Self::GroupBy { id, .. }
            | Self::Count { id, .. }
            | Self::Reduce { id, .. }
            | Self::Aggregate { id, .. }
            | Self::Process { id, .. }
            | Self::ProcessValues { id, .. }
            | Self::ToStream { id, .. }
            | Self::Join { id, .. }
            | Self::LeftJoin { id, .. }
            | Self::OuterJoin { id, .. } => Some(id),
        }
    }

    /// How it is kept, where the case says so.
    pub fn materialized(&self) -> Option<&Materialized> {
        match self {
            Self::Table { materialized, .. }
            | Self::Filter { materialized, .. }
            | Self::FilterNot { materialized, .. }
            | Self::MapValues { materialized, .. }
            | Self::ToTable { materialized, .. }
            | Self::Count { materialized, .. }
            | Self::Reduce { materialized, .. }
            | Self::Aggregate { materialized, .. }
            | Self::Join { materialized, .. }
            | Self::LeftJoin { materialized, .. }
            | Self::OuterJoin { materialized, .. } => materialized.as_ref(),
            _ => None,
        }
    }
}
