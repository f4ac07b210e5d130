//! Describe: streams and tables become a blueprint plus typed recipes.
//!
//! Nothing here runs a record. Operator calls record nodes, names and stores in the untyped blueprint and, beside
//! it, typed recipes that are called once per task, on the task's thread. Segments between seams fuse into one
//! concrete chain; the only dynamic calls are at sources, where a stream fans out or in, at user processors, and at
//! lookups of a table's rows. Names follow Kafka Streams; `describe()` prints the same text.
//!
//! ```
//! use thalweg::dsl::{Consumed, Grouped, Materialized, Produced, StreamsBuilder};
//! use thalweg::serde::{I64Serde, OptionalSerde, StringSerde};
//! use thalweg::testing::{DriverOptions, TopologyTestDriver};
//!
//! let builder = StreamsBuilder::new();
//! builder
//!     .stream::<String, String, _, _>("page.visits", Consumed::with(StringSerde, StringSerde))
//!     .filter(|_visitor, page| page.starts_with("/orders"))
//!     .group_by(|_visitor, page| page.clone(), Grouped::with(StringSerde, StringSerde).named("by-page"))
//!     .count(Materialized::named("visits-per-page").view())
//!     .to_stream()
//!     .to("page.counts", Produced::with(StringSerde, OptionalSerde(I64Serde)));
//!
//! // The test driver runs the real tasks without a broker.
//! let driver = TopologyTestDriver::new(builder.build("pages")?, DriverOptions::default())?;
//! let visits = driver.create_input_topic::<String, String, _, _>("page.visits", StringSerde, StringSerde);
//! let counts = driver.create_output_topic::<String, i64, _, _>("page.counts", StringSerde, I64Serde);
//! visits.pipe_input("visitor-1", "/orders/7", 10);
//! visits.pipe_input("visitor-2", "/about", 20);
//! visits.pipe_input("visitor-2", "/orders/7", 30);
//! let orders_7 = "/orders/7".to_owned();
//! assert_eq!(counts.read_key_values_to_list(), [(orders_7.clone(), 1), (orders_7, 2)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod branch;
mod builder;
mod changed;
mod forward;
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
#[cfg(test)]
mod tests;

pub use branch::BranchedStream;
pub use builder::{StoreHandle, StreamsBuilder};
pub use grouped_stream::KGroupedStream;
pub use grouped_table::KGroupedTable;
pub use operators::{AsNullable, Filter, FlatMap, FlatMapValues, Function, Map, MapValues, Peek, SelectKey};
pub use options::{Consumed, Grouped, Joined, Materialized, Produced, Repartitioned};
pub use plan::{Merged, Operator, Place, Plan, Seam, Then};
pub use processor::{FixedKeyContext, FixedKeyProcessor, Processor, ProcessorContext, Stores};
pub use source::Source;
pub use stream::KStream;
pub use table::{KTable, NewValues};
pub use table_operators::NewValue;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use changed::ChangedSerde;
