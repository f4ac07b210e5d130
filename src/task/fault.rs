//! Why a record could not be processed.

use crate::serde::SerdeError;

/// Which part of a record was at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The record's key.
    Key,
    /// The record's value.
    Value,
    /// The record's timestamp.
    Timestamp,
}

impl Part {
    /// The word in texts and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
            Self::Timestamp => "timestamp",
        }
    }
}

/// Why a record could not be processed. No variant quotes record content.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// The source's bytes do not decode; the source's policy decides.
    #[error("the record's {} does not decode: {error}", part.name())]
    Decode {
        /// Which part.
        part: Part,
        /// Why.
        error: SerdeError,
    },
    /// A value cannot be written to a topic or a store; the task fails, nothing of the record is committed.
    #[error("cannot serialize a record for {target}: {error}")]
    Encode {
        /// Topic or store.
        target: String,
        /// Why.
        error: SerdeError,
    },
    /// A stored row does not decode with today's serde; the task fails.
    #[error("a row of store {store} does not decode: {error}")]
    Row {
        /// Store name.
        store: String,
        /// Why.
        error: SerdeError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] thalweg_state::Error),
    /// A processor gave up.
    #[error("processor {processor}: {reason}")]
    User {
        /// Name of the processor node.
        processor: String,
        /// What the processor said.
        reason: String,
    },
}

impl Fault {
    /// Whether the same record may succeed later, unchanged (for example when the schema registry is back).
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Decode { error, .. } | Self::Encode { error, .. } | Self::Row { error, .. } => error.is_retriable(),
            Self::Store(_) | Self::User { .. } => false,
        }
    }

    /// The stable word for metrics and dead letters.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Decode { part: Part::Timestamp, .. } => "invalid_timestamp",
            Self::Decode { error, .. } | Self::Encode { error, .. } | Self::Row { error, .. } => error.reason(),
            Self::Store(_) => "store",
            Self::User { .. } => "processor",
        }
    }
}
