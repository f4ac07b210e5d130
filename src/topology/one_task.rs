//! The whole graph as one sub-topology.

use super::{NodeId, NodeKind, SinkTopic, SourceTopic, Store, SubTopology, Topology};

impl Topology {
    /// The same graph as a single sub-topology, no partition count enforced: what Kafka Streams' `TopologyTestDriver`
    /// builds, which runs everything as task 0_0 on topics of one partition.
    pub fn as_one_task(&self) -> Self {
        let mut one = Self {
            sub_topologies: vec![self.joined()],
            repartition_topics: self.repartition_topics.keys().map(|topic| (topic.clone(), None)).collect(),
            ..self.clone()
        };
        one.nodes.iter_mut().for_each(|node| node.sub_topology = 0);
        one
    }

    fn joined(&self) -> SubTopology {
        let mut joined = SubTopology {
            id: 0,
            nodes: self.order.clone(),
            sources: Vec::new(),
            sinks: Vec::new(),
            stores: Vec::new(),
        };
        for id in &self.order {
            match &self.node(*id).kind {
                NodeKind::Source { topics } => {
                    let read = topics.iter().map(|topic| SourceTopic { node: *id, topic: topic.clone() });
                    joined.sources.extend(read);
                }
                NodeKind::Processor => {}
                NodeKind::Sink { topic } => joined.sinks.push(SinkTopic { node: *id, topic: topic.clone() }),
            }
            let stores = self.stores_of(*id).filter(|store| joined.stores.iter().all(|other| other.id != store.id));
            let stores: Vec<Store> = stores.cloned().collect();
            joined.stores.extend(stores);
        }
        joined
    }

    /// The stores that a node uses, in the order of connection.
    fn stores_of(&self, node: NodeId) -> impl Iterator<Item = &Store> {
        let node = self.node(node);
        let all = &self.sub_topologies[node.sub_topology as usize].stores;
        node.stores.iter().filter_map(|id| all.iter().find(|store| store.id == *id))
    }
}
