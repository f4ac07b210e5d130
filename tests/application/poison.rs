//! Records that do not decode: set aside as they came, with where and why, while the rest goes on.

use std::collections::BTreeMap;

use orders::demo::generator::Event;
use orders::topics::{ORDER_EVENTS, PARTITIONS, PAYMENT_ORDER};
use thalweg::types::{Headers, partition_of};
use thalweg_tests::records::{self, Record};
use thalweg_tests::views;

use crate::SCENE;

/// A bad record, where it goes, and the word for what is wrong with it.
pub struct Poison {
    /// Source topic.
    pub topic: &'static str,
    /// Partition of the key.
    pub partition: i32,
    /// The record.
    pub record: Record,
    /// Word in the header.
    pub reason: &'static str,
}

/// One of each kind, with the keys of real orders: what comes of those must not change.
pub fn all(events: &[Event]) -> Vec<Poison> {
    let poison = |topic, number: usize, value: &[u8], reason| {
        let key = events[number].key.as_bytes().to_vec();
        bad(topic, key, value, events[number].timestamp, reason)
    };
    vec![
        poison(ORDER_EVENTS, 10, b"this is not Avro", "malformed"),
        poison(ORDER_EVENTS, 20, b"", "malformed"),
        poison(PAYMENT_ORDER, 30, b"{\"kind\":\"APPROVAL_REQUESTED\"}", "malformed"),
        // Confluent's framing with an id that nobody registered.
        poison(PAYMENT_ORDER, 40, &[0, 0x7f, 0xff, 0xff, 0xfe, 2, 2], "unknown_schema"),
        // A key that is no text.
        bad(ORDER_EVENTS, vec![0xff, 0xfe, 0x00], b"\0\0\0\0\x01", events[50].timestamp, "malformed"),
    ]
}

fn bad(topic: &'static str, key: Vec<u8>, value: &[u8], timestamp: i64, reason: &'static str) -> Poison {
    let mut headers = Headers::new();
    headers.push("source", Some(b"pos-7"));
    headers.push("empty", None);
    headers.push("source", Some(b"gateway"));
    let partition = partition_of(&key, PARTITIONS);
    let record = Record { timestamp, key: Some(key), value: Some(value.to_vec()), headers };
    Poison { topic, partition, record, reason }
}

/// Headers of a dead letter: the record's own, and what was added under the names of KIP-1034.
fn split(headers: &Headers) -> (Headers, BTreeMap<String, String>) {
    let (added, own): (Vec<_>, Vec<_>) = headers.view().iter().partition(|header| header.key.starts_with("__streams."));
    let text = |value: Option<&[u8]>| String::from_utf8(value.expect("a value").to_vec()).unwrap();
    (own.into_iter().collect(), added.into_iter().map(|header| (header.key.to_owned(), text(header.value))).collect())
}

#[test]
fn a_bad_record_goes_to_the_dead_letter_topic_as_it_came_and_says_where_from_and_why() {
    let letters = records::read_all(&SCENE.app.clients, &format!("{}.dlq", SCENE.app.id), 1);
    assert_eq!(letters.len(), SCENE.poison.len());
    for poison in &SCENE.poison {
        let is_it = |record: &&Record| record.value == poison.record.value && record.key == poison.record.key;
        let letter = letters.iter().map(|letter| &letter.record).find(is_it).expect("the letter of the record");
        assert_eq!(letter.timestamp, poison.record.timestamp);
        let (own, added) = split(&letter.headers);
        assert_eq!(own, poison.record.headers);
        assert_eq!(added.len(), 5, "{added:?}");
        let added = |name: &str| added[&format!("__streams.errors.{name}")].as_str();
        assert_eq!(added("exception"), poison.reason);
        assert_eq!(added("topic"), poison.topic);
        assert_eq!(added("partition"), poison.partition.to_string());
        let source = records::read_all(&SCENE.app.clients, poison.topic, PARTITIONS);
        let origin = source.iter().find(|stored| stored.record == poison.record).expect("the record at its source");
        assert_eq!(added("offset"), origin.offset.to_string());
        let message = added("message");
        assert!(message.contains("does not decode") && !message.contains("not Avro"), "{message}");
    }
}

#[test]
fn bad_records_are_counted() {
    let url = SCENE.instance.url();
    for topic in [ORDER_EVENTS, PAYMENT_ORDER] {
        for reason in ["malformed", "unknown_schema"] {
            let expected =
                SCENE.poison.iter().filter(|poison| (poison.topic, poison.reason) == (topic, reason)).count();
            let labels = [format!("topic=\"{topic}\""), format!("reason=\"{reason}\"")];
            let counted = views::metric(url, "thalweg_dead_letters_total", &[&labels[0], &labels[1]]);
            assert_eq!(counted, expected as f64, "{labels:?}");
        }
    }
    let dropped = views::metric(url, "thalweg_dropped_records_total", &["reason=\"dead_letter\""]);
    assert_eq!(dropped, SCENE.poison.len() as f64);
}
