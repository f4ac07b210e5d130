//! The rules as a specification.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixture::{order_event, payment_event};
use crate::model::{TRANSITIONS_MAX, Text};

const KEY: &str = "o-1";

fn order(kind: OrderState, occurred_at: Millis) -> OrderEvent {
    order_event(KEY, kind, occurred_at)
}

fn payment(kind: PaymentState, payment_id: &str, occurred_at: Millis) -> PaymentEvent {
    PaymentEvent { payment_id: payment_id.into(), ..payment_event(KEY, kind, occurred_at) }
}

fn o(kind: OrderState) -> Input {
    Input::Order(order(kind, 1))
}

fn p(kind: PaymentState) -> Input {
    Input::Payment(payment(kind, "p-1", 1))
}

/// The same kinds of events, not told before.
fn new_o(kind: OrderState) -> Input {
    Input::Order(order(kind, 2))
}

fn new_p(kind: PaymentState) -> Input {
    Input::Payment(payment(kind, "p-1", 2))
}

/// Applies all inputs, the last one's effect included.
fn run(inputs: &[Input]) -> Outcome {
    inputs.iter().fold(Outcome { status: None, effect: None }, |outcome, input| apply(KEY, outcome.status, input))
}

fn reason(outcome: &Outcome) -> Option<AnomalyReason> {
    match &outcome.effect {
        Some(Effect::Anomalous(anomaly)) => Some(anomaly.reason),
        _ => None,
    }
}

/// The shortest legal way to a state.
fn way_to_order(state: OrderState) -> Vec<Input> {
    use OrderState::*;
    let states: &[OrderState] = match state {
        Placed => &[Placed],
        Accepted => &[Placed, Accepted],
        Rejected => &[Placed, Rejected],
        Cooking => &[Placed, Accepted, Cooking],
        Ready => &[Placed, Accepted, Cooking, Ready],
        PickedUp => &[Placed, Accepted, Cooking, Ready, PickedUp],
        Delivered => &[Placed, Accepted, Cooking, Ready, PickedUp, Delivered],
        Cancelled => &[Placed, Cancelled],
    };
    states.iter().map(|state| o(*state)).collect()
}

fn way_to_payment(state: PaymentState) -> Vec<Input> {
    use PaymentState::*;
    let states: &[PaymentState] = match state {
        ApprovalRequested => &[ApprovalRequested],
        ApprovalCallbackCompleted => &[ApprovalRequested, ApprovalCallbackCompleted],
        ApprovalCompleted => &[ApprovalRequested, ApprovalCallbackCompleted, ApprovalCompleted],
        ApprovalFailed => &[ApprovalRequested, ApprovalFailed],
        CancelRequested => &[ApprovalRequested, CancelRequested],
        Cancelled => &[ApprovalRequested, CancelRequested, Cancelled],
    };
    states.iter().map(|state| p(*state)).collect()
}

#[test]
fn placing_an_order_makes_its_status_and_tells_the_change_with_the_number_beside_it() {
    let outcome = run(&[Input::Order(order(OrderState::Placed, 100))]);
    let details = OrderDetails {
        state: OrderState::Placed,
        customer_id: "c-1".into(),
        store_id: "s-1".into(),
        amount_minor: 1250,
        currency: "USD".into(),
        item_count: 3,
        placed_at: 100,
    };
    let status = outcome.status.unwrap();
    assert_eq!(status.order.as_ref(), Some(&details));
    assert_eq!((status.payment.as_ref(), status.revision, status.updated_at), (None, 1, 100));
    let change = StatusChange {
        order_id: KEY.into(),
        revision: 1,
        subject: Subject::Order,
        order: Some(details),
        payment: None,
        occurred_at: 100,
        correlation_id: "x-1".into(),
    };
    let phone = Some(Phone::new("+12025550142"));
    assert_eq!(outcome.effect, Some(Effect::Changed(Change { status: change.into(), phone })));
}

#[test]
fn only_the_placing_change_carries_the_number() {
    let Some(Effect::Changed(change)) = run(&way_to_order(OrderState::Accepted)).effect else { panic!() };
    assert_eq!(change.phone, None);
}

