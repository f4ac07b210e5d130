//! Records of the topics and stores, and the rules over them. Pure: no IO, no clock, no topology.

mod anomaly;
mod apply;
mod change;
mod customer_orders;
mod lifecycle;
mod money;
mod order_event;
mod payment_event;
mod phone;
mod sms;
mod status;

pub use anomaly::{Anomaly, AnomalyReason};
pub use apply::{Change, Effect, Input, Outcome, apply, apply_order, apply_payment};
pub use change::{StatusChange, Subject};
pub use customer_orders::{CustomerOrders, CustomerPage, ORDERS_MAX, OrderSummary, upsert};
pub use lifecycle::{ORDER_TRANSITIONS, PAYMENT_TRANSITIONS, order_may_go, payment_may_go};
pub use money::{amount_text, is_currency};
pub use order_event::{Item, OrderEvent, OrderState};
pub use payment_event::{PaymentEvent, PaymentMethod, PaymentState};
pub use phone::{OrderContact, Phone};
pub use sms::{Draft, SmsRequest, draft};
pub use status::{OrderDetails, OrderStatus, PaymentDetails, TRANSITIONS_MAX, Transition};

/// An id, a code or a number; up to 24 bytes take no memory of their own, so that records with many of them cost few
/// allocations.
pub type Text = compact_str::CompactString;

/// Milliseconds since the Unix epoch (Avro `timestamp-millis`).
pub type Millis = i64;
