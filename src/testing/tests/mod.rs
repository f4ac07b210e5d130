//! The specification of the DSL and of the task, through the driver.
#![allow(clippy::unwrap_used, reason = "tests")]

mod aggregations;
mod bad_records;
mod branches;
mod fixture;
mod grouped_tables;
mod model;
mod processors;
mod punctuations;
mod stateless;
mod stream_table_joins;
mod table_joins;
mod tables;
