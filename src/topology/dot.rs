//! The graph as Graphviz reads it: sub-topologies as clusters, stores as cylinders, topics between the clusters.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Node, NodeKind, ResolvedTopic, SubTopology, TopicKind, Topology};

impl Topology {
    /// The graph in the DOT language: `orders topology --dot | dot -Tsvg`.
    pub fn dot(&self) -> String {
        let mut text = format!("digraph {} {{\n", quoted(&self.application_id));
        text.push_str("  rankdir=LR;\n  node [fontname=\"sans-serif\", fontsize=10];\n");
        for sub_topology in &self.sub_topologies {
            self.write_cluster(sub_topology, &mut text);
        }
        let topics = self.topics();
        for (id, topic) in topics.values() {
            let style = match topic.kind {
                TopicKind::External => "filled",
                TopicKind::Repartition => "\"filled,dashed\"",
            };
            line(&mut text, 1, &format!("{id} [label={}, shape=cds, style={style}]", quoted(&topic.name)));
        }
        for node in &self.nodes {
            write_edges(node, &topics, &mut text);
        }
        text.push_str("}\n");
        text
    }

    fn write_cluster(&self, sub_topology: &SubTopology, text: &mut String) {
        let id = sub_topology.id;
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  subgraph cluster_{id} {{");
        line(text, 2, &format!("label=\"Sub-topology: {id}\""));
        for node in &sub_topology.nodes {
            let node = self.node(*node);
            let shape = match node.kind {
                NodeKind::Source { .. } | NodeKind::Sink { .. } => "ellipse",
                NodeKind::Processor => "box",
            };
            line(text, 2, &format!("n{} [label={}, shape={shape}]", node.id.index(), quoted(&node.name)));
        }
        for (index, store) in sub_topology.stores.iter().enumerate() {
            let name = quoted(&store.definition.name);
            line(text, 2, &format!("s{id}_{index} [label={name}, shape=cylinder]"));
        }
        for node in sub_topology.nodes.iter().map(|node| self.node(*node)) {
            for index in node.stores.iter().filter_map(|store| sub_topology.store_index(*store)) {
                line(text, 2, &format!("n{} -> s{id}_{index} [dir=none, style=dashed]", node.id.index()));
            }
        }
        text.push_str("  }\n");
    }

    /// Every topic with an id in the text, by name.
    fn topics(&self) -> BTreeMap<&str, (String, &ResolvedTopic)> {
        let mut topics: BTreeMap<&str, (String, &ResolvedTopic)> = BTreeMap::new();
        for node in &self.nodes {
            let named = match &node.kind {
                NodeKind::Source { topics } => topics.as_slice(),
                NodeKind::Processor => &[],
                NodeKind::Sink { topic } => std::slice::from_ref(topic),
            };
            topics.extend(named.iter().map(|topic| (topic.name.as_str(), (String::new(), topic))));
        }
        for (number, (id, _)) in topics.values_mut().enumerate() {
            *id = format!("t{number}");
        }
        topics
    }
}

fn write_edges(node: &Node, topics: &BTreeMap<&str, (String, &ResolvedTopic)>, text: &mut String) {
    let own = node.id.index();
    let id = |topic: &ResolvedTopic| topics.get(topic.name.as_str()).map(|(id, _)| id.as_str()).unwrap_or_default();
    match &node.kind {
        NodeKind::Source { topics } => {
            topics.iter().for_each(|topic| line(text, 1, &format!("{} -> n{own}", id(topic))));
        }
        NodeKind::Processor => {}
        NodeKind::Sink { topic } => line(text, 1, &format!("n{own} -> {}", id(topic))),
    }
    for child in &node.children {
        line(text, 1, &format!("n{own} -> n{}", child.index()));
    }
}

fn line(text: &mut String, depth: usize, content: &str) {
    let _ = writeln!(text, "{}{content};", "  ".repeat(depth));
}

/// A quoted id of the DOT language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
