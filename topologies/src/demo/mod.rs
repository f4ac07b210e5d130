//! The demo: an embedded schema registry, a generator of orders and payments, and what is printed.

pub mod banner;
pub mod generator;
pub mod progress;
pub mod registry;
