//! Why a benchmark ends without a result.

use thalweg::wire;

/// What went wrong, and what the exit code says about it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Runs gave wrong answers or none: their figures are void.
    #[error("void runs:\n{}", .0.join("\n"))]
    Wrong(Vec<String>),
    /// It could not be done here.
    #[error("{what}: {reason}")]
    Unable {
        /// What was being done.
        what: String,
        /// What the system said.
        reason: String,
    },
}

impl Failure {
    /// That `what` failed of `reason`.
    pub fn unable(what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Unable { what: what.into(), reason: reason.to_string() }
    }

    /// The exit code.
    pub const fn exit(&self) -> u8 {
        match self {
            Self::Wrong(_) => 1,
            Self::Unable { .. } => thalweg::cli::UNAVAILABLE,
        }
    }
}

impl From<wire::Error> for Failure {
    fn from(error: wire::Error) -> Self {
        Self::Unable { what: error.context, reason: error.reason }
    }
}
