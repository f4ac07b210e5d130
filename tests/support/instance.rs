//! The application as an operator runs it: `orders serve --config FILE` in a process of its own.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::child::{Child, Program};
use crate::http;
use crate::wait::wait_for;

/// A running instance; killed when dropped.
#[derive(Debug)]
pub struct Instance {
    child: Child,
    url: String,
}

impl Instance {
    /// Writes `config` (TOML) to `dir` and starts the instance with it; its log is in `dir` too, and stays there
    /// over restarts. `http_port` is the port that the configuration names.
    pub fn spawn(name: &str, dir: &Path, http_port: u16, config: &str) -> Self {
        let file = dir.join(format!("{name}.toml"));
        fs::write(&file, config).expect("the configuration can be written");
        let args = ["serve".as_ref(), "--config".as_ref(), file.as_os_str()];
        let program = Program::new(name, binary(), args, &dir.join(format!("{name}.log")));
        Self::run(program, http_port)
    }

    /// Starts `program`, an application that serves HTTP on `http_port` of the loopback interface.
    pub fn run(program: Program, http_port: u16) -> Self {
        let child = Child::spawn(program).expect("the application starts");
        Self { child, url: format!("http://127.0.0.1:{http_port}") }
    }

    /// Base URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until `/readyz` says 200; panics with the log when the instance ends or `deadline` passes.
    pub fn wait_until_ready(&mut self, deadline: Duration) {
        let url = format!("{}/readyz", self.url);
        let ready = wait_for(deadline, "the instance to be ready", || {
            let ready = http::get(&url).is_ok_and(|answer| answer.status == 200);
            (ready || self.child.exited().is_some()).then_some(ready)
        });
        match ready {
            Ok(true) => {}
            Ok(false) => panic!("the instance ended before it was ready\n{}", self.child.log_tail()),
            Err(late) => panic!("{late}\n{}", self.child.log_tail()),
        }
    }

    /// Kills the process at once (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap_or_else(|late| panic!("{late}"));
    }

    /// Asks the process to stop (SIGTERM) and returns its exit status; panics when it takes longer than `deadline`.
    pub fn stop(&mut self, deadline: Duration) -> ExitStatus {
        self.child.terminate(deadline).unwrap_or_else(|late| panic!("{late}\n{}", self.child.log_tail()))
    }

    /// The exit status, once the process has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.exited()
    }

    /// Everything the process has printed.
    pub fn log(&self) -> String {
        self.child.log()
    }
}

/// The `orders` executable that `cargo build --workspace` put above the test's own.
pub fn binary() -> PathBuf {
    let executable = env::current_exe().expect("a test knows its executable");
    executable
        .ancestors()
        .skip(1)
        .map(|folder| folder.join("orders"))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("no `orders` above {}: run `cargo build --workspace`", executable.display()))
}
