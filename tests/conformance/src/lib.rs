//! Compares Thalweg with Kafka Streams, record by record; `README.md` describes what a case is.

pub mod case;
pub mod node;
