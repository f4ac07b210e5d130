//! What an answer of the engine means for us.

use std::path::Path;

use crate::{Error, ErrorKind};

/// The engine's error, met while `doing` something with the database at `path`.
pub(super) fn failed(doing: &str, path: &Path, error: &rocksdb::Error) -> Error {
    let text = error.as_ref();
    Error {
        kind: classify(&error.kind(), text),
        context: format!("{doing} {}", path.display()),
        reason: text.to_owned(),
    }
}

/// The file system's error, met while `doing` something with `path`.
pub(super) fn io_failed(doing: &str, path: &Path, error: &std::io::Error) -> Error {
    Error { kind: ErrorKind::Io, context: format!("{doing} {}", path.display()), reason: error.to_string() }
}

/// A row of ours that no version of us wrote.
pub(super) fn corrupt(doing: &str, path: &Path, reason: String) -> Error {
    Error { kind: ErrorKind::Corrupt, context: format!("{doing} {}", path.display()), reason }
}

fn classify(kind: &rocksdb::ErrorKind, text: &str) -> ErrorKind {
    use rocksdb::ErrorKind as Engine;
    match kind {
        // Held by another process, or by this one (`PosixEnv::LockFile` keeps a table of its own).
        Engine::IOError if text.contains("While lock file") || text.contains("lock hold by current process") => {
            ErrorKind::Locked
        }
        // A file that the manifest names, or the manifest itself, is gone: nothing will bring it back.
        Engine::IOError if text.contains("No such file or directory") => ErrorKind::Corrupt,
        Engine::Corruption | Engine::NotSupported | Engine::InvalidArgument | Engine::NotFound => ErrorKind::Corrupt,
        Engine::ShutdownInProgress => ErrorKind::Closed,
        _ => ErrorKind::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rocksdb::ErrorKind as Engine;

    #[test]
    fn only_what_cannot_come_back_is_corrupt() {
        let check = |kind: Engine, text, expected| assert_eq!(classify(&kind, text), expected, "{text}");
        let lock = "IO error: While lock file: /s/0_0/rocksdb/LOCK: Resource temporarily unavailable";
        check(Engine::IOError, lock, ErrorKind::Locked);
        let lock =
            "IO error: lock hold by current process, acquire time 1 acquiring thread 2: /s/LOCK: No locks available";
        check(Engine::IOError, lock, ErrorKind::Locked);
        let lock = "IO error: While open a file for lock: /s/LOCK: Permission denied";
        check(Engine::IOError, lock, ErrorKind::Io);
        let full = "IO error: No space left on device: While appending to file: /s/000012.sst: No space left on device";
        check(Engine::IOError, full, ErrorKind::Io);
        let gone = "IO error: No such file or directory: While open a file for random read: /s/000012.sst: No such file or directory";
        check(Engine::IOError, gone, ErrorKind::Corrupt);
        check(Engine::Corruption, "Corruption: block checksum mismatch", ErrorKind::Corrupt);
        check(Engine::InvalidArgument, "Invalid argument: Column families not opened: a", ErrorKind::Corrupt);
        check(Engine::ShutdownInProgress, "Shutdown in progress", ErrorKind::Closed);
    }
}
