//! The Kafka port against a real broker: the conformance checks of the library, and the records of the tests.
#![allow(clippy::unwrap_used)]

/// The checks that the embedded broker passes too.
#[path = "../src/wire/conformance.rs"]
mod conformance;

use thalweg::types::Headers;
use thalweg::{types, wire};
use thalweg_tests::records::{self, Record, Stored};
use thalweg_tests::{Kafka, unique};

const RECORDS: i64 = 300;
const PARTITIONS: i32 = 3;

#[test]
fn every_check_of_the_port_holds_on_a_real_broker() {
    let clients = Kafka::shared().clients();
    for (name, check) in conformance::CHECKS {
        println!("{name}");
        check(&clients, &unique(name));
    }
}

/// Record `number`: with and without key, value and headers, in turns.
fn record(number: i64) -> Record {
    let mut headers = Headers::new();
    if number % 3 == 0 {
        headers.push("number", Some(number.to_string().as_bytes()));
        headers.push("null", None);
    }
    Record {
        timestamp: 1_700_000_000_000 - number,
        key: (number % 5 != 0).then(|| number.to_be_bytes().to_vec()),
        value: (number % 7 != 0).then(|| vec![number as u8; number as usize * 11]),
        headers,
    }
}

#[test]
fn records_come_back_from_three_partitions_as_they_were_written() {
    let clients = Kafka::shared().clients();
    let topic = unique("round-trip");
    records::create_topic(&clients, &topic, PARTITIONS, &[]);
    let written: Vec<(i32, Record)> = (0..RECORDS).map(|number| (number as i32 % PARTITIONS, record(number))).collect();
    records::write(&clients, &topic, written.iter().map(|(partition, record)| (*partition, record)));
    let mut expected: Vec<Stored> = Vec::new();
    for partition in 0..PARTITIONS {
        let records = written.iter().filter(|(at, _)| *at == partition);
        expected.extend((0..).zip(records).map(|(offset, (_, record))| Stored {
            partition,
            offset,
            record: record.clone(),
        }));
    }
    assert_eq!(records::read_all(&clients, &topic, PARTITIONS), expected);
    assert_eq!(records::ends(&clients, &topic, PARTITIONS), [RECORDS / 3; 3]);
}
