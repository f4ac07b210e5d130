//! The benchmarks: each is built optimised and takes this process's place.

use std::ffi::OsString;

use clap::Subcommand;

use crate::Stop;
use crate::run::{self, Run};
use crate::services;
use crate::setup::{self, Parts};

/// What is measured.
#[derive(Subcommand)]
pub enum Bench {
    /// Reads over HTTP: rate, latency, what they cost the processing, freshness
    #[command(disable_help_flag = true)]
    Query {
        /// For example --seconds 5 --json, or --help
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// Runs a benchmark.
pub fn bench(run: &Run, bench: &Bench) -> Result<(), Stop> {
    match bench {
        Bench::Query { arguments } => query(run, arguments),
    }
}

fn query(run: &Run, arguments: &[OsString]) -> Result<(), Stop> {
    setup::prepare(Parts::Load)?;
    run.timed("services", || services::fetch(&run.root, &run::target()))?;
    run.announce_build();
    let programs = ["build", "--locked", "--package", "orders", "--package", "thalweg-benches", "--bins"];
    let mut build = run.cargo(&programs);
    optimise(&mut build);
    run.step("build", build)?;
    let mut bench = std::process::Command::new(run::target().join("debug/query-bench"));
    bench.args(arguments);
    Err(run::replace_by(bench))
}

/// The members of the workspace as they are released; their dependencies are optimised anyway.
fn optimise(build: &mut std::process::Command) {
    build.env("CARGO_PROFILE_DEV_OPT_LEVEL", "3").env("CARGO_INCREMENTAL", "0");
}
