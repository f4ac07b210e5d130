//! An independent model of the application: given all events, what every view and derived topic must hold.
//!
//! For tests. It shares the record types with the production code and none of its rules: legal transitions are
//! listed as text, and everything is computed from the whole history of an order instead of event by event.

use std::collections::BTreeMap;

use crate::model::{
    CustomerOrders, Input, Item, OrderDetails, OrderEvent, OrderState, OrderStatus, OrderSummary, PaymentDetails,
    PaymentEvent, PaymentState, StatusChange, Subject, Text, Transition,
};

const LEGAL_ORDER: &str = "-PLACED PLACED-ACCEPTED PLACED-REJECTED PLACED-CANCELLED ACCEPTED-COOKING \
    ACCEPTED-CANCELLED COOKING-READY COOKING-CANCELLED READY-PICKED_UP READY-CANCELLED PICKED_UP-DELIVERED";

const LEGAL_PAYMENT: &str = "-APPROVAL_REQUESTED APPROVAL_REQUESTED-APPROVAL_CALLBACK_COMPLETED \
    APPROVAL_REQUESTED-APPROVAL_COMPLETED APPROVAL_REQUESTED-APPROVAL_FAILED APPROVAL_REQUESTED-CANCEL_REQUESTED \
    APPROVAL_CALLBACK_COMPLETED-APPROVAL_COMPLETED APPROVAL_CALLBACK_COMPLETED-APPROVAL_FAILED \
    APPROVAL_CALLBACK_COMPLETED-CANCEL_REQUESTED APPROVAL_COMPLETED-CANCEL_REQUESTED \
    APPROVAL_FAILED-APPROVAL_REQUESTED CANCEL_REQUESTED-CANCELLED CANCELLED-APPROVAL_REQUESTED";

/// Verdicts that hold whatever was applied before.
const SETTLED: [&str; 4] = ["KEY_MISMATCH", "INVALID_VALUE", "REPEAT", "CONFLICTING_REPEAT"];

/// One applied event: the whole truth about a change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Applied {
    order: Option<OrderDetails>,
    payment: Option<PaymentDetails>,
    subject: Subject,
    occurred_at: i64,
    correlation_id: Text,
}

impl Applied {
    /// Whether this change was made by an event of this kind and time.
    fn is_of(&self, input: &Input) -> bool {
        let order = self.order.as_ref().map(|order| order.state);
        let payment = self.payment.as_ref().map(|payment| payment.state);
        match (self.subject, input) {
            (Subject::Order, Input::Order(event)) => (order, self.occurred_at) == (Some(event.kind), event.occurred_at),
            (Subject::Payment, Input::Payment(event)) => {
                (payment, self.occurred_at) == (Some(event.kind), event.occurred_at)
            }
            _ => false,
        }
    }
}

/// The changes that a status shows.
fn visible(applied: &[Applied]) -> &[Applied] {
    &applied[applied.len().saturating_sub(16)..]
}

/// What the application must have produced for a list of events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// View `order-status` by order id.
    pub statuses: BTreeMap<String, OrderStatus>,
    /// View `customer-orders` by customer id.
    pub customers: BTreeMap<String, CustomerOrders>,
    /// Records of `order.status` by order id, in order.
    pub changes: BTreeMap<String, Vec<StatusChange>>,
    /// Records of `order.anomalies` by order id, in order: subject, event and reason.
    pub anomalies: BTreeMap<String, Vec<(Subject, String, &'static str)>>,
    /// Notification ids of `notification.sms` by order id, in order.
    pub notifications: BTreeMap<String, Vec<String>>,
}

/// Recomputes everything from `events`, records (key, event) in the order they are processed.
pub fn expect<'a>(events: impl IntoIterator<Item = (&'a str, &'a Input)>) -> Expected {
    let mut by_order: BTreeMap<&str, Vec<&Input>> = BTreeMap::new();
    for (key, input) in events {
        by_order.entry(key).or_default().push(input);
    }
    let mut expected = Expected::default();
    let mut pages: BTreeMap<String, Vec<OrderSummary>> = BTreeMap::new();
    for (key, inputs) in by_order {
        let (applied, anomalies) = replay(key, &inputs);
        if !anomalies.is_empty() {
            expected.anomalies.insert(key.to_owned(), anomalies);
        }
        if applied.is_empty() {
            continue;
        }
        let changes: Vec<StatusChange> =
            (1..).zip(&applied).map(|(revision, step)| change(key, revision, step)).collect();
        let told = notifications(&inputs, &changes);
        if !told.is_empty() {
            expected.notifications.insert(key.to_owned(), told);
        }
        if let Some((customer, summary)) = page_entry(key, &applied) {
            pages.entry(customer).or_default().push(summary);
        }
        expected.statuses.insert(key.to_owned(), status(key, &applied));
        expected.changes.insert(key.to_owned(), changes);
    }
    for (customer, mut orders) in pages {
        orders.sort_by(|a, b| (b.placed_at, &b.order_id).cmp(&(a.placed_at, &a.order_id)));
        orders.truncate(50);
        expected.customers.insert(customer, CustomerOrders { orders });
    }
    expected
}

