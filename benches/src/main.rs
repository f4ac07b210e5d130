//! The benchmarks of `cargo xtask bench`: the driver, and our side of it in processes of its own.
//!
//! Both sides are measured from outside and alike: committed offsets say how far a process is, `/proc` says what it
//! cost. What is decided (the plan of runs, what counts, statistics, comparison, classes of stack frames) is pure and
//! tested; `bench.rs` and `cluster.rs` do.

mod bench;
mod cluster;
mod describe;
mod document;
mod failure;
mod growth;
mod model;
mod options;
mod orders_input;
mod plan;
mod plot;
mod process;
mod procfs;
mod profile;
mod results;
mod rows;
mod shares;
mod side;
mod statistics;
mod streams;
mod topology;
mod watch;
mod work;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use options::{Arguments, Command};

/// As in the application.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Streams(options) => streams::run(&options, &root()),
        Command::Profile(options) => profile::run(&options, &root()),
        Command::Growth(options) => growth::run(&options, &root()),
        Command::Side(options) => side::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody reads: the exit code remains.
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::from(failure.exit())
        }
    }
}

/// Prints a line of the result.
fn say(line: &str) {
    // Nobody reads any more: the exit code remains.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// The workspace's folder.
fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}
