//! What a Kafka Streams application would find: names, settings and bytes of internal topics and derived records.

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use orders::model::{CustomerOrders, OrderContact, OrderStatus, OrderSummary};
use orders::schemas;
use orders::topics::{ORDER_STATUS, PARTITIONS};
use serde::Serialize;
use thalweg::serde::Deserializer;
use thalweg::types::HeadersView;
use thalweg::wire::Kafka;
use thalweg_tests::http;
use thalweg_tests::orders::{assert_same, partitions_of};
use thalweg_tests::records::Stored;

use crate::SCENE;

/// Writes values as Confluent's `KafkaAvroSerializer` does, by another Avro library than the application's.
struct Reference {
    id: u32,
    schema: Schema,
}

impl Reference {
    /// Of the schema that the registry has for the values of `topic`; it must be `schema`.
    fn of(topic: &str, schema: &str) -> Self {
        let url = format!("{}/subjects/{topic}-value/versions/latest", SCENE.app.registry.url());
        let registered = http::get_json(&url);
        let text = registered["schema"].as_str().unwrap();
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parsed(text), parsed(schema), "{topic}");
        let id = u32::try_from(registered["id"].as_u64().unwrap()).unwrap();
        Self { id, schema: Schema::parse_str(text).unwrap() }
    }

    /// Magic byte 0, schema id big-endian, Avro binary.
    fn frame(&self, value: &impl Serialize) -> Vec<u8> {
        self.framed(&datum(&self.schema, value))
    }

    fn framed(&self, datum: &[u8]) -> Vec<u8> {
        [&[0], &self.id.to_be_bytes()[..], datum].concat()
    }

    /// A record of one array, each of its items a block of its own behind its size (Avro specification, "Arrays").
    fn blocks(&self, items: &[impl Serialize]) -> Vec<u8> {
        let Schema::Record(record) = &self.schema else { panic!("a record") };
        let Schema::Array(array) = &record.fields[0].schema else { panic!("an array") };
        let long = |number: i64| datum(&Schema::Long, &number);
        let block = |item| {
            let item = datum(&array.items, item);
            [long(-1), long(item.len() as i64), item].concat()
        };
        let blocks: Vec<u8> = items.iter().flat_map(block).collect();
        self.framed(&[blocks, long(0)].concat())
    }
}

fn datum(schema: &Schema, value: &impl Serialize) -> Vec<u8> {
    let value = apache_avro::to_value(value).unwrap().resolve(schema).unwrap();
    GenericDatumWriter::builder(schema).build().unwrap().write_value_to_vec(value).unwrap()
}

/// A record in bytes, without its place.
type Bytes = (i64, Vec<u8>);

fn bytes(stored: &Stored) -> Bytes {
    (stored.record.timestamp, stored.record.value.clone().expect("a value"))
}

fn last(records: BTreeMap<String, Vec<Stored>>) -> BTreeMap<String, Bytes> {
    records.into_iter().map(|(key, all)| (key, bytes(all.last().expect("a record")))).collect()
}

#[test]
fn the_changelog_of_order_status_has_the_row_of_every_change_in_javas_format() {
    let topic = SCENE.app.changelog("order-status");
    let reference = Reference::of(&topic, schemas::ORDER_STATUS);
    let records = SCENE.app.by_key(&topic);
    for (key, all) in &records {
        let written: Vec<(i64, i64)> = all
            .iter()
            .map(|stored| {
                let value = stored.record.value.as_deref();
                let row: OrderStatus = SCENE.app.serdes.order_status.deserialize(&topic, value).unwrap();
                (row.revision, stored.record.timestamp)
            })
            .collect();
        let changes = SCENE.expected.changes[key].iter();
        assert_eq!(written, changes.map(|change| (change.revision, change.occurred_at)).collect::<Vec<_>>(), "{key}");
        // Kafka Streams passes no headers on to changelogs of stores without them (`StoreChangeLogger`).
        assert!(all.iter().all(|stored| stored.record.headers.view() == HeadersView::default()), "{key}");
    }
    let rows = SCENE.expected.statuses.iter().map(|(key, status)| {
        let time = SCENE.expected.changes[key].last().expect("a change").occurred_at;
        (key.clone(), (time, reference.frame(status)))
    });
    assert_same(&topic, &last(records), &rows.collect());
}

