//! Compares Thalweg with Kafka Streams, record by record; `README.md` describes what a case is.

pub mod case;
pub mod check;
pub mod compare;
pub mod coverage;
pub mod datum;
pub mod function;
pub mod generate;
pub mod node;
pub mod operators;
pub mod original;
pub mod ours;
pub mod outcome;
pub mod random;
pub mod real;
pub mod shrink;
pub mod side_by_side;
