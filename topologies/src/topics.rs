//! Names of topics, stores and views.

/// Source topic: what happened to orders; key order id.
pub const ORDER_EVENTS: &str = "order.events";
/// Source topic: what happened to payments; key order id.
pub const PAYMENT_ORDER: &str = "payment.order";
/// Derived topic: one record per real status change; key order id.
pub const ORDER_STATUS: &str = "order.status";
/// Derived topic: text messages to send; key order id. The only topic of ours that carries a phone number.
pub const NOTIFICATION_SMS: &str = "notification.sms";
/// Derived topic: events that were not applied, with the reason; key order id.
pub const ORDER_ANOMALIES: &str = "order.anomalies";

/// Partitions of every source and derived topic.
pub const PARTITIONS: i32 = 12;

/// View: order and payment of an order id.
pub const ORDER_STATUS_VIEW: &str = "order-status";
/// View: the newest orders of a customer id; also the name of its repartition topic.
pub const CUSTOMER_ORDERS_VIEW: &str = "customer-orders";
/// Private store: where to reach the customer of an order id. Never served.
pub const ORDER_CONTACT_STORE: &str = "order-contact";
