//! The processes under test, and what is seen of them from outside.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use thalweg_tests::child::{Child, Program};
use thalweg_tests::services;

use crate::failure::Failure;
use crate::procfs;
use crate::rows::Said;
use crate::side::SideOptions;
use crate::topology::Side;

/// Heap of the Java side.
const HEAP: &str = "-Xmx1g";
/// Exit code of a shell's child that SIGTERM ended.
const TERMINATED: i32 = 128 + 15;
/// How long a side may take to end.
const STOP: Duration = Duration::from_secs(60);
const SOURCES: [(&str, &str); 2] = [
    ("Topologies.java", include_str!("../java/Topologies.java")),
    ("StreamsSide.java", include_str!("../java/StreamsSide.java")),
];

/// How the sides are started.
#[derive(Debug, Clone)]
pub struct Programs {
    /// This executable: it is our side, too.
    ours: PathBuf,
    /// Class path of the Java side.
    classes: OsString,
}

/// A running side; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    id: u32,
    started: Instant,
}

impl Programs {
    /// Compiles the Java side into `dir`, against the jars that the tests run with.
    pub fn prepare(dir: &Path) -> Result<Self, Failure> {
        let compiling = |error: io::Error| Failure::unable("compiling the Java side", error);
        let jars = services::directory().join("kafka/*");
        let mut compiler = Command::new(services::jdk_tool("javac"));
        compiler.arg("-Xlint:all").arg("-d").arg(dir).arg("-cp").arg(&jars);
        for (name, source) in SOURCES {
            let file = dir.join(name);
            fs::write(&file, source).map_err(compiling)?;
            compiler.arg(file);
        }
        let output = compiler.output().map_err(compiling)?;
        if !output.status.success() {
            return Err(Failure::unable("compiling the Java side", String::from_utf8_lossy(&output.stderr)));
        }
        let mut classes = dir.as_os_str().to_owned();
        classes.push(":");
        classes.push(jars);
        let ours = std::env::current_exe().map_err(|error| Failure::unable("finding our own executable", error))?;
        Ok(Self { ours, classes })
    }

    /// Starts a side; its log is `<application id>.log` in `dir`.
    pub fn start(&self, side: Side, options: &SideOptions, dir: &Path) -> Result<Process, Failure> {
        let starting = |error: io::Error| Failure::unable(format!("starting {}", side.name()), error);
        let (program, mut arguments): (_, Vec<OsString>) = match side {
            Side::Ours => (self.ours.clone(), vec!["side".into()]),
            Side::Theirs => {
                let java = services::jdk_tool("java");
                (java, vec![HEAP.into(), "-cp".into(), self.classes.clone(), "StreamsSide".into()])
            }
        };
        arguments.extend(options.arguments().into_iter().map(OsString::from));
        let log = dir.join(format!("{}.log", options.application_id));
        // A second run of one application, such as a restore, must not be told what the first one said.
        match fs::remove_file(&log) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(starting(error)),
            _ => {}
        }
        let started = Instant::now();
        let child = Child::spawn(Program::new(side.name(), program, arguments, &log)).map_err(starting)?;
        let id = child.id().map_err(starting)?;
        Ok(Process { child, id, started })
    }
}

impl Process {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Time since its start.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// CPU time it has used.
    pub fn cpu(&self) -> Result<Duration, Failure> {
        procfs::cpu(self.id).map_err(|error| Failure::unable("CPU time of the process", error))
    }

    /// The most memory it ever had, in bytes.
    pub fn peak_rss(&self) -> Result<u64, Failure> {
        procfs::peak_rss(self.id).map_err(|error| Failure::unable("memory of the process", error))
    }

    /// Fails when it has ended.
    pub fn check(&mut self) -> Result<(), Failure> {
        match self.child.exited() {
            None => Ok(()),
            Some(status) => {
                Err(Failure::unable("a side ended by itself", format!("{status}\n{}", self.child.log_tail())))
            }
        }
    }

    /// What it has said so far.
    pub fn said(&self) -> Vec<Said> {
        self.child.log().lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Stops it in order and returns all that it said.
    pub fn stop(mut self) -> Result<Vec<Said>, Failure> {
        let failed = |reason: String, child: &Child| {
            Failure::unable("stopping a side", format!("{reason}\n{}", child.log_tail()))
        };
        let status = self.child.terminate(STOP).map_err(|late| failed(late.to_string(), &self.child))?;
        // Java says how it was asked to end, our side that it ended in order.
        if status.success() || status.code() == Some(TERMINATED) {
            Ok(self.said())
        } else {
            Err(failed(status.to_string(), &self.child))
        }
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        self.child.log_tail()
    }
}

/// The version of Kafka Streams that runs.
pub fn streams_version() -> String {
    let files = fs::read_dir(services::directory().join("kafka")).into_iter().flatten().flatten();
    let mut names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    names.find_map(|name| version_of(&name).map(str::to_owned)).unwrap_or_default()
}

/// The version in the name of Kafka Streams' jar.
fn version_of(file: &str) -> Option<&str> {
    let version = file.strip_prefix("kafka-streams-")?.strip_suffix(".jar")?;
    version.starts_with(|first: char| first.is_ascii_digit()).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_jar() {
        assert_eq!(version_of("kafka-streams-4.3.1.jar"), Some("4.3.1"));
        for other in ["kafka-streams-test-utils-4.3.1.jar", "kafka-clients-4.3.1.jar", "kafka-streams-4.3.1.txt"] {
            assert_eq!(version_of(other), None, "{other}");
        }
    }
}
