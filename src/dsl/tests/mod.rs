//! What the DSL records, against Kafka Streams' own texts.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::ptr_arg, reason = "the functions stand where closures over a stream of String keys do")]

mod golden;
mod golden_tables;
