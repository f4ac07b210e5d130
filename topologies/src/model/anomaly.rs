//! The derived topic `order.anomalies`.

use serde::{Deserialize, Serialize};

use super::{Millis, Subject, Text};

/// Why an event was not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AnomalyReason {
    /// The event names another order than its record key.
    KeyMismatch,
    /// A negative amount or time, a quantity below one, or a currency that is no ISO 4217 code.
    InvalidValue,
    /// The event names another payment than the one under way.
    OtherPayment,
    /// The state is the present one but the content differs.
    ConflictingRepeat,
    /// The declared table has no such transition.
    IllegalTransition,
}

/// An event that was not applied, and why; value of `order.anomalies`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Order id of the record key.
    pub order_id: Text,
    /// Which life the event belongs to.
    pub subject: Subject,
    /// What the event reported.
    pub event: String,
    /// State it met; `None` when there was none.
    pub state: Option<String>,
    /// Why it was not applied.
    pub reason: AnomalyReason,
    /// The reason as a sentence; never a value of the event beyond its kind.
    pub text: String,
    /// When it happened, by the producer's clock.
    pub occurred_at: Millis,
    /// Ties together all records of one customer request.
    pub correlation_id: Text,
}

/// The reason as a sentence.
pub(super) fn explain(reason: AnomalyReason, event: &str, state: Option<&str>) -> String {
    match (reason, state) {
        (AnomalyReason::KeyMismatch, _) => "the event names another order than its record key".to_owned(),
        (AnomalyReason::InvalidValue, _) => "an amount, quantity, time or currency is not valid".to_owned(),
        (AnomalyReason::OtherPayment, _) => format!("{event} names another payment than the one under way"),
        (AnomalyReason::ConflictingRepeat, _) => format!("{event} is repeated with different content"),
        (AnomalyReason::IllegalTransition, Some(state)) => format!("{event} is not allowed after {state}"),
        (AnomalyReason::IllegalTransition, None) => format!("{event} is not allowed as the first event"),
    }
}
