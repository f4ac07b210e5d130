//! Kafka's error codes, as far as a group member meets them.

use std::fmt;

/// An error code of a Kafka response; never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode(pub i16);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl ErrorCode {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// Kafka's name of the code, when a group member can meet it.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// The broker failed; a group whose metadata is over its size limit answers SyncGroup with it.
    UNKNOWN_SERVER_ERROR = -1;
    /// The partition does not exist.
    UNKNOWN_TOPIC_OR_PARTITION = 3;
    /// The coordinator could not store a commit in time.
    REQUEST_TIMED_OUT = 7;
    /// Commit metadata over 4096 bytes.
    OFFSET_METADATA_TOO_LARGE = 12;
    /// The coordinator reads its log; the same coordinator answers soon.
    COORDINATOR_LOAD_IN_PROGRESS = 14;
    /// No coordinator yet, ask again.
    COORDINATOR_NOT_AVAILABLE = 15;
    /// The coordinator moved, find it again.
    NOT_COORDINATOR = 16;
    /// The generation is over.
    ILLEGAL_GENERATION = 22;
    /// Other members of the group speak another protocol.
    INCONSISTENT_GROUP_PROTOCOL = 23;
    /// The group id is empty.
    INVALID_GROUP_ID = 24;
    /// The coordinator does not know the member (any more).
    UNKNOWN_MEMBER_ID = 25;
    /// The session timeout is outside what the broker allows.
    INVALID_SESSION_TIMEOUT = 26;
    /// The members must join again.
    REBALANCE_IN_PROGRESS = 27;
    /// A commit is larger than the broker's bound for messages.
    INVALID_COMMIT_OFFSET_SIZE = 28;
    /// No permission for a topic.
    TOPIC_AUTHORIZATION_FAILED = 29;
    /// No permission for the group.
    GROUP_AUTHORIZATION_FAILED = 30;
    /// The broker does not speak this version of the request.
    UNSUPPORTED_VERSION = 35;
    /// The request did not fit the group's state.
    INVALID_REQUEST = 42;
    /// The group does not exist (any more); answers commits of version 9.
    GROUP_ID_NOT_FOUND = 69;
    /// A first join gets its member id with this code (KIP-394).
    MEMBER_ID_REQUIRED = 79;
    /// The broker's bound for members is reached.
    GROUP_MAX_SIZE_REACHED = 81;
    /// Another process runs with the same instance id (KIP-345).
    FENCED_INSTANCE_ID = 82;
    /// A transaction is about to move the offset (KIP-447).
    UNSTABLE_OFFSET_COMMIT = 88;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "Kafka error {}", self.0),
        }
    }
}
