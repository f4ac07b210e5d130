//! A topology while it is drawn: what there is to continue, and one more node at a time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::draw::Draw;
use super::functions::function;
use crate::case::{Topic, Type};
use crate::check::{Kind, Shape, Shapes};
use crate::function::Processor;
use crate::node::{Id, Materialized, Node};
use crate::operators::{Fields, Operator};

/// Most records that one input record may become at any node, as estimated.
const LOAD_MAX: u32 = 48;

/// Something that later nodes can continue.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    pub(super) id: Id,
    pub(super) shape: Shape,
    /// Most records per input record, as estimated.
    load: u32,
    /// How many nodes continue it.
    pub(super) used: u32,
}

/// A topology that grows.
#[derive(Debug, Clone, Default)]
pub(super) struct Sketch {
    pub(super) topics: BTreeMap<String, Topic>,
    pub(super) nodes: Vec<Node>,
    pub(super) handles: Vec<Handle>,
    pub(super) partitions: i32,
    /// Whether there is a record cache.
    cached: bool,
    shapes: Shapes,
    /// Lists of topics of the streams so far.
    streams: Vec<Vec<String>>,
    /// Topics that the topology writes and does not read, with the records per input record.
    written: BTreeMap<String, u32>,
    /// Stores of processors that are kept in memory.
    in_memory: BTreeSet<Id>,
    /// How many names were given.
    names: u32,
}

impl Sketch {
    /// An empty one, for topics with so many partitions, with or without a record cache.
    pub(super) fn new(partitions: i32, cached: bool) -> Self {
        Self { partitions, cached, ..Self::default() }
    }

    /// Adds a stream or a table of a topic; a table's key has the type `key` where that is wanted.
    pub(super) fn add_source(&mut self, draw: &mut Draw, op: &str, key: Option<Type>) {
        let mut fields = self.fields(op);
        let load = if op == "stream" {
            let (topics, load) = self.topics_of_stream(draw);
            fields.set("topics", topics);
            load
        } else {
            let (topic, load) = match self.written_topic(draw, key) {
                Some(written) => written,
                None => (self.new_topic(draw, key, None), 1),
            };
            fields.set("topic", topic);
            load
        };
        self.set_options(draw, None, op, &mut fields);
        self.add(&fields, load);
    }

    fn topics_of_stream(&mut self, draw: &mut Draw) -> (Vec<String>, u32) {
        if !self.streams.is_empty() && draw.chance(1, 5) {
            return (draw.pick(&self.streams).clone(), 1);
        }
        let (first, load) = match self.written_topic(draw, None) {
            Some(written) => written,
            None => (self.new_topic(draw, None, None), 1),
        };
        let mut topics = vec![first];
        while topics.len() < 3 && draw.chance(1, 5) {
            let Topic { key, value, .. } = self.topics[&topics[0]];
            topics.push(self.new_topic(draw, Some(key), Some(value)));
        }
        self.streams.push(topics.clone());
        (topics, load)
    }

    /// A topic that the topology writes itself. It is not written any more from then on, so that nothing goes round.
    fn written_topic(&mut self, draw: &mut Draw, key: Option<Type>) -> Option<(String, u32)> {
        let fits = |topic: &str| key.is_none_or(|key| self.topics[topic].key == key);
        let fitting: Vec<String> = self.written.keys().filter(|topic| fits(topic)).cloned().collect();
        if fitting.is_empty() || !draw.chance(1, 2) {
            return None;
        }
        let topic = draw.pick(&fitting).clone();
        let load = self.written.remove(&topic).unwrap_or(1);
        Some((topic, load))
    }

    fn new_topic(&mut self, draw: &mut Draw, key: Option<Type>, value: Option<Type>) -> String {
        let key = key.unwrap_or_else(|| *draw.pick(&[Type::String, Type::String, Type::Int64]));
        let values = [Type::String, Type::String, Type::Int64, Type::Int64, Type::Record];
        let value = value.unwrap_or_else(|| *draw.pick(&values));
        let name = format!("in{}", self.topics.len());
        self.topics.insert(name.clone(), Topic { key, value, partitions: self.partitions });
        name
    }

