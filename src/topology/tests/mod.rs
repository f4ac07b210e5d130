//! Tests of the whole room; `recorder` plays the DSL.
#![allow(clippy::unwrap_used)]

mod errors;
mod golden;
mod golden_tables;
mod partitions;
mod recorder;
mod shape;
