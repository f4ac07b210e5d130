//! Which cases can be compared on real brokers: what of a result does not depend on timing.
//!
//! On a broker tasks run side by side and commits happen when they happen. This goes through the nodes of a case and
//! says of every stream how much of its order each run repeats; what no run repeats is an error, not a pass.

use std::collections::{BTreeMap, BTreeSet};

use super::places::{Places, places};
use crate::case::{Case, Guarantee, Input, Type};
use crate::check::Shapes;
use crate::node::{Id, Materialized, Node};

/// How much of the order of a stream every run repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// The last record of every key; a last null is the same as no record.
    Last,
    /// Which records every key has, in any order.
    Bag,
    /// The records of every key, in order.
    Keys,
    /// All records of a task, in order.
    Task,
}

/// Why a case cannot be compared on real brokers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incomparable {
    /// As a whole.
    #[error("{0}")]
    Case(&'static str),
    /// From one node on.
    #[error("node '{node}': {reason}")]
    Node {
        /// Its id, or the topic of a `to`.
        node: String,
        /// What depends on timing.
        reason: &'static str,
    },
}

/// The order of every topic that a `to` writes.
///
/// Steps of the wall clock are left out: what looks at it is not comparable.
pub fn comparable(case: &Case, shapes: &Shapes) -> Result<BTreeMap<String, Order>, Incomparable> {
    if case.config.guarantee != Guarantee::AtLeastOnce {
        return Err(Incomparable::Case("the guarantee is not at_least_once"));
    }
    match places(case) {
        Places::OnePerKey => {}
        Places::Several => return Err(Incomparable::Case("a key has records in several partitions")),
        Places::Missing => return Err(Incomparable::Case("an input names a partition that its topic does not have")),
    }
    let written = case.nodes.iter().filter_map(|node| match node {
        Node::To { topic, .. } => Some(topic),
        _ => None,
    });
    if written.clone().any(|topic| shapes.read.contains(topic)) {
        return Err(Incomparable::Case("a topic is both written and read"));
    }
    let mut rule = Rule {
        case,
        shapes,
        has_headers: has_headers(case),
        states: BTreeMap::new(),
        users: BTreeMap::new(),
        written: BTreeMap::new(),
    };
    for node in &case.nodes {
        let name = || match node {
            Node::To { topic, .. } => topic.clone(),
            _ => node.id().cloned().unwrap_or_default(),
        };
        let state = rule.state(node).map_err(|reason| Incomparable::Node { node: name(), reason })?;
        if let (Some(id), Some(state)) = (node.id(), state) {
            rule.states.insert(id.clone(), state);
        }
    }
    Ok(rule.written)
}

fn has_headers(case: &Case) -> bool {
    let added = case.nodes.iter().any(|node| match node {
        Node::Process { processor, .. } | Node::ProcessValues { processor, .. } => processor.starts_with("header:"),
        _ => false,
    });
    added || case.inputs.iter().any(|input| matches!(input, Input::Record(record) if !record.headers.is_empty()))
}

/// A stream of records, or of a table's changes or rows.
#[derive(Debug, Clone)]
struct Flow {
    order: Order,
    /// Whether the key decides the task.
    keyed: bool,
    /// Whether the DSL puts a repartition topic before what needs the key.
    rekeyed: bool,
    /// Of the topics it comes from.
    partitions: i32,
    from: BTreeSet<Origin>,
}

/// A topic through which a task gets records.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// One that was full before the start.
    Input(String),
    /// The repartition topic before or of this node.
    Internal(Id),
}

#[derive(Debug, Clone)]
enum State {
    Stream(Flow),
    Table {
        /// What a lookup sees at each time.
        rows: Flow,
        /// What the table forwards.
        changes: Flow,
    },
    Grouped {
        flow: Flow,
        of_table: bool,
        /// Each aggregate gets it through a repartition topic of its own.
        moved: bool,
    },
    Store,
}

type Reason = &'static str;

struct Rule<'a> {
    case: &'a Case,
    shapes: &'a Shapes,
    has_headers: bool,
    states: BTreeMap<Id, State>,
    /// The origins of the streams that meet in a store.
    users: BTreeMap<Id, BTreeSet<Origin>>,
    written: BTreeMap<String, Order>,
}

