//! The derived topic `notification.sms`: what a customer is told, and in which words.

use compact_str::format_compact;
use serde::{Deserialize, Serialize};

use super::{
    Millis, OrderContact, OrderDetails, OrderState, PaymentDetails, PaymentState, Phone, StatusChange, Subject, Text,
    amount_text,
};

/// A text message to send to a customer; value of `notification.sms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmsRequest {
    /// Same id, same message: send once.
    pub notification_id: Text,
    /// Order id; equals the record key.
    pub order_id: Text,
    /// Customer.
    pub customer_id: Text,
    /// Where to send it.
    pub phone: Phone,
    /// The message, ready to send.
    pub text: String,
    /// When the change happened, by the producer's clock.
    pub occurred_at: Millis,
    /// Ties together all records of one customer request.
    pub correlation_id: Text,
}

/// A message that still needs a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft<'a> {
    change: &'a StatusChange,
    customer_id: &'a str,
    text: String,
}

impl Draft<'_> {
    /// The message to `contact`.
    pub fn address(self, contact: OrderContact) -> SmsRequest {
        SmsRequest {
            notification_id: format_compact!("{}-{}", self.change.order_id, self.change.revision),
            order_id: self.change.order_id.clone(),
            customer_id: self.customer_id.into(),
            phone: contact.phone,
            text: self.text,
            occurred_at: self.change.occurred_at,
            correlation_id: self.change.correlation_id.clone(),
        }
    }
}

/// What the customer is told about a change; `None` for the changes that are no news.
///
/// Placing an order is none, but it brings the news of a payment that was ahead of its order: until then nobody
/// knew whom to tell.
pub fn draft(change: &StatusChange) -> Option<Draft<'_>> {
    let order = change.order.as_ref()?;
    let text = match change.subject {
        Subject::Order if order.state != OrderState::Placed => order_text(&change.order_id, order),
        Subject::Order | Subject::Payment => payment_text(&change.order_id, change.payment.as_ref()?),
    };
    Some(Draft { change, customer_id: &order.customer_id, text: text? })
}

fn order_text(order_id: &str, order: &OrderDetails) -> Option<String> {
    let store = &order.store_id;
    Some(match order.state {
        OrderState::Placed | OrderState::Cooking => return None,
        OrderState::Accepted => {
            let total = amount_text(order.amount_minor, &order.currency);
            format!("Order {order_id}: {store} accepted it, {total}.")
        }
        OrderState::Rejected => format!("Order {order_id}: sorry, {store} cannot take it."),
        OrderState::Ready => format!("Order {order_id}: ready at {store}."),
        OrderState::PickedUp => format!("Order {order_id}: picked up, on its way."),
        OrderState::Delivered => format!("Order {order_id}: delivered. Enjoy!"),
        OrderState::Cancelled => format!("Order {order_id}: cancelled."),
    })
}

fn payment_text(order_id: &str, payment: &PaymentDetails) -> Option<String> {
    let amount = || amount_text(payment.amount_minor, &payment.currency);
    Some(match payment.state {
        PaymentState::ApprovalRequested | PaymentState::ApprovalCallbackCompleted | PaymentState::CancelRequested => {
            return None;
        }
        PaymentState::ApprovalCompleted => format!("Order {order_id}: we received {}.", amount()),
        PaymentState::ApprovalFailed => format!("Order {order_id}: payment of {} failed, please try again.", amount()),
        PaymentState::Cancelled => format!("Order {order_id}: {} refunded.", amount()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PaymentMethod, Subject};

    fn change(subject: Subject, order: Option<OrderState>, payment: Option<PaymentState>) -> StatusChange {
        StatusChange {
            order_id: "o-7".into(),
            revision: 3,
            subject,
            order: order.map(|state| OrderDetails {
                state,
                customer_id: "c-1".into(),
                store_id: "s-2".into(),
                amount_minor: 1250,
                currency: "USD".into(),
                item_count: 2,
                placed_at: 10,
            }),
            payment: payment.map(|state| PaymentDetails {
                state,
                payment_id: "p-1".into(),
                method: PaymentMethod::Card,
                provider: "acme".into(),
                amount_minor: 1250,
                currency: "KWD".into(),
                failure_code: None,
            }),
            occurred_at: 20,
            correlation_id: "x-1".into(),
        }
    }

    fn text(subject: Subject, order: Option<OrderState>, payment: Option<PaymentState>) -> Option<String> {
        draft(&change(subject, order, payment)).map(|draft| draft.text)
    }

    #[test]
    fn the_customer_is_told_of_these_order_states_in_these_words() {
        for (state, expected) in [
            (OrderState::Placed, None),
            (OrderState::Accepted, Some("Order o-7: s-2 accepted it, USD 12.50.")),
            (OrderState::Rejected, Some("Order o-7: sorry, s-2 cannot take it.")),
            (OrderState::Cooking, None),
            (OrderState::Ready, Some("Order o-7: ready at s-2.")),
            (OrderState::PickedUp, Some("Order o-7: picked up, on its way.")),
            (OrderState::Delivered, Some("Order o-7: delivered. Enjoy!")),
            (OrderState::Cancelled, Some("Order o-7: cancelled.")),
        ] {
            let requested = Some(PaymentState::ApprovalRequested);
            assert_eq!(text(Subject::Order, Some(state), requested).as_deref(), expected, "{state:?}");
        }
    }

    #[test]
    fn the_customer_is_told_of_these_payment_states_in_these_words() {
        for (state, expected) in [
            (PaymentState::ApprovalRequested, None),
            (PaymentState::ApprovalCallbackCompleted, None),
            (PaymentState::ApprovalCompleted, Some("Order o-7: we received KWD 1.250.")),
            (PaymentState::ApprovalFailed, Some("Order o-7: payment of KWD 1.250 failed, please try again.")),
            (PaymentState::CancelRequested, None),
            (PaymentState::Cancelled, Some("Order o-7: KWD 1.250 refunded.")),
        ] {
            let cooking = Some(OrderState::Cooking);
            assert_eq!(text(Subject::Payment, cooking, Some(state)).as_deref(), expected, "{state:?}");
        }
    }

    #[test]
    fn a_payment_ahead_of_its_order_is_told_when_the_order_is_placed() {
        let completed = Some(PaymentState::ApprovalCompleted);
        assert_eq!(text(Subject::Payment, None, completed), None);
        let expected = Some("Order o-7: we received KWD 1.250.".to_owned());
        assert_eq!(text(Subject::Order, Some(OrderState::Placed), completed), expected);
    }

    #[test]
    fn the_message_carries_the_number_and_an_id_of_its_change() {
        let change = change(Subject::Order, Some(OrderState::Ready), None);
        let phone = Phone::new("+12025550142");
        let sms = draft(&change).map(|draft| draft.address(OrderContact { phone: phone.clone() }));
        let expected = SmsRequest {
            notification_id: "o-7-3".into(),
            order_id: "o-7".into(),
            customer_id: "c-1".into(),
            phone,
            text: "Order o-7: ready at s-2.".to_owned(),
            occurred_at: 20,
            correlation_id: "x-1".into(),
        };
        assert_eq!(sms, Some(expected));
        assert!(!format!("{sms:?}").contains("0142"));
    }
}
