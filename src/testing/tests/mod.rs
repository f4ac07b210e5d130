//! The specification of the DSL and of the task, through the driver.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::needless_pass_by_value, reason = "a joiner owns what it joins")]

mod aggregations;
mod bad_records;
mod branches;
mod fixture;
mod grouped_tables;
mod model;
mod one_task;
mod processors;
mod punctuations;
mod record_cache;
mod stateless;
mod stream_table_joins;
mod table_joins;
mod tables;
