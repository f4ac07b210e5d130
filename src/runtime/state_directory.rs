//! The state directory of one application on one machine: its lock, the process's identity, one folder per task.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::group::codec::ProcessId;
use crate::types::TaskId;

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirectoryError {
    /// Another process works in it.
    #[error("state directory {path} is in use by {holder}: give each process its own application.state_dir")]
    InUse {
        /// The directory.
        path: PathBuf,
        /// What the holder wrote about itself.
        holder: String,
    },
    /// The file system refused.
    #[error("state directory {path}: {error}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

/// `<state dir>/<application id>`, held for the life of the process.
#[derive(Debug)]
pub struct StateDirectory {
    root: PathBuf,
    process_id: Uuid,
    _lock: File,
}

/// Content of `kafka-streams-process-metadata`; unknown fields are ignored, as Kafka Streams asks.
#[derive(Serialize, Deserialize)]
struct ProcessMetadata {
    #[serde(rename = "processId")]
    process_id: Uuid,
}

impl StateDirectory {
    /// Creates or takes over the directory. Answers `InUse` at once when another process holds it.
    pub fn open(state_dir: &Path, application_id: &str) -> Result<Self, StateDirectoryError> {
        let root = state_dir.join(application_id);
        fs::create_dir_all(&root).map_err(io(&root))?;
        let lock = lock(&root)?;
        let process_id = process_id(&root)?;
        Ok(Self { root, process_id, _lock: lock })
    }

    /// Identity of the process, kept across restarts.
    pub fn process_id(&self) -> ProcessId {
        ProcessId(*self.process_id.as_bytes())
    }

    /// The identity as text.
    pub fn process_name(&self) -> String {
        self.process_id.to_string()
    }

    /// The folder of a task.
    pub fn task(&self, task: TaskId) -> PathBuf {
        self.root.join(task.to_string())
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> StateDirectoryError + '_ {
    move |error| StateDirectoryError::Io { path: path.to_owned(), error }
}

fn lock(root: &Path) -> Result<File, StateDirectoryError> {
    let path = root.join(".lock");
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(false).open(&path).map_err(io(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(StateDirectoryError::Io { path, error }),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(io(&path))?;
            return Err(StateDirectoryError::InUse { path: root.to_owned(), holder: holder.trim().to_owned() });
        }
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "process {}", std::process::id())
    };
    write(&mut file).map_err(io(&path))?;
    Ok(file)
}

fn process_id(root: &Path) -> Result<Uuid, StateDirectoryError> {
    let path = root.join("kafka-streams-process-metadata");
    if let Some(known) = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<ProcessMetadata>(&bytes).ok()) {
        return Ok(known.process_id);
    }
    let process_id = Uuid::new_v4();
    let text = serde_json::json!(ProcessMetadata { process_id }).to_string();
    // Renamed into place, so that a crash leaves the old file or the new one.
    let temporary = root.join("kafka-streams-process-metadata.tmp");
    fs::write(&temporary, text).map_err(io(&temporary))?;
    fs::rename(&temporary, &path).map_err(io(&path))?;
    Ok(process_id)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_second_holder_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateDirectory::open(dir.path(), "app").unwrap();
        match StateDirectory::open(dir.path(), "app") {
            Err(StateDirectoryError::InUse { holder, .. }) => {
                assert_eq!(holder, format!("process {}", std::process::id()));
            }
            other => panic!("expected InUse, got {other:?}"),
        }
        assert!(StateDirectory::open(dir.path(), "other").is_ok(), "another application is another directory");
        let process = first.process_id();
        drop(first);
        assert_eq!(StateDirectory::open(dir.path(), "app").unwrap().process_id(), process, "the identity stays");
    }
}
