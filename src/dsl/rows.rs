//! How a table's rows are looked up, and what asking for them does to the description.

use std::rc::Rc;
use std::sync::Arc;

use super::builder::Build;
use super::operators::Function;
use crate::serde::Serde;
use crate::task::{Cx, Fault, KeyValueStore, ValueAndTimestamp, Wiring};
use crate::topology::{NodeId, StoreDefinition, StoreId};

/// Looks up a table's row inside a task (Kafka Streams' `KTableValueGetter`).
pub trait Getter<K, V> {
    /// The row of `key` now, uncommitted writes included.
    fn get(&mut self, key: &K, cx: &mut Cx) -> Result<Option<ValueAndTimestamp<V>>, Fault>;
}

/// Builds a getter, once per task and user.
pub type GetterRecipe<K, V> = Arc<dyn Fn(&mut Wiring<'_>) -> Box<dyn Getter<K, V>> + Send + Sync>;

/// Where the rows of a table come from.
pub(super) trait Rows<K, V> {
    /// The stores that answer a lookup; a table that was not kept yet is kept from now on.
    fn stores(&self, build: &mut Build) -> Vec<StoreId>;

    /// Asks the table to send old values downstream; without `force` only a table that is kept already does.
    fn send_old_values(&self, build: &mut Build, force: bool) -> bool;

    /// How to look rows up.
    fn getter(&self) -> GetterRecipe<K, V>;
}

/// Shared by all handles of one table.
pub(super) type SharedRows<K, V> = Rc<dyn Rows<K, V>>;

/// Rows in a store of the table's own.
pub(super) struct Stored<KS, VS> {
    pub(super) node: NodeId,
    pub(super) keys: KS,
    pub(super) values: VS,
    pub(super) kept: Kept,
}

/// Whether the store exists from the start.
#[derive(Clone)]
pub(super) enum Kept {
    /// It does.
    Always(StoreId),
    /// It is made when somebody asks for rows or old values (Kafka Streams' `KTableSource.materialize`).
    OnDemand(StoreDefinition),
}

impl<KS, VS> Stored<KS, VS> {
    fn store(&self, build: &mut Build) -> StoreId {
        match &self.kept {
            Kept::Always(store) => *store,
            Kept::OnDemand(definition) => build.materialize(self.node, definition),
        }
    }
}

impl<K: 'static, V: 'static, KS: Serde<K>, VS: Serde<V>> Rows<K, V> for Stored<KS, VS> {
    fn stores(&self, build: &mut Build) -> Vec<StoreId> {
        vec![self.store(build)]
    }

    fn send_old_values(&self, build: &mut Build, force: bool) -> bool {
        let kept = match &self.kept {
            Kept::Always(_) => true,
            Kept::OnDemand(definition) => build.blueprint.store(&definition.name).is_some(),
        };
        if !kept && !force {
            return false;
        }
        self.store(build);
        build.old_values.insert(self.node);
        true
    }

    fn getter(&self) -> GetterRecipe<K, V> {
        let (keys, values, kept) = (self.keys.clone(), self.values.clone(), self.kept.clone());
        Arc::new(move |w| {
            let store = match &kept {
                Kept::Always(store) => *store,
                Kept::OnDemand(definition) => {
                    w.store_named(&definition.name).expect("whoever builds a getter asked for the stores first")
                }
            };
            Box::new(w.store::<K, V, KS, VS>(store, keys.clone(), values.clone()))
        })
    }
}

impl<K, V, KS: Serde<K>, VS: Serde<V>> Getter<K, V> for KeyValueStore<K, V, KS, VS> {
    fn get(&mut self, key: &K, cx: &mut Cx) -> Result<Option<ValueAndTimestamp<V>>, Fault> {
        KeyValueStore::get(self, key, cx)
    }
}

/// Rows computed from a parent table's rows on every lookup.
pub(super) struct Computed<K, V, F> {
    pub(super) node: NodeId,
    pub(super) parent: SharedRows<K, V>,
    pub(super) function: F,
}

impl<K, V, VO, F> Rows<K, VO> for Computed<K, V, F>
where
    K: 'static,
    V: 'static,
    VO: 'static,
    F: Fn(&K, V) -> Option<VO> + Function,
{
    fn stores(&self, build: &mut Build) -> Vec<StoreId> {
        self.parent.stores(build)
    }

    fn send_old_values(&self, build: &mut Build, force: bool) -> bool {
        let sends = self.parent.send_old_values(build, force);
        if sends {
            build.old_values.insert(self.node);
        }
        sends
    }

    fn getter(&self) -> GetterRecipe<K, VO> {
        let (parent, function) = (self.parent.getter(), self.function.clone());
        Arc::new(move |w| Box::new(ComputedGetter { parent: parent(w), function: function.clone() }))
    }
}

struct ComputedGetter<K, V, F> {
    parent: Box<dyn Getter<K, V>>,
    function: F,
}

impl<K, V, VO, F: Fn(&K, V) -> Option<VO>> Getter<K, VO> for ComputedGetter<K, V, F> {
    fn get(&mut self, key: &K, cx: &mut Cx) -> Result<Option<ValueAndTimestamp<VO>>, Fault> {
        let row = self.parent.get(key, cx)?;
        Ok(row.and_then(|row| {
            let timestamp = row.timestamp;
            (self.function)(key, row.value).map(|value| ValueAndTimestamp { value, timestamp })
        }))
    }
}
