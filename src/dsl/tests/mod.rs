//! What the DSL records, against Kafka Streams' own texts.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::ptr_arg, reason = "functions of a stream's key take it by its own type")]

mod golden;
mod golden_tables;
