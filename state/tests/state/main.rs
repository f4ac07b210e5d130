//! The promises of a task's state, over both kinds of stores.
#![allow(clippy::unwrap_used)]

mod allocation;
mod conformance;
mod crash;
mod damage;
mod fixture;
mod memory_cap;
mod model;
mod readers;
mod trust;
