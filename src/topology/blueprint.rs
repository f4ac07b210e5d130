//! The recorder of a topology: what the DSL says, in the order in which it says it.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::name::{NameCounter, RepartitionNames, validate_name};
use super::{StoreDefinition, TopologyError};

/// A node of one blueprint and of the topology built from it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct NodeId(pub(super) usize);

/// A store of one blueprint and of the topology built from it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct StoreId(pub(super) usize);

impl NodeId {
    /// Position in [`Topology::nodes`](super::Topology::nodes).
    pub const fn index(self) -> usize {
        self.0
    }
}

impl StoreId {
    /// Position in the order in which stores were added to the blueprint.
    pub const fn index(self) -> usize {
        self.0
    }
}

/// A topic as the DSL names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// A topic that exists before the application.
    External(String),
    /// A repartition topic; name without application id.
    Internal(String),
}

impl Topic {
    /// The name as written in the DSL: internal topics without application id.
    pub fn name(&self) -> &str {
        let (Self::External(name) | Self::Internal(name)) = self;
        name
    }
}

/// The nodes around one repartition topic.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Repartition {
    /// The null-key filter; a grouped table has none.
    pub filter: Option<NodeId>,
    /// The sink.
    pub sink: NodeId,
    /// The source that reads the topic back.
    pub source: NodeId,
}

#[derive(Debug, Clone)]
pub(super) enum RecordedKind {
    Source(Vec<Topic>),
    Processor,
    Sink(Topic),
}

#[derive(Debug, Clone)]
pub(super) struct RecordedNode {
    pub(super) name: String,
    pub(super) kind: RecordedKind,
    pub(super) parents: Vec<NodeId>,
    /// Further nodes that must be written before it.
    pub(super) after: Vec<NodeId>,
    /// In the order of connection, which shows in `describe()` when names share a hash bucket in Java.
    pub(super) stores: Vec<StoreId>,
    /// Kafka's build priority: smaller is written first.
    pub(super) priority: usize,
}

/// The untyped shape of a topology while it is being described.
///
/// Call it in the order in which Kafka Streams' DSL creates its graph nodes: names, sub-topology numbers and
/// `describe()` then equal Kafka Streams' (without optimisation). After an error the blueprint is incomplete: drop it.
#[derive(Debug, Clone, Default)]
pub struct Blueprint {
    names: NameCounter,
    priorities: usize,
    pub(super) nodes: Vec<RecordedNode>,
    node_by_name: HashMap<String, NodeId>,
    source_by_topic: HashMap<Topic, NodeId>,
    stream_sources: Vec<NodeId>,
    pub(super) stores: Vec<StoreDefinition>,
    pub(super) repartition_topics: BTreeMap<String, Option<i32>>,
    /// Each entry: source nodes whose topics must have equal partition counts.
    pub(super) copartitions: Vec<Vec<NodeId>>,
}

/// Names and topics.
impl Blueprint {
    /// The next generated name, such as `KSTREAM-FILTER-0000000001`.
    pub fn new_processor_name(&mut self, prefix: &str) -> String {
        self.names.processor(prefix)
    }

    /// The next generated store name, such as `KSTREAM-AGGREGATE-STATE-STORE-0000000001`; same counter.
    pub fn new_store_name(&mut self, prefix: &str) -> String {
        self.names.store(prefix)
    }

    /// Names of a repartition of a stream; uses up three numbers even when the result is dropped.
    pub fn repartition_names(&mut self, prefix: &str) -> RepartitionNames {
        self.names.repartition(prefix)
    }

    /// Names of the repartition of a grouped table; `operator` is the aggregation's name given by the user.
    pub fn table_repartition_names(&mut self, prefix: &str, operator: Option<&str>) -> RepartitionNames {
        self.names.table_repartition(prefix, operator)
    }

    /// Declares an internal topic; `partitions` is enforced, `None` takes the largest count upstream.
    pub fn add_repartition_topic(&mut self, name: &str, partitions: Option<i32>) -> Result<(), TopologyError> {
        if let Some(partitions) = partitions.filter(|count| *count < 1) {
            return Err(TopologyError::InvalidPartitionCount { topic: name.to_owned(), partitions });
        }
        if self.repartition_topics.insert(name.to_owned(), partitions).is_some() {
            return Err(TopologyError::DuplicateRepartitionTopic { name: name.to_owned() });
        }
        Ok(())
    }

