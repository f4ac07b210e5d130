//! A side as a child process that runs one application after the other. It ends with its standard input, and so with
//! this process.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use thalweg_tests::services;

use super::side::{Ask, Said, SideOptions};
use super::{Dump, Error, Who};

/// How long a side may take to answer.
const DEADLINE: Duration = Duration::from_secs(90);
/// What makes a small Java program start fast and leave nothing behind.
const QUICK: [&str; 4] = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"];
const TAIL_LINES: usize = 40;

/// A side; killed when dropped.
pub struct Process {
    who: Who,
    child: Child,
    asked: ChildStdin,
    said: Receiver<String>,
    log: PathBuf,
}

/// The original's side.
pub fn java(classes: &OsStr) -> Command {
    let mut java = Command::new(services::jdk_tool("java"));
    java.args(QUICK).arg("-cp").arg(classes).arg("RealSide");
    java
}

/// Our side, of the executable of this tool.
pub fn ours(executable: &Path) -> Command {
    let mut ours = Command::new(executable);
    ours.arg("real-side");
    ours
}

impl Process {
    /// Starts a side; its log is in `dir`.
    pub fn spawn(who: Who, mut command: Command, dir: &Path) -> Result<Self, Error> {
        let starting = |error: io::Error| Error::unable(format!("starting {who}"), error);
        let log = dir.join(format!("{who}.log"));
        let file = fs::File::create(&log).map_err(starting)?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file).spawn().map_err(starting)?;
        let (Some(asked), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::unable(format!("starting {who}"), "it has no pipes"));
        };
        let (sender, said) = channel();
        // It ends with the child's output, or when nobody listens.
        std::thread::spawn(move || {
            let lines = BufReader::new(output).lines();
            lines.map_while(Result::ok).try_for_each(|line| sender.send(line)).ok()
        });
        Ok(Self { who, child, asked, said, log })
    }

    /// Starts an application; returns when its tasks run.
    pub fn start(&mut self, options: &SideOptions) -> Result<(), Error> {
        match self.ask(&Ask::Start(options.clone()))? {
            Said::Running => Ok(()),
            said => Err(self.failed(format!("told to start, it said {said:?}"))),
        }
    }

    /// The stores of its application, as of now.
    pub fn dump(&mut self) -> Result<Dump, Error> {
        match self.ask(&Ask::Dump)? {
            Said::Stores(stores) => Ok(stores),
            said => Err(self.failed(format!("asked for stores, it said {said:?}"))),
        }
    }

    /// Lets its application commit, leave its group and end.
    pub fn stop(&mut self) -> Result<(), Error> {
        match self.ask(&Ask::Stop)? {
            Said::Stopped => Ok(()),
            said => Err(self.failed(format!("told to stop, it said {said:?}"))),
        }
    }

    /// Fails when it has ended.
    pub fn check(&mut self) -> Result<(), Error> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.failed(format!("it ended by itself, {status}"))),
            Err(error) => Err(self.failed(error.to_string())),
        }
    }

    fn ask(&mut self, ask: &Ask) -> Result<Said, Error> {
        let line = serde_json::to_string(ask).map_err(|error| self.failed(error.to_string()))?;
        writeln!(self.asked, "{line}").map_err(|error| self.failed(error.to_string()))?;
        let line = self.said.recv_timeout(DEADLINE).map_err(|error| {
            self.failed(match error {
                RecvTimeoutError::Timeout => format!("it said nothing for {DEADLINE:?}"),
                RecvTimeoutError::Disconnected => "it ended".to_owned(),
            })
        })?;
        serde_json::from_str(&line).map_err(|error| self.failed(format!("it said {line}: {error}")))
    }

    /// With the end of its log.
    fn failed(&self, reason: String) -> Error {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
        Error::unable(format!("running {}", self.who), format!("{reason}\n{tail}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail when it has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
