//! Poison records of the two source topics: what does not decode, kind by kind, made from valid records.

use std::collections::BTreeMap;

use orders::demo::generator::Event;
use orders::model::Input;
use orders::serdes::Serdes;
use orders::topics::{ORDER_EVENTS, PARTITIONS, PAYMENT_ORDER};
use thalweg::serde::Serializer;
use thalweg::types::{Headers, Timestamp, partition_of};

use crate::records::Record;

/// A bad record, where it goes, and the word for what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poison {
    /// What is wrong, for messages.
    pub kind: String,
    /// Source topic.
    pub topic: &'static str,
    /// Partition of the key.
    pub partition: i32,
    /// The record.
    pub record: Record,
    /// Word in headers and metrics.
    pub reason: &'static str,
}

/// A valid record of each source topic; the keys are those of real orders, and what comes of those must not change.
#[derive(Debug, Clone)]
pub struct Valid {
    /// Key of an order.
    pub key: Vec<u8>,
    /// Time of the records, ms.
    pub timestamp: Timestamp,
    /// Value in `order.events`.
    pub order: Vec<u8>,
    /// Value in `payment.order`.
    pub payment: Vec<u8>,
}

/// Bytes before the datum.
const FRAME: usize = 5;
/// A little less than a broker takes in one batch.
const LARGE: usize = 900 * 1024;
const DAY_MS: i64 = 86_400_000;

impl Valid {
    /// The first order event and the first payment event of `events`.
    pub fn first(events: &[Event], serdes: &Serdes) -> Self {
        let mut valid = Self { key: Vec::new(), timestamp: 0, order: Vec::new(), payment: Vec::new() };
        for event in events {
            match &event.input {
                Input::Order(_) if valid.order.is_empty() => {
                    (valid.key, valid.timestamp) = (event.key.clone().into_bytes(), event.timestamp);
                    valid.order = encode(event, serdes);
                }
                Input::Payment(_) if valid.payment.is_empty() => valid.payment = encode(event, serdes),
                Input::Order(_) | Input::Payment(_) => {}
            }
        }
        valid
    }

    /// All kinds; `now` is the wall clock, ms.
    pub fn poison(&self, now: Timestamp) -> Vec<Poison> {
        [self.foreign_bytes(), self.frames(), self.cut_and_too_long(), self.wrong_content(), self.parts(now)].concat()
    }

    fn kind(&self, kind: &str, topic: &'static str, value: impl Into<Vec<u8>>, reason: &'static str) -> Poison {
        let record = Record { timestamp: self.timestamp, ..record(Some(self.key.clone()), Some(value.into())) };
        Poison { kind: kind.to_owned(), topic, partition: partition_of(&self.key, PARTITIONS), record, reason }
    }

    fn malformed(&self, kind: &str, value: impl Into<Vec<u8>>) -> Poison {
        self.kind(kind, ORDER_EVENTS, value, "malformed")
    }