    /// Requires equal partition counts of all source topics upstream of `nodes` (Kafka's `copartitionSources`).
    ///
    /// The DSL passes sources. Sets that share a topic are joined into one.
    pub fn copartition(&mut self, nodes: &[NodeId]) {
        let mut sources = Vec::new();
        let mut open = nodes.to_vec();
        let mut seen = vec![false; self.nodes.len()];
        while let Some(node) = open.pop() {
            if std::mem::replace(&mut seen[node.0], true) {
                continue;
            }
            match self.nodes[node.0].kind {
                RecordedKind::Source(_) => sources.push(node),
                RecordedKind::Processor | RecordedKind::Sink(_) => open.extend(&self.nodes[node.0].parents),
            }
        }
        self.copartitions.push(sources);
    }
}

/// Nodes.
impl Blueprint {
    /// Adds a source. Each topic may be read by one source only.
    pub fn add_source(&mut self, name: &str, topics: &[Topic]) -> Result<NodeId, TopologyError> {
        if topics.is_empty() {
            return Err(TopologyError::NoTopic { name: name.to_owned() });
        }
        self.check_new_name(name)?;
        let id = NodeId(self.nodes.len());
        for topic in topics {
            if let Some(other) = self.source_by_topic.insert(topic.clone(), id) {
                let source_name = if other == id { name } else { &self.nodes[other.0].name };
                return Err(TopologyError::TopicAlreadyRegistered {
                    topic: topic.name().to_owned(),
                    source_name: source_name.to_owned(),
                });
            }
        }
        Ok(self.push(name, RecordedKind::Source(topics.to_vec()), Vec::new()))
    }

    /// Adds the source of a stream, or returns the one that reads the same topics
    /// (Kafka's `mergeDuplicateSourceNodes`); `name` is then not used.
    pub fn stream_source(&mut self, name: &str, topics: &[Topic]) -> Result<NodeId, TopologyError> {
        for topic in topics {
            let Some(other) = self.source_by_topic.get(topic).copied() else { continue };
            if !self.stream_sources.contains(&other) {
                break;
            }
            if same_topics(&self.nodes[other.0].kind, topics) {
                return Ok(other);
            }
            return Err(TopologyError::OverlappingSources { topic: topic.name().to_owned() });
        }
        let source = self.add_source(name, topics)?;
        self.stream_sources.push(source);
        Ok(source)
    }

    /// Adds a processor below `parents`; a parent given twice counts once.
    pub fn add_processor(&mut self, name: &str, parents: &[NodeId]) -> Result<NodeId, TopologyError> {
        let parents = self.check_parents(name, parents)?;
        self.check_new_name(name)?;
        Ok(self.push(name, RecordedKind::Processor, parents))
    }

    /// Adds a sink that writes what `parents` forward to `topic`.
    pub fn add_sink(&mut self, name: &str, parents: &[NodeId], topic: Topic) -> Result<NodeId, TopologyError> {
        let parents = self.check_parents(name, parents)?;
        self.check_new_name(name)?;
        Ok(self.push(name, RecordedKind::Sink(topic), parents))
    }

    /// Adds topic, filter, sink and source of one repartition, in Kafka's order.
    pub fn add_repartition(
        &mut self,
        parent: NodeId,
        names: &RepartitionNames,
        partitions: Option<i32>,
    ) -> Result<Repartition, TopologyError> {
        self.add_repartition_topic(&names.topic, partitions)?;
        let topic = Topic::Internal(names.topic.clone());
        let filter = match &names.filter {
            Some(name) => Some(self.add_processor(name, &[parent])?),
            None => None,
        };
        let sink = self.add_sink(&names.sink, &[filter.unwrap_or(parent)], topic.clone())?;
        let source = self.add_source(&names.source, &[topic])?;
        Ok(Repartition { filter, sink, source })
    }

    /// Writes neither of two nodes before the parents of both: they are one node of Kafka's graph (`KTableKTableJoinNode`).
    pub fn write_together(&mut self, one: NodeId, other: NodeId) {
        let parents = [one, other].map(|node| self.nodes[node.0].parents.clone());
        let [of_one, of_other] = parents;
        self.nodes[one.0].after = of_other;
        self.nodes[other.0].after = of_one;
    }