#[test]
fn every_order_event_in_every_state_does_what_the_table_says() {
    for from in OrderState::ALL {
        let before = run(&way_to_order(from)).status;
        assert_eq!(before.as_ref().unwrap().order_state(), Some(from));
        for kind in OrderState::ALL {
            let after = apply(KEY, before.clone(), &new_o(kind));
            if order_may_go(Some(from), kind) {
                assert_eq!(after.status.unwrap().order_state(), Some(kind), "{from:?} {kind:?}");
                assert!(matches!(after.effect, Some(Effect::Changed(_))), "{from:?} {kind:?}");
            } else {
                let expected = (from != kind).then_some(AnomalyReason::IllegalTransition);
                assert_eq!(reason(&after), expected, "{from:?} {kind:?}");
                assert_eq!(after.effect.is_none(), from == kind, "{from:?} {kind:?}");
                assert_eq!(after.status, before, "{from:?} {kind:?}");
            }
        }
    }
}

#[test]
fn every_payment_event_in_every_state_does_what_the_table_says() {
    for from in PaymentState::ALL {
        let before = run(&way_to_payment(from)).status;
        assert_eq!(before.as_ref().unwrap().payment_state(), Some(from));
        for kind in PaymentState::ALL {
            let after = apply(KEY, before.clone(), &new_p(kind));
            if payment_may_go(Some(from), kind) {
                assert_eq!(after.status.unwrap().payment_state(), Some(kind), "{from:?} {kind:?}");
                assert!(matches!(after.effect, Some(Effect::Changed(_))), "{from:?} {kind:?}");
            } else {
                let expected = (from != kind).then_some(AnomalyReason::IllegalTransition);
                assert_eq!(reason(&after), expected, "{from:?} {kind:?}");
                assert_eq!(after.status, before, "{from:?} {kind:?}");
            }
        }
    }
}

#[test]
fn an_anomaly_names_event_state_and_reason() {
    let inputs = [o(OrderState::Placed), Input::Order(order(OrderState::Delivered, 7))];
    let Some(Effect::Anomalous(anomaly)) = run(&inputs).effect else { panic!() };
    let expected = Anomaly {
        order_id: KEY.into(),
        subject: Subject::Order,
        event: "DELIVERED".to_owned(),
        state: Some("PLACED".to_owned()),
        reason: AnomalyReason::IllegalTransition,
        text: "DELIVERED is not allowed after PLACED".to_owned(),
        occurred_at: 7,
        correlation_id: "x-1".into(),
    };
    assert_eq!(anomaly, expected);
}

#[test]
fn an_event_of_an_order_nobody_placed_is_an_anomaly_and_leaves_no_status() {
    let outcome = run(&[o(OrderState::Cooking)]);
    let Some(Effect::Anomalous(anomaly)) = &outcome.effect else { panic!() };
    assert_eq!((anomaly.state.as_deref(), anomaly.text.as_str()), (None, "COOKING is not allowed as the first event"));
    assert_eq!(outcome.status, None);
}

#[test]
fn a_payment_may_be_ahead_of_its_order() {
    let ahead = run(&[p(PaymentState::ApprovalRequested)]).status.unwrap();
    assert_eq!((ahead.order_state(), ahead.payment_state()), (None, Some(PaymentState::ApprovalRequested)));
    let both = apply(KEY, Some(ahead), &o(OrderState::Placed)).status.unwrap();
    assert_eq!(
        (both.order_state(), both.payment_state(), both.revision),
        (Some(OrderState::Placed), Some(PaymentState::ApprovalRequested), 2)
    );
}

#[test]
fn another_payment_is_accepted_only_as_a_new_attempt() {
    let requested = PaymentState::ApprovalRequested;
    let other = |kind| Input::Payment(payment(kind, "p-2", 2));
    for (before, event, expected) in [
        (PaymentState::ApprovalRequested, other(requested), Some(AnomalyReason::OtherPayment)),
        (PaymentState::ApprovalRequested, other(PaymentState::ApprovalCompleted), Some(AnomalyReason::OtherPayment)),
        (PaymentState::ApprovalFailed, other(PaymentState::ApprovalFailed), Some(AnomalyReason::OtherPayment)),
        (PaymentState::ApprovalFailed, other(requested), None),
        (PaymentState::Cancelled, other(requested), None),
    ] {
        let outcome = apply(KEY, run(&way_to_payment(before)).status, &event);
        assert_eq!(reason(&outcome), expected, "{before:?}");
        let payment_id = outcome.status.unwrap().payment.unwrap().payment_id;
        assert_eq!(payment_id, if expected.is_none() { "p-2" } else { "p-1" }, "{before:?}");
    }
}

