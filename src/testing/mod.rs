//! The topology test driver: the real tasks of a topology, run without a broker, thread or clock.
//!
//! Build a [`TopologyTestDriver`] from what [`StreamsBuilder::build`](crate::dsl::StreamsBuilder::build) returns, pipe
//! records in, read records and stores out. It does what an application does between its consumers and its producers:
//! every task of every sub-topology and partition runs, repartition topics flow on into the tasks that read them, and
//! each record is committed. Written for tests: what a test does wrong panics with a sentence.

mod cluster;
mod driver;
mod input;
mod log;
mod one_task;
mod options;
mod output;
mod record;
mod store;
#[cfg(test)]
mod tests;

pub use driver::TopologyTestDriver;
pub use input::TestInputTopic;
pub use options::{DriverError, DriverOptions};
pub use output::TestOutputTopic;
pub use record::{RawRecord, TestRecord, WrittenRecord};
pub use store::{StoreRow, TestKeyValueStore};
