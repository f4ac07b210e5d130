//! The rules and the model agree, on lives as generated and on noise.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;

use compact_str::format_compact;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::demo::generator::Generator;
use crate::fixture::unasked;
use crate::model::{
    AnomalyReason, CustomerPage, Effect, OrderContact, Outcome, PaymentMethod, Phone, apply, draft, upsert,
};

const START: i64 = 1_700_000_000_000;

type Record = (String, Input);

/// What the flows of the topology make of the records, one by one.
fn produced(records: &[Record]) -> Expected {
    let mut all = Expected::default();
    let mut contacts: HashMap<&str, OrderContact> = HashMap::new();
    let mut pages: HashMap<String, CustomerPage> = HashMap::new();
    let serde = unasked().customer_page;
    for (key, input) in records {
        let Outcome { status, effect } = apply(key, all.statuses.remove(key), input);
        all.statuses.extend(status.map(|status| (key.clone(), status)));
        match effect {
            None => {}
            Some(Effect::Anomalous(anomaly)) => {
                let reason = serde_json::to_value(anomaly.reason).unwrap();
                let reason = REASONS.into_iter().find(|known| reason == *known).unwrap();
                all.anomalies.entry(key.clone()).or_default().push((anomaly.subject, anomaly.event, reason));
            }
            Some(Effect::Changed(change)) => {
                contacts.extend(change.phone.map(|phone| (key.as_str(), OrderContact { phone })));
                if let (Some(draft), Some(contact)) = (draft(&change.status), contacts.get(key.as_str())) {
                    let sms = draft.address(contact.clone());
                    all.notifications.entry(key.clone()).or_default().push(sms.notification_id.into());
                }
                if let Some((customer, summary)) = change.status.summary() {
                    let page = pages.entry(customer).or_insert_with(|| serde.empty());
                    upsert(page, &summary).unwrap();
                }
                all.changes.entry(key.clone()).or_default().push(Arc::unwrap_or_clone(change.status));
            }
        }
    }
    let orders = |page: &CustomerPage| (0..page.len()).map(|index| page.get(index).unwrap()).collect();
    all.customers =
        pages.iter().map(|(customer, page)| (customer.clone(), CustomerOrders { orders: orders(page) })).collect();
    all
}

const REASONS: [&str; 5] =
    ["KEY_MISMATCH", "INVALID_VALUE", "OTHER_PAYMENT", "CONFLICTING_REPEAT", "ILLEGAL_TRANSITION"];

fn expected(records: &[Record]) -> Expected {
    expect(records.iter().map(|(key, input)| (key.as_str(), input)))
}

fn lives(seed: u64, orders: u64) -> Vec<Record> {
    Generator::new(seed, START).with_orders(orders).map(|event| (event.key, event.input)).collect()
}

/// Events without sense or order over a few ids, so that every check is met often.
fn noise(seed: u64, records: usize) -> Vec<Record> {
    let mut random = StdRng::seed_from_u64(seed);
    let id = |letter: char, count: u32, random: &mut StdRng| format!("{letter}-{}", random.random_range(0..count));
    let mut record = |at: usize| {
        let key = id('o', 12, &mut random);
        let order_id = if random.random_ratio(1, 30) { id('o', 12, &mut random) } else { key.clone() }.into();
        let amount_minor = if random.random_ratio(1, 20) { random.random_range(-2..3) } else { 500 };
        let currency = if random.random_ratio(1, 40) { "usd" } else { "USD" }.into();
        let occurred_at = if random.random_ratio(1, 40) { -1 } else { at as i64 + random.random_range(0..5) };
        let correlation_id = format_compact!("x-{at}");
        let input = if random.random_ratio(1, 2) {
            let quantity = if random.random_ratio(1, 30) { 0 } else { random.random_range(1..4) };
            Input::Order(OrderEvent {
                kind: OrderState::ALL[random.random_range(0..8)],
                order_id,
                customer_id: if random.random_ratio(1, 10) { "c-9" } else { "c-1" }.into(),
                store_id: "s-1".into(),
                items: vec![Item { product_id: "tea".into(), quantity, unit_amount_minor: 250 }],
                amount_minor,
                currency,
                phone: random.random_ratio(3, 4).then(|| Phone::new("+12025550142")),
                occurred_at,
                correlation_id,
            })
        } else {
            Input::Payment(PaymentEvent {
                kind: PaymentState::ALL[random.random_range(0..6)],
                order_id,
                payment_id: id('p', 2, &mut random).into(),
                method: PaymentMethod::Wallet,
                provider: "acme".into(),
                amount_minor,
                currency,
                failure_code: None,
                occurred_at,
                correlation_id,
            })
        };
        (key, input)
    };
    (0..records).map(&mut record).collect()
}

