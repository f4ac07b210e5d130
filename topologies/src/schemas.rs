//! The Avro schemas of all topics and stores, compiled in.
//!
//! Topics that other teams read are under `schemas/`, those of our own stores and repartition topic under
//! `schemas/internal/`. Each released version stays in `schemas/golden/` with one encoding that today's code must
//! still decode.

/// Value of `order.events`.
pub const ORDER_EVENT: &str = include_str!("../../schemas/order.events.avsc");
/// Value of `payment.order`.
pub const PAYMENT_EVENT: &str = include_str!("../../schemas/payment.order.avsc");
/// Value of `order.status`.
pub const STATUS_CHANGE: &str = include_str!("../../schemas/order.status.avsc");
/// Value of `notification.sms`.
pub const SMS_REQUEST: &str = include_str!("../../schemas/notification.sms.avsc");
/// Value of `order.anomalies`.
pub const ANOMALY: &str = include_str!("../../schemas/order.anomalies.avsc");
/// Value of the view `order-status` and its changelog.
pub const ORDER_STATUS: &str = include_str!("../../schemas/internal/order-status.avsc");
/// Value of the view `customer-orders` and its changelog.
pub const CUSTOMER_ORDERS: &str = include_str!("../../schemas/internal/customer-orders.avsc");
/// Value of the repartition topic of `customer-orders`.
pub const ORDER_SUMMARY: &str = include_str!("../../schemas/internal/order-summary.avsc");
/// Value of the private store `order-contact` and its changelog.
pub const ORDER_CONTACT: &str = include_str!("../../schemas/internal/order-contact.avsc");

#[cfg(test)]
mod tests;
