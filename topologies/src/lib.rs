//! The order and payment application: its records, its rules, and its demo.
//!
//! Everything under [`model`] is pure: records in, records out. The topologies only wire it to topics and stores.

pub mod demo;
pub mod model;
pub mod oracle;
pub mod schemas;
pub mod topics;