#[test]
fn the_rules_agree_with_the_model_on_generated_lives() {
    for seed in 0..4 {
        let records = lives(seed, 3_000);
        let expected = expected(&records);
        assert_eq!(produced(&records), expected, "seed {seed}");
        assert!(expected.customers.values().any(|page| page.orders.len() > 10), "pages are filled");
        assert!(!expected.anomalies.is_empty() && !expected.notifications.is_empty());
    }
}

#[test]
fn the_rules_agree_with_the_model_on_noise() {
    let mut met: Vec<&str> = Vec::new();
    let mut revision_max = 0;
    for seed in 0..50 {
        let records = noise(seed, 1_000);
        let expected = expected(&records);
        assert_eq!(produced(&records), expected, "seed {seed}");
        met.extend(expected.anomalies.values().flatten().map(|(_, _, reason)| *reason));
        revision_max = expected.statuses.values().map(|status| status.revision).fold(revision_max, i64::max);
    }
    assert!(revision_max > 16, "the list of transitions never overflowed");
    assert!(REASONS.iter().all(|reason| met.contains(reason)));
}

#[test]
fn a_page_holds_fifty_of_more_orders() {
    let records = lives(1, 20_000);
    let expected = expected(&records);
    assert_eq!(expected.customers.values().map(|page| page.orders.len()).max(), Some(50));
    assert_eq!(produced(&records).customers, expected.customers);
}

#[test]
fn changes_are_numbered_without_a_gap_and_each_changes_a_state() {
    for (order_id, changes) in produced(&noise(3, 2_000)).changes {
        let mut before = (None, None);
        for (revision, change) in (1..).zip(&changes) {
            assert_eq!(change.revision, revision, "{order_id}");
            let after = (change.order.as_ref().map(|it| it.state), change.payment.as_ref().map(|it| it.state));
            assert_ne!(before, after, "{order_id} {revision}");
            before = after;
        }
    }
}

#[test]
fn the_interleaving_of_the_two_topics_does_not_matter_to_what_is_settled() {
    let records = lives(2, 1_000);
    let settle = |expected: Expected| -> BTreeMap<String, OrderStatus> {
        expected.statuses.into_iter().map(|(id, status)| (id, settled(status))).collect()
    };
    let straight = settle(produced(&records));
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..5 {
        // Draw which topic is read next at random; each topic keeps its own order.
        let (orders, payments): (Vec<&Record>, Vec<&Record>) =
            records.iter().partition(|(_, input)| matches!(input, Input::Order(_)));
        let mut turns: Vec<bool> = orders.iter().map(|_| true).chain(payments.iter().map(|_| false)).collect();
        turns.shuffle(&mut random);
        let (mut orders, mut payments) = (orders.into_iter(), payments.into_iter());
        let next = |turn| if turn { orders.next() } else { payments.next() };
        let mixed: Vec<Record> = turns.into_iter().filter_map(next).cloned().collect();
        assert_eq!(mixed.len(), records.len());
        let mixed = produced(&mixed);
        let pages: Vec<_> = mixed.customers.values().cloned().collect();
        assert_eq!(pages, expected(&records).customers.into_values().collect::<Vec<_>>());
        assert_eq!(settle(mixed), straight);
    }
}

#[test]
fn what_is_processed_again_after_a_crash_changes_nothing_and_tells_nothing_new() {
    let (mut repeats, mut anomalies) = (0, 0);
    for seed in 0..3 {
        let records = lives(seed, 2_000);
        let mut by_order: BTreeMap<&str, Vec<&Input>> = BTreeMap::new();
        records.iter().for_each(|(key, input)| by_order.entry(key).or_default().push(input));
        for (key, inputs) in by_order {
            let mut full = None;
            for crash in 1..=inputs.len() {
                full = apply(key, full, inputs[crash - 1]).status;
                let (_, refused) = replay(key, &inputs[..crash]);
                // No record changes the state, so all suffixes of the processed records meet this one.
                for input in &inputs[..crash] {
                    let outcome = apply(key, full.clone(), input);
                    assert_eq!(outcome.status, full, "{key} {input:?}");
                    match outcome.effect {
                        None => repeats += 1,
                        Some(Effect::Anomalous(anomaly)) => {
                            assert_eq!(anomaly.reason, AnomalyReason::IllegalTransition);
                            let told = (anomaly.subject, anomaly.event, "ILLEGAL_TRANSITION");
                            assert!(refused.contains(&told), "{key}: {told:?} is new");
                            anomalies += 1;
                        }
                        Some(Effect::Changed(change)) => panic!("{key}: {input:?} was applied again: {change:?}"),
                    }
                }
            }
        }
    }
    assert!(repeats > 100_000 && anomalies > 20, "{repeats} repeats, {anomalies} repeated anomalies");
}