/// The parts of a status that do not depend on how the two topics interleave.
///
/// Transitions are sorted by subject and time and keep their own state only. Holds while the order made no more
/// than 16 changes.
pub fn settled(mut status: OrderStatus) -> OrderStatus {
    for transition in &mut status.transitions {
        match transition.subject {
            Subject::Order => transition.payment_state = None,
            Subject::Payment => transition.order_state = None,
        }
    }
    // Stable: changes of one subject keep their order.
    status.transitions.sort_by_key(|transition| transition.subject);
    status
}

type Refused = (Subject, String, &'static str);

fn replay(key: &str, inputs: &[&Input]) -> (Vec<Applied>, Vec<Refused>) {
    let (mut applied, mut refused) = (Vec::<Applied>::new(), Vec::new());
    for input in inputs {
        let (order, payment) = applied.last().map_or((None, None), |step| (step.order.clone(), step.payment.clone()));
        let verdict = match input {
            Input::Order(event) => order_verdict(key, order.as_ref(), event),
            Input::Payment(event) => payment_verdict(key, payment.as_ref(), event),
        };
        let is_known = !SETTLED.contains(&verdict) && visible(&applied).iter().any(|step| step.is_of(input));
        let verdict = if is_known { "REPEAT" } else { verdict };
        match (verdict, input) {
            ("REPEAT", _) => {}
            ("APPLY", Input::Order(event)) => applied.push(Applied {
                order: Some(OrderDetails { state: event.kind, ..order.unwrap_or_else(|| placed(event)) }),
                payment,
                subject: Subject::Order,
                occurred_at: event.occurred_at,
                correlation_id: event.correlation_id.clone(),
            }),
            ("APPLY", Input::Payment(event)) => applied.push(Applied {
                order,
                payment: Some(paid(event)),
                subject: Subject::Payment,
                occurred_at: event.occurred_at,
                correlation_id: event.correlation_id.clone(),
            }),
            (reason, Input::Order(event)) => refused.push((Subject::Order, event.kind.symbol().to_owned(), reason)),
            (reason, Input::Payment(event)) => refused.push((Subject::Payment, event.kind.symbol().to_owned(), reason)),
        }
    }
    (applied, refused)
}

fn is_legal(table: &str, from: &str, to: &str) -> bool {
    table.split_whitespace().any(|step| step == format!("{from}-{to}"))
}

fn is_sane(amount: i64, currency: &str, at: i64) -> bool {
    amount > -1 && at > -1 && currency.len() == 3 && currency.chars().all(|letter| letter.is_ascii_uppercase())
}

fn order_verdict(key: &str, order: Option<&OrderDetails>, event: &OrderEvent) -> &'static str {
    let from = order.map_or("", |order| order.state.symbol());
    let bad_item = |item: &Item| item.quantity < 1 || item.unit_amount_minor < 0;
    if key != event.order_id {
        "KEY_MISMATCH"
    } else if !is_sane(event.amount_minor, &event.currency, event.occurred_at) || event.items.iter().any(bad_item) {
        "INVALID_VALUE"
    } else if let Some(order) = order.filter(|order| order.state == event.kind) {
        let known = (&order.customer_id, &order.store_id, order.amount_minor, &order.currency);
        let told = (&event.customer_id, &event.store_id, event.amount_minor, &event.currency);
        if known == told { "REPEAT" } else { "CONFLICTING_REPEAT" }
    } else if is_legal(LEGAL_ORDER, from, event.kind.symbol()) {
        "APPLY"
    } else {
        "ILLEGAL_TRANSITION"
    }
}

