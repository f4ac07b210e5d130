//! `cargo xtask bench query`: reads over HTTP while nothing and while much is processed, and how fresh they are.

#[path = "../query/mod.rs"]
mod query;

use clap::Parser as _;

fn main() {
    query::run::run(&query::options::Options::parse());
}
