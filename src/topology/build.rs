//! From the recorded blueprint to the finished topology.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::blueprint::{RecordedKind, RecordedNode};
use super::{
    Blueprint, Node, NodeId, NodeKind, ResolvedTopic, SinkTopic, SourceTopic, Store, StoreId, SubTopology, Topic,
    TopicKind, Topology, TopologyError, validate_name,
};

impl Blueprint {
    /// Checks the whole graph and numbers its sub-topologies; `application_id` prefixes all internal topics.
    pub fn build(&self, application_id: &str) -> Result<Topology, TopologyError> {
        if !self.nodes.iter().any(|node| matches!(node.kind, RecordedKind::Source(_))) {
            return Err(TopologyError::NoSource);
        }
        validate_name(application_id)?;
        self.check_repartition_topics(application_id)?;

        let order = build_order(&self.nodes);
        let (groups, group_of) = self.node_groups(&order);
        let nodes = self.finish_nodes(application_id, &order, &group_of);
        let sub_topologies = (0..)
            .zip(groups)
            .map(|(id, members)| self.finish_sub_topology(application_id, id, members, &nodes))
            .collect::<Result<Vec<_>, _>>()?;
        let copartition_groups = self.copartition_groups(application_id);
        let repartition_topics =
            self.repartition_topics.iter().map(|(name, count)| (decorate(application_id, name), *count)).collect();
        check_enforced_counts(&copartition_groups, &repartition_topics)?;
        Ok(Topology {
            application_id: application_id.to_owned(),
            sub_topologies,
            nodes,
            order,
            repartition_topics,
            copartition_groups,
        })
    }

    fn check_repartition_topics(&self, application_id: &str) -> Result<(), TopologyError> {
        for name in self.repartition_topics.keys() {
            validate_name(&decorate(application_id, name))?;
        }
        for node in &self.nodes {
            for topic in node.topics() {
                if let Topic::Internal(name) = topic
                    && !self.repartition_topics.contains_key(name)
                {
                    return Err(TopologyError::UnknownRepartitionTopic { name: name.clone(), node: node.name.clone() });
                }
            }
        }
        Ok(())
    }

    /// Groups of nodes joined by edges or by stores, numbered in the order of their first nodes
    /// (Kafka's `makeNodeGroups`); and the group of each node.
    fn node_groups(&self, order: &[NodeId]) -> (Vec<Vec<NodeId>>, Vec<usize>) {
        let mut sets = DisjointSets::new(self.nodes.len());
        let mut first_user: Vec<Option<usize>> = vec![None; self.stores.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for parent in &node.parents {
                sets.unite(index, parent.0);
            }
            for store in &node.stores {
                sets.unite(index, *first_user[store.0].get_or_insert(index));
            }
        }
        let mut number_of_root = BTreeMap::new();
        let mut groups: Vec<Vec<NodeId>> = Vec::new();
        let mut group_of = vec![0; self.nodes.len()];
        for node in order {
            let number = *number_of_root.entry(sets.root(node.0)).or_insert(groups.len());
            if number == groups.len() {
                groups.push(Vec::new());
            }
            groups[number].push(*node);
            group_of[node.0] = number;
        }
        (groups, group_of)
    }

    fn finish_nodes(&self, application_id: &str, order: &[NodeId], group_of: &[usize]) -> Vec<Node> {
        let finish = |(index, recorded): (usize, &RecordedNode)| Node {
            id: NodeId(index),
            name: recorded.name.clone(),
            kind: match &recorded.kind {
                RecordedKind::Source(topics) => {
                    NodeKind::Source { topics: topics.iter().map(|topic| resolve(application_id, topic)).collect() }
                }
                RecordedKind::Processor => NodeKind::Processor,
                RecordedKind::Sink(topic) => NodeKind::Sink { topic: resolve(application_id, topic) },
            },
            parents: recorded.parents.clone(),
            children: Vec::new(),
            stores: recorded.stores.clone(),
            sub_topology: group_of[index] as u32,
        };
        let mut nodes: Vec<Node> = self.nodes.iter().enumerate().map(finish).collect();
        for node in order {
            for parent in &self.nodes[node.0].parents {
                nodes[parent.0].children.push(*node);
            }
        }
        nodes
    }

    fn finish_sub_topology(
        &self,
        application_id: &str,
        id: u32,
        members: Vec<NodeId>,
        nodes: &[Node],
    ) -> Result<SubTopology, TopologyError> {
        let mut sources = Vec::new();
        let mut sinks = Vec::new();
        let mut store_ids: Vec<StoreId> = Vec::new();
        for node in members.iter().map(|id| &nodes[id.0]) {
            match &node.kind {
                NodeKind::Source { topics } => {
                    sources.extend(topics.iter().map(|topic| SourceTopic { node: node.id, topic: topic.clone() }));
                }
                NodeKind::Processor => {}
                NodeKind::Sink { topic } => sinks.push(SinkTopic { node: node.id, topic: topic.clone() }),
            }
            for store in &node.stores {
                if !store_ids.contains(store) {
                    store_ids.push(*store);
                }
            }
        }
        let stores =
            store_ids.into_iter().map(|id| self.finish_store(application_id, id)).collect::<Result<Vec<_>, _>>()?;
        Ok(SubTopology { id, nodes: members, sources, sinks, stores })
    }

