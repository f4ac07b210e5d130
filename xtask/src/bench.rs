//! Benchmarks: builds them as a release is built, except for what takes a quarter of an hour to compile, and runs them.

use std::ffi::OsString;

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
    let is_profile = arguments.first().is_some_and(|name| name == "profile");
    setup::prepare(if is_profile { Parts::NativeJavaAndProfiler } else { Parts::NativeAndJava })?;
    run.timed("services", || services::fetch(&run.root, &run::target()))?;
    run.announce_build();
    let package = ["run", "--quiet", "--locked", "--package", "thalweg-benches", "--bin", "streams-bench"];
    let mut cargo = run.cargo(&package);
    for package in UNCHECKED {
        for check in ["debug-assertions", "overflow-checks"] {
            cargo.arg("--config").arg(format!("profile.dev.package.{package}.{check}=false"));
        }
    }
    // Only the workspace's own packages are compiled again: the dependencies have levels of their own.
    cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "3").env("CARGO_INCREMENTAL", "0");
    cargo.arg("--").args(arguments);
    // The benchmark takes this process's place, and so its terminal, its signals and its exit code.
    Err(run::replace_by(cargo))
}
