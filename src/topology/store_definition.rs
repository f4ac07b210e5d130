//! What the DSL says about a store before the task exists.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use thalweg_state::Backend;

/// A key-value store with timestamps, as declared by an operator or a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoreDefinition {
    /// Store name, unique in the topology; part of the changelog's name.
    pub name: String,
    /// Where its rows live.
    #[serde(serialize_with = "backend_word")]
    pub backend: Backend,
    /// Topic configs of its changelog on top of the defaults; `None`: not logged, lost with the task's directory.
    pub changelog: Option<BTreeMap<String, String>>,
    /// Whether it has a record cache, when the application has any.
    pub cached: bool,
}

impl StoreDefinition {
    /// A logged store in RocksDB with the default changelog configs.
    pub fn persistent(name: impl Into<String>) -> Self {
        Self { name: name.into(), backend: Backend::RocksDb, changelog: Some(BTreeMap::new()), cached: false }
    }

    /// A logged store in memory with the default changelog configs.
    pub fn in_memory(name: impl Into<String>) -> Self {
        Self { backend: Backend::Memory, ..Self::persistent(name) }
    }
}

fn backend_word<S: Serializer>(backend: &Backend, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match backend {
        Backend::RocksDb => "persistent",
        Backend::Memory => "memory",
    })
}
