//! The entry point of the DSL, and what all its handles share while a topology is described.

use std::any::Any;
use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::rc::Rc;

use thalweg_state::Backend;

use super::options::{Consumed, Materialized};
use super::plan::Place;
use super::source::Source;
use super::stream::KStream;
use super::table::{self, KTable};
use crate::serde::Serde;
use crate::task::{DecodePolicy, EntryRecipe, Recipes, ViewRecipe};
use crate::topology::{
    Blueprint, NodeId, Repartition, RepartitionNames, StoreDefinition, StoreId, Topic, TopologyError, validate_name,
};

/// Describes a topology: sources first, then operators on what they return. One thread, no IO.
///
/// Mistakes are collected; [`StreamsBuilder::build`] returns the first one.
#[derive(Clone, Default)]
pub struct StreamsBuilder {
    build: Rc<RefCell<Build>>,
}

/// What the handles of one topology share.
#[derive(Default)]
pub(super) struct Build {
    pub(super) blueprint: Blueprint,
    /// In order of places.
    entries: BTreeMap<NodeId, Vec<(Place, EntryRecipe)>>,
    /// The seam of each source that fans out, by its type.
    pub(super) source_seams: BTreeMap<NodeId, Box<dyn Any>>,
    pub(super) old_values: BTreeSet<NodeId>,
    pub(super) left_joins: BTreeSet<NodeId>,
    /// The repartition source that the joins of a stream share.
    pub(super) join_repartitions: BTreeMap<NodeId, NodeId>,
    policies: BTreeMap<NodeId, DecodePolicy>,
    views: Vec<ViewRecipe>,
    error: Option<TopologyError>,
}

impl Build {
    /// Takes a result; keeps the first mistake and goes on with a stand-in, since `build` will fail anyway.
    pub(super) fn check<T: Default>(&mut self, result: Result<T, TopologyError>) -> T {
        result.unwrap_or_else(|error| {
            self.error.get_or_insert(error);
            T::default()
        })
    }

    /// Burns a counter value for `prefix`, then prefers the user's name.
    pub(super) fn name(&mut self, prefix: &str, user: Option<String>) -> String {
        let generated = self.blueprint.new_processor_name(prefix);
        self.user_name(user).unwrap_or(generated)
    }

    /// Validates a user's name.
    pub(super) fn user_name(&mut self, user: Option<String>) -> Option<String> {
        if let Some(name) = &user {
            self.check(validate_name(name));
        }
        user
    }

    pub(super) fn processor(&mut self, name: &str, parents: &[NodeId]) -> NodeId {
        let added = self.blueprint.add_processor(name, parents);
        self.check(added)
    }

    /// Adds the nodes and the topic of a repartition.
    pub(super) fn repartition(
        &mut self,
        parent: NodeId,
        names: &RepartitionNames,
        partitions: Option<i32>,
    ) -> Repartition {
        let added = self.blueprint.add_repartition(parent, names, partitions);
        self.check(added)
    }

    /// Hangs another aggregation on the repartition of its grouping; Kafka Streams moves that repartition to the end
    /// of its build order.
    pub(super) fn reuse_repartition(&mut self, repartition: Repartition) {
        if self.error.is_none() {
            self.blueprint.reuse_repartition(repartition);
        }
    }

    /// Connects a processor to a store. Once something went wrong ids may be stand-ins, so nothing is touched.
    pub(super) fn connect(&mut self, node: NodeId, store: StoreId) {
        if self.error.is_none() {
            let connected = self.blueprint.connect(node, store);
            self.check(connected);
        }
    }

    /// Keeps a table from now on; asking again gives the same store.
    pub(super) fn materialize(&mut self, node: NodeId, store: &StoreDefinition) -> StoreId {
        if self.error.is_some() {
            return StoreId::default();
        }
        let made = self.blueprint.materialize(node, store.clone());
        self.check(made)
    }

