//! Runs cases on both sides and compares what comes out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::case::Case;
use crate::compare::{Difference, first_difference};
use crate::original::{self, Original};
use crate::ours;
use crate::outcome::Outcome;

/// A file that is no case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is no case.
    #[error("{}: {error}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Why.
        error: serde_json::Error,
    },
}

/// Both sides' outcomes of a case, and where they differ.
pub fn compare(original: &mut Original, case: &Case) -> Result<Option<Difference>, original::Error> {
    let theirs = match original.run(case) {
        Ok(outcome) => outcome,
        // The other cases may still be answered.
        Err(error @ original::Error::NoAnswer { .. }) => Outcome::failed(error),
        Err(error) => return Err(error),
    };
    Ok(first_difference(case, &theirs, &ours::run(case)))
}

/// The case of a file.
pub fn read(path: &Path) -> Result<Case, Error> {
    let text = fs::read_to_string(path).map_err(|error| Error::Io { path: path.to_owned(), error })?;
    serde_json::from_str(&text).map_err(|error| Error::Json { path: path.to_owned(), error })
}

/// The case files of a folder, in order of names.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(|error| Error::Io { path: folder.to_owned(), error })?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}
