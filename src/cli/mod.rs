//! The command line and the configuration of every application.
//!
//! One table of [`keys`](Key) drives parsing, names in the environment, flags, help and documentation. Nothing here
//! starts anything: [`load`] returns settings, or every mistake at once.

mod application;
mod arguments;
mod environment;
mod exit;
mod instance;
mod key;
mod kind;
mod layer;
mod load;
mod log;
mod open_files;
mod problem;
mod repeats;
mod rule;
mod settings;
mod show;
mod span_data;
mod span_export;
mod status;

#[cfg(test)]
mod tests;

pub use application::{App, Describe, RecipesError, check, configuration, recipes, registry, run};
pub use arguments::{Arguments, Command, GraphForm, Options, Usage, parse};
pub use environment::{arguments, variables};
pub use exit::{DATA, IO, OK, SOFTWARE, TEMPORARY, UNAVAILABLE, USAGE};
pub use instance::{Instance, InstanceError, kafka_clients};
pub use key::{KEYS, Key, PASSTHROUGH, Section};
pub use kind::Kind;
pub use layer::{Inputs, Source};
pub use load::{Entry, Loaded, load};
pub use log::log;
pub use open_files::raise_open_files;
pub use problem::{Problem, report};
pub use settings::{
    Application, BadRecords, Credentials, Group, Http, Kafka, Log, LogFormat, Registry, Settings, Tracing,
};
pub use show::{effective, table};
