//! Thalweg: a Kafka Streams-class stream processor that serves its state.
//!
//! Rooms, in the order of a first reading: [`dsl`] describes, [`topology`] is the untyped shape,
//! [`task`] runs one sub-topology on one partition, [`group`] decides, [`wire`] speaks to Kafka,
//! [`runtime`] does, [`query`] answers over HTTP. `ARCHITECTURE.md` holds the map and the absences.

pub mod cli;
pub mod dsl;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod group;
pub mod query;
pub mod runtime;
pub mod serde;
pub mod task;
pub mod testing;
pub mod topology;
pub mod types;
pub mod wire;
