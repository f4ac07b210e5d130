//! Describe: streams and tables become a blueprint plus typed recipes.
//!
//! Nothing here runs a record. Operator calls record nodes, names and stores in the untyped blueprint and, beside
//! it, typed recipes that are called once per task, on the task's thread. Segments between seams fuse into one
//! concrete chain; the only dynamic calls are at sources, where a stream fans out or in, at user processors, and at
//! lookups of a table's rows. Names follow Kafka Streams; `describe()` prints the same text.

mod branch;
mod builder;
mod changed;
mod grouped_stream;
mod grouped_table;
mod operators;
mod options;
mod plan;
mod processor;
mod rows;
mod sink;
mod source;
mod stream;
mod stream_join;
mod table;
mod table_join;
mod table_operators;

pub use branch::BranchedStream;
pub use builder::{StoreHandle, StreamsBuilder};
pub use grouped_stream::KGroupedStream;
pub use grouped_table::KGroupedTable;
pub use operators::{Filter, FlatMap, FlatMapValues, Function, Map, MapValues, Peek, SelectKey};
pub use options::{Consumed, Grouped, Joined, Materialized, Produced, Repartitioned};
pub use plan::{Merged, Operator, Plan, Seam, Then};
pub use processor::{FixedKeyContext, FixedKeyProcessor, Processor, ProcessorContext, Stores};
pub use source::Source;
pub use stream::KStream;
pub use table::{KTable, NewValues};
pub use table_operators::NewValue;
