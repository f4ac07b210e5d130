//! Benchmarks: builds them as a release is built, except for what takes a quarter of an hour to compile, and runs them.

use std::ffi::OsString;
use std::process::Command;

use crate::Stop;
use crate::run::{self, Run};
use crate::services;
use crate::setup::{self, Parts};

/// Packages that records pass through. Their assertions and overflow checks go, as in a release.
///
/// None of them may be a dependency of a build script of the native libraries (`cargo tree -e build`), as hashbrown and
/// rustc-hash are: those libraries would be compiled again.
const UNCHECKED: [&str; 7] =
    ["imbl", "orders", "rocksdb", "serde_avro_fast", "thalweg", "thalweg-benches", "thalweg-state"];

/// Builds and runs a benchmark; `arguments` are its name and its options.
pub fn bench(run: &Run, arguments: &[OsString]) -> Result<(), Stop> {
    let name = arguments.first().and_then(|name| name.to_str());
    let (parts, program, arguments) = match name {
        Some("query") => (Parts::NativeJavaAndLoad, "query-bench", &arguments[1..]),
        Some("profile") => (Parts::NativeJavaAndProfiler, "streams-bench", arguments),
        _ => (Parts::NativeAndJava, "streams-bench", arguments),
    };
    setup::prepare(parts)?;
    run.timed("services", || services::fetch(&run.root, &run::target()))?;
    run.announce_build();
    let mut build = run.cargo(&["build", "--locked", "--package", "orders", "--package", "thalweg-benches", "--bins"]);
    optimise(&mut build);
    run.step("build", build)?;
    let mut bench = Command::new(run::target().join("debug").join(program));
    bench.args(arguments);
    // The benchmark takes this process's place, and so its terminal, its signals and its exit code.
    Err(run::replace_by(bench))
}

/// Only the workspace's own packages and those above are compiled again: the dependencies have levels of their own.
fn optimise(build: &mut Command) {
    for package in UNCHECKED {
        for check in ["debug-assertions", "overflow-checks"] {
            build.arg("--config").arg(format!("profile.dev.package.{package}.{check}=false"));
        }
    }
    build.env("CARGO_PROFILE_DEV_OPT_LEVEL", "3").env("CARGO_INCREMENTAL", "0");
}
