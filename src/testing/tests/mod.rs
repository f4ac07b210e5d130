//! The specification of the DSL and of the task, through the driver.
#![allow(clippy::unwrap_used, reason = "tests")]

mod fixture;
mod stateless;
