//! The demo: broker, schema registry, generator of orders and payments, and the application, in one process.

pub mod banner;
mod failure;
mod feeder;
pub mod generator;
mod observed;
mod options;
pub mod progress;
pub mod registry;
mod run;
mod services;
mod stop;

pub use run::run;