    /// Notes that a named grouping is aggregated once more over the same repartition.
    ///
    /// Kafka gives the repartition a new, later build priority then, which can change sub-topology numbers.
    pub fn reuse_repartition(&mut self, repartition: Repartition) {
        for node in repartition.filter.into_iter().chain([repartition.sink, repartition.source]) {
            self.nodes[node.0].priority = self.priorities;
            self.priorities += 1;
        }
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The name of `node`.
    pub fn node_name(&self, node: NodeId) -> &str {
        &self.nodes[node.0].name
    }

    fn push(&mut self, name: &str, kind: RecordedKind, parents: Vec<NodeId>) -> NodeId {
        let id = NodeId(self.nodes.len());
        let priority = self.priorities;
        self.priorities += 1;
        self.node_by_name.insert(name.to_owned(), id);
        self.nodes.push(RecordedNode {
            name: name.to_owned(),
            kind,
            parents,
            after: Vec::new(),
            stores: Vec::new(),
            priority,
        });
        id
    }

    fn check_new_name(&self, name: &str) -> Result<(), TopologyError> {
        validate_name(name)?;
        if self.node_by_name.contains_key(name) {
            return Err(TopologyError::DuplicateNode { name: name.to_owned() });
        }
        Ok(())
    }

    fn check_parents(&self, name: &str, parents: &[NodeId]) -> Result<Vec<NodeId>, TopologyError> {
        let mut distinct = Vec::with_capacity(parents.len());
        for parent in parents {
            let Some(node) = self.nodes.get(parent.0) else {
                return Err(TopologyError::UnknownParent { name: name.to_owned() });
            };
            if matches!(node.kind, RecordedKind::Sink(_)) {
                return Err(TopologyError::SinkAsParent { name: name.to_owned(), sink: node.name.clone() });
            }
            if !distinct.contains(parent) {
                distinct.push(*parent);
            }
        }
        if distinct.is_empty() {
            return Err(TopologyError::NoParent { name: name.to_owned() });
        }
        Ok(distinct)
    }
}

/// Stores.
impl Blueprint {
    /// Adds a store; it belongs to the sub-topology of the processors it is connected to.
    pub fn add_store(&mut self, store: StoreDefinition) -> Result<StoreId, TopologyError> {
        validate_name(&store.name)?;
        if self.store(&store.name).is_some() {
            return Err(TopologyError::DuplicateStore { name: store.name });
        }
        self.stores.push(store);
        Ok(StoreId(self.stores.len() - 1))
    }

    /// The store named `name`.
    pub fn store(&self, name: &str) -> Option<StoreId> {
        self.stores.iter().position(|store| store.name == name).map(StoreId)
    }

    /// Gives the processor `node` access to `store`; processors that share a store share a sub-topology.
    pub fn connect(&mut self, node: NodeId, store: StoreId) -> Result<(), TopologyError> {
        let recorded = &mut self.nodes[node.0];
        if !matches!(recorded.kind, RecordedKind::Processor) {
            return Err(TopologyError::NotAProcessor { node: recorded.name.clone() });
        }
        if store.0 >= self.stores.len() {
            return Err(TopologyError::UnknownStore { node: recorded.name.clone(), index: store.0 });
        }
        if !recorded.stores.contains(&store) {
            recorded.stores.push(store);
        }
        Ok(())
    }

    /// Gives the table source `node` its store, now that something needs it; asking again returns the same store.
    ///
    /// The name was generated with the table, so late materialisation shifts no other name (Kafka's
    /// `KTableSource.materialize`).
    pub fn materialize(&mut self, node: NodeId, store: StoreDefinition) -> Result<StoreId, TopologyError> {
        match self.store(&store.name) {
            Some(id) if self.nodes[node.0].stores.contains(&id) => Ok(id),
            _ => {
                let id = self.add_store(store)?;
                self.connect(node, id)?;
                Ok(id)
            }
        }
    }
}

fn same_topics(kind: &RecordedKind, topics: &[Topic]) -> bool {
    let RecordedKind::Source(others) = kind else { return false };
    others.len() == topics.len() && others.iter().all(|topic| topics.contains(topic))
}
