//! One task: record queues, stream time, the operator chain, punctuation, outbox.
