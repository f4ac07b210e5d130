//! The state directory of one application on one machine: its lock, the process's identity, one folder per task.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::topic_ids::TopicIds;
use crate::group::codec::ProcessId;
use crate::types::TaskId;

const LOCK: &str = ".lock";
/// Kafka Streams' name of it.
const PROCESS: &str = "kafka-streams-process-metadata";
const TOPIC_IDS: &str = "topic-ids";

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
    /// It is not there any more, or another one is in its place.
    #[error(
        "state directory {path} was removed or replaced while this process worked in it: start again, the stores come \
         back from their changelogs"
    )]
    Gone {
        /// The directory.
        path: PathBuf,
    },
}

/// `<state dir>/<application id>`, held for the life of the process.
#[derive(Debug)]
pub struct StateDirectory {
    root: PathBuf,
    process_id: Uuid,
    lock: File,
}

/// The lock file as this process took it.
#[derive(Debug)]
pub(super) struct Place {
    root: PathBuf,
    device_and_inode: (u64, u64),
}

impl Place {
    /// Fails when the directory does not hold this process's lock any more: another process may work there, too.
    pub(super) fn check(&self) -> Result<(), StateDirectoryError> {
        let path = self.root.join(LOCK);
        match fs::metadata(&path) {
            Ok(found) if (found.dev(), found.ino()) == self.device_and_inode => Ok(()),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StateDirectoryError::Io { path, error }),
            Ok(_) | Err(_) => Err(StateDirectoryError::Gone { path: self.root.clone() }),
        }
    }
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
        Ok(Self { root, process_id, lock })
    }

    /// What must stay as it is while the process runs.
    pub(super) fn place(&self) -> Result<Place, StateDirectoryError> {
        let lock = self.lock.metadata().map_err(io(&self.root.join(LOCK)))?;
        Ok(Place { root: self.root.clone(), device_and_inode: (lock.dev(), lock.ino()) })
    }

    /// The ids of the topics that the stores here were built from; empty when that is not known.
    pub(super) fn topic_ids(&self) -> TopicIds {
        let known = fs::read(self.root.join(TOPIC_IDS)).ok();
        known.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Keeps the ids of the topics that the stores here are built from.
    pub(super) fn keep_topic_ids(&self, ids: &TopicIds) -> Result<(), StateDirectoryError> {
        replace(&self.root, TOPIC_IDS, &serde_json::json!(ids).to_string())
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
    let path = root.join(LOCK);
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
    let path = root.join(PROCESS);
    if let Some(known) = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<ProcessMetadata>(&bytes).ok()) {
        return Ok(known.process_id);
    }
    let process_id = Uuid::new_v4();
    replace(root, PROCESS, &serde_json::json!(ProcessMetadata { process_id }).to_string())?;
    Ok(process_id)
}

/// Renames a new file into place, so that a crash leaves the old one or the new one.
fn replace(root: &Path, name: &str, text: &str) -> Result<(), StateDirectoryError> {
    let (path, temporary) = (root.join(name), root.join(format!("{name}.tmp")));
    fs::write(&temporary, text).map_err(io(&temporary))?;
    fs::rename(&temporary, &path).map_err(io(&path))
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

    #[test]
    fn a_directory_that_is_removed_or_replaced_is_missed() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateDirectory::open(dir.path(), "app").unwrap();
        let place = first.place().unwrap();
        assert!(place.check().is_ok());
        fs::remove_dir_all(dir.path().join("app")).unwrap();
        let gone = |place: &Place| match place.check() {
            Err(StateDirectoryError::Gone { path }) => path == dir.path().join("app"),
            other => panic!("expected Gone, got {other:?}"),
        };
        assert!(gone(&place));
        let second = StateDirectory::open(dir.path(), "app").expect("the first one's lock is not there any more");
        assert!(gone(&place) && second.place().unwrap().check().is_ok());
    }

    #[test]
    fn the_ids_of_topics_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let directory = StateDirectory::open(dir.path(), "app").unwrap();
        assert_eq!(directory.topic_ids(), TopicIds::new());
        let ids = TopicIds::from([("orders".to_owned(), "Xy-1".to_owned())]);
        directory.keep_topic_ids(&ids).unwrap();
        assert_eq!(directory.topic_ids(), ids);
    }
}
