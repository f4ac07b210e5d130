//! Avro framing and data without a registry: writer schemas are known beforehand.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::{Deserializer, Serializer};
use super::value::{AvroSerde, Part};
use super::{RegistryOptions, SchemaRegistry, frame};

/// Ours, with every kind of type.
const OURS: &str = r#"{"type": "record", "name": "Order", "fields": [
  {"name": "id", "type": "string"},
  {"name": "amount", "type": "long"},
  {"name": "paid", "type": "boolean"},
  {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["PLACED", "DELIVERED"]}},
  {"name": "note", "type": ["null", "string"], "default": null},
  {"name": "rate", "type": "double", "default": 1.5},
  {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
    {"name": "sku", "type": "string"}, {"name": "quantity", "type": "int"}]}}},
  {"name": "tags", "type": {"type": "map", "values": "long"}},
  {"name": "next", "type": ["null", "Order"], "default": null}]}"#;

/// Another order of fields, a field more, a field less, narrower numbers, an item without bytes of its own.
const OLDER: &str = r#"{"type": "record", "name": "Order", "fields": [
  {"name": "amount", "type": "int"},
  {"name": "id", "type": "string"},
  {"name": "gone", "type": {"type": "array", "items": {"type": "record", "name": "Nothing", "fields": []}}},
  {"name": "paid", "type": "boolean"},
  {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["LOST", "DELIVERED", "PLACED"]}},
  {"name": "note", "type": "string"},
  {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
    {"name": "quantity", "type": "int"}, {"name": "sku", "type": "string"}]}}},
  {"name": "tags", "type": {"type": "map", "values": "int"}},
  {"name": "next", "type": ["null", "Order"]}]}"#;

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    id: String,
    amount: i64,
    paid: bool,
    state: State,
    note: Option<String>,
    rate: f64,
    items: Vec<Item>,
    tags: BTreeMap<String, i64>,
    next: Option<Box<Order>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Placed,
    Delivered,
}

#[derive(Debug, Serialize, Deserialize)]
struct Item {
    sku: String,
    quantity: i32,
}

fn serde() -> &'static AvroSerde<Order> {
    static SERDE: OnceLock<AvroSerde<Order>> = OnceLock::new();
    SERDE.get_or_init(|| {
        // Never asked: all ids are known.
        let url = "http://127.0.0.1:1".to_owned();
        let options = RegistryOptions { url, credentials: None, timeout: Duration::from_millis(1) };
        let registry = SchemaRegistry::new(&options).expect("an HTTP client");
        AvroSerde::new(registry, Part::Value, OURS)
            .expect("our schema is valid")
            .knowing("t", &[OURS, OLDER, "\"int\""])
    })
}

/// A frame, and the bytes as the datum of three writer schemas: ours, one that is resolved, one that is not.
pub fn avro(data: &[u8]) {
    if let Ok((id, datum)) = frame::split(data) {
        let mut bytes = Vec::new();
        frame::put_header(id, &mut bytes);
        bytes.extend_from_slice(datum);
        assert_eq!(bytes, data, "a frame has one form");
    }
    let serde = serde();
    for id in 0..3 {
        let mut bytes = Vec::new();
        frame::put_header(id, &mut bytes);
        bytes.extend_from_slice(data);
        let read = |bytes: &[u8]| serde.deserialize("t", Some(bytes));
        let write = |order: &Order| {
            let mut out = Vec::new();
            serde.serialize("t", order, &mut out).expect("what was read can be written");
            out
        };
        if let Ok(order) = read(&bytes) {
            assert_ne!(id, 2, "a schema that does not resolve");
            let written = write(&order);
            let again = read(&written).expect("what was written can be read");
            // By their bytes, because NaN is not equal to itself.
            assert_eq!(write(&again), written);
        }
    }
}

#[cfg(test)]
pub(crate) mod seeds {
    /// A datum of our schema and one of the older.
    pub(crate) fn avro() -> Vec<Vec<u8>> {
        let items = [2, 2, b'a', 0x80, 0x01, 0];
        let tags = [2, 2, b'k', 3, 0];
        let mut ours = vec![6, b'o', b'-', b'1', 0x81, 0x01, 1, 2, 2, 4, 0xc3, 0xa9, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f];
        ours.extend(items);
        ours.extend(tags);
        ours.push(0);
        let mut nested = ours.clone();
        nested.pop();
        nested.push(2);
        nested.extend(&ours);
        let mut older = vec![0x81, 0x01, 6, b'o', b'-', b'1', 8, 0, 1, 4, 4, 0xc3, 0xa9];
        older.extend([2, 0x80, 0x01, 2, b'a', 0]);
        older.extend(tags);
        older.push(0);
        vec![ours, nested, older]
    }

    #[test]
    fn each_is_read_by_its_schema_and_by_no_other() {
        let read = |id: u32, datum: &[u8]| {
            let mut bytes = Vec::new();
            super::frame::put_header(id, &mut bytes);
            bytes.extend_from_slice(datum);
            super::Deserializer::deserialize(super::serde(), "t", Some(&bytes)).is_ok()
        };
        let readers: Vec<[bool; 3]> = avro().iter().map(|datum| [0, 1, 2].map(|id| read(id, datum))).collect();
        assert_eq!(readers, [[true, false, false], [true, false, false], [false, true, false]]);
    }
}
