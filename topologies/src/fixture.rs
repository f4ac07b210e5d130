//! What the specification tests of the flows share: the whole application in a driver, and short ways to tell events.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use thalweg::dsl::StreamsBuilder;
use thalweg::serde::{AvroSerde, Deserializer, RegistryOptions, SchemaRegistry, StringSerde};
use thalweg::task::{DecodePolicy, ValueAndTimestamp};
use thalweg::testing::{DriverOptions, TestInputTopic, TopologyTestDriver};

use crate::demo::registry::Registry;
use crate::model::{
    Anomaly, CustomerOrders, Item, Millis, OrderEvent, OrderState, OrderStatus, PaymentEvent, PaymentMethod,
    PaymentState, Phone, SmsRequest, StatusChange,
};
use crate::serdes::Serdes;
use crate::topics::{
    CUSTOMER_ORDERS_VIEW, NOTIFICATION_SMS, ORDER_ANOMALIES, ORDER_EVENTS, ORDER_STATUS, ORDER_STATUS_VIEW,
    PAYMENT_ORDER,
};

/// Partitions of the source and derived topics; the keys that the tests use fall into all of them.
pub const PARTITIONS: i32 = 3;

/// The number of every customer.
pub const PHONE: &str = "+12025550142";

/// The serdes over a registry that is never asked.
pub fn unasked() -> Serdes {
    let url = "http://127.0.0.1:1".to_owned();
    let options = RegistryOptions { url, credentials: None, timeout: Duration::from_secs(1) };
    Serdes::new(&SchemaRegistry::new(&options).unwrap()).unwrap()
}

/// The application between its topics.
pub struct Application {
    pub driver: TopologyTestDriver,
    pub serdes: Serdes,
    orders: TestInputTopic<String, OrderEvent, StringSerde, AvroSerde<OrderEvent>>,
    payments: TestInputTopic<String, PaymentEvent, StringSerde, AvroSerde<PaymentEvent>>,
    _registry: Registry,
    _tokio: tokio::runtime::Runtime,
}

impl Application {
    pub fn start() -> Self {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let registry = tokio.block_on(Registry::start(0)).unwrap();
        let options = RegistryOptions { url: registry.url(), credentials: None, timeout: Duration::from_secs(10) };
        let serdes = Serdes::new(&SchemaRegistry::new(&options).unwrap()).unwrap();
        let builder = StreamsBuilder::new();
        crate::topology::describe(&builder, &serdes);
        let topics = [ORDER_EVENTS, PAYMENT_ORDER, ORDER_STATUS, ORDER_ANOMALIES, NOTIFICATION_SMS];
        let options = DriverOptions::default().decode_policy(DecodePolicy::DeadLetter);
        let options = topics.iter().fold(options, |options, topic| options.partitions(*topic, PARTITIONS));
        let driver = TopologyTestDriver::new(builder.build("orders").unwrap(), options).unwrap();
        let orders = driver.create_input_topic(ORDER_EVENTS, serdes.id, serdes.order_event.clone());
        let payments = driver.create_input_topic(PAYMENT_ORDER, serdes.id, serdes.payment_event.clone());
        Self { driver, serdes, orders, payments, _registry: registry, _tokio: tokio }
    }

    /// Tells an order event at the time it happened.
    pub fn tell(&self, event: OrderEvent) {
        let (key, occurred_at) = (event.order_id.clone(), event.occurred_at);
        self.orders.pipe_input(key, event, occurred_at);
    }

    /// Tells a payment event at the time it happened.
    pub fn tell_payment(&self, event: PaymentEvent) {
        let (key, occurred_at) = (event.order_id.clone(), event.occurred_at);
        self.payments.pipe_input(key, event, occurred_at);
    }

    pub fn order(&self, order_id: &str, kind: OrderState, occurred_at: Millis) {
        self.tell(order_event(order_id, kind, occurred_at));
    }

    pub fn payment(&self, order_id: &str, kind: PaymentState, occurred_at: Millis) {
        self.tell_payment(payment_event(order_id, kind, occurred_at));
    }

    /// The row of the view `order-status`.
    pub fn status(&self, order_id: &str) -> Option<ValueAndTimestamp<OrderStatus>> {
        let serdes = (self.serdes.id, self.serdes.order_status.clone());
        self.driver.get_key_value_store(ORDER_STATUS_VIEW, serdes.0, serdes.1).get_with_timestamp(order_id)
    }

    /// The row of the view `customer-orders`.
    pub fn page(&self, customer_id: &str) -> Option<CustomerOrders> {
        let serdes = (self.serdes.id, self.serdes.customer_orders.clone());
        self.driver.get_key_value_store(CUSTOMER_ORDERS_VIEW, serdes.0, serdes.1).get(customer_id)
    }

    /// All records of `order.status`.
    pub fn changes(&self) -> Vec<(String, StatusChange)> {
        self.read(ORDER_STATUS, self.serdes.status_change.clone())
    }

    /// All records of `order.anomalies`.
    pub fn anomalies(&self) -> Vec<(String, Anomaly)> {
        self.read(ORDER_ANOMALIES, self.serdes.anomaly.clone())
    }

    /// All records of `notification.sms`.
    pub fn messages(&self) -> Vec<(String, SmsRequest)> {
        self.read(NOTIFICATION_SMS, self.serdes.sms_request.clone())
    }

    fn read<V>(&self, topic: &str, values: impl Deserializer<V>) -> Vec<(String, V)> {
        self.driver.create_output_topic(topic, self.serdes.id, values).read_key_values_to_list()
    }
}

/// An order event of customer `c-1`: 2 lattes and a scone at store `s-1` for USD 12.50.
pub fn order_event(order_id: &str, kind: OrderState, occurred_at: Millis) -> OrderEvent {
    OrderEvent {
        kind,
        order_id: order_id.into(),
        customer_id: "c-1".into(),
        store_id: "s-1".into(),
        items: vec![
            Item { product_id: "latte".into(), quantity: 2, unit_amount_minor: 450 },
            Item { product_id: "scone".into(), quantity: 1, unit_amount_minor: 350 },
        ],
        amount_minor: 1250,
        currency: "USD".into(),
        phone: Some(Phone::new(PHONE)),
        occurred_at,
        correlation_id: "x-1".into(),
    }
}

/// An event of payment `p-1` over the same amount.
pub fn payment_event(order_id: &str, kind: PaymentState, occurred_at: Millis) -> PaymentEvent {
    PaymentEvent {
        kind,
        order_id: order_id.into(),
        payment_id: "p-1".into(),
        method: PaymentMethod::Card,
        provider: "acme".into(),
        amount_minor: 1250,
        currency: "USD".into(),
        failure_code: (kind == PaymentState::ApprovalFailed).then(|| "DECLINED".into()),
        occurred_at,
        correlation_id: "x-2".into(),
    }
}
