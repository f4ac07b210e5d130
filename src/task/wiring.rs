//! Builds one task's chain from the recipes: the only place where types are erased, once per task.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::cx::Cx;
use super::fault::Fault;
use super::outbox::SinkSlot;
use super::preparation::Step;
use super::punctuate::Due;
use super::record_cache::FlushCache;
use super::store::{KeyValueStore, StoreSlot};
use crate::serde::{SchemaRegistry, Serde, Serializer, ViewCodec};
use crate::topology::{NodeId, StoreId, SubTopology, Topic, Topology};
use crate::types::{RecordView, TaskId};

/// Where a source's records enter a chain, in two steps: a topic may feed several chains, and none of them may run
/// before all of them have decoded.
pub trait Entry {
    /// Decodes one record and keeps it for [`Entry::process`]; nothing else happens.
    fn decode(&mut self, record: &RecordView<'_>) -> Result<(), Fault>;

    /// Processes the decoded record to the end of the chain.
    fn process(&mut self, cx: &mut Cx) -> Result<(), Fault>;
}

/// A processor that can be punctuated.
pub trait Punctuate {
    /// Runs once, before anything else: the chain is wired. `index` is what schedules name the processor by.
    fn start(&mut self, index: usize, cx: &mut Cx);

    /// Runs the callback of a schedule that is due.
    fn punctuate(&mut self, due: Due, cx: &mut Cx) -> Result<(), Fault>;
}

/// Builds the entry of one source, once per task, on the task's thread.
pub type EntryRecipe = Box<dyn Fn(&mut Wiring<'_>) -> Box<dyn Entry> + Send + Sync>;

/// A store that is served over HTTP.
#[derive(Clone)]
pub struct ViewRecipe {
    /// The view's name in URLs: the store's name.
    pub name: String,
    /// Which store.
    pub store: StoreId,
    /// Key type, for people.
    pub key_type: String,
    /// Value type, for people.
    pub value_type: String,
    /// Keys and values as text and JSON.
    pub codec: Arc<dyn ViewCodec>,
}

/// What to do with a record whose bytes do not decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodePolicy {
    /// Fail the task (Kafka Streams' `LogAndFailExceptionHandler`).
    Fail,
    /// Count it and go on (`LogAndContinueExceptionHandler`).
    Skip,
    /// Write it to the dead letter topic, then go on (KIP-1034).
    DeadLetter,
}

/// A whole topology, ready to be instantiated per task: the untyped shape and the typed recipes.
pub struct Recipes {
    /// The untyped shape.
    pub topology: Topology,
    /// How to build the entries of each source node, in the order in which its streams were declared.
    pub entries: BTreeMap<NodeId, Vec<EntryRecipe>>,
    /// Table nodes that send old values downstream.
    pub old_values: BTreeSet<NodeId>,
    /// Nodes above a left join: repartition filters among them let null keys pass.
    pub above_left_joins: BTreeSet<NodeId>,
    /// Sources with a policy of their own.
    pub policies: BTreeMap<NodeId, DecodePolicy>,
    /// Stores that are served.
    pub views: Vec<ViewRecipe>,
    /// The schema registry that its serdes ask, if the application has one: its failures are counted.
    pub registry: Option<SchemaRegistry>,
}

/// Lends the shape and the outbox to the recipes while a task's chain is built.
pub struct Wiring<'a> {
    recipes: &'a Recipes,
    sub_topology: &'a SubTopology,
    task: TaskId,
    partitions: &'a BTreeMap<String, i32>,
    cx: &'a mut Cx,
    stores: BTreeMap<StoreId, StoreSlot>,
    shared: BTreeMap<NodeId, Box<dyn Any>>,
    processors: Vec<(NodeId, Rc<RefCell<dyn Punctuate>>)>,
    caching: bool,
    flushers: Vec<Box<dyn FlushCache>>,
    preparation: Vec<Step>,
}

/// What a chain leaves with its task.
pub(super) struct Wired {
    /// The processors that can be punctuated, in the order of their nodes.
    pub(super) processors: Vec<Rc<RefCell<dyn Punctuate>>>,
    /// What flushes the cached stores.
    pub(super) flushers: Vec<Box<dyn FlushCache>>,
    /// What must be prepared before the first record.
    pub(super) preparation: Vec<Step>,
}

impl<'a> Wiring<'a> {
    /// Starts wiring `task`. `partitions` has the partition count of every topic that its sinks write to; `caching`:
    /// stores that want a record cache get one.
    pub(super) fn new(
        recipes: &'a Recipes,
        sub_topology: &'a SubTopology,
        task: TaskId,
        partitions: &'a BTreeMap<String, i32>,
        caching: bool,
        cx: &'a mut Cx,
    ) -> Self {
        Self {
            recipes,
            sub_topology,
            task,
            partitions,
            cx,
            stores: BTreeMap::new(),
            shared: BTreeMap::new(),
            processors: Vec::new(),
            caching,
            flushers: Vec::new(),
            preparation: Vec::new(),
        }
    }

