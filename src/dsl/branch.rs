//! `split().branch(..)`: each record goes to the first branch that wants it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::builder::StreamsBuilder;
use super::operators::Function;
use super::plan::{FanOut, Plan, Seam};
use super::stream::KStream;
use crate::task::{Cx, Fault, Push, Record, Wiring};
use crate::topology::NodeId;

type Predicate<K, V> = Arc<dyn Fn(&K, &V) -> bool + Send + Sync>;
type Branches<K, V> = Arc<Mutex<Vec<(Predicate<K, V>, Seam<K, V>)>>>;

/// A stream being split (Kafka Streams' `BranchedKStream`).
pub struct BranchedStream<K: 'static, V: 'static> {
    builder: StreamsBuilder,
    node: NodeId,
    name: String,
    sources: BTreeSet<NodeId>,
    repartition_required: bool,
    branches: Branches<K, V>,
    next_name: Option<String>,
    count: usize,
}

impl<K: Clone + 'static, V: Clone + 'static> BranchedStream<K, V> {
    /// Names the next branch: its node is then `<split name><name>`.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.next_name = Some(name.into());
        self
    }

    /// Adds a branch for records that no earlier branch took and for which `predicate` holds.
    pub fn branch<F: Fn(&K, &V) -> bool + Function>(&mut self, predicate: F) -> KStream<K, V> {
        self.count += 1;
        self.add(self.count, Arc::new(predicate))
    }

    /// Adds the branch for records that no other branch took; call it last.
    pub fn default_branch(mut self) -> KStream<K, V> {
        self.add(0, Arc::new(|_, _| true))
    }

    fn add(&mut self, index: usize, predicate: Predicate<K, V>) -> KStream<K, V> {
        let node = {
            let mut build = self.builder.build_mut();
            let name = match self.next_name.take() {
                Some(name) => format!("{}{name}", self.name),
                None => format!("{}{index}", self.name),
            };
            let name = build.name(&name.clone(), Some(name));
            build.processor(&name, &[self.node])
        };
        let seam = Seam::new();
        self.branches.lock().unwrap_or_else(PoisonError::into_inner).push((predicate, seam.clone()));
        KStream::new(self.builder.clone(), node, self.sources.clone(), self.repartition_required, seam)
    }
}

impl<K: 'static, V: 'static> BranchedStream<K, V> {
    pub(super) fn start<P: Plan<K, V>>(
        builder: StreamsBuilder,
        node: NodeId,
        name: String,
        sources: BTreeSet<NodeId>,
        repartition_required: bool,
        plan: P,
    ) -> Self
    where
        FanOut<K, V>: Push<K, V>,
    {
        let branches: Branches<K, V> = Arc::default();
        let wired = Arc::clone(&branches);
        plan.close(move |w| Split::wire(&wired, w));
        Self { builder, node, name, sources, repartition_required, branches, next_name: None, count: 0 }
    }
}

/// The running split.
struct Split<K, V> {
    branches: Vec<(Predicate<K, V>, FanOut<K, V>)>,
}

impl<K: 'static, V: 'static> Split<K, V> {
    fn wire(branches: &Branches<K, V>, w: &mut Wiring<'_>) -> Self {
        let branches = branches.lock().unwrap_or_else(PoisonError::into_inner);
        Self { branches: branches.iter().map(|(predicate, seam)| (Arc::clone(predicate), seam.wire(w))).collect() }
    }
}

impl<K, V> Push<K, V> for Split<K, V>
where
    FanOut<K, V>: Push<K, V>,
{
    fn push(&mut self, record: Record<K, V>, cx: &mut Cx) -> Result<(), Fault> {
        let taker = self.branches.iter_mut().find(|(predicate, _)| predicate(&record.key, &record.value));
        taker.map_or(Ok(()), |(_, branch)| branch.push(record, cx))
    }
}
