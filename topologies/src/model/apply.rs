//! Applies one event to the status of its order.
//!
//! An event that is not applied leaves the status exactly as it was and says why; a repeat says nothing. Never fails
//! and never panics: bad input is an anomaly.

use std::sync::Arc;

use super::anomaly::explain;
use super::{
    Anomaly, AnomalyReason, Millis, OrderDetails, OrderEvent, OrderState, OrderStatus, PaymentDetails, PaymentEvent,
    PaymentState, Phone, StatusChange, Subject, is_currency, order_may_go, payment_may_go,
};

/// An event of either source topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// From `order.events`.
    Order(OrderEvent),
    /// From `payment.order`.
    Payment(PaymentEvent),
}

/// A status change on its way through the topology; never stored or sent as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The record of `order.status`; three flows have it in common.
    pub status: Arc<StatusChange>,
    /// The customer's number, when this change placed the order.
    pub phone: Option<Phone>,
}

/// What an event led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A state changed.
    Changed(Change),
    /// The event was not applied.
    Anomalous(Anomaly),
}

impl Effect {
    /// The change, if this is one.
    pub fn change(self) -> Option<Change> {
        match self {
            Self::Changed(change) => Some(change),
            Self::Anomalous(_) => None,
        }
    }

    /// The anomaly, if this is one.
    pub fn anomaly(self) -> Option<Anomaly> {
        match self {
            Self::Anomalous(anomaly) => Some(anomaly),
            Self::Changed(_) => None,
        }
    }
}

/// The status after an event, and what the event led to; no effect means a repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The status after the event; must be stored only when the effect is a change.
    pub status: Option<OrderStatus>,
    /// What to tell.
    pub effect: Option<Effect>,
}

/// What the checks say about an event.
enum Verdict {
    Apply,
    Repeat,
    Refuse(AnomalyReason),
}

/// Applies `input`, a record with the key `key`.
pub fn apply(key: &str, before: Option<OrderStatus>, input: &Input) -> Outcome {
    match input {
        Input::Order(event) => apply_order(key, before, event),
        Input::Payment(event) => apply_payment(key, before, event),
    }
}

/// Applies an order event that came under the key `key`.
pub fn apply_order(key: &str, before: Option<OrderStatus>, event: &OrderEvent) -> Outcome {
    let order = before.as_ref().and_then(|status| status.order.as_ref());
    match judge_order(key, before.as_ref(), event) {
        Verdict::Repeat => Outcome { status: before, effect: None },
        Verdict::Refuse(reason) => {
            let state = order.map(|order| order.state.symbol());
            let anomaly = refusal(
                key,
                Subject::Order,
                event.kind.symbol(),
                state,
                reason,
                event.occurred_at,
                &event.correlation_id,
            );
            Outcome { status: before, effect: Some(Effect::Anomalous(anomaly)) }
        }
        Verdict::Apply => {
            let mut status = before.unwrap_or_else(|| OrderStatus::unknown(key));
            match &mut status.order {
                Some(order) => order.state = event.kind,
                none => *none = Some(details_of_order(event)),
            }
            let phone = event.phone.clone().filter(|_| event.kind == OrderState::Placed);
            changed(status, Subject::Order, event.occurred_at, &event.correlation_id, phone)
        }
    }
}

/// Applies a payment event that came under the key `key`.
pub fn apply_payment(key: &str, before: Option<OrderStatus>, event: &PaymentEvent) -> Outcome {
    let payment = before.as_ref().and_then(|status| status.payment.as_ref());
    match judge_payment(key, before.as_ref(), event) {
        Verdict::Repeat => Outcome { status: before, effect: None },
        Verdict::Refuse(reason) => {
            let state = payment.map(|payment| payment.state.symbol());
            let anomaly = refusal(
                key,
                Subject::Payment,
                event.kind.symbol(),
                state,
                reason,
                event.occurred_at,
                &event.correlation_id,
            );
            Outcome { status: before, effect: Some(Effect::Anomalous(anomaly)) }
        }
        Verdict::Apply => {
            let mut status = before.unwrap_or_else(|| OrderStatus::unknown(key));
            status.payment = Some(details_of_payment(event));
            changed(status, Subject::Payment, event.occurred_at, &event.correlation_id, None)
        }
    }
}