#[test]
fn an_event_that_was_applied_before_is_a_repeat_in_every_later_state() {
    for from in OrderState::ALL {
        let way = way_to_order(from);
        let before = run(&way).status;
        for event in &way {
            let expected = Outcome { status: before.clone(), effect: None };
            assert_eq!(apply(KEY, before.clone(), event), expected, "{from:?} {event:?}");
        }
    }
    for from in PaymentState::ALL {
        let way = way_to_payment(from);
        let before = run(&way).status;
        for event in &way {
            let expected = Outcome { status: before.clone(), effect: None };
            assert_eq!(apply(KEY, before.clone(), event), expected, "{from:?} {event:?}");
        }
    }
}

#[test]
fn an_attempt_that_failed_does_not_start_again_when_its_request_is_repeated() {
    use PaymentState::{ApprovalCompleted, ApprovalFailed, ApprovalRequested};
    let attempt = |id: &str, at, end| {
        [Input::Payment(payment(ApprovalRequested, id, at)), Input::Payment(payment(end, id, at + 1))]
    };
    for end in [ApprovalFailed, ApprovalCompleted] {
        let inputs = [attempt("p-1", 10, ApprovalFailed), attempt("p-2", 20, end)].concat();
        let before = run(&inputs).status;
        for event in &inputs {
            let expected = Outcome { status: before.clone(), effect: None };
            assert_eq!(apply(KEY, before.clone(), event), expected, "{event:?}");
        }
        let late = apply(KEY, before, &Input::Payment(payment(ApprovalCompleted, "p-1", 12)));
        assert_eq!(reason(&late), Some(AnomalyReason::OtherPayment), "a late end of the first attempt is none");
    }
}

#[test]
fn a_repeat_needs_the_same_life_and_the_same_time() {
    use OrderState::{Accepted, Cancelled, Cooking, Placed};
    let before = run(&[o(Placed), o(Accepted), o(Cooking), p(PaymentState::ApprovalRequested)]).status;
    assert_eq!(reason(&apply(KEY, before.clone(), &new_o(Accepted))), Some(AnomalyReason::IllegalTransition));
    assert_eq!(apply(KEY, before, &o(Accepted)).effect, None);
    let cancelled = run(&[o(Placed), o(Cancelled), p(PaymentState::ApprovalRequested)]).status;
    let refund = apply(KEY, cancelled, &p(PaymentState::Cancelled));
    assert_eq!(reason(&refund), Some(AnomalyReason::IllegalTransition), "the cancelled order is another life");
}

#[test]
fn an_event_behind_the_kept_transitions_is_judged_anew() {
    let attempt = |n: i64| {
        let id = format!("p-{n}");
        [
            Input::Payment(payment(PaymentState::ApprovalRequested, &id, 2 * n)),
            Input::Payment(payment(PaymentState::ApprovalFailed, &id, 2 * n + 1)),
        ]
    };
    let status = run(&(0..9).flat_map(attempt).collect::<Vec<_>>()).status;
    assert_eq!(reason(&apply(KEY, status.clone(), &attempt(0)[1])), Some(AnomalyReason::OtherPayment));
    assert_eq!(apply(KEY, status, &attempt(1)[1]).effect, None);
}

#[test]
fn a_refused_event_that_comes_again_is_judged_by_the_states_since() {
    use OrderState::{Accepted, Cooking, Delivered, PickedUp, Placed, Ready};
    let early = Input::Order(order(Delivered, 2));
    let refused = run(&[o(Placed), early.clone()]);
    assert_eq!(reason(&refused), Some(AnomalyReason::IllegalTransition));
    let cooking = run(&[o(Placed), o(Accepted), o(Cooking)]).status;
    assert_eq!(reason(&apply(KEY, cooking, &early)), Some(AnomalyReason::IllegalTransition));
    let on_its_way = run(&[o(Placed), o(Accepted), o(Cooking), o(Ready), o(PickedUp)]).status;
    assert!(matches!(apply(KEY, on_its_way, &early).effect, Some(Effect::Changed(_))));
}

#[test]
fn a_repeat_with_bad_values_stays_an_anomaly() {
    let mut placed = order(OrderState::Placed, 1);
    placed.currency = "usd".into();
    let before = run(&way_to_order(OrderState::Ready)).status;
    assert_eq!(reason(&apply(KEY, before, &Input::Order(placed))), Some(AnomalyReason::InvalidValue));
}

#[test]
fn a_failure_keeps_the_provider_code_until_the_next_attempt() {
    let failed = run(&way_to_payment(PaymentState::ApprovalFailed)).status;
    assert_eq!(failed.as_ref().unwrap().payment.as_ref().unwrap().failure_code.as_deref(), Some("DECLINED"));
    let again = apply(KEY, failed, &new_p(PaymentState::ApprovalRequested)).status.unwrap();
    assert_eq!(again.payment.unwrap().failure_code, None);
}

