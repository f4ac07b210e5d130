//! Every task of the project. `cargo xtask demo` and `cargo xtask test` are the two a newcomer needs.
//!
//! It has no native dependency, so that it runs before the native build tools are there, and sees to those itself.

mod bench;
mod conformance;
mod run;
mod services;
mod setup;
mod tidy;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use run::Run;
use setup::Parts;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "Every task of the project")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run the application against an embedded broker; the arguments are those of `orders demo`
    #[command(disable_help_flag = true)]
    Demo {
        /// For example --for 30s, or --help
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Build everything and run all tests, against real Kafka and a real schema registry
    #[command(disable_help_flag = true)]
    Test {
        /// Run the long tests too, which take minutes each; comes before other arguments
        #[arg(long)]
        long: bool,
        /// Arguments of `cargo test`: a part of a test's name, --test NAME, -- --nocapture
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Measure: streams (beside Kafka Streams), profile TOPOLOGY, growth, query; each has --help
    #[command(disable_help_flag = true)]
    Bench {
        /// For example streams --topology count, or profile count
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Compare with Kafka Streams: --cases N --seed S, --file CASE, --dir FOLDER; --help lists all
    #[command(disable_help_flag = true)]
    Conformance {
        /// Plant a bug in each of ten places and expect that random cases find it; comes before other arguments
        #[arg(long)]
        planted: bool,
        /// Arguments of the comparison
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Everything that must hold before a change is merged: format, tidy, clippy, docs, tests
    Ci,
    /// Check the arrows between rooms, the absences and the sizes
    Tidy,
}

/// Why a task ended early.
enum Stop {
    /// A step failed with this exit code; it has said why.
    Failed(u8),
    /// The task cannot be done here; the text says what to do.
    Unable(String),
}

/// `EX_UNAVAILABLE` of sysexits.h.
const UNABLE: u8 = 69;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let run = Run::new(root());
    let outcome = match arguments.task {
        Task::Demo { arguments } => demo(&run, &arguments),
        Task::Test { long, arguments } => test(&run, &test_arguments(arguments, long)),
        Task::Bench { arguments } => bench::bench(&run, &arguments),
        Task::Conformance { planted: true, .. } => conformance::planted(&run),
        Task::Conformance { arguments, .. } => conformance::compare(&run, &arguments),
        Task::Ci => ci(&run),
        Task::Tidy => tidy(&run),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Failed(code)) => ExitCode::from(code),
        Err(Stop::Unable(what)) => {
            run::say(&what);
            ExitCode::from(UNABLE)
        }
    }
}

fn demo(run: &Run, arguments: &[OsString]) -> Result<(), Stop> {
    setup::prepare(Parts::Native)?;
    run.announce_build();
    let mut cargo = run.cargo(&["run", "--quiet", "--locked", "--package", "orders", "--bin", "orders", "--", "demo"]);
    cargo.args(arguments);
    // The demo takes this process's place, and so its terminal, its signals and its exit code.
    Err(run::replace_by(cargo))
}

fn test(run: &Run, arguments: &[OsString]) -> Result<(), Stop> {
    setup::prepare(Parts::NativeAndJava)?;
    run.timed("services", || services::fetch(&run.root, &run::target()))?;
    run.announce_build();
    // All targets, so that features are unified as for the tests; it also makes the `orders` executable.
    run.step("build", run.cargo(&["build", "--workspace", "--all-targets", "--locked"]))?;
    let mut cargo = run.cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    cargo.args(arguments);
    run.step("test", cargo)
}

/// The arguments of `cargo test`; the long tests are those that the harness ignores otherwise.
fn test_arguments(mut arguments: Vec<OsString>, long: bool) -> Vec<OsString> {
    if long {
        if !arguments.iter().any(|argument| argument == "--") {
            arguments.push("--".into());
        }
        arguments.push("--include-ignored".into());
    }
    arguments
}

/// Cheap checks first; clippy, docs and tests share the output of the native builds.
fn ci(run: &Run) -> Result<(), Stop> {
    let outcome = (|| {
        setup::components(run)?;
        run.step("format", run.cargo(&["fmt", "--all", "--check"]))?;
        run.timed("tidy", || tidy(run))?;
        run.timed("set-up", || setup::prepare(Parts::NativeAndJava))?;
        run.announce_build();
        let lints = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        run.step("clippy", run.cargo(&lints))?;
        let mut docs = run.cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
        docs.env("RUSTDOCFLAGS", "-D warnings");
        run.step("docs", docs)?;
        test(run, &[])
    })();
    run.print_times();
    outcome
}

fn tidy(run: &Run) -> Result<(), Stop> {
    let violations =
        tidy::check_folder(&run.root).map_err(|error| Stop::Unable(format!("tidy cannot read the tree: {error}")))?;
    for violation in &violations {
        run::say(&violation.to_string());
    }
    match violations.len() {
        0 => Ok(()),
        count => {
            run::say(&format!("tidy: {count} violations"));
            Err(Stop::Failed(1))
        }
    }
}

/// The workspace's folder. Cargo names the package's folder when it runs it; the compiled-in one may be another clone's
/// when several share a target folder.
fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let mut root = PathBuf::from(package);
    root.pop();
    root
}

#[cfg(test)]
mod test {
    use super::*;

    #[track_caller]
    fn check(command: &str, expected: &str) {
        let arguments = Arguments::parse_from(["xtask", "test"].into_iter().chain(command.split_whitespace()));
        let Task::Test { long, arguments } = arguments.task else { panic!("{command}: another task") };
        let expected: Vec<OsString> = expected.split_whitespace().map(OsString::from).collect();
        assert_eq!(test_arguments(arguments, long), expected, "{command}");
    }

    #[test]
    fn long_tests_are_included_on_demand() {
        check("", "");
        check("--test faults", "--test faults");
        check("--long", "-- --include-ignored");
        check("--long --test faults a_name", "--test faults a_name -- --include-ignored");
        check("--long --test faults -- --nocapture", "--test faults -- --nocapture --include-ignored");
    }
}