    /// Writes two nodes when the parents of both are written.
    pub(super) fn write_together(&mut self, one: NodeId, other: NodeId) {
        if self.error.is_none() {
            self.blueprint.write_together(one, other);
        }
    }

    /// Asks for equal partition counts of the topics of these sources.
    pub(super) fn copartition(&mut self, sources: &[NodeId]) {
        if self.error.is_none() {
            self.blueprint.copartition(sources);
        }
    }

    /// The name of a node.
    pub(super) fn node_name(&self, node: NodeId) -> String {
        if self.error.is_none() { self.blueprint.node_name(node).to_owned() } else { String::new() }
    }

    /// Adds a stream of a source; one that nobody continues comes last.
    pub(super) fn add_entry(&mut self, source: NodeId, place: Option<Place>, recipe: EntryRecipe) {
        let entries = self.entries.entry(source).or_default();
        let place = place.unwrap_or(Place::MAX);
        let at = entries.partition_point(|(other, _)| *other <= place);
        entries.insert(at, (place, recipe));
    }

    pub(super) fn policy(&mut self, source: NodeId, policy: Option<DecodePolicy>) {
        self.policies.extend(policy.map(|policy| (source, policy)));
    }

    /// Adds a store that belongs to `node`, and serves it when its materialization says so.
    pub(super) fn own_store<K: 'static, V: 'static, KS: Serde<K>, VS: Serde<V>>(
        &mut self,
        node: NodeId,
        name: &str,
        keys: &KS,
        values: &VS,
        materialized: &Materialized<K, V>,
    ) -> StoreId {
        let added = self.blueprint.add_store(definition(name, materialized));
        let store = self.check(added);
        self.connect(node, store);
        self.serve(store, name, keys, values, materialized);
        store
    }
}

impl StreamsBuilder {
    /// An empty topology.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn build_mut(&self) -> RefMut<'_, Build> {
        self.build.borrow_mut()
    }

    /// A stream of the records of `topic`.
    pub fn stream<K, V, KS, VS>(&self, topic: &str, consumed: Consumed<KS, VS>) -> KStream<K, V, Source<K, V, KS, VS>>
    where
        K: 'static,
        V: 'static,
        KS: Serde<K>,
        VS: Serde<V>,
    {
        self.stream_of(&[topic], consumed)
    }

    /// One stream of the records of several topics; there is no order between topics.
    pub fn stream_of<K, V, KS, VS>(
        &self,
        topics: &[&str],
        consumed: Consumed<KS, VS>,
    ) -> KStream<K, V, Source<K, V, KS, VS>>
    where
        K: 'static,
        V: 'static,
        KS: Serde<K>,
        VS: Serde<V>,
    {
        let mut build = self.build_mut();
        let nodes = build.blueprint.len();
        let name = build.name("KSTREAM-SOURCE-", consumed.name);
        let all: Vec<Topic> = topics.iter().map(|topic| Topic::External((*topic).to_owned())).collect();
        let added = build.blueprint.stream_source(&name, &all);
        let node = build.check(added);
        let is_second = build.blueprint.len() == nodes;
        build.policy(node, consumed.policy);
        drop(build);
        let source = Source::new(self.clone(), node, consumed.keys, consumed.values);
        let mut stream = KStream::new(self.clone(), node, BTreeSet::from([node]), false, source);
        stream.is_second = is_second;
        stream
    }

    /// A table of the newest value per key of `topic`; a null value deletes, a null key is dropped.
    ///
    /// It is kept in a store when the store is named, or when an operator needs to look rows up.
    pub fn table<K, V, KS, VS>(
        &self,
        topic: &str,
        consumed: Consumed<KS, VS>,
        materialized: Materialized<K, V>,
    ) -> KTable<K, V>
    where
        K: Clone + 'static,
        V: Clone + 'static,
        KS: Serde<K>,
        VS: Serde<V>,
    {
        table::source(self, topic, consumed, materialized)
    }

    /// Adds a store for processors that connect to it ([`KStream::process`]).
    pub fn add_state_store<K, V, KS, VS>(
        &self,
        keys: KS,
        values: VS,
        materialized: Materialized<K, V>,
    ) -> StoreHandle<K, V, KS, VS>
    where
        K: 'static,
        V: 'static,
        KS: Serde<K>,
        VS: Serde<V>,
    {
        let mut build = self.build_mut();
        let name = materialized.name.clone().unwrap_or_default();
        let definition = StoreDefinition { cached: false, ..definition(&name, &materialized) };
        let added = build.blueprint.add_store(definition);
        let id = build.check(added);
        build.serve(id, &name, &keys, &values, &materialized);
        StoreHandle { id, keys, values, types: PhantomData }
    }

    /// Ends the description. `application_id` prefixes internal topics and is the group's id.
    pub fn build(self, application_id: &str) -> Result<Recipes, TopologyError> {
        let mut build = self.build.take();
        if let Some(error) = build.error.take() {
            return Err(error);
        }
        let topology = build.blueprint.build(application_id)?;
        Ok(Recipes {
            above_left_joins: topology.upstream(build.left_joins),
            topology,
            entries: build.entries.into_iter().map(|(node, all)| (node, recipes_of(all))).collect(),
            old_values: build.old_values,
            policies: build.policies,
            views: build.views,
            registry: None,
        })
    }
}

