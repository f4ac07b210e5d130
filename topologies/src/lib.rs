//! The order and payment application: its records, its rules, its flows, and its demo.
//!
//! Everything under [`model`] is pure: records in, records out. [`topology`] wires it to topics and stores, one file
//! per view or flow.

pub mod customer_orders;
pub mod demo;
#[cfg(test)]
mod fixture;
pub mod model;
pub mod notification_sms;
pub mod oracle;
pub mod order_status;
pub mod schemas;
pub mod serdes;
pub mod status_changes;
pub mod topics;
pub mod topology;

use thalweg::cli::{App, Describe};

/// The application as its command line runs it.
pub const APP: App = App {
    name: "orders",
    about: "Order and payment views on Kafka topics; `orders demo` runs everything in one process",
    describe: Describe::Avro(|builder, registry| {
        topology::describe(builder, &serdes::Serdes::new(registry)?);
        Ok(())
    }),
};
