//! The state of a task: store traits, the overlay of uncommitted writes, memory and RocksDB stores.
//!
//! Writes of the running task go to the [`TaskState`]'s overlay. After the commit succeeded, [`TaskState::apply`] moves
//! them into the stores together with the position they bring the task to, in one atomic write. Readers on other threads
//! see applied versions only, each with exactly its position. Nothing here knows about brokers, records or threads.
//!
//! The changelog is the write-ahead log: RocksDB's own is off and flushes are atomic over column families, so after a
//! crash the store equals a prefix of the committed changelog, and its position says which one.

mod cache;
mod error;
pub mod fault_point;
pub mod layout;
mod memory;
mod overlay;
mod position;
mod published;
mod recycle;
mod rocks;
mod store;
mod task_state;

pub use cache::{CachedRow, RecordCache};
pub use error::{Error, ErrorKind};
pub use position::Position;
pub use rocks::SharedMemory;
pub use store::{Backend, Change, KeyRange, Reader, SharedReader, Snapshot, StoreIndex, StoreSpec, Visit};
pub use task_state::{Opened, TaskState};
