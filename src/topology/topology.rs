//! The finished shape: immutable, printable, shared by every thread.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use thalweg_state::StoreIndex;

use super::{NodeId, StoreDefinition, StoreId, Topic};

/// Who creates a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TopicKind {
    /// It exists before the application.
    External,
    /// The application creates it.
    Repartition,
}

/// A topic with its full name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResolvedTopic {
    /// Name in Kafka; a repartition topic's with application id.
    pub name: String,
    /// Who creates it.
    pub kind: TopicKind,
}

/// What a node does at the edge of the topology.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NodeKind {
    /// Reads topics.
    Source {
        /// In the order of the DSL.
        topics: Vec<ResolvedTopic>,
    },
    /// Transforms records.
    Processor,
    /// Writes one topic.
    Sink {
        /// The topic.
        topic: ResolvedTopic,
    },
}

/// One node of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its own id.
    pub id: NodeId,
    /// Name, unique in the topology.
    pub name: String,
    /// Source, processor or sink.
    #[serde(flatten)]
    pub kind: NodeKind,
    /// In the order of the DSL.
    pub parents: Vec<NodeId>,
    /// In the order in which records are forwarded to them.
    pub children: Vec<NodeId>,
    /// The stores it may use, in the order of connection.
    pub stores: Vec<StoreId>,
    /// Number of its sub-topology.
    pub sub_topology: u32,
}

/// A source node and one topic it reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceTopic {
    /// The source.
    pub node: NodeId,
    /// The topic.
    pub topic: ResolvedTopic,
}

/// A sink node and the topic it writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SinkTopic {
    /// The sink.
    pub node: NodeId,
    /// The topic.
    pub topic: ResolvedTopic,
}

/// A store of a sub-topology; its position in [`SubTopology::stores`] is its [`StoreIndex`] in every task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Store {
    /// Its id in the topology.
    pub id: StoreId,
    /// What the DSL said.
    #[serde(flatten)]
    pub definition: StoreDefinition,
    /// Name of the changelog topic; `None`: not logged.
    pub changelog_topic: Option<String>,
}

/// A connected part of the graph between topics: the unit of parallelism.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubTopology {
    /// Kafka Streams' number: groups are counted in the order of their first nodes.
    pub id: u32,
    /// Its nodes, parents before children.
    pub nodes: Vec<NodeId>,
    /// Every topic it reads, with the node that reads it.
    pub sources: Vec<SourceTopic>,
    /// Every topic it writes, with the node that writes it.
    pub sinks: Vec<SinkTopic>,
    /// Its stores in the order of [`StoreIndex`].
    pub stores: Vec<Store>,
}

impl SubTopology {
    /// Position of `store` among the stores of each task.
    pub fn store_index(&self, store: StoreId) -> Option<StoreIndex> {
        self.stores.iter().position(|candidate| candidate.id == store)
    }

    /// The sinks that end in a repartition topic.
    pub fn repartition_sinks(&self) -> impl Iterator<Item = &SinkTopic> {
        self.sinks.iter().filter(|sink| sink.topic.kind == TopicKind::Repartition)
    }
}

/// The whole processing graph of one application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Topology {
    pub(super) application_id: String,
    pub(super) sub_topologies: Vec<SubTopology>,
    pub(super) nodes: Vec<Node>,
    /// All nodes in the order in which Kafka Streams writes them.
    #[serde(skip)]
    pub(super) order: Vec<NodeId>,
    /// Full names with their enforced partition counts.
    #[serde(skip)]
    pub(super) repartition_topics: BTreeMap<String, Option<i32>>,
    /// Full names of source topics that must have equal partition counts; the sets are disjoint.
    #[serde(skip)]
    pub(super) copartition_groups: Vec<Vec<String>>,
}

impl Topology {
    /// The prefix of all internal topics.
    pub fn application_id(&self) -> &str {
        &self.application_id
    }

    /// All nodes; position = [`NodeId::index`].
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node `id`, which must come from the blueprint of this topology.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// All sub-topologies; position = number.
    pub fn sub_topologies(&self) -> &[SubTopology] {
        &self.sub_topologies
    }

    /// The full name of a topic of the DSL.
    pub fn topic_name(&self, topic: &Topic) -> String {
        match topic {
            Topic::External(name) => name.clone(),
            Topic::Internal(name) => format!("{}-{name}", self.application_id),
        }
    }

    /// `nodes` and every node above them, through repartition topics too.
    pub fn upstream(&self, nodes: BTreeSet<NodeId>) -> BTreeSet<NodeId> {
        let mut open: Vec<NodeId> = nodes.iter().copied().collect();
        let mut all = nodes;
        while let Some(node) = open.pop() {
            let node = self.node(node);
            let writers = self.nodes.iter().filter(|writer| feeds(writer, node)).map(|writer| writer.id);
            open.extend(node.parents.iter().copied().chain(writers).filter(|parent| all.insert(*parent)));
        }
        all
    }

    /// The store named `name` with its sub-topology and index there.
    pub fn store(&self, name: &str) -> Option<(&SubTopology, StoreIndex)> {
        self.sub_topologies.iter().find_map(|sub_topology| {
            let index = sub_topology.stores.iter().position(|store| store.definition.name == name)?;
            Some((sub_topology, index))
        })
    }
}

/// Whether `writer` is a sink into a repartition topic that `reader` reads.
fn feeds(writer: &Node, reader: &Node) -> bool {
    match (&writer.kind, &reader.kind) {
        (NodeKind::Sink { topic }, NodeKind::Source { topics }) => {
            topic.kind == TopicKind::Repartition && topics.contains(topic)
        }
        _ => false,
    }
}
