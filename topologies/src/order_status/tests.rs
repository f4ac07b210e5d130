//! The view `order-status` and the topic `order.anomalies`, as a specification.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use compact_str::format_compact;
use thalweg::task::DropReason;
use thalweg::testing::TestRecord;

use crate::fixture::{Application, PARTITIONS, order_event, payment_event};
use crate::model::{
    Anomaly, AnomalyReason, OrderDetails, OrderState, OrderStatus, PaymentDetails, PaymentMethod, PaymentState,
    Subject, Transition,
};
use crate::topics::{ORDER_EVENTS, ORDER_STATUS, ORDER_STATUS_VIEW, PAYMENT_ORDER};

fn transition(
    subject: Subject,
    order_state: Option<OrderState>,
    payment_state: Option<PaymentState>,
    occurred_at: i64,
) -> Transition {
    Transition { subject, order_state, payment_state, occurred_at }
}

#[test]
fn order_and_payment_are_joined_by_the_order_id() {
    use OrderState::{Accepted, Placed};
    use PaymentState::{ApprovalCompleted, ApprovalRequested};
    let app = Application::start();
    app.order("o-1", Placed, 100);
    app.payment("o-1", ApprovalRequested, 110);
    app.payment("o-1", ApprovalCompleted, 120);
    app.order("o-1", Accepted, 130);

    let expected = OrderStatus {
        order_id: "o-1".into(),
        order: Some(OrderDetails {
            state: Accepted,
            customer_id: "c-1".into(),
            store_id: "s-1".into(),
            amount_minor: 1250,
            currency: "USD".into(),
            item_count: 3,
            placed_at: 100,
        }),
        payment: Some(PaymentDetails {
            state: ApprovalCompleted,
            payment_id: "p-1".into(),
            method: PaymentMethod::Card,
            provider: "acme".into(),
            amount_minor: 1250,
            currency: "USD".into(),
            failure_code: None,
        }),
        transitions: vec![
            transition(Subject::Order, Some(Placed), None, 100),
            transition(Subject::Payment, Some(Placed), Some(ApprovalRequested), 110),
            transition(Subject::Payment, Some(Placed), Some(ApprovalCompleted), 120),
            transition(Subject::Order, Some(Accepted), Some(ApprovalCompleted), 130),
        ],
        revision: 4,
        updated_at: 130,
    };
    let row = app.status("o-1").unwrap();
    assert_eq!((row.value, row.timestamp), (expected, 130), "the row has the time of the last change");
    assert!(app.status("o-2").is_none());
    assert!(app.anomalies().is_empty());
}

#[test]
fn a_payment_ahead_of_its_order_waits_in_the_view() {
    let app = Application::start();
    app.payment("o-1", PaymentState::ApprovalRequested, 5);
    let ahead = app.status("o-1").unwrap().value;
    assert_eq!((ahead.order, ahead.payment.map(|it| it.state)), (None, Some(PaymentState::ApprovalRequested)));
    app.order("o-1", OrderState::Placed, 4);
    let both = app.status("o-1").unwrap().value;
    assert_eq!(both.order.map(|it| it.state), Some(OrderState::Placed));
    assert_eq!((both.payment.map(|it| it.state), both.revision), (Some(PaymentState::ApprovalRequested), 2));
}

#[test]
fn an_illegal_transition_leaves_the_state_alone_and_goes_to_the_anomalies_with_the_reason() {
    let app = Application::start();
    app.order("o-1", OrderState::Placed, 100);
    let before = app.status("o-1").unwrap();
    app.order("o-1", OrderState::Delivered, 110);
    app.payment("o-1", PaymentState::ApprovalCompleted, 120);

    assert_eq!(app.status("o-1").unwrap(), before);
    assert_eq!(app.changes().len(), 1, "only the placing");
    let delivered = Anomaly {
        order_id: "o-1".into(),
        subject: Subject::Order,
        event: "DELIVERED".to_owned(),
        state: Some("PLACED".to_owned()),
        reason: AnomalyReason::IllegalTransition,
        text: "DELIVERED is not allowed after PLACED".to_owned(),
        occurred_at: 110,
        correlation_id: "x-1".into(),
    };
    let completed = Anomaly {
        order_id: "o-1".into(),
        subject: Subject::Payment,
        event: "APPROVAL_COMPLETED".to_owned(),
        state: None,
        reason: AnomalyReason::IllegalTransition,
        text: "APPROVAL_COMPLETED is not allowed as the first event".to_owned(),
        occurred_at: 120,
        correlation_id: "x-2".into(),
    };
    assert_eq!(app.anomalies(), [("o-1".to_owned(), delivered), ("o-1".to_owned(), completed)]);
}

#[test]
fn each_refusal_has_its_reason() {
    let app = Application::start();
    app.order("o-1", OrderState::Placed, 1);
    app.payment("o-1", PaymentState::ApprovalRequested, 2);
    let mut costly = order_event("o-1", OrderState::Placed, 3);
    costly.amount_minor += 1;
    app.tell(costly);
    let mut owed = order_event("o-1", OrderState::Accepted, 4);
    owed.amount_minor = -1;
    app.tell(owed);
    let mut other = payment_event("o-1", PaymentState::ApprovalFailed, 5);
    other.payment_id = "p-2".into();
    app.tell_payment(other);

    let told: Vec<(AnomalyReason, i64)> = app.anomalies().iter().map(|(_, it)| (it.reason, it.occurred_at)).collect();
    let expected =
        [(AnomalyReason::ConflictingRepeat, 3), (AnomalyReason::InvalidValue, 4), (AnomalyReason::OtherPayment, 5)];
    assert_eq!(told, expected);
    assert_eq!(app.status("o-1").unwrap().value.revision, 2);
}

