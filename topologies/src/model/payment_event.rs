//! What happens to the payment of an order (`payment.order`).

use serde::{Deserialize, Serialize};

use super::{Millis, Text};

/// What a payment event reports, and the state it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentState {
    /// The provider was asked to approve.
    ApprovalRequested,
    /// The provider called back; the approval is being recorded.
    ApprovalCallbackCompleted,
    /// The money is ours.
    ApprovalCompleted,
    /// The provider declined.
    ApprovalFailed,
    /// The provider was asked to give the money back.
    CancelRequested,
    /// The money went back.
    Cancelled,
}

impl PaymentState {
    /// All states, in the order of the schema.
    pub const ALL: [Self; 6] = [
        Self::ApprovalRequested,
        Self::ApprovalCallbackCompleted,
        Self::ApprovalCompleted,
        Self::ApprovalFailed,
        Self::CancelRequested,
        Self::Cancelled,
    ];

    /// The schema's symbol.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::ApprovalRequested => "APPROVAL_REQUESTED",
            Self::ApprovalCallbackCompleted => "APPROVAL_CALLBACK_COMPLETED",
            Self::ApprovalCompleted => "APPROVAL_COMPLETED",
            Self::ApprovalFailed => "APPROVAL_FAILED",
            Self::CancelRequested => "CANCEL_REQUESTED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// How the customer pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentMethod {
    /// Credit or debit card.
    Card,
    /// A code shown or scanned at the counter.
    QrCode,
    /// A wallet on the phone.
    Wallet,
    /// A transfer between banks.
    BankTransfer,
}

/// Something that happened to the payment of an order; value of `payment.order`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentEvent {
    /// What happened.
    pub kind: PaymentState,
    /// Order id; equals the record key.
    pub order_id: Text,
    /// Payment; a new attempt has a new one.
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
    /// When it happened, by the producer's clock.
    pub occurred_at: Millis,
    /// Ties together all records of one customer request.
    pub correlation_id: Text,
}
