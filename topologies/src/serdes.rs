//! The serdes of all topics and stores: keys are text, values are Avro under the compiled-in schemas.

use thalweg::serde::{AvroSerde, EncodedListSerde, SchemaRegistry, SerdeError, StringSerde};

use crate::model::{
    Anomaly, CustomerOrders, OrderContact, OrderEvent, OrderStatus, OrderSummary, PaymentEvent, SmsRequest,
    StatusChange,
};
use crate::schemas;

/// One serde per record type; cheap to clone.
#[derive(Clone)]
pub struct Serdes {
    /// Order and customer ids.
    pub id: StringSerde,
    /// `order.events`.
    pub order_event: AvroSerde<OrderEvent>,
    /// `payment.order`.
    pub payment_event: AvroSerde<PaymentEvent>,
    /// `order.status`.
    pub status_change: AvroSerde<StatusChange>,
    /// `order.anomalies`.
    pub anomaly: AvroSerde<Anomaly>,
    /// `notification.sms`.
    pub sms_request: AvroSerde<SmsRequest>,
    /// The view `order-status`.
    pub order_status: AvroSerde<OrderStatus>,
    /// The view `customer-orders`, as a reader wants it.
    pub customer_orders: AvroSerde<CustomerOrders>,
    /// The view `customer-orders`, as the aggregation changes it.
    pub customer_page: EncodedListSerde<OrderSummary>,
    /// The repartition topic of `customer-orders`.
    pub order_summary: AvroSerde<OrderSummary>,
    /// The private store `order-contact`.
    pub order_contact: AvroSerde<OrderContact>,
}

impl Serdes {
    /// The serdes over one registry. Fails when a compiled-in schema is not valid Avro.
    pub fn new(registry: &SchemaRegistry) -> Result<Self, SerdeError> {
        Ok(Self {
            id: StringSerde,
            order_event: registry.serde(schemas::ORDER_EVENT)?,
            payment_event: registry.serde(schemas::PAYMENT_EVENT)?,
            status_change: registry.serde(schemas::STATUS_CHANGE)?,
            anomaly: registry.serde(schemas::ANOMALY)?,
            sms_request: registry.serde(schemas::SMS_REQUEST)?,
            order_status: registry.serde(schemas::ORDER_STATUS)?,
            customer_orders: registry.serde(schemas::CUSTOMER_ORDERS)?,
            customer_page: registry.list_serde(schemas::CUSTOMER_ORDERS)?,
            order_summary: registry.serde(schemas::ORDER_SUMMARY)?,
            order_contact: registry.serde(schemas::ORDER_CONTACT)?,
        })
    }
}