#[test]
fn a_repeat_does_nothing_however_late_it_comes() {
    let app = Application::start();
    let states = [OrderState::Placed, OrderState::Accepted, OrderState::Cooking];
    (1..).zip(states).for_each(|(at, state)| app.order("o-1", state, at));
    app.payment("o-1", PaymentState::ApprovalRequested, 4);
    app.payment("o-1", PaymentState::ApprovalFailed, 5);
    let before = app.status("o-1").unwrap();

    (1..).zip(states).for_each(|(at, state)| app.order("o-1", state, at));
    app.payment("o-1", PaymentState::ApprovalRequested, 4);
    app.payment("o-1", PaymentState::ApprovalFailed, 5);
    app.order("o-1", OrderState::Cooking, 9);

    assert_eq!(app.status("o-1").unwrap(), before);
    assert_eq!((app.changes().len(), app.anomalies().len()), (5, 0));
    let rows = app.driver.records("orders-order-status-changelog");
    assert_eq!(rows.len(), 5, "a repeat writes no row");
}

#[test]
fn the_view_keeps_the_last_sixteen_transitions() {
    let app = Application::start();
    for at in 0..10 {
        for (kind, occurred_at) in
            [(PaymentState::ApprovalRequested, 2 * at), (PaymentState::ApprovalFailed, 2 * at + 1)]
        {
            let mut attempt = payment_event("o-1", kind, occurred_at);
            attempt.payment_id = format_compact!("p-{at}");
            app.tell_payment(attempt);
        }
    }
    let status = app.status("o-1").unwrap().value;
    let times: Vec<i64> = status.transitions.iter().map(|transition| transition.occurred_at).collect();
    assert_eq!((times, status.revision), ((4..20).collect(), 20));
    assert_eq!(app.changes().len(), 20, "the topic has them all");
}

#[test]
fn orders_are_spread_over_the_partitions_and_stay_in_theirs() {
    let app = Application::start();
    for at in 0..20 {
        app.order(&format!("o-{at}"), OrderState::Placed, at);
        app.payment(&format!("o-{at}"), PaymentState::ApprovalRequested, at);
    }
    let serdes = (app.serdes.id, app.serdes.order_status.clone());
    let rows = app.driver.get_key_value_store::<String, OrderStatus, _, _>(ORDER_STATUS_VIEW, serdes.0, serdes.1).all();
    assert_eq!(rows.len(), 20);
    assert_eq!(rows.iter().map(|row| row.partition).collect::<BTreeSet<_>>(), (0..PARTITIONS).collect());
    for topic in [ORDER_EVENTS, PAYMENT_ORDER, ORDER_STATUS, "orders-order-status-changelog"] {
        for written in app.driver.records(topic) {
            let key = String::from_utf8(written.record.key.unwrap()).unwrap();
            let row = rows.iter().find(|row| row.key == key).unwrap();
            assert_eq!(row.partition, written.partition, "{topic} {key}");
        }
    }
}

#[test]
fn bytes_that_are_no_event_go_to_the_dead_letter_topic_and_the_rest_goes_on() {
    let app = Application::start();
    app.order("o-1", OrderState::Placed, 1);
    let poison = TestRecord::new(b"o-1".to_vec(), b"not Avro".to_vec(), 2).with_header("trace", b"t-1");
    app.driver.pipe_raw(ORDER_EVENTS, poison.clone()).unwrap();
    app.driver.pipe_raw(PAYMENT_ORDER, poison).unwrap();
    app.order("o-1", OrderState::Accepted, 3);

    let letters = app.driver.records(&app.driver.dead_letter_topic());
    assert_eq!(app.driver.dead_letter_topic(), "orders.dlq");
    assert_eq!(app.driver.dropped(DropReason::DeadLetter), 2);
    for (letter, (topic, offset)) in letters.iter().zip([(ORDER_EVENTS, "1"), (PAYMENT_ORDER, "0")]) {
        let record = &letter.record;
        assert_eq!(record.key.as_deref(), Some(b"o-1".as_slice()));
        assert_eq!(record.value.as_deref(), Some(b"not Avro".as_slice()));
        let header = |name| {
            record.headers.view().last(name).map(|header| String::from_utf8(header.value.unwrap().to_vec()).unwrap())
        };
        assert_eq!(header("trace").as_deref(), Some("t-1"));
        assert_eq!(header("__streams.errors.topic").as_deref(), Some(topic));
        assert_eq!(header("__streams.errors.offset").as_deref(), Some(offset));
        assert_eq!(header("__streams.errors.exception").as_deref(), Some("malformed"));
    }
    assert_eq!(letters.len(), 2);
    assert_eq!(app.status("o-1").unwrap().value.order.map(|it| it.state), Some(OrderState::Accepted));
}
