//! The topic `order.status`, as a specification.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use crate::demo::generator::Generator;
use crate::fixture::{Application, PHONE};
use crate::model::{Input, OrderState, PaymentState, StatusChange, Subject};
use crate::oracle::expect;
use crate::topics::ORDER_STATUS;

#[test]
fn a_change_tells_order_and_payment_as_they_are_after_it() {
    let app = Application::start();
    app.order("o-1", OrderState::Placed, 100);
    app.payment("o-1", PaymentState::ApprovalRequested, 110);
    let status = app.status("o-1").unwrap().value;
    let expected = StatusChange {
        order_id: "o-1".into(),
        revision: 2,
        subject: Subject::Payment,
        order: status.order,
        payment: status.payment,
        occurred_at: 110,
        correlation_id: "x-2".into(),
    };
    assert_eq!(app.changes()[1], ("o-1".to_owned(), expected));
    let times: Vec<i64> = app.driver.records(ORDER_STATUS).iter().map(|written| written.record.timestamp).collect();
    assert_eq!(times, [100, 110], "a record has the time of its event");
}

#[test]
fn there_is_exactly_one_record_per_real_change_and_none_for_a_repeat_or_a_refusal() {
    let app = Application::start();
    app.order("o-1", OrderState::Placed, 1);
    app.order("o-1", OrderState::Placed, 1);
    app.order("o-1", OrderState::Ready, 2);
    app.order("o-1", OrderState::Accepted, 3);
    app.order("o-1", OrderState::Placed, 1);
    let changes: Vec<(i64, OrderState)> =
        app.changes().into_iter().map(|(_, it)| (it.revision, it.order.unwrap().state)).collect();
    assert_eq!(changes, [(1, OrderState::Placed), (2, OrderState::Accepted)]);
}

#[test]
fn the_changes_of_an_order_come_in_order_whatever_happens_between_them() {
    let app = Application::start();
    let events: Vec<(String, Input)> =
        Generator::new(4, 1_000).with_orders(60).map(|event| (event.key, event.input)).collect();
    for (_, input) in events.clone() {
        match input {
            Input::Order(event) => app.tell(event),
            Input::Payment(event) => app.tell_payment(event),
        }
    }
    let mut changes: BTreeMap<String, Vec<StatusChange>> = BTreeMap::new();
    app.changes().into_iter().for_each(|(key, change)| changes.entry(key).or_default().push(change));
    let expected = expect(events.iter().map(|(key, input)| (key.as_str(), input)));
    assert_eq!(changes, expected.changes);
    assert!(changes.len() == 60 && changes.values().all(|changes| changes.len() >= 2));
}

#[test]
fn no_record_carries_the_phone_number() {
    let app = Application::start();
    app.order("o-1", OrderState::Placed, 1);
    app.order("o-1", OrderState::Accepted, 2);
    for written in app.driver.records(ORDER_STATUS) {
        let value = written.record.value.unwrap();
        assert!(!value.windows(PHONE.len()).any(|bytes| bytes == PHONE.as_bytes()));
    }
}