fn judge_order(key: &str, before: Option<&OrderStatus>, event: &OrderEvent) -> Verdict {
    let order = before.and_then(|status| status.order.as_ref());
    let items_valid = event.items.iter().all(|item| item.quantity >= 1 && item.unit_amount_minor >= 0);
    if event.order_id != key {
        return Verdict::Refuse(AnomalyReason::KeyMismatch);
    }
    if !items_valid || !is_valid(event.amount_minor, &event.currency, event.occurred_at) {
        return Verdict::Refuse(AnomalyReason::InvalidValue);
    }
    match order {
        Some(order) if order.state == event.kind => {
            let same = order.customer_id == event.customer_id
                && order.store_id == event.store_id
                && order.amount_minor == event.amount_minor
                && order.currency == event.currency;
            if same { Verdict::Repeat } else { Verdict::Refuse(AnomalyReason::ConflictingRepeat) }
        }
        _ if before.is_some_and(|status| status.has_reached_order(event.kind, event.occurred_at)) => Verdict::Repeat,
        _ if order_may_go(order.map(|order| order.state), event.kind) => Verdict::Apply,
        _ => Verdict::Refuse(AnomalyReason::IllegalTransition),
    }
}

fn judge_payment(key: &str, before: Option<&OrderStatus>, event: &PaymentEvent) -> Verdict {
    let payment = before.and_then(|status| status.payment.as_ref());
    if event.order_id != key {
        return Verdict::Refuse(AnomalyReason::KeyMismatch);
    }
    if !is_valid(event.amount_minor, &event.currency, event.occurred_at) {
        return Verdict::Refuse(AnomalyReason::InvalidValue);
    }
    let state = payment.map(|payment| payment.state);
    let may_go = payment_may_go(state, event.kind);
    // The table lets a request follow a failure or a cancellation only: then another payment is a new attempt.
    let is_new_attempt = may_go && event.kind == PaymentState::ApprovalRequested;
    let is_other = payment.is_some_and(|payment| payment.payment_id != event.payment_id);
    match payment {
        Some(payment) if payment.state == event.kind && !is_other => {
            let same = payment.amount_minor == event.amount_minor && payment.currency == event.currency;
            if same { Verdict::Repeat } else { Verdict::Refuse(AnomalyReason::ConflictingRepeat) }
        }
        _ if before.is_some_and(|status| status.has_reached_payment(event.kind, event.occurred_at)) => Verdict::Repeat,
        _ if is_other && !is_new_attempt => Verdict::Refuse(AnomalyReason::OtherPayment),
        _ if may_go => Verdict::Apply,
        _ => Verdict::Refuse(AnomalyReason::IllegalTransition),
    }
}

fn is_valid(amount_minor: i64, currency: &str, occurred_at: Millis) -> bool {
    amount_minor >= 0 && occurred_at >= 0 && is_currency(currency)
}

fn details_of_order(event: &OrderEvent) -> OrderDetails {
    OrderDetails {
        state: event.kind,
        customer_id: event.customer_id.clone(),
        store_id: event.store_id.clone(),
        amount_minor: event.amount_minor,
        currency: event.currency.clone(),
        // A sum of 32-bit values: an array that overflows 64 bits does not fit in a record.
        item_count: event.items.iter().map(|item| i64::from(item.quantity)).sum(),
        placed_at: event.occurred_at,
    }
}

fn details_of_payment(event: &PaymentEvent) -> PaymentDetails {
    PaymentDetails {
        state: event.kind,
        payment_id: event.payment_id.clone(),
        method: event.method,
        provider: event.provider.clone(),
        amount_minor: event.amount_minor,
        currency: event.currency.clone(),
        failure_code: event.failure_code.clone(),
    }
}

fn changed(
    mut status: OrderStatus,
    subject: Subject,
    occurred_at: Millis,
    correlation_id: &str,
    phone: Option<Phone>,
) -> Outcome {
    status.note_transition(subject, occurred_at);
    let change = StatusChange::of(&status, subject, occurred_at, correlation_id);
    Outcome { status: Some(status), effect: Some(Effect::Changed(Change { status: Arc::new(change), phone })) }
}

fn refusal(
    key: &str,
    subject: Subject,
    event: &str,
    state: Option<&str>,
    reason: AnomalyReason,
    occurred_at: Millis,
    correlation_id: &str,
) -> Anomaly {
    Anomaly {
        order_id: key.into(),
        subject,
        event: event.to_owned(),
        state: state.map(str::to_owned),
        reason,
        text: explain(reason, event, state),
        occurred_at,
        correlation_id: correlation_id.into(),
    }
}

#[cfg(test)]
mod tests;
