//! What can fail in a store, and which reaction it asks for.

/// The reaction an error asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The store cannot be trusted: wipe it and rebuild it from its changelog.
    Corrupt,
    /// The disk or the file system refused; the text names the path.
    Io,
    /// Another process holds the directory.
    Locked,
    /// The store is closed or poisoned by an earlier failed write.
    Closed,
}

/// What failed in a store.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{context}: {reason}")]
pub struct Error {
    /// The reaction.
    pub kind: ErrorKind,
    /// What was being done, with the path.
    pub context: String,
    /// What the engine said.
    pub reason: String,
}

impl Error {
    pub(crate) fn closed(context: &str) -> Self {
        Self { kind: ErrorKind::Closed, context: context.to_owned(), reason: "the state is closed".to_owned() }
    }

    pub(crate) fn poisoned(context: &str) -> Self {
        let reason = "an earlier write failed; close the state and open it again".to_owned();
        Self { kind: ErrorKind::Closed, context: context.to_owned(), reason }
    }
}
