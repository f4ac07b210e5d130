//! Plain types that every room may name: ids, record views, record arenas, the partition of a key, waiting times.

mod arena;
mod backoff;
mod batch;
mod headers;
mod ids;
mod partition;

pub use arena::{ArenaRecord, RecordArena};
pub use backoff::Backoff;
pub use batch::{RecordView, SourceBatch};
pub use headers::{Header, Headers, HeadersIter, HeadersView};
pub use ids::{TaskId, TopicPartition};
pub use partition::{murmur2, partition_of};

/// Milliseconds since the Unix epoch, as in a Kafka record; negative means unknown.
pub type Timestamp = i64;

/// The *next* offset to read or write of a partition.
pub type Offset = i64;
