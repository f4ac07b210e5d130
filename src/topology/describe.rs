//! The text of Kafka Streams' `TopologyDescription.toString()`, byte for byte.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::Write;

use super::java_order::{TreeSet, copied_hash_order, grown_hash_order};
use super::{Node, NodeId, NodeKind, ResolvedTopic, SubTopology, TopicKind, Topology};

impl Topology {
    /// The graph as text, equal to what Kafka Streams prints for the same DSL calls (its internal topics are
    /// named there without application id).
    pub fn describe(&self) -> String {
        let mut text = String::from("Topologies:\n ");
        for sub_topology in &self.sub_topologies {
            Description::new(self, sub_topology).write(&mut text);
        }
        text
    }
}

/// One sub-topology as Kafka's `describeSubtopology` sees it; nodes by their position in `sub_topology.nodes`.
struct Description<'a> {
    topology: &'a Topology,
    id: u32,
    nodes: Vec<&'a Node>,
    /// Paths that start at the node, which is Kafka's `size`: a Java int that wraps.
    sizes: Vec<i32>,
    predecessors: Vec<TreeSet>,
    successors: Vec<TreeSet>,
}

impl<'a> Description<'a> {
    fn new(topology: &'a Topology, sub_topology: &SubTopology) -> Self {
        let nodes: Vec<&Node> = sub_topology.nodes.iter().map(|id| topology.node(*id)).collect();
        let empty = || nodes.iter().map(|_| TreeSet::default()).collect();
        let mut description = Self {
            topology,
            id: sub_topology.id,
            sizes: vec![1; nodes.len()],
            predecessors: empty(),
            successors: empty(),
            nodes,
        };
        description.connect();
        description
    }

    /// Connects nodes in the iteration order of Kafka's map, because sets are ordered by the sizes of that moment.
    fn connect(&mut self) {
        let position: HashMap<NodeId, usize> = self.nodes.iter().enumerate().map(|(at, node)| (node.id, at)).collect();
        let names: Vec<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        for at in grown_hash_order(&names) {
            for parent in &self.nodes[at].parents {
                let parent = position[parent];
                let (nodes, sizes) = (&self.nodes, &self.sizes);
                let compare = |left, right| compare(nodes, sizes, left, right);
                self.predecessors[at].insert(parent, compare);
                self.successors[parent].insert(at, compare);
                self.add_size(parent, self.sizes[at]);
            }
        }
    }

    /// Adds `delta` to `from` and, once per path, to everything connected above it (Kafka's `updateSize`).
    fn add_size(&mut self, from: usize, delta: i32) {
        let mut deltas = vec![0_i32; from + 1];
        deltas[from] = delta;
        // Parents come before children, so one pass downwards visits every path.
        for at in (0..=from).rev() {
            let delta = deltas[at];
            if delta == 0 {
                continue;
            }
            self.sizes[at] = self.sizes[at].wrapping_add(delta);
            for parent in self.predecessors[at].items() {
                deltas[parent] = deltas[parent].wrapping_add(delta);
            }
        }
    }

    fn write(&self, text: &mut String) {
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_by(|left, right| compare(&self.nodes, &self.sizes, *left, *right));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  Sub-topology: {}", self.id);
        for at in order {
            let _ = writeln!(text, "    {}", self.node_text(at));
        }
        text.push('\n');
    }

    fn node_text(&self, at: usize) -> String {
        let node = self.nodes[at];
        let name = &node.name;
        let children = self.names(&self.successors[at]);
        let parents = self.names(&self.predecessors[at]);
        match &node.kind {
            NodeKind::Source { topics } => {
                let topics = bracketed(&topics.iter().map(|topic| self.described(topic)).collect::<Vec<_>>());
                format!("Source: {name} (topics: {topics})\n      --> {children}")
            }
            NodeKind::Processor => {
                let stores = bracketed(&self.store_names(node));
                format!("Processor: {name} (stores: {stores})\n      --> {children}\n      <-- {parents}")
            }
            NodeKind::Sink { topic } => {
                format!("Sink: {name} (topic: {})\n      <-- {parents}", self.described(topic))
            }
        }
    }

    fn names(&self, set: &TreeSet) -> String {
        let names: Vec<&str> = set.items().into_iter().map(|at| self.nodes[at].name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }

    fn store_names(&self, node: &Node) -> Vec<&'a str> {
        let stores = &self.topology.sub_topologies[node.sub_topology as usize].stores;
        let name = |id| stores.iter().find(|store| store.id == id).map(|store| store.definition.name.as_str());
        node.stores.iter().filter_map(|id| name(*id)).collect()
    }

    fn described<'t>(&self, topic: &'t ResolvedTopic) -> &'t str {
        match topic.kind {
            TopicKind::External => &topic.name,
            TopicKind::Repartition => &topic.name[self.topology.application_id.len() + 1..],
        }
    }
}

/// Java's `Set.toString`.
fn bracketed(names: &[&str]) -> String {
    let ordered: Vec<&str> = copied_hash_order(names).into_iter().map(|at| names[at]).collect();
    format!("[{}]", ordered.join(", "))
}

/// Kafka's `NodeComparator`: larger sizes first, then names.
fn compare(nodes: &[&Node], sizes: &[i32], left: usize, right: usize) -> Ordering {
    // Java subtracts ints here, and so wraps.
    sizes[right].wrapping_sub(sizes[left]).cmp(&0).then_with(|| nodes[left].name.cmp(&nodes[right].name))
}