impl Rule<'_> {
    fn state(&mut self, node: &Node) -> Result<Option<State>, Reason> {
        let stream = |flow: Flow| Ok(Some(State::Stream(flow)));
        match node {
            Node::Stream { topics, .. } => stream(self.source(topics)),
            Node::Table { topic, materialized, .. } => {
                Ok(Some(self.materialize(self.source(std::slice::from_ref(topic)), materialized.as_ref())))
            }
            Node::Store { .. } => Ok(Some(State::Store)),
            Node::Map { of, .. } | Node::FlatMap { of, .. } | Node::SelectKey { of, .. } => {
                stream(rekey(self.stream(of)?)?)
            }
            Node::Peek { of, .. } | Node::Foreach { of, .. } | Node::Split { of, .. } => stream(self.stream(of)?),
            Node::MapValues { of, materialized, .. } => Ok(Some(self.derive(of, materialized.as_ref()))),
            Node::Filter { of, materialized, .. } | Node::FilterNot { of, materialized, .. } => {
                if let Ok(flow) = self.stream(of) {
                    return stream(whole(flow, "leaves records out of a stream of which the last alone is sure")?);
                }
                Ok(Some(self.derive(of, materialized.as_ref())))
            }
            Node::FlatMapValues { of, .. } | Node::Branch { of, .. } | Node::DefaultBranch { of, .. } => {
                stream(whole(self.stream(of)?, "leaves records out of a stream of which the last alone is sure")?)
            }
            Node::Merge { of, with, .. } => stream(self.merge(self.stream(of)?, self.stream(with)?)?),
            Node::To { of, topic, .. } => {
                let order = topic_after(self.stream(of)?, "").order;
                let twice = self.written.insert(topic.clone(), order).is_some();
                if twice { Err("another node writes the same topic") } else { Ok(None) }
            }
            Node::Repartition { id, of, partitions, .. } => {
                let flow = topic_after(self.stream(of)?, id);
                let partitions = partitions.unwrap_or(flow.partitions);
                // Null keys go to any partition.
                let order = if partitions > 1 { flow.order.min(Order::Keys) } else { flow.order };
                stream(Flow { order, partitions, ..flow })
            }
            Node::ToTable { id, of, materialized, .. } => {
                let flow = in_order(repartitioned(self.stream(of)?, id), "the last value of a key is not sure")?;
                Ok(Some(self.materialize(flow, materialized.as_ref())))
            }
            Node::ToStream { of, .. } => stream(self.table(of)?.1),
            Node::GroupByKey { id, of, .. } => {
                let flow = self.stream(of)?;
                let moved = flow.rekeyed;
                Ok(Some(State::Grouped { flow: repartitioned(flow, id), of_table: false, moved }))
            }
            Node::GroupBy { id, of, .. } => self.group(id, of).map(Some),
            Node::Count { of, materialized, .. }
            | Node::Reduce { of, materialized, .. }
            | Node::Aggregate { of, materialized, .. } => {
                let flow = self.aggregated(of, node)?;
                Ok(Some(self.materialize(flow, materialized.as_ref())))
            }
            Node::Process { of, processor, stores, .. } => {
                let flow = self.processed(of, processor, stores)?;
                let flow = if processor == "key_from_value" { rekey(flow)? } else { flow };
                stream(Flow { rekeyed: true, ..flow })
            }
            Node::ProcessValues { of, processor, stores, .. } => stream(self.processed(of, processor, stores)?),
            Node::Join { id, of, with, materialized, .. }
            | Node::LeftJoin { id, of, with, materialized, .. }
            | Node::OuterJoin { id, of, with, materialized, .. } => {
                self.join(id, of, with, materialized.as_ref()).map(Some)
            }
        }
    }

    fn source(&self, topics: &[String]) -> Flow {
        let counts = topics.iter().filter_map(|topic| self.case.topics.get(topic)).map(|topic| topic.partitions);
        let partitions = counts.clone().max().unwrap_or(1);
        let from = topics.iter().cloned().map(Origin::Input).collect();
        let keyed = counts.min().unwrap_or(1) == partitions;
        let order = if keyed && self.is_merged_alike(&from) { Order::Task } else { Order::Bag };
        Flow { order, keyed, rekeyed: false, partitions, from }
    }

    /// Whether a task takes the records of these topics in the same order in every run: all were there at the start, and
    /// their times decide.
    fn is_merged_alike(&self, from: &BTreeSet<Origin>) -> bool {
        if from.len() < 2 {
            return true;
        }
        let mut owner = BTreeMap::new();
        from.iter().all(|origin| matches!(origin, Origin::Input(_)))
            && self.case.inputs.iter().all(|input| match input {
                Input::Record(record) if from.contains(&Origin::Input(record.topic.clone())) => {
                    *owner.entry(record.timestamp).or_insert(&record.topic) == &record.topic
                }
                _ => true,
            })
    }

    fn stream(&self, id: &Id) -> Result<Flow, Reason> {
        match self.states.get(id) {
            Some(State::Stream(flow)) => Ok(flow.clone()),
            _ => Err("its parent is not a stream"),
        }
    }

    /// Rows and changes.
    fn table(&self, id: &Id) -> Result<(Flow, Flow), Reason> {
        match self.states.get(id) {
            Some(State::Table { rows, changes }) => Ok((rows.clone(), changes.clone())),
            _ => Err("its parent is not a table"),
        }
    }

    /// A table behind the record cache forwards when a commit comes.
    fn materialize(&self, flow: Flow, materialized: Option<&Materialized>) -> State {
        let cached = self.case.config.cache_max_bytes > 0 && materialized.is_none_or(|how| how.caching);
        let order = if cached { Order::Last } else { flow.order };
        State::Table { changes: Flow { order, ..flow.clone() }, rows: flow }
    }

    fn derive(&self, of: &Id, materialized: Option<&Materialized>) -> State {
        match self.states.get(of) {
            Some(State::Table { changes, .. }) if materialized.is_some() => {
                self.materialize(changes.clone(), materialized)
            }
            Some(State::Table { changes, .. }) => State::Table { rows: changes.clone(), changes: changes.clone() },
            Some(other) => other.clone(),
            None => State::Store,
        }
    }

    fn merge(&self, one: Flow, other: Flow) -> Result<Flow, Reason> {
        let (one, other) = (whole(one, MERGED_LAST)?, whole(other, MERGED_LAST)?);
        let from: BTreeSet<Origin> = one.from.union(&other.from).cloned().collect();
        let alike = one.partitions == other.partitions && self.is_merged_alike(&from);
        Ok(Flow {
            order: if alike { one.order.min(other.order) } else { Order::Bag },
            keyed: one.keyed && other.keyed && one.partitions == other.partitions,
            rekeyed: one.rekeyed || other.rekeyed,
            partitions: one.partitions.max(other.partitions),
            from,
        })
    }

    fn group(&self, id: &Id, of: &Id) -> Result<State, Reason> {
        if let Ok(flow) = self.stream(of) {
            return Ok(State::Grouped { flow: topic_after(rekey(flow)?, id), of_table: false, moved: true });
        }
        let changes = whole(self.table(of)?.1, "which changes the cache lets through is not sure")?;
        Ok(State::Grouped { flow: topic_after(rekey(changes)?, id), of_table: true, moved: true })
    }

    fn aggregated(&self, of: &Id, node: &Node) -> Result<Flow, Reason> {
        let Some(State::Grouped { mut flow, of_table, moved }) = self.states.get(of).cloned() else {
            return Err("its parent is not grouped");
        };
        if moved {
            flow.from = node.id().cloned().map(Origin::Internal).into_iter().collect();
        }
        let flow = whole(flow, "which changes the cache lets through is not sure")?;
        if flow.order >= Order::Keys {
            return Ok(flow);
        }
        let is_number = self.shapes.nodes.get(of).is_some_and(|shape| shape.value == Type::Int64);
        let commutes = match node {
            Node::Count { .. } => true,
            Node::Reduce { reducer, .. } => reducer == "sum" && is_number || reducer == "max" && !of_table,
            Node::Aggregate { aggregator, .. } => aggregator == "count" || aggregator == "sum",
            _ => false,
        };
        match (commutes, self.has_headers) {
            (true, false) => Ok(Flow { order: Order::Last, ..flow }),
            (true, true) => Err("which record comes last and gives its headers is not sure"),
            (false, _) => Err("the order of what is aggregated is not sure"),
        }
    }

    fn processed(&mut self, of: &Id, processor: &str, stores: &[Id]) -> Result<Flow, Reason> {
        let name = processor.split_once(':').map_or(processor, |(name, _)| name);
        if matches!(name, "metadata" | "stream_time" | "on_stream_time" | "on_wall_clock") {
            return Err("what the processor sees depends on places and times");
        }
        let flow = self.stream(of)?;
        if stores.is_empty() {
            return Ok(flow);
        }
        let flow = whole(flow, "which records come is not sure").and_then(|flow| in_order(flow, NO_ORDER))?;
        if !flow.keyed && flow.partitions > 1 {
            return Err("several tasks have rows of a key in the store");
        }
        for store in stores {
            let users = self.users.entry(store.clone()).or_default();
            users.extend(flow.from.iter().cloned());
            let users = users.clone();
            if !self.is_merged_alike(&users) {
                return Err("the order in which several streams use the store is not sure");
            }
        }
        Ok(flow)
    }

    fn join(&self, id: &Id, of: &Id, with: &Id, materialized: Option<&Materialized>) -> Result<State, Reason> {
        let (rows, changes) = self.table(with)?;
        let stream = self.stream(of).ok().map(|flow| repartitioned(flow, id));
        let left =
            stream.as_ref().map_or_else(|| self.table(of).map(|(_, changes)| changes), |flow| Ok(flow.clone()))?;
        let right = if stream.is_some() { rows } else { changes };
        let (left, right) = (whole(left, JOINED_LAST)?, whole(right, JOINED_LAST)?);
        let from: BTreeSet<Origin> = left.from.union(&right.from).cloned().collect();
        if !self.is_merged_alike(&from) {
            return Err("the order in which both sides come is not sure");
        }
        let flow = Flow { order: left.order.min(right.order), from, ..left };
        let flow = in_order(flow, NO_ORDER)?;
        Ok(match (stream, materialized) {
            (Some(_), _) => State::Stream(flow),
            (None, None) => State::Table { rows: flow.clone(), changes: flow },
            (None, Some(_)) => self.materialize(flow, materialized),
        })
    }
}

