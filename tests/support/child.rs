//! A child process that cannot outlive the test binary.
//!
//! Rust offers no safe way to say "kill the child when I die", so a shell stands between: it holds the reading end of
//! a pipe whose writing end only this process has. Lines on the pipe are signals for the child; the end of the pipe,
//! which the kernel brings about however this process ends, kills the child and removes its scratch directory.
//! The shell leads its own process group, so that Ctrl-C in a terminal does not reach it before the pipe does.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::wait::{TimedOut, wait_for};

// 1. The watcher runs beside the child, so that the shell itself can wait for the child and report its exit status.
// 2. The watcher must be gone before the child's process id can be given to somebody else: hence USR1. It ignores it
//    only once the pipe has ended, to finish the removal.
// 3. A killed child may still be writing when the removal begins: hence the few attempts.
const GUARD: &str = r#"
scratch=$1; shift
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
(
  while read -r signal <&3; do kill -s "$signal" "$child" 2>/dev/null; done
  trap "" USR1
  kill -s KILL "$child" 2>/dev/null
  [ -n "$scratch" ] || exit
  for pause in 0.1 0.2 0.5 1 2; do sleep "$pause"; rm -rf "$scratch" 2>/dev/null && exit; done
) &
watcher=$!
wait "$child"
status=$?
kill -s USR1 "$watcher" 2>/dev/null
exit "$status"
"#;

const LAST_RESORT: Duration = Duration::from_secs(20);
const TAIL_LINES: usize = 60;

/// What to run.
#[derive(Debug, Clone)]
pub struct Program {
    /// Name in messages.
    pub name: String,
    /// Executable.
    pub program: OsString,
    /// Arguments.
    pub args: Vec<OsString>,
    /// Both outputs are appended to this file.
    pub log: PathBuf,
    /// Directory that is removed when this process ends before the child was dropped.
    pub scratch: Option<PathBuf>,
}

impl Program {
    /// Runs `program` with `args` and its outputs in `log`.
    pub fn new(
        name: &str,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
        log: &Path,
    ) -> Self {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        Self { name: name.to_owned(), program: program.as_ref().to_owned(), args, log: log.to_owned(), scratch: None }
    }
}

/// A running child; killed when dropped. When a test panics, the drop prints the tail of its log.
#[derive(Debug)]
pub struct Child {
    program: Program,
    guard: std::process::Child,
    signals: ChildStdin,
}

impl Child {
    /// Starts `program`.
    pub fn spawn(program: Program) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(&program.log)?;
        let scratch = program.scratch.as_deref().unwrap_or(Path::new(""));
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(scratch)
            .arg(&program.program)
            .args(&program.args)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let signals = guard.stdin.take().expect("the guard's standard input is a pipe");
        Ok(Self { program, guard, signals })
    }

    /// The process id of the child itself, not of the shell that guards it; waits until the child runs its program.
    pub fn id(&self) -> io::Result<u32> {
        let guard = self.guard.id();
        let command = |id: u32| fs::read(format!("/proc/{id}/cmdline"));
        // The shell's other child, the watcher, is a copy of the shell.
        let own = command(guard)?;
        let what = format!("{} to run", self.program.name);
        let found = wait_for(LAST_RESORT, &what, || {
            let children = fs::read_to_string(format!("/proc/{guard}/task/{guard}/children")).ok()?;
            let mut ids = children.split_whitespace().filter_map(|id| id.parse().ok());
            ids.find(|id| command(*id).is_ok_and(|line| !line.is_empty() && line != own))
        });
        found.map_err(|late| io::Error::new(io::ErrorKind::TimedOut, late.to_string()))
    }

    /// The exit status, once the child has ended. A child ended by signal `n` has the code `128 + n`.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.guard.try_wait().expect("a child can be waited for")
    }

    /// Asks the child to end (SIGTERM) and waits for it.
    pub fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus, TimedOut> {
        self.signal("TERM");
        self.wait(deadline)
    }

    /// Ends the child at once (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) -> Result<ExitStatus, TimedOut> {
        self.signal("KILL");
        self.wait(LAST_RESORT)
    }

    /// Waits until the child ends by itself.
    pub fn wait(&mut self, deadline: Duration) -> Result<ExitStatus, TimedOut> {
        let what = format!("the end of {}", self.program.name);
        wait_for(deadline, &what, || self.exited())
    }

    fn signal(&mut self, name: &str) {
        // A guard that has already ended has closed the pipe; then there is nobody to signal.
        let _ = writeln!(self.signals, "{name}");
    }

    /// The whole log.
    pub fn log(&self) -> String {
        let bytes = fs::read(&self.program.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines of the log, with a headline.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        format!("--- {}, last {} lines ---\n{}\n", self.program.name, tail.len(), tail.join("\n"))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if std::thread::panicking() {
            print!("{}", self.log_tail());
        }
        let _ = self.kill();
    }
}
