//! What happens to an order (`order.events`).

use serde::{Deserialize, Serialize};

use super::{Millis, Phone, Text};

/// What an order event reports, and the state it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderState {
    /// The customer ordered.
    Placed,
    /// The store took the order.
    Accepted,
    /// The store declined the order.
    Rejected,
    /// The store is preparing it.
    Cooking,
    /// It waits to be picked up.
    Ready,
    /// A courier or the customer has it.
    PickedUp,
    /// It arrived.
    Delivered,
    /// Somebody called it off.
    Cancelled,
}

impl OrderState {
    /// All states, in the order of the schema.
    pub const ALL: [Self; 8] = [
        Self::Placed,
        Self::Accepted,
        Self::Rejected,
        Self::Cooking,
        Self::Ready,
        Self::PickedUp,
        Self::Delivered,
        Self::Cancelled,
    ];

    /// The schema's symbol.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Placed => "PLACED",
            Self::Accepted => "ACCEPTED",
            Self::Rejected => "REJECTED",
            Self::Cooking => "COOKING",
            Self::Ready => "READY",
            Self::PickedUp => "PICKED_UP",
            Self::Delivered => "DELIVERED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Product.
    pub product_id: Text,
    /// Pieces, at least 1.
    pub quantity: i32,
    /// Price of one piece in minor units.
    pub unit_amount_minor: i64,
}

/// Something that happened to an order; value of `order.events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderEvent {
    /// What happened.
    pub kind: OrderState,
    /// Order id; equals the record key.
    pub order_id: Text,
    /// Customer.
    pub customer_id: Text,
    /// Store.
    pub store_id: Text,
    /// What was ordered.
    pub items: Vec<Item>,
    /// Total in minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217 code.
    pub currency: Text,
    /// Where the customer is told; personal data.
    pub phone: Option<Phone>,
    /// When it happened, by the producer's clock.
    pub occurred_at: Millis,
    /// Ties together all records of one customer request.
    pub correlation_id: Text,
}