#[test]
fn bad_values_are_anomalies_and_change_nothing() {
    let check = |edit: fn(&mut OrderEvent), expected: AnomalyReason| {
        let mut event = order(OrderState::Placed, 1);
        edit(&mut event);
        let outcome = apply_order(KEY, None, &event);
        assert_eq!((reason(&outcome), outcome.status), (Some(expected), None));
    };
    check(|event| event.order_id = "o-2".into(), AnomalyReason::KeyMismatch);
    check(|event| event.amount_minor = -1, AnomalyReason::InvalidValue);
    check(|event| event.currency = "usd".into(), AnomalyReason::InvalidValue);
    check(|event| event.occurred_at = -1, AnomalyReason::InvalidValue);
    check(|event| event.items[0].quantity = 0, AnomalyReason::InvalidValue);
    check(|event| event.items[0].unit_amount_minor = -1, AnomalyReason::InvalidValue);

    let check = |edit: fn(&mut PaymentEvent), expected: AnomalyReason| {
        let mut event = payment(PaymentState::ApprovalRequested, "p-1", 1);
        edit(&mut event);
        let outcome = apply_payment(KEY, None, &event);
        assert_eq!((reason(&outcome), outcome.status), (Some(expected), None));
    };
    check(|event| event.order_id = "o-2".into(), AnomalyReason::KeyMismatch);
    check(|event| event.amount_minor = -1, AnomalyReason::InvalidValue);
    check(|event| event.currency = Text::default(), AnomalyReason::InvalidValue);
    check(|event| event.occurred_at = -1, AnomalyReason::InvalidValue);
}

#[test]
fn a_repeat_with_other_content_is_an_anomaly() {
    let mut placed = order(OrderState::Placed, 2);
    placed.customer_id = "c-2".into();
    placed.phone = Some(Phone::new("+12025550143"));
    let before = run(&[o(OrderState::Placed)]).status;
    let outcome = apply(KEY, before.clone(), &Input::Order(placed));
    assert_eq!((reason(&outcome), outcome.status), (Some(AnomalyReason::ConflictingRepeat), before));

    let mut requested = payment(PaymentState::ApprovalRequested, "p-1", 2);
    requested.amount_minor = 1;
    let outcome = apply(KEY, run(&[p(PaymentState::ApprovalRequested)]).status, &Input::Payment(requested));
    assert_eq!(reason(&outcome), Some(AnomalyReason::ConflictingRepeat));
}

#[test]
fn the_order_of_records_decides_not_their_times() {
    let inputs = [Input::Order(order(OrderState::Placed, 100)), Input::Order(order(OrderState::Accepted, 90))];
    let status = run(&inputs).status.unwrap();
    assert_eq!((status.order_state(), status.updated_at), (Some(OrderState::Accepted), 100));
    let times: Vec<Millis> = status.transitions.iter().map(|transition| transition.occurred_at).collect();
    assert_eq!(times, [100, 90]);
}

#[test]
fn the_status_keeps_the_last_sixteen_transitions() {
    let attempt = |n: i64| {
        let id = format!("p-{n}");
        [
            Input::Payment(payment(PaymentState::ApprovalRequested, &id, 2 * n)),
            Input::Payment(payment(PaymentState::ApprovalFailed, &id, 2 * n + 1)),
        ]
    };
    let inputs: Vec<Input> = (0..10).flat_map(attempt).collect();
    let status = run(&inputs).status.unwrap();
    assert_eq!((status.transitions.len(), status.revision), (TRANSITIONS_MAX, 20));
    let times: Vec<Millis> = status.transitions.iter().map(|transition| transition.occurred_at).collect();
    assert_eq!(times, (4..20).collect::<Vec<Millis>>());
}

#[test]
fn the_summary_of_a_change_is_keyed_by_customer_and_waits_for_the_order() {
    let Some(Effect::Changed(ahead)) = run(&[p(PaymentState::ApprovalRequested)]).effect else { panic!() };
    assert_eq!(ahead.status.summary(), None);
    let inputs = [p(PaymentState::ApprovalRequested), Input::Order(order(OrderState::Placed, 5))];
    let Some(Effect::Changed(placed)) = run(&inputs).effect else { panic!() };
    let (customer, summary) = placed.status.summary().unwrap();
    assert_eq!((customer.as_str(), summary.placed_at, summary.revision), ("c-1", 5, 2));
    let states = (summary.state, summary.payment_state);
    assert_eq!(states, (OrderState::Placed, Some(PaymentState::ApprovalRequested)));
}
