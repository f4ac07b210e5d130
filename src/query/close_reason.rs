//! Why this instance closed a connection.

use std::error::Error as _;
use std::io;

/// A time limit or a broken request; what a client does to its own connection is its affair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// No request came in time.
    Idle,
    /// A request began, and its headers did not end in time.
    SlowHeaders,
    /// An answer was not taken in time.
    SlowReader,
    /// What came is no request.
    Malformed,
}

impl CloseReason {
    /// The reason of a connection that ended with `error`; `heard` says whether bytes came after its last answer.
    pub fn of(error: &hyper::Error, heard: bool) -> Option<Self> {
        let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        match cause.map(io::Error::kind) {
            _ if error.is_timeout() => Some(if heard { Self::SlowHeaders } else { Self::Idle }),
            _ if error.is_parse() => Some(Self::Malformed),
            Some(io::ErrorKind::TimedOut) => Some(Self::SlowReader),
            _ => None,
        }
    }

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::SlowHeaders => "slow_headers",
            Self::SlowReader => "slow_reader",
            Self::Malformed => "malformed",
        }
    }
}
