//! The original: the Java program that builds a case with Kafka Streams and runs it in its test driver.
//!
//! One process answers all cases, a line for a line. It is started when a case needs it, and again after it failed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use thalweg_tests::services;

use crate::case::Case;
use crate::outcome::Outcome;

/// The Java sources.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/java");
/// The class that answers, and how it is asked for Kafka's driver.
const MAIN: [&str; 2] = ["ConformanceSide", "driver"];
/// A small program that starts fast.
const OPTIONS: [&str; 4] = ["-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-Xmx512m"];
/// How long a case may take; the first one starts the Java machine too.
const DEADLINE: Duration = Duration::from_secs(60);
/// Bytes of its standard error that an error quotes.
const TAIL_BYTES: usize = 4_000;

/// Why the original has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that it needs is not there.
    #[error("{0}")]
    Missing(String),
    /// Files or processes of this machine.
    #[error("{doing}: {error}")]
    Io {
        /// What was done.
        doing: &'static str,
        /// Why it failed.
        error: io::Error,
    },
    /// The sources do not compile.
    #[error("the Java sources do not compile:\n{0}")]
    Compiler(String),
    /// No answer to a case.
    #[error("the original gave no answer to case '{case}': {why}\n{tail}")]
    NoAnswer {
        /// The case.
        case: String,
        /// Why.
        why: String,
        /// What it said last.
        tail: String,
    },
}

fn io_error(doing: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |error| Error::Io { doing, error }
}

/// The compiled program, and its process while there is one.
pub struct Original {
    directory: TempDir,
    classes: OsString,
    process: Option<Process>,
}

struct Process {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<io::Result<String>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing of it may stay.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Original {
    /// Compiles the program.
    pub fn prepare() -> Result<Self, Error> {
        let directory = TempDir::new().map_err(io_error("making a folder for classes"))?;
        let classes = compile(directory.path())?;
        Ok(Self { directory, classes, process: None })
    }

    /// The class path of the compiled program.
    pub const fn classes(&self) -> &OsString {
        &self.classes
    }

    /// The original's outcome of a case.
    pub fn run(&mut self, case: &Case) -> Result<Outcome, Error> {
        let answer = self.ask(case);
        if answer.is_err() {
            // Whatever state it is in, the next case starts anew.
            self.process = None;
        }
        answer
    }

    fn ask(&mut self, case: &Case) -> Result<Outcome, Error> {
        let no_answer = |why: String, log: &Path| Error::NoAnswer { case: case.name.clone(), why, tail: tail(log) };
        let log = self.log();
        let mut question = serde_json::to_vec(case).map_err(|error| no_answer(error.to_string(), &log))?;
        question.push(b'\n');
        let process = match &mut self.process {
            Some(process) => process,
            none => none.insert(start(&self.classes, &log)?),
        };
        let asked = process.questions.write_all(&question).and_then(|()| process.questions.flush());
        asked.map_err(|error| no_answer(error.to_string(), &log))?;
        let line = match process.answers.recv_timeout(DEADLINE) {
            Ok(Ok(line)) => line,
            Ok(Err(error)) => return Err(no_answer(error.to_string(), &log)),
            Err(RecvTimeoutError::Timeout) => return Err(no_answer(format!("none within {DEADLINE:?}"), &log)),
            Err(RecvTimeoutError::Disconnected) => return Err(no_answer("it has ended".to_owned(), &log)),
        };
        serde_json::from_str(&line).map_err(|error| no_answer(format!("{error}: {line}"), &log))
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("stderr.log")
    }
}

/// Compiles the Java sources into `directory`, against the jars that the tests run with; returns the class path of both.
pub fn compile(directory: &Path) -> Result<OsString, Error> {
    let services = services::find()
        .ok_or_else(|| Error::Missing("Kafka's jars are missing: run `cargo xtask test` once".to_owned()))?;
    let jars = services.join("kafka/*");
    let mut compiler = Command::new(services::jdk_tool("javac"));
    compiler.arg("-Xlint:all").arg("-d").arg(directory).arg("-cp").arg(&jars).args(sources()?);
    let output = compiler.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::Missing("no Java compiler: set JAVA_HOME or install a JDK".to_owned()),
        _ => Error::Io { doing: "compiling the Java sources", error },
    })?;
    if !output.status.success() {
        return Err(Error::Compiler(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let mut classes = directory.as_os_str().to_owned();
    classes.push(":");
    classes.push(jars);
    Ok(classes)
}

fn sources() -> Result<Vec<PathBuf>, Error> {
    let files = fs::read_dir(SOURCES).map_err(io_error("reading the folder of the Java sources"))?;
    let mut sources: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "java"));
    sources.sort();
    Ok(sources)
}

fn start(classes: &OsString, log: &Path) -> Result<Process, Error> {
    let starting = || io_error("starting the original");
    let stderr = File::create(log).map_err(starting())?;
    let mut command = Command::new(services::jdk_tool("java"));
    command.args(OPTIONS).arg("-cp").arg(classes).args(MAIN);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).spawn().map_err(starting())?;
    let (Some(questions), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Error::Missing("the original has no pipes".to_owned()));
    };
    // One question is open at a time, so one answer at most waits here.
    let (sender, answers) = sync_channel(1);
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    Ok(Process { child, questions, answers })
}

/// The end of a log.
fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..]).into_owned()
}
