//! A real schema registry: Apicurio, in memory, speaking Confluent's REST paths.

use std::ffi::OsString;
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::child::Child;
use crate::wait::wait_for;
use crate::{free_port, http, services};

const START: Duration = Duration::from_secs(120);
const HEAP_MB: u32 = 384;

/// A running registry; stopped when dropped or when the process ends.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    url: String,
    _dir: TempDir,
}

impl Registry {
    /// The registry that all tests of this binary share; started by the first caller. Subjects must be unique.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<Registry, String>> = OnceLock::new();
        SHARED.get_or_init(Self::try_start).as_ref().unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Starts a registry of one's own and waits until it answers.
    pub fn start() -> Self {
        Self::try_start().unwrap_or_else(|reason| panic!("{reason}"))
    }

    fn try_start() -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
        let port = free_port();
        let jar = services::runner(&services::directory().join("registry"))?;
        let args: [OsString; 4] = [
            format!("-Dquarkus.http.port={port}").into(),
            "-Dquarkus.http.host=127.0.0.1".into(),
            "-jar".into(),
            jar.into(),
        ];
        let mut program = services::java("registry", HEAP_MB, dir.path(), &args);
        program.scratch = Some(dir.path().to_owned());
        let child = Child::spawn(program).map_err(|error| format!("starting the registry: {error}"))?;
        let mut registry = Self { child, url: format!("http://127.0.0.1:{port}/apis/ccompat/v7"), _dir: dir };
        let subjects = format!("{}/subjects", registry.url);
        wait_for(START, "the registry's answer", || {
            let answered = http::get(&subjects).is_ok_and(|answer| answer.status == 200);
            (answered || registry.child.exited().is_some()).then_some(answered)
        })
        .map_err(|late| format!("{late}\n{}", registry.child.log_tail()))?
        .then_some(())
        .ok_or_else(|| format!("the registry ended at once\n{}", registry.child.log_tail()))?;
        Ok(registry)
    }

    /// Base URL of Confluent's REST paths, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }
}
