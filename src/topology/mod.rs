//! The untyped blueprint: graph, sub-topologies, co-partitioning, names, `describe()`.
//!
//! [`Blueprint`] is recorded by the typed DSL in the order of Kafka Streams' DSL; [`Blueprint::build`] turns it
//! into a [`Topology`], and [`Topology::partitions`] turns that into the tasks and internal topics of a cluster.
//! Pure data and pure decisions: no thread, clock, socket or random source is named here.

mod blueprint;
mod build;
mod describe;
mod dot;
mod error;
mod internal_topic;
mod java_order;
mod name;
mod one_task;
mod partition_plan;
mod store_definition;
#[cfg(test)]
mod tests;
#[expect(clippy::module_inception, reason = "the room's product carries the room's name")]
mod topology;

pub use blueprint::{Blueprint, NodeId, Repartition, StoreId, Topic};
pub use error::TopologyError;
pub use internal_topic::{ExistingTopic, InternalTopic, InternalTopicKind, verify};
pub use name::{RepartitionNames, validate_name};
pub use partition_plan::{PartitionPlan, TaskPlan};
pub use store_definition::StoreDefinition;
pub use topology::{Node, NodeKind, ResolvedTopic, SinkTopic, SourceTopic, Store, SubTopology, TopicKind, Topology};
