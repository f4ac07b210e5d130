//! Records that do not decode: set aside as they came, with where and why, while the rest goes on.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use orders::demo::generator::Event;
use orders::serdes::Serdes;
use orders::topics::{ORDER_EVENTS, PARTITIONS, PAYMENT_ORDER};
use thalweg_tests::poison::{Poison, Valid, split};
use thalweg_tests::records::{self, Stored};
use thalweg_tests::views;

use crate::SCENE;

/// All kinds, with the key of a real order: what comes of that must not change.
pub fn all(events: &[Event], serdes: &Serdes) -> Vec<Poison> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Valid::first(events, serdes).poison(i64::try_from(now.as_millis()).unwrap())
}

#[test]
fn a_bad_record_goes_to_the_dead_letter_topic_as_it_came_and_says_where_from_and_why() {
    let letters = records::read_all(&SCENE.app.clients, &format!("{}.dlq", SCENE.app.id), 1);
    assert_eq!(letters.len(), SCENE.poison.len());
    let read = |topic: &'static str| (topic, records::read_all(&SCENE.app.clients, topic, PARTITIONS));
    let sources = BTreeMap::from([read(ORDER_EVENTS), read(PAYMENT_ORDER)]);
    let by_place: BTreeMap<_, _> = letters
        .iter()
        .map(|Stored { record, .. }| {
            let (own, mut added) = split(&record.headers);
            let mut place = |name: &str| added.remove(name).unwrap();
            ((place("topic"), place("partition"), place("offset")), (record, own, added))
        })
        .collect();
    for poison in &SCENE.poison {
        let kind = &poison.kind;
        let is_it = |stored: &&Stored| stored.partition == poison.partition && stored.record == poison.record;
        let origin = sources[poison.topic].iter().find(is_it).unwrap_or_else(|| panic!("{kind} at its source"));
        let place = (poison.topic.to_owned(), poison.partition.to_string(), origin.offset.to_string());
        let (letter, own, added) = by_place.get(&place).unwrap_or_else(|| panic!("the letter of {kind}"));
        assert!(letter.key == poison.record.key && letter.value == poison.record.value, "{kind}");
        assert_eq!(*own, poison.record.headers, "{kind}");
        if poison.reason != "invalid_timestamp" {
            assert_eq!(letter.timestamp, poison.record.timestamp, "{kind}");
        }
        assert_eq!(added.keys().collect::<Vec<_>>(), ["exception", "message"], "{kind}");
        assert_eq!(added["exception"], poison.reason, "{kind}: {}", added["message"]);
        assert!(added["message"].contains("does not decode"), "{kind}: {}", added["message"]);
    }
}

#[test]
fn bad_records_are_counted() {
    let url = SCENE.instance.url();
    for topic in [ORDER_EVENTS, PAYMENT_ORDER] {
        for reason in ["malformed", "unknown_schema", "null", "invalid_timestamp"] {
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
