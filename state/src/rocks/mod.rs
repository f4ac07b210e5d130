//! The RocksDB of a task: the only room that names the engine.
//!
//! One database per task, a column family per store, the column family `default` for what describes them. The
//! write-ahead log is off (the changelog is it) and every flush is atomic over all column families: what is on disk is
//! always the state after one whole batch. A database that cannot be trusted is wiped, never repaired.

mod engine;
mod errors;
mod manifest;
mod meta;
mod open;
mod options;
mod pin;

pub(crate) use engine::Engine;
pub(crate) use open::{Database, destroy, open};
pub use options::SharedMemory;
pub(crate) use pin::Pin;
