//! Answers of the real server: who answered, how fresh, and what is wrong with a request.

use std::collections::BTreeSet;

use orders::topics::{CUSTOMER_ORDERS_VIEW, ORDER_EVENTS, ORDER_STATUS_VIEW, PARTITIONS, PAYMENT_ORDER};
use serde_json::{Value, json};
use thalweg::types::partition_of;
use thalweg_tests::records;
use thalweg_tests::{http, views};

use crate::SCENE;

#[test]
fn an_answer_says_who_it_is_from_and_how_fresh_it_is() {
    let key = &SCENE.events[0].key;
    let answer = http::get(&SCENE.url(&format!("/v1/views/{ORDER_STATUS_VIEW}/{key}"))).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let number = partition_of(key.as_bytes(), PARTITIONS);
    let end = |topic: &str| records::ends(&SCENE.app.clients, topic, PARTITIONS)[number as usize];
    let inputs = [ORDER_EVENTS, PAYMENT_ORDER].map(|topic| format!("{topic}-{number}:{}", end(topic)));
    let endpoint = format!("127.0.0.1:{}", SCENE.place.port);
    assert_eq!(answer.header("thalweg-served-by"), Some(endpoint.as_str()));
    assert_eq!(answer.header("thalweg-role"), Some("active"));
    assert_eq!(answer.header("thalweg-position"), Some(inputs.join(",").as_str()));
    assert_eq!(answer.header("thalweg-lag"), Some("0"));
    let served = &answer.json()["served"];
    assert_eq!(*served, json!({"by": endpoint, "role": "active", "position": inputs.join(","), "lag": 0}));
}

/// The problem that a GET of `path` is answered with.
fn problem(path: &str, status: u16) -> Value {
    let answer = http::get(&SCENE.url(path)).unwrap();
    assert_eq!(answer.status, status, "{path}: {}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
    let body = answer.json();
    assert_eq!(body["status"], status, "{path}");
    body
}

#[test]
fn what_is_not_there_is_not_found() {
    let unknown = problem(&format!("/v1/views/{ORDER_STATUS_VIEW}/o-999999"), 404);
    assert_eq!(unknown["type"], "urn:thalweg:problem:unknown-key");
    let view = problem("/v1/views/order-contact/o-000001", 404);
    assert_eq!(view["type"], "urn:thalweg:problem:unknown-view");
    assert_eq!(view["views"], json!([CUSTOMER_ORDERS_VIEW, ORDER_STATUS_VIEW]));
    assert_eq!(problem("/v2/views", 404)["type"], "urn:thalweg:problem:unknown-path");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    assert_eq!(problem(&format!("/v1/views/{ORDER_STATUS_VIEW}/"), 400)["type"], "urn:thalweg:problem:bad-key");
    assert_eq!(problem(&format!("/v1/views/{ORDER_STATUS_VIEW}/%ff"), 400)["type"], "urn:thalweg:problem:bad-key");
    assert_eq!(problem(&format!("/v1/views/{ORDER_STATUS_VIEW}?limit=0"), 400)["parameter"], "limit");
}

#[test]
fn one_instance_runs_every_task_and_is_ready() {
    let tasks = views::tasks(SCENE.instance.url()).unwrap();
    let expected: BTreeSet<String> =
        [0, 1].into_iter().flat_map(|sub| (0..PARTITIONS).map(move |partition| format!("{sub}_{partition}"))).collect();
    assert_eq!(tasks.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert!(tasks.values().all(|task| task["role"] == "active"), "{tasks:?}");
    let instances = http::get_json(&SCENE.url("/v1/instances"));
    assert_eq!(instances["instances"].as_array().map(Vec::len), Some(1));
    assert_eq!(instances["instances"][0]["active"].as_array().map(Vec::len), Some(expected.len()));
    for probe in ["/livez", "/readyz", "/startupz"] {
        assert_eq!(http::get_json(&SCENE.url(probe)), json!({"status": "ok"}), "{probe}");
    }
}

#[test]
fn the_topology_is_told_as_kafka_streams_tells_it() {
    let topology = http::get_json(&SCENE.url("/v1/topology"));
    let describe = include_str!("../../topologies/src/topology/describe.txt");
    assert_eq!(topology["describe"], describe);
    assert_eq!(topology["application_id"], SCENE.app.id.as_str());
}
