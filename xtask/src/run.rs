//! Runs cargo, says what runs, and keeps the times.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Stop;

/// The place of a task and the times of its steps.
pub struct Run {
    /// The workspace's folder.
    pub root: PathBuf,
    times: RefCell<Vec<(String, Duration)>>,
}

/// Prints one line for the person at the terminal. The standard output belongs to the programs that are run.
#[expect(clippy::print_stderr, reason = "a command-line tool speaks on standard error")]
pub fn say(line: &str) {
    eprintln!("{line}");
}

/// Cargo's target folder: this program lies in `<target>/debug/`.
pub fn target() -> PathBuf {
    let executable = std::env::current_exe().expect("the system names the running executable");
    executable.ancestors().nth(2).map_or_else(|| PathBuf::from("target"), Path::to_owned)
}

/// Puts `command` in this process's place; returns only when it cannot be started.
pub fn replace_by(mut command: Command) -> Stop {
    let error = command.exec();
    Stop::Unable(format!("cannot start {}: {error}", command.get_program().display()))
}

impl Run {
    /// Tasks in the workspace at `root`.
    pub fn new(root: PathBuf) -> Self {
        Self { root, times: RefCell::new(Vec::new()) }
    }

    /// The cargo that runs this program, on this workspace, in the caller's directory.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").as_deref().unwrap_or(OsStr::new("cargo")));
        command.arg(arguments[0]).arg("--manifest-path").arg(self.root.join("Cargo.toml")).args(&arguments[1..]);
        command
    }

    /// Runs `command` as the step `name`.
    pub fn step(&self, name: &str, command: Command) -> Result<(), Stop> {
        self.timed(name, || status(command))
    }

    /// Does `work` as the step `name`.
    pub fn timed(&self, name: &str, work: impl FnOnce() -> Result<(), Stop>) -> Result<(), Stop> {
        say(&format!("== {name}"));
        let started = Instant::now();
        let outcome = work();
        let failed = if outcome.is_err() { " (failed)" } else { "" };
        self.times.borrow_mut().push((format!("{name}{failed}"), started.elapsed()));
        outcome
    }

    /// Prints the time of each step.
    pub fn print_times(&self) {
        say("== times");
        for (name, time) in self.times.borrow().iter() {
            say(&format!("{:>8.1} s  {name}", time.as_secs_f64()));
        }
    }

    /// Says how long the build may take when the native libraries are not there yet.
    pub fn announce_build(&self) {
        let built = std::fs::read_dir(target().join("debug/build"))
            .is_ok_and(|mut all| all.any(|entry| entry.is_ok_and(|entry| is_rocksdb(&entry.file_name()))));
        if !built {
            say("The first build compiles RocksDB and librdkafka: about 10 to 15 minutes on 2 cores.");
        }
    }
}

fn is_rocksdb(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with("librocksdb-sys-")
}

/// Runs `command` to its end; a failure keeps its exit code.
pub fn status(mut command: Command) -> Result<(), Stop> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Stop::Failed(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))),
        Err(error) => Err(Stop::Unable(format!("cannot start {}: {error}", command.get_program().display()))),
    }
}