    /// What was wired beside the chain itself; flushers in the order of the stores. Processors start here, in the order of
    /// their nodes, as in Kafka Streams' `StreamTask.initializeTopology`.
    pub(super) fn finish(mut self) -> Wired {
        self.flushers.sort_by_key(|flusher| flusher.store());
        let nodes = &self.sub_topology.nodes;
        self.processors.sort_by_key(|(node, _)| nodes.iter().position(|other| other == node));
        let processors: Vec<_> = self.processors.into_iter().map(|(_, processor)| processor).collect();
        for (index, processor) in processors.iter().enumerate() {
            processor.borrow_mut().start(index, self.cx);
        }
        Wired { processors, flushers: self.flushers, preparation: self.preparation }
    }

    /// Has `serializer` prepared for `topic` before the task takes its first record; `target` is for texts.
    pub fn prepare<T, S>(&mut self, topic: &Arc<str>, target: &str, serializer: S)
    where
        T: 'static,
        S: Serializer<T>,
    {
        let (topic, target) = (Arc::clone(topic), target.to_owned());
        self.preparation.push(Box::new(move || {
            serializer.prepare(&topic).map_err(|error| Fault::Encode { target: target.clone(), error })
        }));
    }

    /// Whether the table `node` must send old values.
    pub fn sends_old_values(&self, node: NodeId) -> bool {
        self.recipes.old_values.contains(&node)
    }

    /// Whether the repartition filter `node` lets null keys pass, because a left join further down wants them
    /// (Kafka Streams' `NodesWithRelaxedNullKeyJoinDownstream`).
    pub fn passes_null_keys(&self, node: NodeId) -> bool {
        self.recipes.above_left_joins.contains(&node)
    }

    /// The store of this name, if the topology has it: a table's store exists only when somebody needed it.
    pub fn store_named(&self, name: &str) -> Option<StoreId> {
        let (sub_topology, index) = self.recipes.topology.store(name)?;
        Some(sub_topology.stores[index].id)
    }

    /// The name of the (first) topic that the source `node` reads.
    pub fn source_topic(&self, node: NodeId) -> Arc<str> {
        let mut sources = self.sub_topology.sources.iter();
        sources.find(|source| source.node == node).map_or("", |source| &source.topic.name).into()
    }

    /// Opens a typed store of this task.
    pub fn store<K, V, KS, VS>(&mut self, id: StoreId, keys: KS, values: VS) -> KeyValueStore<K, V, KS, VS>
    where
        K: 'static,
        V: 'static,
        KS: Serde<K>,
        VS: Serde<V>,
    {
        let slot = self.slot(id);
        let target = format!("store {}", slot.name);
        self.prepare::<K, _>(&slot.topic, &target, keys.clone());
        self.prepare::<V, _>(&slot.topic, &target, values.clone());
        KeyValueStore::new(slot, keys, values)
    }

    fn slot(&mut self, id: StoreId) -> StoreSlot {
        if let Some(slot) = self.stores.get(&id) {
            return slot.clone();
        }
        let index = self.sub_topology.store_index(id).expect("a store is wired in its own sub-topology");
        let store = &self.sub_topology.stores[index];
        let name: Arc<str> = store.definition.name.as_str().into();
        let changelog = store.changelog_topic.as_deref();
        let cached = self.caching && store.definition.cached;
        if cached {
            self.cx.caches.open(index);
        }
        let slot = StoreSlot {
            index,
            cached,
            topic: changelog.map_or_else(|| Arc::clone(&name), Arc::from),
            changelog: changelog.map(|topic| self.cx.outbox.changelog(index, topic, self.task.partition)),
            name,
        };
        self.stores.insert(id, slot.clone());
        slot
    }

    /// Opens the outbox lanes of a sink's topic; returns them with the full topic name.
    pub fn sink(&mut self, topic: &Topic) -> (SinkSlot, Arc<str>) {
        let name = self.recipes.topology.topic_name(topic);
        let partitions = self.partitions.get(&name).copied().expect("the runtime resolved every sink topic");
        (self.cx.outbox.sink(&name, partitions), name.into())
    }

    /// The one downstream that several upstreams of `node` share, built by the first of them.
    pub fn shared<D: 'static>(&mut self, node: NodeId, make: impl FnOnce(&mut Self) -> D) -> Rc<RefCell<D>> {
        if let Some(built) = self.shared.get(&node).and_then(|any| any.downcast_ref::<Rc<RefCell<D>>>()) {
            return Rc::clone(built);
        }
        let built = Rc::new(RefCell::new(make(self)));
        self.shared.insert(node, Box::new(Rc::clone(&built)));
        built
    }

    /// Makes the processor of a node reachable for punctuations.
    pub fn register(&mut self, node: NodeId, processor: Rc<RefCell<dyn Punctuate>>) {
        self.cx.may_change_headers = true;
        self.processors.push((node, processor));
    }

    /// Flushes a cached store of a table into what follows the table.
    pub(crate) fn register_flusher(&mut self, flusher: impl FlushCache + 'static) {
        self.flushers.push(Box::new(flusher));
    }
}