    fn finish_store(&self, application_id: &str, id: StoreId) -> Result<Store, TopologyError> {
        let definition = self.stores[id.0].clone();
        let changelog_topic =
            definition.changelog.is_some().then(|| format!("{application_id}-{}-changelog", definition.name));
        if let Some(topic) = &changelog_topic {
            validate_name(topic)?;
        }
        Ok(Store { id, definition, changelog_topic })
    }

    /// Sets of source topics with equal partition counts; sets that share a topic become one.
    ///
    /// Kafka's `copartitionGroups` joins only with the first set found; the full closure is what it is meant to be.
    fn copartition_groups(&self, application_id: &str) -> Vec<Vec<String>> {
        let mut groups: Vec<BTreeSet<String>> = Vec::new();
        for sources in &self.copartitions {
            let mut joined: BTreeSet<String> = sources
                .iter()
                .flat_map(|source| self.nodes[source.0].topics())
                .map(|topic| resolve(application_id, topic).name)
                .collect();
            groups.retain_mut(|group| {
                let apart = group.is_disjoint(&joined);
                if !apart {
                    joined.append(group);
                }
                apart
            });
            groups.push(joined);
        }
        groups.into_iter().map(|group| group.into_iter().collect()).collect()
    }
}

impl RecordedNode {
    fn topics(&self) -> &[Topic] {
        match &self.kind {
            RecordedKind::Source(topics) => topics,
            RecordedKind::Processor => &[],
            RecordedKind::Sink(topic) => std::slice::from_ref(topic),
        }
    }
}

fn decorate(application_id: &str, name: &str) -> String {
    format!("{application_id}-{name}")
}

fn resolve(application_id: &str, topic: &Topic) -> ResolvedTopic {
    match topic {
        Topic::External(name) => ResolvedTopic { name: name.clone(), kind: TopicKind::External },
        Topic::Internal(name) => ResolvedTopic { name: decorate(application_id, name), kind: TopicKind::Repartition },
    }
}

/// Enforced counts within one group can never be reconciled when they differ (Kafka's `validateCopartition`).
fn check_enforced_counts(
    groups: &[Vec<String>],
    repartition_topics: &BTreeMap<String, Option<i32>>,
) -> Result<(), TopologyError> {
    for group in groups {
        let counts: BTreeMap<String, i32> =
            group.iter().filter_map(|topic| Some((topic.clone(), (*repartition_topics.get(topic)?)?))).collect();
        if counts.values().collect::<BTreeSet<_>>().len() > 1 {
            return Err(TopologyError::NotCopartitioned { counts });
        }
    }
    Ok(())
}

/// The order in which Kafka writes the nodes: smallest priority first among those whose inputs are written
/// (`InternalStreamsBuilder.buildAndOptimizeTopology`).
///
/// It is the order of recording, except after `reuse_repartition`. The source of a repartition topic waits for the
/// sinks that were recorded before it, so every wait points backwards and the loop ends with all nodes.
fn build_order(nodes: &[RecordedNode]) -> Vec<NodeId> {
    let mut waits = vec![0_usize; nodes.len()];
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    let mut writers: BTreeMap<&Topic, Vec<usize>> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        let mut inputs: Vec<usize> = node.parents.iter().chain(&node.after).map(|before| before.0).collect();
        match &node.kind {
            RecordedKind::Source(topics) => inputs.extend(topics.iter().filter_map(|t| writers.get(t)).flatten()),
            RecordedKind::Processor => {}
            RecordedKind::Sink(topic @ Topic::Internal(_)) => writers.entry(topic).or_default().push(index),
            RecordedKind::Sink(Topic::External(_)) => {}
        }
        waits[index] = inputs.len();
        for input in inputs {
            followers[input].push(index);
        }
    }
    let candidate = |index: usize| Reverse((nodes[index].priority, index));
    let mut ready: BinaryHeap<_> = (0..nodes.len()).filter(|index| waits[*index] == 0).map(candidate).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(Reverse((_, index))) = ready.pop() {
        order.push(NodeId(index));
        for follower in &followers[index] {
            waits[*follower] -= 1;
            if waits[*follower] == 0 {
                ready.push(candidate(*follower));
            }
        }
    }
    assert_eq!(order.len(), nodes.len(), "every node waits for earlier nodes only");
    order
}

struct DisjointSets(Vec<usize>);

impl DisjointSets {
    fn new(len: usize) -> Self {
        Self((0..len).collect())
    }

    fn root(&mut self, mut index: usize) -> usize {
        while self.0[index] != index {
            self.0[index] = self.0[self.0[index]];
            index = self.0[index];
        }
        index
    }

    fn unite(&mut self, left: usize, right: usize) {
        let (left, right) = (self.root(left), self.root(right));
        self.0[left] = right;
    }
}
