//! The benchmark of reads. `run` is the order of events; the others know one thing each.

mod feeder;
mod figures;
mod freshness;
mod load;
pub mod options;
mod process;
pub mod run;
mod scene;