    /// Adds `operator` below the handle at `parent`, with the one at `other` where it takes two; false when nothing fits.
    pub(super) fn continue_with(
        &mut self,
        draw: &mut Draw,
        parent: usize,
        operator: &Operator,
        other: Option<usize>,
    ) -> bool {
        let from = self.handles[parent].clone();
        if self.is_closed_grouping(&from) {
            return false;
        }
        let mut fields = self.fields(operator.op);
        fields.set("of", from.id.clone());
        let mut load = from.load;
        if let Some(kind) = operator.with {
            let other = match other {
                Some(at) => Some(self.handles[at].clone()),
                None => self.other(draw, &from, kind),
            };
            let Some(other) = other else { return false };
            fields.set("with", other.id.clone());
            // Each record of a stream finds one row.
            load += if kind == from.shape.kind { other.load } else { 0 };
        }
        for (field, family) in operator.functions {
            let (name, factor) = function(draw, family);
            fields.set(field, name);
            load *= factor;
        }
        if from.shape.kind == Kind::Table && operator.gives == Kind::GroupedTable {
            // An old and a new value.
            load *= 2;
        }
        match operator.op {
            "to" => fields.set("topic", self.topic_of_sink(draw, &from, load)),
            "process" | "process_values" => self.add_stores(draw, &from, &mut fields),
            _ => {}
        }
        self.set_options(draw, operator.on, operator.op, &mut fields);
        load <= LOAD_MAX && !self.reaches_into_cache(&fields) && self.add(&fields, load)
    }

    /// Whether a header would be added to a record that a cache may hold: `process` forwards the record that it got, and
    /// Kafka Streams' cache keeps no copy of the headers (`README.md`, exceptions).
    fn reaches_into_cache(&self, fields: &Fields) -> bool {
        let adds = fields.text("processor").is_some_and(|name| name.starts_with("header:"));
        self.cached && adds && fields.text("op") == Some("process")
    }

    /// Whether Kafka Streams would refuse one more aggregation of a grouping: the repartition topic that the aggregations
    /// of a named grouping share moves behind a join that looks into the store of an earlier one (`README.md`,
    /// exceptions).
    fn is_closed_grouping(&self, grouping: &Handle) -> bool {
        let is_grouping = matches!(grouping.shape.kind, Kind::GroupedStream | Kind::GroupedTable);
        let node = self.nodes.iter().find(|node| node.id() == Some(&grouping.id));
        let is_named = node.is_some_and(|node| Fields::of(node).text("named").is_some());
        if !is_grouping || !is_named || grouping.used == 0 {
            return false;
        }
        let mut below = BTreeSet::from([grouping.id.clone()]);
        for node in &self.nodes {
            let parents = Fields::of(node).parents();
            let joins_below = |(field, id): &(&str, Id)| *field == "with" && below.contains(id);
            if parents.iter().any(joins_below) && !below.contains(&parents[0].1) {
                return true;
            }
            if parents.iter().any(|(_, parent)| below.contains(parent)) {
                below.extend(node.id().cloned());
            }
        }
        false
    }

    /// Another handle with equal keys, and for a merge equal values; rarely the same.
    fn other(&mut self, draw: &mut Draw, from: &Handle, kind: Kind) -> Option<Handle> {
        let same_values = kind == from.shape.kind && kind == Kind::Stream;
        let fits = |handle: &&Handle| {
            let types = handle.shape.key == from.shape.key && (!same_values || handle.shape.value == from.shape.value);
            handle.shape.kind == kind && types
        };
        let with_itself = draw.chance(1, 12);
        let all: Vec<Handle> =
            self.handles.iter().filter(fits).filter(|handle| with_itself || handle.id != from.id).cloned().collect();
        if !all.is_empty() {
            let weights: Vec<usize> = all.iter().map(|handle| if handle.used == 0 { 4 } else { 1 }).collect();
            return Some(all[draw.weighted(&weights)].clone());
        }
        if kind != Kind::Table {
            return None;
        }
        self.add_source(draw, "table", Some(from.shape.key));
        self.handles.last().cloned()
    }

    fn topic_of_sink(&mut self, draw: &mut Draw, from: &Handle, load: u32) -> String {
        let Shape { key, value, .. } = from.shape;
        let topic = Topic { key, value, partitions: self.partitions };
        let fitting: Vec<String> = self.written.keys().filter(|name| self.topics[*name] == topic).cloned().collect();
        let name = if !fitting.is_empty() && draw.chance(1, 4) {
            draw.pick(&fitting).clone()
        } else {
            format!("out{}", self.topics.len())
        };
        self.topics.insert(name.clone(), topic);
        *self.written.entry(name.clone()).or_default() += load;
        name
    }

    /// Names the stores of a processor: one that is there, or a new one.
    fn add_stores(&mut self, draw: &mut Draw, from: &Handle, fields: &mut Fields) {
        let processor = fields.text("processor").and_then(|name| name.parse::<Processor>().ok());
        let Some(value) = processor.as_ref().and_then(|processor| processor.store(from.shape.value)) else { return };
        let wanted = Shape { kind: Kind::Store, key: from.shape.key, value };
        // What an iterator over memory sees of writes made meanwhile is not said (`README.md`, exceptions).
        let iterates = matches!(processor, Some(Processor::OnStreamTime(_) | Processor::OnWallClock(_)));
        let fits = |handle: &&Handle| handle.shape == wanted && !(iterates && self.in_memory.contains(&handle.id));
        let known: Vec<Id> = self.handles.iter().filter(fits).map(|handle| handle.id.clone()).collect();
        let id = if !known.is_empty() && draw.chance(3, 4) {
            draw.pick(&known).clone()
        } else {
            let mut store = self.fields("store");
            store.set("name", self.name("store"));
            store.set("key", json!(wanted.key));
            store.set("value", json!(wanted.value));
            self.set_options(draw, None, "store", &mut store);
            if iterates {
                store.remove("in_memory");
            }
            self.add(&store, 0);
            let id = store.text("id").unwrap_or_default().to_owned();
            if store.get("in_memory").is_some() {
                self.in_memory.insert(id.clone());
            }
            // The next node took its id before the store was there.
            fields.set("id", self.next_id());
            id
        };
        fields.set("stores", vec![id]);
    }

