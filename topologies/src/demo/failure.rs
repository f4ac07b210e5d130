//! Why the demo cannot go on, and with which exit code it ends.

use std::fmt;
use std::io;

use thalweg::cli::{self, InstanceError};
use thalweg::wire::{self, ErrorKind};

/// A reason to end, with what to do where that is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    reason: String,
    /// As `orders serve` would end (`sysexits.h`).
    pub(super) exit: u8,
}

impl Failure {
    pub(super) fn new(exit: u8, reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string(), exit }
    }

    /// Something of the program or of the system under it.
    pub(super) fn software(reason: impl fmt::Display) -> Self {
        Self::new(cli::SOFTWARE, reason)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl From<InstanceError> for Failure {
    fn from(error: InstanceError) -> Self {
        let advice = match &error {
            InstanceError::Bind { error, .. } if error.kind() == io::ErrorKind::AddrInUse => {
                "; another program listens there: stop it, or let the demo take a free port with \
                 `--http-bind 127.0.0.1:0`"
            }
            _ => "",
        };
        Self::new(error.exit(), format_args!("{error}{advice}"))
    }
}

impl From<wire::Error> for Failure {
    fn from(error: wire::Error) -> Self {
        let exit = match error.kind {
            ErrorKind::Retriable => cli::UNAVAILABLE,
            ErrorKind::Fenced | ErrorKind::Fatal => cli::SOFTWARE,
        };
        Self::new(exit, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_comes_with_what_to_do() {
        let error = io::Error::from(io::ErrorKind::AddrInUse);
        let failure = Failure::from(InstanceError::Bind { address: ([127, 0, 0, 1], 8080).into(), error });
        assert_eq!(failure.exit, cli::UNAVAILABLE);
        let text = failure.to_string();
        assert!(text.starts_with("cannot listen on 127.0.0.1:8080 (http.bind): "), "{text}");
        assert!(text.ends_with("take a free port with `--http-bind 127.0.0.1:0`"), "{text}");
    }

    #[test]
    fn a_cluster_that_does_not_answer_may_answer_later() {
        let error = |kind| wire::Error { kind, context: "describe topics".to_owned(), reason: "timed out".to_owned() };
        assert_eq!(Failure::from(error(ErrorKind::Retriable)).exit, cli::UNAVAILABLE);
        assert_eq!(Failure::from(error(ErrorKind::Fatal)).exit, cli::SOFTWARE);
    }
}
