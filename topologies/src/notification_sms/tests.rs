//! The topic `notification.sms`, as a specification.
#![allow(clippy::unwrap_used)]

use crate::fixture::{Application, PHONE, order_event};
use crate::model::{OrderState, PaymentState, Phone, SmsRequest};

fn texts(app: &Application) -> Vec<String> {
    app.messages().into_iter().map(|(_, message)| message.text).collect()
}

#[test]
fn the_customer_is_told_what_matters_in_rendered_words() {
    use OrderState::{Accepted, Cooking, Delivered, PickedUp, Placed, Ready};
    use PaymentState::{ApprovalCallbackCompleted, ApprovalCompleted, ApprovalRequested};
    let app = Application::start();
    app.order("o-1", Placed, 1);
    app.payment("o-1", ApprovalRequested, 2);
    app.payment("o-1", ApprovalCallbackCompleted, 3);
    app.payment("o-1", ApprovalCompleted, 4);
    (5..).zip([Accepted, Cooking, Ready, PickedUp, Delivered]).for_each(|(at, state)| app.order("o-1", state, at));
    let expected = [
        "Order o-1: we received USD 12.50.",
        "Order o-1: s-1 accepted it, USD 12.50.",
        "Order o-1: ready at s-1.",
        "Order o-1: picked up, on its way.",
        "Order o-1: delivered. Enjoy!",
    ];
    assert_eq!(texts(&app), expected);
}

#[test]
fn a_message_carries_the_number_and_the_id_of_its_change() {
    let app = Application::start();
    app.order("o-1", OrderState::Placed, 10);
    app.order("o-1", OrderState::Rejected, 20);
    let expected = SmsRequest {
        notification_id: "o-1-2".into(),
        order_id: "o-1".into(),
        customer_id: "c-1".into(),
        phone: Phone::new(PHONE),
        text: "Order o-1: sorry, s-1 cannot take it.".to_owned(),
        occurred_at: 20,
        correlation_id: "x-1".into(),
    };
    assert_eq!(app.messages(), [("o-1".to_owned(), expected)]);
}

#[test]
fn a_payment_ahead_of_its_order_is_told_when_the_order_brings_the_number() {
    let app = Application::start();
    app.payment("o-1", PaymentState::ApprovalRequested, 1);
    app.payment("o-1", PaymentState::ApprovalFailed, 2);
    assert_eq!(texts(&app), [""; 0]);
    app.order("o-1", OrderState::Placed, 3);
    assert_eq!(texts(&app), ["Order o-1: payment of USD 12.50 failed, please try again."]);
}

#[test]
fn nobody_is_told_twice_and_nobody_without_a_number() {
    let app = Application::start();
    app.order("o-1", OrderState::Placed, 1);
    for at in [2, 2, 3] {
        app.order("o-1", OrderState::Cancelled, at);
    }
    app.order("o-1", OrderState::Ready, 4);
    let mut anonymous = order_event("o-2", OrderState::Placed, 5);
    anonymous.phone = None;
    app.tell(anonymous);
    app.order("o-2", OrderState::Cancelled, 6);
    assert_eq!(texts(&app), ["Order o-1: cancelled."]);
}

#[test]
fn the_number_is_in_these_topics_and_nowhere_else() {
    let app = Application::start();
    app.order("o-1", OrderState::Placed, 1);
    app.order("o-1", OrderState::Placed, 2);
    app.order("o-1", OrderState::Delivered, 3);
    app.payment("o-1", PaymentState::ApprovalRequested, 4);
    app.order("o-1", OrderState::Accepted, 5);
    let carries = |topic: &String| {
        let values = app.driver.records(topic).into_iter().filter_map(|written| written.record.value);
        values.into_iter().any(|value| value.windows(PHONE.len()).any(|bytes| bytes == PHONE.as_bytes()))
    };
    let topics = app.driver.written_topics();
    assert!(topics.len() > 6, "{topics:?}");
    let carrying: Vec<String> = topics.into_iter().filter(carries).collect();
    assert_eq!(carrying, ["notification.sms", "order.events", "orders-order-contact-changelog"]);
}
