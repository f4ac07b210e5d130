//! Avro in Confluent framing through a schema registry.
//!
//! [`SchemaRegistry`] asks and remembers, [`AvroSerde`] reads and writes values, `plan` turns what another writer
//! schema wrote into our layout (Avro's schema resolution), `codec` goes between values and bytes. No error text quotes
//! the content of a record.

mod binary;
mod client;
mod codec;
mod decode;
mod default;
#[cfg(test)]
mod differential;
mod encode;
#[cfg(test)]
mod evolution;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod list;
mod plan;
mod registry;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests;
mod transcode;
mod value;

pub use client::RegistryOptions;
pub use list::{EncodedList, EncodedListSerde};
pub use registry::SchemaRegistry;
pub use value::AvroSerde;
