//! The view `order-status`: order and payment of one order id.

use serde::{Deserialize, Serialize};

use super::{Millis, OrderState, PaymentMethod, PaymentState, Subject, Text};

/// Most transitions that the view keeps.
pub const TRANSITIONS_MAX: usize = 16;

/// The order as placed, and its state now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderDetails {
    /// State now.
    pub state: OrderState,
    /// Customer.
    pub customer_id: Text,
    /// Store.
    pub store_id: Text,
    /// Total in minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217 code.
    pub currency: Text,
    /// Pieces over all items.
    pub item_count: i64,
    /// When the order was placed.
    pub placed_at: Millis,
}

/// The newest payment of the order, and its state now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentDetails {
    /// State now.
    pub state: PaymentState,
    /// Payment.
    pub payment_id: Text,
    /// How the customer pays.
    pub method: PaymentMethod,
    /// Payment provider.
    pub provider: Text,
    /// Amount in minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217 code.
    pub currency: Text,
    /// Provider's code when the approval failed.
    pub failure_code: Option<Text>,
}

/// One change of state; both states are those after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Which state changed.
    pub subject: Subject,
    /// Order state after it.
    pub order_state: Option<OrderState>,
    /// Payment state after it.
    pub payment_state: Option<PaymentState>,
    /// When it happened.
    pub occurred_at: Millis,
}

/// Order and payment of one order id; value of the view `order-status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderStatus {
    /// Order id.
    pub order_id: Text,
    /// The order; `None` until it is placed.
    pub order: Option<OrderDetails>,
    /// The newest payment; `None` until one is requested.
    pub payment: Option<PaymentDetails>,
    /// The last [`TRANSITIONS_MAX`] changes in the order they were applied, oldest first.
    pub transitions: Vec<Transition>,
    /// Number of changes so far.
    pub revision: i64,
    /// Newest time of a change.
    pub updated_at: Millis,
}

impl OrderStatus {
    /// An order id of which nothing happened yet.
    pub(super) fn unknown(order_id: &str) -> Self {
        Self {
            order_id: order_id.into(),
            order: None,
            payment: None,
            transitions: Vec::new(),
            revision: 0,
            updated_at: Millis::MIN,
        }
    }

    /// State of the order.
    pub fn order_state(&self) -> Option<OrderState> {
        self.order.as_ref().map(|order| order.state)
    }

    /// State of the newest payment.
    pub fn payment_state(&self) -> Option<PaymentState> {
        self.payment.as_ref().map(|payment| payment.state)
    }

    /// Whether a kept transition took the order to `state` at `occurred_at`.
    pub(super) fn has_reached_order(&self, state: OrderState, occurred_at: Millis) -> bool {
        let mut kept = self.kept(Subject::Order, occurred_at);
        kept.any(|transition| transition.order_state == Some(state))
    }

    /// Whether a kept transition took the payment of that time to `state` at `occurred_at`.
    pub(super) fn has_reached_payment(&self, state: PaymentState, occurred_at: Millis) -> bool {
        let mut kept = self.kept(Subject::Payment, occurred_at);
        kept.any(|transition| transition.payment_state == Some(state))
    }

    fn kept(&self, subject: Subject, occurred_at: Millis) -> impl Iterator<Item = &Transition> {
        self.transitions.iter().filter(move |kept| kept.subject == subject && kept.occurred_at == occurred_at)
    }

    /// Counts a change that has just been made and keeps its time; the oldest transition makes room.
    pub(super) fn note_transition(&mut self, subject: Subject, occurred_at: Millis) {
        if self.transitions.len() == TRANSITIONS_MAX {
            self.transitions.remove(0);
        }
        let (order_state, payment_state) = (self.order_state(), self.payment_state());
        self.transitions.push(Transition { subject, order_state, payment_state, occurred_at });
        self.revision += 1;
        self.updated_at = self.updated_at.max(occurred_at);
    }
}
