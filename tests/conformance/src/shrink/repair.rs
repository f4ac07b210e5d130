//! What else must change when something was taken away.

use std::collections::BTreeSet;

use serde_json::json;

use crate::case::{Case, Input, Topic, Type};
use crate::check::{Shape, Shapes};
use crate::function::Processor;
use crate::node::{Id, Node};
use crate::operators::Fields;

/// The case without what nothing refers to any more, and with the types of output topics and of stores that its
/// streams have now.
pub(super) fn repaired(mut case: Case) -> Case {
    without_leftovers(&mut case);
    // Each round mends the first mistake, if it can.
    for _ in 0..case.nodes.len() {
        let mut shapes = Shapes::default();
        let wrong = case.nodes.iter().position(|node| shapes.add(&case.topics, node).is_err());
        if wrong.is_none_or(|at| mend(&mut case, at, &shapes).is_none()) {
            break;
        }
    }
    case
}

/// Removes stores, names in `dump`, topics and inputs.
fn without_leftovers(case: &mut Case) {
    let named: BTreeSet<Id> =
        case.nodes.iter().flat_map(|node| Fields::of(node).parents()).map(|(_, parent)| parent).collect();
    case.nodes.retain(|node| !matches!(node, Node::Store { id, .. } if !named.contains(id)));
    let stores: BTreeSet<&String> = case.nodes.iter().filter_map(store_name).collect();
    case.dump.retain(|name| stores.contains(name));
    let (mut read, mut used) = (BTreeSet::new(), BTreeSet::new());
    for node in &case.nodes {
        match node {
            Node::Stream { topics, .. } => read.extend(topics.iter().cloned()),
            Node::Table { topic, .. } => drop(read.insert(topic.clone())),
            Node::To { topic, .. } => drop(used.insert(topic.clone())),
            _ => {}
        }
    }
    case.inputs.retain(|input| !matches!(input, Input::Record(record) if !read.contains(&record.topic)));
    used.append(&mut read);
    case.topics.retain(|name, _| used.contains(name));
}

fn store_name(node: &Node) -> Option<&String> {
    match node {
        Node::Store { name, .. } => Some(name),
        node => node.materialized()?.name.as_ref(),
    }
}

/// Gives the topic of a sink, or the store of a processor, the types of the stream before it.
fn mend(case: &mut Case, at: usize, shapes: &Shapes) -> Option<()> {
    match &case.nodes[at] {
        Node::To { of, topic, .. } => {
            let Shape { key, value, .. } = *shapes.nodes.get(of)?;
            let known = case.topics.get_mut(topic).filter(|_| !shapes.read.contains(topic))?;
            *known = Topic { key, value, partitions: known.partitions };
        }
        Node::Process { of, processor, stores, .. } | Node::ProcessValues { of, processor, stores, .. } => {
            let Shape { key, value, .. } = *shapes.nodes.get(of)?;
            let value = processor.parse::<Processor>().ok()?.store(value)?;
            let store = stores.first()?.clone();
            retype(case, &store, key, value)?;
        }
        _ => return None,
    }
    Some(())
}

fn retype(case: &mut Case, store: &Id, key: Type, value: Type) -> Option<()> {
    let node = case.nodes.iter_mut().find(|node| node.id() == Some(store))?;
    let mut fields = Fields::of(node);
    fields.set("key", json!(key));
    fields.set("value", json!(value));
    *node = fields.node()?;
    Some(())
}
