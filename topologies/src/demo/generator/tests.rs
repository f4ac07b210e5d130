#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::{AnomalyReason, Effect, OrderState, OrderStatus, PaymentState, apply};

const START: Millis = 1_700_000_000_000;

fn orders(seed: u64, orders: u64) -> Vec<Event> {
    Generator::new(seed, START).with_orders(orders).collect()
}

/// Status of every order, and how often which anomaly was met.
fn played(events: &[Event]) -> (BTreeMap<&str, OrderStatus>, BTreeMap<AnomalyReason, usize>) {
    let (mut statuses, mut anomalies) = (BTreeMap::new(), BTreeMap::new());
    for event in events {
        let outcome = apply(&event.key, statuses.remove(event.key.as_str()), &event.input);
        statuses.extend(outcome.status.map(|status| (event.key.as_str(), status)));
        if let Some(Effect::Anomalous(anomaly)) = outcome.effect {
            *anomalies.entry(anomaly.reason).or_default() += 1;
        }
    }
    (statuses, anomalies)
}

#[test]
fn equal_seeds_give_equal_events_and_others_differ() {
    assert_eq!(orders(7, 200), orders(7, 200));
    assert_ne!(orders(7, 200), orders(8, 200));
}

#[test]
fn events_come_in_the_order_of_time_and_carry_it_but_repeats_carry_the_first_time() {
    let events = orders(1, 2_000);
    assert!(events.is_sorted_by_key(|event| event.timestamp));
    let mut repeats = 0;
    let mut last = BTreeMap::new();
    for event in &events {
        let (order_id, occurred_at) = match &event.input {
            Input::Order(order) => (&order.order_id, order.occurred_at),
            Input::Payment(payment) => (&payment.order_id, payment.occurred_at),
        };
        assert_eq!(order_id, &event.key);
        let is_repeat = last.insert(&event.key, &event.input) == Some(&event.input);
        assert_eq!(occurred_at == event.timestamp, !is_repeat, "{event:?}");
        repeats += usize::from(is_repeat);
    }
    assert!((5..=40).contains(&repeats), "{repeats} of 2000 lives repeat an event");
    assert_eq!((events[0].key.as_str(), events[0].topic(), events[0].timestamp), ("o-000001", "order.events", START));
}

#[test]
fn every_order_lives_to_an_end_but_one_payment_in_a_hundred_never_finishes() {
    let events = orders(3, 10_000);
    let (statuses, anomalies) = played(&events);
    assert_eq!(statuses.len(), 10_000);
    let states: Vec<_> = statuses.values().map(|it| (it.order_state().unwrap(), it.payment_state().unwrap())).collect();
    let unfinished = |state: &&(OrderState, PaymentState)| {
        matches!(state.1, PaymentState::ApprovalRequested | PaymentState::ApprovalCallbackCompleted)
    };
    let count = states.iter().filter(unfinished).count();
    assert!((60..=140).contains(&count), "{count} of 10000");
    let ends: BTreeSet<_> = states.iter().filter(|state| !unfinished(state)).collect();
    let expected = BTreeSet::from([
        &(OrderState::Delivered, PaymentState::ApprovalCompleted),
        &(OrderState::Rejected, PaymentState::Cancelled),
        &(OrderState::Cancelled, PaymentState::Cancelled),
        &(OrderState::Cancelled, PaymentState::ApprovalFailed),
    ]);
    assert_eq!(ends, expected);
    let illegal = anomalies.get(&AnomalyReason::IllegalTransition).copied().unwrap_or_default();
    assert!((20..=90).contains(&illegal), "{illegal} of 10000");
    assert_eq!(anomalies.len(), 1, "{anomalies:?}");
}

#[test]
fn the_rate_is_about_what_was_asked() {
    for rate in [50, 5_000] {
        let mut generator = Generator::new(5, START);
        generator.set_rate(rate);
        // Lives take up to about a minute to overlap fully; count the minute after it.
        let second_minute =
            generator.take_while(|it| it.timestamp < START + 120_000).filter(|it| it.timestamp >= START + 60_000);
        let per_s = second_minute.count() as f64 / 60.0;
        assert!((per_s / f64::from(rate) - 1.0).abs() < 0.15, "{per_s} for {rate}");
    }
}

#[test]
fn nothing_comes_before_it_is_due() {
    let mut generator = Generator::new(9, START).with_prefix("run7");
    assert_eq!(generator.next_due(START - 1), None);
    assert_eq!(generator.next_due(START).map(|event| event.key), Some("run7-000001".to_owned()));
    assert_eq!(generator.next_due(START), None);
    let next_at = generator.next_at().unwrap();
    assert!(next_at > START);
    assert_eq!(generator.next_due(next_at).map(|event| event.timestamp), Some(next_at));
}
