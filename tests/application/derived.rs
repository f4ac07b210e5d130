//! The derived topics: one record per real change, in order per key, with the bytes that Avro and Java demand.

use std::collections::{BTreeMap, BTreeSet};

use orders::model::{Anomaly, Input, SmsRequest, StatusChange, Subject};
use orders::topics::{NOTIFICATION_SMS, ORDER_ANOMALIES, ORDER_STATUS, PARTITIONS};
use thalweg::serde::Deserializer;
use thalweg_tests::orders::{TRACE, assert_same};
use thalweg_tests::records::{self, Stored};
use thalweg_tests::{http, views};

use crate::SCENE;

/// The values of a topic by key, in order.
fn decoded<T>(topic: &str, serde: &impl Deserializer<T>) -> BTreeMap<String, Vec<T>> {
    let decode = |stored: &Stored| serde.deserialize(topic, stored.record.value.as_deref()).unwrap();
    SCENE.app.by_key(topic).into_iter().map(|(key, all)| (key, all.iter().map(decode).collect())).collect()
}

#[test]
fn order_status_has_exactly_one_record_per_real_change_in_order() {
    let changes: BTreeMap<String, Vec<StatusChange>> = decoded(ORDER_STATUS, &SCENE.app.serdes.status_change);
    assert_same("order.status", &changes, &SCENE.expected.changes);
}

#[test]
fn a_derived_record_has_the_time_and_the_headers_of_the_event_that_caused_it() {
    let mut derived = 0;
    for stored in SCENE.app.by_key(ORDER_STATUS).into_values().flatten() {
        let change: StatusChange =
            SCENE.app.serdes.status_change.deserialize(ORDER_STATUS, stored.record.value.as_deref()).unwrap();
        assert_eq!(stored.record.timestamp, change.occurred_at, "{}", change.order_id);
        let headers: Vec<_> = stored.record.headers.view().iter().collect();
        let [trace] = headers[..] else { panic!("{}: {headers:?}", change.order_id) };
        assert_eq!(trace.key, TRACE);
        let number: usize = std::str::from_utf8(trace.value.unwrap()).unwrap().parse().unwrap();
        let event = &SCENE.events[number];
        let subject = match event.input {
            Input::Order(_) => Subject::Order,
            Input::Payment(_) => Subject::Payment,
        };
        let told = (change.order_id.as_str(), change.occurred_at, change.subject);
        assert_eq!((event.key.as_str(), event.timestamp, subject), told);
        derived += 1;
    }
    assert_eq!(derived, SCENE.expected.changes.values().map(Vec::len).sum::<usize>());
}

#[test]
fn order_anomalies_has_every_refused_event_and_why() {
    let anomalies: BTreeMap<String, Vec<Anomaly>> = decoded(ORDER_ANOMALIES, &SCENE.app.serdes.anomaly);
    let facts = |anomaly: Anomaly| {
        let reason = serde_json::to_value(anomaly.reason).unwrap().as_str().unwrap_or_default().to_owned();
        (anomaly.subject, anomaly.event, reason)
    };
    let found: BTreeMap<String, Vec<_>> =
        anomalies.into_iter().map(|(key, all)| (key, all.into_iter().map(facts).collect())).collect();
    let expected = SCENE.expected.anomalies.iter().map(|(key, all)| {
        let facts = all.iter().map(|(subject, event, reason)| (*subject, event.clone(), (*reason).to_owned()));
        (key.clone(), facts.collect::<Vec<_>>())
    });
    assert_same("order.anomalies", &found, &expected.collect());
    assert!(!found.is_empty(), "some events were refused");
}

#[test]
fn a_message_goes_to_the_phone_of_its_order_for_every_state_that_is_told() {
    let sent: BTreeMap<String, Vec<SmsRequest>> = decoded(NOTIFICATION_SMS, &SCENE.app.serdes.sms_request);
    let id = |sms: &SmsRequest| sms.notification_id.to_string();
    let ids = sent.iter().map(|(key, all)| (key.clone(), all.iter().map(id).collect()));
    assert_same("notification ids", &ids.collect(), &SCENE.expected.notifications);
    let placed: BTreeMap<&str, _> = SCENE
        .events
        .iter()
        .filter_map(|event| match &event.input {
            Input::Order(order) => Some((event.key.as_str(), order)),
            Input::Payment(_) => None,
        })
        .collect();
    let mut delivered = 0;
    for (key, sms) in sent.iter().flat_map(|(key, all)| all.iter().map(move |sms| (key, sms))) {
        let order = placed[key.as_str()];
        assert_eq!(Some(&sms.phone), order.phone.as_ref(), "{key}");
        assert_eq!((sms.order_id.as_str(), &sms.customer_id), (key.as_str(), &order.customer_id));
        assert!(sms.text.starts_with(&format!("Order {key}: ")), "{}", sms.text);
        delivered += usize::from(sms.text == format!("Order {key}: delivered. Enjoy!"));
    }
    let last = |states: &Vec<StatusChange>| states.last().and_then(|change| change.order.as_ref().map(|it| it.state));
    let expected =
        SCENE.expected.changes.values().filter(|all| last(all) == Some(orders::model::OrderState::Delivered));
    assert_eq!(delivered, expected.count());
}

/// The numbers of the generator: 555-0100 to 555-0199.
const NUMBERS: &str = "120255501";

#[test]
fn a_phone_number_is_in_the_message_and_nowhere_else() {
    let holds = |bytes: &[u8]| bytes.windows(NUMBERS.len()).any(|window| window == NUMBERS.as_bytes());
    let values = |topic: &str| {
        let all = records::read_all(&SCENE.app.clients, topic, PARTITIONS).into_iter();
        all.map(|stored| stored.record.value.unwrap_or_default()).collect::<Vec<_>>()
    };
    assert!(values(NOTIFICATION_SMS).iter().all(|value| holds(value)), "every message has its number");
    let repartition = SCENE.app.repartition_topic();
    let changelogs = ["order-status", "customer-orders"].map(|store| SCENE.app.changelog(store));
    for topic in [ORDER_STATUS, ORDER_ANOMALIES, &repartition, &changelogs[0], &changelogs[1]] {
        let values = values(topic);
        assert!(!values.is_empty() && !values.iter().any(|value| holds(value)), "{topic}");
    }
    for view in ["order-status", "customer-orders"] {
        let rows = views::rows(&[SCENE.instance.url()], view).unwrap();
        assert!(!rows.is_empty() && !rows.values().any(|row| holds(row.value.to_string().as_bytes())), "{view}");
    }
    for path in ["/metrics", "/v1/tasks", "/v1/topology", "/v1/views"] {
        let answer = http::get(&SCENE.url(path)).unwrap();
        assert!(answer.status == 200 && !holds(answer.body.as_bytes()), "{path}");
    }
    let log = SCENE.instance.log();
    assert!(!log.is_empty() && !holds(log.as_bytes()), "the log");
    let views: BTreeSet<String> = views_served();
    assert_eq!(views, BTreeSet::from(["order-status".to_owned(), "customer-orders".to_owned()]));
}

fn views_served() -> BTreeSet<String> {
    let listed = http::get_json(&SCENE.url("/v1/views"));
    let views = listed["views"].as_array().into_iter().flatten();
    views.filter_map(|view| view["name"].as_str().map(str::to_owned)).collect()
}