    /// What never was Avro.
    fn foreign_bytes(&self) -> Vec<Poison> {
        vec![
            self.malformed("text", *b"this is not Avro"),
            self.kind("JSON", PAYMENT_ORDER, *b"{\"kind\":\"APPROVAL_REQUESTED\"}", "malformed"),
            self.malformed("an empty value", []),
            self.malformed("one byte", [0]),
            self.malformed("gzip", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
            self.malformed("900 KB of text", vec![b'x'; LARGE]),
            self.malformed("Avro's container file", *b"Obj\x01\x04\x16avro.schema"),
        ]
    }

    /// Frames of other kinds, and ids that nobody has.
    fn frames(&self) -> Vec<Poison> {
        let datum = &self.order[FRAME..];
        let with_id = |id: u32| [&[0], &id.to_be_bytes()[..], datum].concat();
        let unknown = |kind: &str, value: Vec<u8>| self.kind(kind, ORDER_EVENTS, value, "unknown_schema");
        let mut magic = self.order.clone();
        magic[0] = 1;
        vec![
            self.malformed("magic byte 1", magic),
            self.malformed("magic byte 255", [&[0xff], &self.order[1..]].concat()),
            self.malformed("a frame without a datum", &self.order[..FRAME]),
            unknown("an unknown id", with_id(0x7fff_fffe)),
            unknown("no frame, before bytes that begin as one", datum.to_vec()),
            unknown("id 0, as in a frame with an id of 8 bytes", [&[0; 5], &self.order[1..]].concat()),
            unknown("an id that is no Java int", with_id(0xffff_fffe)),
            self.kind("an unknown id without a datum", PAYMENT_ORDER, [0, 0x7f, 0xff, 0xff, 0xfd], "unknown_schema"),
        ]
    }

    fn cut_and_too_long(&self) -> Vec<Poison> {
        let cut = |length| self.malformed(&format!("cut to {length} bytes"), &self.order[..length]);
        let longer = |kind: &str, more: &[u8]| self.malformed(kind, [&self.order, more].concat());
        let mut all: Vec<Poison> = (2..self.order.len()).map(cut).collect();
        all.push(longer("a byte too many", &[0]));
        all.push(longer("the same datum again", &self.order[FRAME..]));
        all.push(longer("900 KB too many", &vec![0; LARGE]));
        all
    }

    /// Frames with a known id around something else.
    fn wrong_content(&self) -> Vec<Poison> {
        let (header, datum) = self.order.split_at(FRAME);
        let order = |kind: &str, datum: &[u8]| self.malformed(kind, [header, datum].concat());
        let mut not_text = datum.to_vec();
        not_text[2] = 0xff;
        let longest = [&[0][..], &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], &datum[1..]].concat();
        vec![
            self.malformed("a payment among the orders", self.payment.clone()),
            self.kind("an order among the payments", PAYMENT_ORDER, self.order.clone(), "malformed"),
            order("a payment under the id of orders", &self.payment[FRAME..]),
            order("an enum symbol that does not exist", &[&[0x7e], &datum[1..]].concat()),
            order("a negative length", &[&[0, 1], &datum[2..]].concat()),
            order("a length of 2^63", &longest),
            order("a number without an end", &[0xff; 20]),
            order("text that is not UTF-8", &not_text),
            order("900 KB of zeros", &vec![0; LARGE]),
        ]
    }

    /// Keys, nulls and times.
    fn parts(&self, now: Timestamp) -> Vec<Poison> {
        let with = |kind: &str, record: Record, reason| {
            let partition = record.key.as_deref().map_or(0, |key| partition_of(key, PARTITIONS));
            Poison { kind: kind.to_owned(), topic: ORDER_EVENTS, partition, record, reason }
        };
        let (key, order) = (|| Some(self.key.clone()), || Some(self.order.clone()));
        let at = |timestamp, record: Record| Record { timestamp, ..record };
        let valid_at = |timestamp| at(timestamp, record(key(), order()));
        let usual = |key, value| at(self.timestamp, record(key, value));
        vec![
            with("a key that is no text", usual(Some(vec![0xff, 0xfe, 0]), order()), "malformed"),
            with("a null value", usual(key(), None), "null"),
            with("a null key", usual(None, order()), "null"),
            with("null and null", usual(None, None), "null"),
            with("time -1", valid_at(-1), "invalid_timestamp"),
            with("a time in two days", valid_at(now + 2 * DAY_MS), "invalid_timestamp"),
            with("a time in microseconds", valid_at(now * 1_000), "invalid_timestamp"),
        ]
    }
}

/// The value of an event's record.
pub fn encode(event: &Event, serdes: &Serdes) -> Vec<u8> {
    let mut value = Vec::new();
    let encoded = match &event.input {
        Input::Order(order) => serdes.order_event.serialize(ORDER_EVENTS, order, &mut value),
        Input::Payment(payment) => serdes.payment_event.serialize(PAYMENT_ORDER, payment, &mut value),
    };
    assert_eq!(encoded, Ok(true), "an event of {}", event.key);
    value
}

/// Headers of a dead letter: the record's own, and what was added under the names of KIP-1034.
pub fn split(headers: &Headers) -> (Headers, BTreeMap<String, String>) {
    const PREFIX: &str = "__streams.errors.";
    let (added, own): (Vec<_>, Vec<_>) = headers.view().iter().partition(|header| header.key.starts_with(PREFIX));
    let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.expect("a value")).into_owned();
    let added = added.into_iter().map(|header| (header.key[PREFIX.len()..].to_owned(), text(header.value)));
    (own.into_iter().collect(), added.collect())
}

fn record(key: Option<Vec<u8>>, value: Option<Vec<u8>>) -> Record {
    let mut headers = Headers::new();
    headers.push("source", Some(b"pos-7"));
    headers.push("empty", None);
    headers.push("source", Some(b"gateway"));
    Record { timestamp: 0, key, value, headers }
}