    fn set_options(&mut self, draw: &mut Draw, on: Option<Kind>, op: &str, fields: &mut Fields) {
        let options = Operator::find(on, op).map_or(&[][..], |operator| operator.options);
        for option in options {
            match *option {
                "named" if draw.chance(1, 3) => fields.set("named", self.node_name(draw)),
                "materialized" if draw.chance(3, 5) => fields.set("materialized", self.materialized(draw)),
                "partitions" if draw.chance(1, 3) => fields.set("partitions", self.partitions),
                "in_memory" if draw.chance(1, 3) => fields.set("in_memory", true),
                "logging" if draw.chance(1, 5) => fields.set("logging", false),
                _ => {}
            }
        }
    }

    fn materialized(&mut self, draw: &mut Draw) -> Value {
        let mut materialized = Materialized {
            name: draw.chance(1, 2).then(|| self.name("store")),
            in_memory: draw.chance(1, 4),
            logging: !draw.chance(1, 6),
            caching: !draw.chance(1, 4),
            changelog_config: BTreeMap::new(),
        };
        if materialized.logging && draw.chance(1, 6) {
            let (key, value) = *draw.pick(&[("segment.bytes", "2097152"), ("min.cleanable.dirty.ratio", "0.7")]);
            materialized.changelog_config.insert(key.to_owned(), value.to_owned());
        }
        json!(materialized)
    }

    /// A new name. It handles with a letter, so that no name is another one and the number of a branch.
    fn name(&mut self, beginning: &str) -> String {
        self.names += 1;
        format!("{beginning}{}x", self.names)
    }

    /// A new name for a node; describe() sorts by names, so they begin in several ways.
    fn node_name(&mut self, draw: &mut Draw) -> String {
        let beginning = *draw.pick(&["a", "Mid-", "z.", "node_", "KT"]);
        self.name(beginning)
    }

    fn next_id(&self) -> Id {
        format!("n{}", self.nodes.len())
    }

    fn fields(&self, op: &str) -> Fields {
        let mut fields = Fields::new(op);
        if op != "to" {
            fields.set("id", self.next_id());
        }
        fields
    }

    /// Adds a node; false when its types do not fit.
    fn add(&mut self, fields: &Fields, load: u32) -> bool {
        let Some(node) = fields.node() else { unreachable!("a node with all its fields: {fields:?}") };
        if self.shapes.add(&self.topics, &node).is_err() {
            return false;
        }
        for (_, parent) in fields.parents() {
            self.handles.iter_mut().filter(|handle| handle.id == parent).for_each(|handle| handle.used += 1);
        }
        if let Some(shape) = node.id().and_then(|id| self.shapes.nodes.get(id).map(|shape| (id.clone(), *shape))) {
            let (id, shape) = shape;
            self.handles.push(Handle { id, shape, load, used: 0 });
        }
        self.nodes.push(node);
        true
    }

    /// Names the store of the table `handle`, so that it can be dumped.
    pub(super) fn keep(&mut self, handle: &Handle) {
        let Some(at) = self.nodes.iter().position(|node| node.id() == Some(&handle.id)) else { return };
        if self.nodes[at].materialized().is_some_and(|materialized| materialized.name.is_some()) {
            return;
        }
        let mut fields = Fields::of(&self.nodes[at]);
        let mut materialized = self.nodes[at].materialized().cloned().unwrap_or_default();
        materialized.name = Some(self.name("store"));
        fields.set("materialized", json!(materialized));
        self.nodes.splice(at..=at, fields.node());
    }

    /// The names of all stores that have one.
    pub(super) fn stores(&self) -> Vec<String> {
        let name = |node: &Node| match node {
            Node::Store { name, .. } => Some(name.clone()),
            node => node.materialized().and_then(|materialized| materialized.name.clone()),
        };
        let names: BTreeSet<String> = self.nodes.iter().filter_map(name).collect();
        names.into_iter().collect()
    }

    /// Topics that are only read.
    pub(super) fn inputs(&self) -> Vec<(String, Topic)> {
        let is_input = |name: &str| name.starts_with("in");
        self.topics
            .iter()
            .filter(|(name, _)| is_input(name))
            .map(|(name, topic)| (name.clone(), topic.clone()))
            .collect()
    }
}
