//! The views over HTTP equal the model, row by row.

use std::collections::BTreeMap;

use orders::model::{CustomerOrders, OrderStatus};
use orders::topics::{CUSTOMER_ORDERS_VIEW, ORDER_STATUS_VIEW, PARTITIONS};
use thalweg::types::partition_of;
use thalweg_tests::orders::assert_same;
use thalweg_tests::{http, views};

use crate::SCENE;

/// Both topics were there before the instance, so records are taken in the order of their times and even the
/// interleaving of the two is the model's.
#[test]
fn every_order_is_what_the_model_says_in_every_field() {
    let rows = views::rows(&[SCENE.instance.url()], ORDER_STATUS_VIEW).unwrap();
    let statuses: BTreeMap<String, OrderStatus> = views::values(rows);
    assert_same("order-status", &statuses, &SCENE.expected.statuses);
}

#[test]
fn every_page_is_what_the_model_says() {
    let rows = views::rows(&[SCENE.instance.url()], CUSTOMER_ORDERS_VIEW).unwrap();
    let pages: BTreeMap<String, CustomerOrders> = views::values(rows);
    assert_same("customer-orders", &pages, &SCENE.expected.customers);
    assert!(pages.values().any(|page| page.orders.len() > 5), "pages are filled");
}

#[test]
fn a_row_has_the_time_of_its_newest_change_and_lies_in_the_partition_of_its_key() {
    let rows = views::rows(&[SCENE.instance.url()], ORDER_STATUS_VIEW).unwrap();
    let found: BTreeMap<String, (i64, i32)> =
        rows.into_iter().map(|(key, row)| (key, (row.timestamp, row.partition))).collect();
    let expected = SCENE.expected.changes.iter().map(|(key, changes)| {
        let last = changes.last().expect("an order with a change");
        (key.clone(), (last.occurred_at, partition_of(key.as_bytes(), PARTITIONS)))
    });
    assert_same("time and partition", &found, &expected.collect());
}

#[test]
fn a_point_read_is_the_row_of_the_range_read() {
    let rows = views::rows(&[SCENE.instance.url()], ORDER_STATUS_VIEW).unwrap();
    for (key, row) in rows.iter().step_by(17) {
        let found = http::get_json(&SCENE.url(&format!("/v1/views/{ORDER_STATUS_VIEW}/{key}")));
        assert_eq!((&found["key"], &found["value"]), (&serde_json::json!(key), &row.value));
        assert_eq!((&found["timestamp"], &found["partition"]), (&row.timestamp.into(), &row.partition.into()));
    }
}