impl Build {
    /// Registers a store as a view when its materialization says so.
    pub(super) fn serve<K: 'static, V: 'static, KS: Serde<K>, VS: Serde<V>>(
        &mut self,
        store: StoreId,
        name: &str,
        keys: &KS,
        values: &VS,
        materialized: &Materialized<K, V>,
    ) {
        let codec = materialized.codec(name, std::sync::Arc::new(keys.clone()), std::sync::Arc::new(values.clone()));
        if let Some(codec) = codec {
            let (key_type, value_type) = (short_type::<K>(), short_type::<V>());
            self.views.push(ViewRecipe { name: name.to_owned(), store, key_type, value_type, codec });
        }
    }
}

fn recipes_of(entries: Vec<(Place, EntryRecipe)>) -> Vec<EntryRecipe> {
    entries.into_iter().map(|(_, recipe)| recipe).collect()
}

/// The type's name without the paths of modules, such as `EncodedList<OrderSummary>`.
fn short_type<T>() -> String {
    let full = std::any::type_name::<T>();
    let parts = full.split_inclusive(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':'));
    parts.map(|part| part.rsplit("::").next().unwrap_or(part)).collect()
}

/// The blueprint's side of a materialization.
pub(super) fn definition<K, V>(name: &str, materialized: &Materialized<K, V>) -> StoreDefinition {
    StoreDefinition {
        name: name.to_owned(),
        backend: if materialized.in_memory { Backend::Memory } else { Backend::RocksDb },
        changelog: materialized.logged.then(|| materialized.changelog_config.clone()),
        cached: materialized.cached,
    }
}

/// A store that processors may connect to.
pub struct StoreHandle<K, V, KS, VS> {
    pub(super) id: StoreId,
    pub(super) keys: KS,
    pub(super) values: VS,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V, KS: Clone, VS: Clone> Clone for StoreHandle<K, V, KS, VS> {
    fn clone(&self) -> Self {
        Self { id: self.id, keys: self.keys.clone(), values: self.values.clone(), types: PhantomData }
    }
}

impl<K, V, KS, VS> StoreHandle<K, V, KS, VS> {
    /// What [`KStream::process`] connects to.
    pub fn id(&self) -> StoreId {
        self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_without_their_paths() {
        assert_eq!(short_type::<Headers>(), "Headers");
        assert_eq!(short_type::<String>(), "String");
        assert_eq!(short_type::<Vec<Option<(i64, String)>>>(), "Vec<Option<(i64, String)>>");
    }

    struct Headers;
}
