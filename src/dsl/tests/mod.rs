//! What the DSL records, against Kafka Streams' own texts.
#![allow(clippy::unwrap_used, reason = "tests")]

mod golden;
mod golden_tables;
