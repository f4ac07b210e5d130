//! librdkafka's codes as errors of the port.

use rdkafka::types::RDKafkaErrorCode;

use super::native::Code;
use crate::wire::{Error, ErrorKind};

/// The error for `code`, met while doing `context`.
pub(super) fn error(code: Code, context: impl Into<String>) -> Error {
    with_text(code, RDKafkaErrorCode::from(code).to_string(), context)
}

/// The error for `code` with a text that says more than the code's own.
pub(super) fn with_text(code: Code, text: impl Into<String>, context: impl Into<String>) -> Error {
    Error { kind: kind(code), context: context.into(), reason: text.into() }
}

/// The reaction to a code. What is not known to pass is fatal: a person must look.
pub(super) fn kind(code: Code) -> ErrorKind {
    use Code as c;
    match code {
        c::RD_KAFKA_RESP_ERR__FENCED
        | c::RD_KAFKA_RESP_ERR_PRODUCER_FENCED
        | c::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH
        | c::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID => ErrorKind::Fenced,
        c::RD_KAFKA_RESP_ERR__TRANSPORT
        | c::RD_KAFKA_RESP_ERR__RESOLVE
        | c::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN
        | c::RD_KAFKA_RESP_ERR__DESTROY_BROKER
        | c::RD_KAFKA_RESP_ERR__TIMED_OUT
        | c::RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE
        | c::RD_KAFKA_RESP_ERR__MSG_TIMED_OUT
        | c::RD_KAFKA_RESP_ERR__QUEUE_FULL
        | c::RD_KAFKA_RESP_ERR__RETRY
        | c::RD_KAFKA_RESP_ERR__IN_PROGRESS
        | c::RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS
        | c::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
        | c::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION
        | c::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        | c::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE
        | c::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION
        | c::RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE
        | c::RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE
        | c::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT
        | c::RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION
        | c::RD_KAFKA_RESP_ERR_NOT_CONTROLLER
        | c::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS
        | c::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND
        | c::RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE
        | c::RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH
        | c::RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH
        | c::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR
        | c::RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED => ErrorKind::Retriable,
        _ => ErrorKind::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_names_its_reaction_and_the_error_what_was_done() {
        let failed = error(Code::RD_KAFKA_RESP_ERR__TIMED_OUT, "asking offsets of t-0");
        assert_eq!(failed.kind, ErrorKind::Retriable);
        assert!(failed.to_string().starts_with("asking offsets of t-0: "), "{failed}");
        // A broker that died leaves the cluster's metadata, and librdkafka gives up what waits for it.
        assert_eq!(kind(Code::RD_KAFKA_RESP_ERR__DESTROY_BROKER), ErrorKind::Retriable);
        assert_eq!(kind(Code::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH), ErrorKind::Fenced);
        assert_eq!(kind(Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED), ErrorKind::Fatal);
    }
}