const MERGED_LAST: Reason = "merges a stream of which the last records alone are sure";
const JOINED_LAST: Reason = "one side is behind a record cache";
const NO_ORDER: Reason = "the order of its records is not sure";

/// Only when all records are sure, not the last alone.
fn whole(flow: Flow, otherwise: Reason) -> Result<Flow, Reason> {
    if flow.order == Order::Last { Err(otherwise) } else { Ok(flow) }
}

/// Only when the last record of every key is sure.
fn in_order(flow: Flow, otherwise: Reason) -> Result<Flow, Reason> {
    if flow.order == Order::Bag { Err(otherwise) } else { Ok(flow) }
}

fn rekey(flow: Flow) -> Result<Flow, Reason> {
    let flow = whole(flow, "another key of a stream of which the last records alone are sure")?;
    // The order of a whole task holds for any key; that of keys does not.
    let order = if flow.order == Order::Task { Order::Task } else { Order::Bag };
    Ok(Flow { order, keyed: false, rekeyed: true, ..flow })
}

/// What is read from a topic that `flow` was written to: several tasks may have written a key.
fn topic_after(flow: Flow, id: &str) -> Flow {
    let order = match flow.order {
        Order::Task if flow.partitions > 1 && !flow.keyed => Order::Bag,
        Order::Task if flow.partitions > 1 => Order::Keys,
        order => order,
    };
    let from = BTreeSet::from([Origin::Internal(id.to_owned())]);
    Flow { order, keyed: true, rekeyed: false, from, ..flow }
}

/// Through a repartition topic where the DSL puts one.
fn repartitioned(flow: Flow, id: &str) -> Flow {
    if flow.rekeyed { topic_after(flow, id) } else { flow }
}

#[cfg(test)]
mod tests;