fn payment_verdict(key: &str, payment: Option<&PaymentDetails>, event: &PaymentEvent) -> &'static str {
    let from = payment.map_or("", |payment| payment.state.symbol());
    let is_legal = is_legal(LEGAL_PAYMENT, from, event.kind.symbol());
    let is_other = payment.is_some_and(|payment| payment.payment_id != event.payment_id);
    if key != event.order_id {
        "KEY_MISMATCH"
    } else if !is_sane(event.amount_minor, &event.currency, event.occurred_at) {
        "INVALID_VALUE"
    } else if is_other && !(is_legal && event.kind == PaymentState::ApprovalRequested) {
        "OTHER_PAYMENT"
    } else if let Some(payment) = payment.filter(|payment| payment.state == event.kind) {
        let same = (payment.amount_minor, &payment.currency) == (event.amount_minor, &event.currency);
        if same { "REPEAT" } else { "CONFLICTING_REPEAT" }
    } else if is_legal {
        "APPLY"
    } else {
        "ILLEGAL_TRANSITION"
    }
}

fn placed(event: &OrderEvent) -> OrderDetails {
    OrderDetails {
        state: event.kind,
        customer_id: event.customer_id.clone(),
        store_id: event.store_id.clone(),
        amount_minor: event.amount_minor,
        currency: event.currency.clone(),
        item_count: event.items.iter().fold(0, |count, item| count + i64::from(item.quantity)),
        placed_at: event.occurred_at,
    }
}

fn paid(event: &PaymentEvent) -> PaymentDetails {
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

fn change(key: &str, revision: i64, step: &Applied) -> StatusChange {
    StatusChange {
        order_id: key.into(),
        revision,
        subject: step.subject,
        order: step.order.clone(),
        payment: step.payment.clone(),
        occurred_at: step.occurred_at,
        correlation_id: step.correlation_id.clone(),
    }
}

fn status(key: &str, applied: &[Applied]) -> OrderStatus {
    let last = applied.last();
    OrderStatus {
        order_id: key.into(),
        order: last.and_then(|step| step.order.clone()),
        payment: last.and_then(|step| step.payment.clone()),
        transitions: visible(applied)
            .iter()
            .map(|step| Transition {
                subject: step.subject,
                order_state: step.order.as_ref().map(|order| order.state),
                payment_state: step.payment.as_ref().map(|payment| payment.state),
                occurred_at: step.occurred_at,
            })
            .collect(),
        revision: applied.len() as i64,
        updated_at: applied.iter().map(|step| step.occurred_at).max().unwrap_or(i64::MIN),
    }
}

fn page_entry(key: &str, applied: &[Applied]) -> Option<(String, OrderSummary)> {
    let last = applied.last()?;
    let order = last.order.as_ref()?;
    let summary = OrderSummary {
        order_id: key.into(),
        store_id: order.store_id.clone(),
        state: order.state,
        payment_state: last.payment.as_ref().map(|payment| payment.state),
        amount_minor: order.amount_minor,
        currency: order.currency.clone(),
        item_count: order.item_count,
        placed_at: order.placed_at,
        revision: applied.len() as i64,
    };
    Some((order.customer_id.to_string(), summary))
}

/// Ids of the messages: nothing without a phone number, nothing before the order is placed.
fn notifications(inputs: &[&Input], changes: &[StatusChange]) -> Vec<String> {
    const ORDER: [&str; 6] = ["ACCEPTED", "REJECTED", "READY", "PICKED_UP", "DELIVERED", "CANCELLED"];
    const PAYMENT: [&str; 3] = ["APPROVAL_COMPLETED", "APPROVAL_FAILED", "CANCELLED"];
    let placing = changes.iter().find(|change| change.order.is_some());
    let has_phone = inputs.iter().any(|input| {
        matches!((input, placing), (Input::Order(event), Some(change))
            if event.kind == OrderState::Placed && event.phone.is_some()
            && event.occurred_at == change.occurred_at && event.correlation_id == change.correlation_id)
    });
    let is_told = |change: &&StatusChange| {
        let (Some(order), payment) = (&change.order, change.payment.as_ref().map_or("", |it| it.state.symbol())) else {
            return false;
        };
        match (change.subject, order.state.symbol()) {
            (Subject::Order, "PLACED") | (Subject::Payment, _) => PAYMENT.contains(&payment),
            (Subject::Order, state) => ORDER.contains(&state),
        }
    };
    let told = changes.iter().filter(|_| has_phone).filter(is_told);
    told.map(|change| format!("{}-{}", change.order_id, change.revision)).collect()
}

#[cfg(test)]
mod tests;
