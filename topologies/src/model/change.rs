//! The derived topic `order.status`.

use serde::{Deserialize, Serialize};

use super::{Millis, OrderDetails, OrderStatus, OrderSummary, PaymentDetails, Text};

/// Which of the two lives of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Subject {
    /// The order itself.
    Order,
    /// Its payment.
    Payment,
}

/// A real change of an order's or its payment's state; value of `order.status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChange {
    /// Order id; equals the record key.
    pub order_id: Text,
    /// Number of this change of the order, from 1; a consumer that knows it has seen the record.
    pub revision: i64,
    /// Which state changed.
    pub subject: Subject,
    /// The order after the change; `None` until it is placed.
    pub order: Option<OrderDetails>,
    /// The payment after the change; `None` until one is requested.
    pub payment: Option<PaymentDetails>,
    /// When it happened, by the producer's clock.
    pub occurred_at: Millis,
    /// Ties together all records of one customer request.
    pub correlation_id: Text,
}

impl StatusChange {
    /// The change that led to `status`.
    pub(super) fn of(status: &OrderStatus, subject: Subject, occurred_at: Millis, correlation_id: &str) -> Self {
        Self {
            order_id: status.order_id.clone(),
            revision: status.revision,
            subject,
            order: status.order.clone(),
            payment: status.payment.clone(),
            occurred_at,
            correlation_id: correlation_id.into(),
        }
    }

    /// The customer and what the customer's page shows of the order; `None` until the order is placed.
    pub fn summary(&self) -> Option<(String, OrderSummary)> {
        let order = self.order.as_ref()?;
        let summary = OrderSummary {
            order_id: self.order_id.clone(),
            store_id: order.store_id.clone(),
            state: order.state,
            payment_state: self.payment.as_ref().map(|payment| payment.state),
            amount_minor: order.amount_minor,
            currency: order.currency.clone(),
            item_count: order.item_count,
            placed_at: order.placed_at,
            revision: self.revision,
        };
        Some((order.customer_id.to_string(), summary))
    }
}
