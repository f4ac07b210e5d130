//! Plain types that every room may name: ids, record views, record arenas, the partition of a key, waiting times, traces.

mod arena;
mod backoff;
mod batch;
mod headers;
mod ids;
mod now;
mod partition;
mod recycle;
mod spread;
mod time_queue;
mod trace;

pub use arena::{ArenaRecord, RecordArena};
pub use backoff::Backoff;
pub use batch::{RecordView, SourceBatch};
pub use headers::{Header, Headers, HeadersIter, HeadersView};
pub use ids::{TaskId, TopicPartition};
pub use now::Now;
pub use partition::{murmur2, partition_of};
pub use spread::Spread;
pub use time_queue::TimeQueue;
pub use trace::{Span, Spans, TraceContext};

/// Milliseconds since the Unix epoch, as in a Kafka record; negative means unknown.
pub type Timestamp = i64;

/// The *next* offset to read or write of a partition.
pub type Offset = i64;
