//! Compares Thalweg with Kafka Streams, record by record; `README.md` describes what a case is.

pub mod case;
pub mod check;
pub mod coverage;
pub mod datum;
pub mod function;
pub mod generate;
pub mod node;
pub mod operators;
pub mod shrink;