#[test]
fn the_changelog_of_customer_orders_ends_with_pages_that_java_reads() {
    let topic = SCENE.app.changelog("customer-orders");
    let reference = Reference::of(&topic, schemas::CUSTOMER_ORDERS);
    // The row of an aggregate has the highest time of its records (`KStreamAggregate`).
    let mut times: BTreeMap<&str, i64> = BTreeMap::new();
    for change in SCENE.expected.changes.values().flatten() {
        if let Some(order) = &change.order {
            let time = times.entry(&order.customer_id).or_insert(i64::MIN);
            *time = change.occurred_at.max(*time);
        }
    }
    let rows = SCENE.expected.customers.iter();
    let rows = rows.map(|(key, page)| (key.clone(), (times[key.as_str()], reference.blocks(&page.orders))));
    let found = last(SCENE.app.by_key(&topic));
    assert_same(&topic, &found, &rows.collect());
    let reader = GenericDatumReader::builder(&reference.schema).build().unwrap();
    for (key, page) in &SCENE.expected.customers {
        let read = reader.read_value(&mut &found[key].1[5..]).unwrap();
        assert_eq!(apache_avro::from_value::<CustomerOrders>(&read).unwrap(), *page, "{key}");
    }
}

#[test]
fn the_changelog_of_a_store_that_is_no_view_is_there_too() {
    let topic = SCENE.app.changelog("order-contact");
    let reference = Reference::of(&topic, schemas::ORDER_CONTACT);
    let contacts = SCENE.events.iter().filter_map(|event| match &event.input {
        orders::model::Input::Order(order) if order.kind == orders::model::OrderState::Placed => {
            let contact = OrderContact { phone: order.phone.clone()? };
            Some((event.key.clone(), (SCENE.expected.changes[&event.key][0].occurred_at, reference.frame(&contact))))
        }
        _ => None,
    });
    assert_same(&topic, &last(SCENE.app.by_key(&topic)), &contacts.collect());
}

#[test]
fn the_repartition_topic_has_the_summary_of_every_change_by_customer() {
    let topic = SCENE.app.repartition_topic();
    let reference = Reference::of(&topic, schemas::ORDER_SUMMARY);
    // Tasks write side by side: the order over all is free, that of one order is not.
    let mut found: BTreeMap<String, Vec<Bytes>> = BTreeMap::new();
    for (customer, all) in SCENE.app.by_key(&topic) {
        for stored in all {
            let value = stored.record.value.as_deref();
            let summary: OrderSummary = SCENE.app.serdes.order_summary.deserialize(&topic, value).unwrap();
            found.entry(format!("{customer} {}", summary.order_id)).or_default().push(bytes(&stored));
        }
    }
    let mut expected: BTreeMap<String, Vec<Bytes>> = BTreeMap::new();
    for change in SCENE.expected.changes.values().flatten() {
        if let Some((customer, summary)) = change.summary() {
            let records = expected.entry(format!("{customer} {}", summary.order_id)).or_default();
            records.push((change.occurred_at, reference.frame(&summary)));
        }
    }
    assert_same(&topic, &found, &expected);
}

#[test]
fn a_derived_record_has_the_bytes_that_another_avro_library_writes() {
    let reference = Reference::of(ORDER_STATUS, schemas::STATUS_CHANGE);
    let found = SCENE.app.by_key(ORDER_STATUS).into_iter();
    let found = found.map(|(key, all)| (key, all.iter().map(bytes).collect::<Vec<_>>()));
    let expected = SCENE.expected.changes.iter().map(|(key, changes)| {
        let frames = changes.iter().map(|change| (change.occurred_at, reference.frame(change)));
        (key.clone(), frames.collect::<Vec<_>>())
    });
    assert_same(ORDER_STATUS, &found.collect(), &expected.collect());
}

#[test]
fn internal_topics_have_kafka_streams_names_partitions_and_settings() {
    let id = &SCENE.app.id;
    let compact = [("cleanup.policy", "compact"), ("message.timestamp.type", "CreateTime")];
    let keep = [
        ("cleanup.policy", "delete"),
        ("message.timestamp.type", "CreateTime"),
        ("retention.ms", "-1"),
        ("segment.bytes", "52428800"),
    ];
    let topics: [(String, &[(&str, &str)]); 4] = [
        (format!("{id}-order-status-changelog"), &compact),
        (format!("{id}-order-contact-changelog"), &compact),
        (format!("{id}-customer-orders-changelog"), &compact),
        (format!("{id}-customer-orders-repartition"), &keep),
    ];
    let admin = SCENE.app.clients.admin().unwrap();
    for (topic, settings) in topics {
        assert_eq!(partitions_of(&SCENE.app.clients, &topic), Some(PARTITIONS), "{topic}");
        let config: BTreeMap<String, String> =
            admin.config(&topic).unwrap().expect("a configuration").into_iter().collect();
        for (key, value) in settings {
            assert_eq!(config.get(*key).map(String::as_str), Some(*value), "{topic} {key}");
        }
    }
    assert_eq!(partitions_of(&SCENE.app.clients, &format!("{id}.dlq")), Some(1));
}
