//! The view `customer-orders`, as a specification.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use thalweg::types::partition_of;

use crate::fixture::{Application, PARTITIONS, order_event};
use crate::model::{CustomerOrders, OrderState, OrderSummary, PaymentState};
use crate::topics::CUSTOMER_ORDERS_VIEW;

fn place(app: &Application, order_id: &str, customer_id: &str, occurred_at: i64) {
    let mut event = order_event(order_id, OrderState::Placed, occurred_at);
    event.customer_id = customer_id.into();
    app.tell(event);
}

fn ids(page: &CustomerOrders) -> Vec<&str> {
    page.orders.iter().map(|order| order.order_id.as_str()).collect()
}

#[test]
fn the_page_shows_the_orders_of_the_customer_newest_first_with_their_states() {
    let app = Application::start();
    place(&app, "o-1", "c-1", 10);
    place(&app, "o-2", "c-2", 20);
    place(&app, "o-3", "c-1", 30);
    app.payment("o-1", PaymentState::ApprovalRequested, 40);
    app.order("o-1", OrderState::Accepted, 50);

    let summary = |order_id: &str, placed_at| OrderSummary {
        order_id: order_id.into(),
        store_id: "s-1".into(),
        state: OrderState::Placed,
        payment_state: None,
        amount_minor: 1250,
        currency: "USD".into(),
        item_count: 3,
        placed_at,
        revision: 1,
    };
    let requested = Some(PaymentState::ApprovalRequested);
    let first =
        OrderSummary { state: OrderState::Accepted, payment_state: requested, revision: 3, ..summary("o-1", 10) };
    assert_eq!(app.page("c-1"), Some(CustomerOrders { orders: vec![summary("o-3", 30), first] }));
    assert_eq!(app.page("c-2"), Some(CustomerOrders { orders: vec![summary("o-2", 20)] }));
    assert_eq!(app.page("c-3"), None);
}

#[test]
fn a_payment_is_on_no_page_until_its_order_is_placed() {
    let app = Application::start();
    app.payment("o-1", PaymentState::ApprovalRequested, 1);
    assert_eq!(app.page("c-1"), None);
    app.order("o-1", OrderState::Placed, 2);
    let page = app.page("c-1").unwrap();
    assert_eq!(page.orders[0].payment_state, Some(PaymentState::ApprovalRequested));
}

#[test]
fn the_page_keeps_the_newest_fifty() {
    let app = Application::start();
    for at in 1..=60 {
        place(&app, &format!("o-{at:02}"), "c-1", at);
    }
    app.order("o-11", OrderState::Accepted, 70);
    app.order("o-05", OrderState::Accepted, 80);
    let page = app.page("c-1").unwrap();
    let expected: Vec<String> = (11..=60).rev().map(|at| format!("o-{at:02}")).collect();
    assert_eq!(ids(&page), expected);
    assert_eq!(page.orders[49].state, OrderState::Accepted, "the states of old orders follow");
}

#[test]
fn orders_of_all_partitions_meet_in_the_partition_of_their_customer() {
    let app = Application::start();
    for at in 0..30 {
        place(&app, &format!("o-{at}"), &format!("c-{}", at % 5), at);
    }
    assert_eq!(app.driver.partitions_of("orders-customer-orders-repartition"), Some(PARTITIONS));
    let repartitioned = app.driver.records("orders-customer-orders-repartition");
    assert_eq!(repartitioned.len(), 30, "one summary per change");
    for written in &repartitioned {
        let customer = written.record.key.as_deref().unwrap();
        assert!(customer.starts_with(b"c-"));
        assert_eq!(written.partition, partition_of(customer, PARTITIONS));
    }
    let serdes = (app.serdes.id, app.serdes.customer_orders.clone());
    let pages =
        app.driver.get_key_value_store::<String, CustomerOrders, _, _>(CUSTOMER_ORDERS_VIEW, serdes.0, serdes.1).all();
    assert_eq!(pages.len(), 5);
    assert!(pages.iter().map(|row| row.partition).collect::<BTreeSet<_>>().len() > 1);
    for page in pages {
        assert_eq!((page.partition, page.value.orders.len()), (partition_of(page.key.as_bytes(), PARTITIONS), 6));
    }
}
