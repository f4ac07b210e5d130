//! Released schemas stay readable, and records carry what they may.
//!
//! The golden encodings were written by an Avro encoder that shares no code with ours.
#![allow(clippy::unwrap_used)]

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::*;
use crate::model;

const ALL: [(&str, &str); 9] = [
    ("order.events", ORDER_EVENT),
    ("payment.order", PAYMENT_EVENT),
    ("order.status", STATUS_CHANGE),
    ("notification.sms", SMS_REQUEST),
    ("order.anomalies", ANOMALY),
    ("order-status", ORDER_STATUS),
    ("customer-orders", CUSTOMER_ORDERS),
    ("order-summary", ORDER_SUMMARY),
    ("order-contact", ORDER_CONTACT),
];

fn golden(name: &str, version: usize, suffix: &str) -> Option<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../schemas/golden");
    fs::read_to_string(folder.join(format!("{name}.v{version}.{suffix}"))).ok()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// Every released version decodes to the value that its JSON states; the newest one is today's schema and encoding.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, current: &str) {
    let reader = Schema::parse_str(current).unwrap();
    let mut newest = None;
    for version in 1.. {
        let Some(schema) = golden(name, version, "avsc") else { break };
        let bytes = from_hex(&golden(name, version, "hex").unwrap());
        let json: Value = serde_json::from_str(&golden(name, version, "json").unwrap()).unwrap();

        let writer: serde_avro_fast::Schema = schema.parse().unwrap();
        let value: T = serde_avro_fast::from_datum_slice(&bytes, &writer).unwrap();
        assert_eq!(serde_json::to_value(&value).unwrap(), json, "{name} v{version}");

        let other = Schema::parse_str(&schema).unwrap();
        let other = GenericDatumReader::builder(&other).reader_schema(&reader).build().unwrap();
        let other = other.read_value(&mut bytes.as_slice()).unwrap();
        assert_eq!(Value::try_from(other).unwrap(), json, "{name} v{version} by its reader schema");
        newest = Some((schema, bytes, value));
    }
    let (schema, bytes, value) = newest.unwrap();
    assert_eq!(schema, current, "{name}: a changed schema is a new version with its own golden encoding");
    let schema: serde_avro_fast::Schema = schema.parse().unwrap();
    let mut config = serde_avro_fast::ser::SerializerConfig::new(&schema);
    assert_eq!(serde_avro_fast::to_datum_vec(&value, &mut config).unwrap(), bytes, "{name}");
}

#[test]
fn released_versions_decode_and_the_newest_encodes_the_same() {
    check::<model::OrderEvent>("order.events", ORDER_EVENT);
    check::<model::PaymentEvent>("payment.order", PAYMENT_EVENT);
    check::<model::StatusChange>("order.status", STATUS_CHANGE);
    check::<model::SmsRequest>("notification.sms", SMS_REQUEST);
    check::<model::Anomaly>("order.anomalies", ANOMALY);
    check::<model::OrderStatus>("order-status", ORDER_STATUS);
    check::<model::CustomerOrders>("customer-orders", CUSTOMER_ORDERS);
    check::<model::OrderSummary>("order-summary", ORDER_SUMMARY);
    check::<model::OrderContact>("order-contact", ORDER_CONTACT);
}

/// Every definition of a named type in a schema.
fn definitions<'a>(schema: &'a Value, found: &mut Vec<&'a Value>) {
    if schema["name"].is_string() && (schema["symbols"].is_array() || schema["fields"].is_array()) {
        found.push(schema);
    }
    match schema {
        Value::Array(members) => members.iter().for_each(|member| definitions(member, found)),
        Value::Object(members) => members.values().for_each(|member| definitions(member, found)),
        _ => {}
    }
}

#[test]
fn a_name_means_the_same_type_in_every_schema() {
    let schemas: Vec<Value> = ALL.iter().map(|(_, schema)| serde_json::from_str(schema).unwrap()).collect();
    let mut all = Vec::new();
    schemas.iter().for_each(|schema| definitions(schema, &mut all));
    for a in &all {
        for b in all.iter().filter(|b| b["name"] == a["name"]) {
            assert_eq!(symbols(a), symbols(b));
            assert_eq!(field_names(a), field_names(b));
        }
    }
}

fn symbols(definition: &Value) -> &Value {
    &definition["symbols"]
}

fn field_names(definition: &Value) -> Vec<&Value> {
    definition["fields"].as_array().into_iter().flatten().map(|field| &field["name"]).collect()
}

#[test]
fn the_symbols_of_the_schemas_are_those_of_the_states() {
    let schema: Value = serde_json::from_str(STATUS_CHANGE).unwrap();
    let mut all = Vec::new();
    definitions(&schema, &mut all);
    let symbols_of = |name: &str| all.iter().find(|it| it["name"] == name).map(|it| it["symbols"].clone()).unwrap();
    assert_eq!(symbols_of("OrderState"), serde_json::json!(model::OrderState::ALL.map(model::OrderState::symbol)));
    assert_eq!(symbols_of("OrderState"), serde_json::json!(model::OrderState::ALL));
    assert_eq!(
        symbols_of("PaymentState"),
        serde_json::json!(model::PaymentState::ALL.map(model::PaymentState::symbol))
    );
    assert_eq!(symbols_of("PaymentState"), serde_json::json!(model::PaymentState::ALL));
}

#[test]
fn the_phone_number_is_in_these_records_only() {
    let with_phone: Vec<&str> =
        ALL.iter().filter(|(_, schema)| schema.contains("\"phone\"")).map(|(name, _)| *name).collect();
    assert_eq!(with_phone, ["order.events", "notification.sms", "order-contact"]);
}
