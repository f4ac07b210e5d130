//! The demo: broker, schema registry, generator of orders and payments, and the application, in one process.

pub mod banner;
mod feeder;
pub mod generator;
mod options;
pub mod progress;
pub mod registry;
mod run;
mod services;

pub use run::run;
