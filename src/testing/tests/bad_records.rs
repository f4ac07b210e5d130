//! Records that do not decode, and times that cannot be (kafka-streams 2.10, 2.12.1; KIP-1034).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::fixture::*;
use crate::dsl::{Consumed, Materialized, Produced, StreamsBuilder};
use crate::serde::{Deserializer, I64Serde, SerdeError, Serializer, StringSerde};
use crate::task::{DecodePolicy, DropReason};
use crate::testing::{DriverOptions, RawRecord, TopologyTestDriver};

/// Numbers to `out`.
fn numbers_of(consumed: Consumed<StringSerde, I64Serde>, options: DriverOptions) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64, _, _>("in", consumed).to("out", Produced::with(StringSerde, I64Serde));
    start_with(builder, options)
}

fn consumed() -> Consumed<StringSerde, I64Serde> {
    Consumed::with(StringSerde, I64Serde)
}

fn good(value: i64) -> RawRecord {
    RawRecord::new(b"k".to_vec(), value.to_be_bytes().to_vec(), 1)
}

/// Seven bytes are not a number.
fn bad() -> RawRecord {
    RawRecord::new(b"k".to_vec(), b"7 bytes".to_vec(), 2).with_header("h", b"1")
}

#[test]
fn fail_is_the_default_and_fails_the_task() {
    let driver = numbers_of(consumed(), DriverOptions::default());
    driver.pipe_raw("in", good(1)).unwrap();
    let fault = driver.pipe_raw("in", bad()).unwrap_err();
    assert_eq!(fault.to_string(), "the record's value does not decode: 64-bit integer: 7 bytes instead of 8");
    expect_numbers(&numbers(&driver, "out"), &[(Some("k"), Some(1), 1)]);
}

#[test]
fn skip_counts_the_record_and_goes_on() {
    let driver = numbers_of(consumed(), DriverOptions::default().decode_policy(DecodePolicy::Skip));
    for record in [good(1), bad(), good(2)] {
        driver.pipe_raw("in", record).unwrap();
    }
    assert_eq!(driver.dropped(DropReason::Skipped), 1);
    expect_numbers(&numbers(&driver, "out"), &[(Some("k"), Some(1), 1), (Some("k"), Some(2), 1)]);
    assert!(driver.records(&driver.dead_letter_topic()).is_empty());
}

#[test]
fn a_dead_letter_is_the_record_as_it_came_with_the_headers_of_kip_1034() {
    let options = DriverOptions::default().decode_policy(DecodePolicy::DeadLetter).partitions("in", 3);
    let driver = numbers_of(consumed(), options);
    driver.pipe_raw_to("in", 2, good(1)).unwrap();
    driver.pipe_raw_to("in", 2, bad()).unwrap();
    driver.pipe_raw_to("in", 2, good(2)).unwrap();
    assert_eq!(driver.dropped(DropReason::DeadLetter), 1);
    assert_eq!(driver.dead_letter_topic(), "app.dlq");
    let letters = driver.records("app.dlq");
    assert_eq!(letters.len(), 1);
    let letter = &letters[0].record;
    assert_eq!((letter.key.as_deref(), letter.value.as_deref()), (Some(&b"k"[..]), Some(&b"7 bytes"[..])));
    assert_eq!(letter.timestamp, 2);
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    let headers: Vec<_> = letter.headers.view().iter().map(|h| (h.key.to_owned(), text(h.value))).collect();
    let expected = [
        ("h", "1"),
        ("__streams.errors.exception", "malformed"),
        ("__streams.errors.message", "the record's value does not decode: 64-bit integer: 7 bytes instead of 8"),
        ("__streams.errors.topic", "in"),
        ("__streams.errors.partition", "2"),
        ("__streams.errors.offset", "1"),
    ];
    assert_eq!(headers, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let out = numbers(&driver, "out").read_records_to_list();
    assert_eq!(out.iter().map(|record| record.value).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert!(out[1].headers.view().is_empty(), "the headers of the dead letter do not stick");
}

#[test]
fn a_dead_letter_keeps_nulls_null() {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64, _, _>("in", consumed()).to("out", Produced::with(StringSerde, I64Serde));
    let driver = start_with(builder, DriverOptions::default().decode_policy(DecodePolicy::DeadLetter));
    let source = driver.create_input_topic::<String, i64, _, _>("in", StringSerde, I64Serde);
    source.pipe_tombstone("k", 1);
    source.pipe_null_key(5_i64, 2);
    let letters: Vec<_> =
        driver.records("app.dlq").into_iter().map(|written| (written.record.key, written.record.value)).collect();
    assert_eq!(letters, [(Some(b"k".to_vec()), None), (None, Some(5_i64.to_be_bytes().to_vec()))]);
}

#[test]
fn a_sources_own_policy_wins_over_the_applications() {
    let driver = numbers_of(consumed().on_decode_fault(DecodePolicy::Skip), DriverOptions::default());
    driver.pipe_raw("in", bad()).unwrap();
    assert_eq!(driver.dropped(DropReason::Skipped), 1);
}

#[test]
fn a_tables_source_has_a_policy_too() {
    let builder = StreamsBuilder::new();
    let consumed = consumed().on_decode_fault(DecodePolicy::Skip);
    builder.table::<String, i64, _, _>("in", consumed, Materialized::named("rows"));
    let driver = start(builder);
    driver.pipe_raw("in", bad()).unwrap();
    driver.pipe_raw("in", good(3)).unwrap();
    let rows = driver.get_key_value_store::<String, i64, _, _>("rows", StringSerde, I64Serde);
    assert_eq!(rows.get("k"), Some(3));
}

#[test]
fn a_negative_time_is_a_fault_like_any_other() {
    let negative = || RawRecord::new(b"k".to_vec(), 1_i64.to_be_bytes().to_vec(), -1);
    let fault = numbers_of(consumed(), DriverOptions::default()).pipe_raw("in", negative()).unwrap_err();
    assert_eq!(fault.to_string(), "the record's timestamp does not decode: the record time -1 is negative");
    let driver = numbers_of(consumed(), DriverOptions::default().decode_policy(DecodePolicy::DeadLetter));
    driver.pipe_raw("in", negative()).unwrap();
    let letter = driver.records("app.dlq").pop().unwrap().record;
    assert_eq!(letter.timestamp, 0, "a negative time cannot be produced");
    let reason = letter.headers.view().last("__streams.errors.exception").and_then(|h| h.value).map(<[u8]>::to_vec);
    assert_eq!(reason, Some(b"invalid_timestamp".to_vec()));
    assert!(texts(&driver, "out").is_empty());
}

#[test]
fn a_topic_read_by_two_streams_is_processed_by_both_or_by_none() {
    let builder = StreamsBuilder::new();
    stream(&builder, "in").to("first", produced());
    builder.stream::<String, i64, _, _>("in", consumed()).to("second", Produced::with(StringSerde, I64Serde));
    let driver = start_with(builder, DriverOptions::default().decode_policy(DecodePolicy::DeadLetter));
    driver.pipe_raw("in", bad()).unwrap();
    assert!(driver.records("first").is_empty() && driver.records("second").is_empty());
    assert_eq!(driver.records("app.dlq").len(), 1);
}

/// Text from a registry that may be away.
#[derive(Clone)]
struct Registered(Arc<AtomicBool>);

impl Serializer<String> for Registered {
    fn serialize(&self, topic: &str, value: &String, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        StringSerde.serialize(topic, value, out)
    }
}

impl Deserializer<String> for Registered {
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<String, SerdeError> {
        if self.0.load(Ordering::Relaxed) {
            StringSerde.deserialize(topic, bytes)
        } else {
            Err(SerdeError::Unavailable("away".to_owned()))
        }
    }
}

#[test]
fn a_record_whose_registry_is_away_waits_and_is_processed_once() {
    let here = Arc::new(AtomicBool::new(false));
    let builder = StreamsBuilder::new();
    stream(&builder, "in").to("first", produced());
    builder
        .stream::<String, String, _, _>("in", Consumed::with(StringSerde, Registered(Arc::clone(&here))))
        .to("second", produced());
    let driver = start_with(builder, DriverOptions::default().decode_policy(DecodePolicy::DeadLetter));
    input(&driver, "in").pipe_input("k", "x", 1);
    driver.advance_wall_clock(1_000);
    assert!(texts(&driver, "first").is_empty() && texts(&driver, "second").is_empty());
    here.store(true, Ordering::Relaxed);
    driver.advance_wall_clock(1_000);
    expect(&texts(&driver, "first"), &[(Some("k"), Some("x"), 1)]);
    expect(&texts(&driver, "second"), &[(Some("k"), Some("x"), 1)]);
    assert!(driver.records("app.dlq").is_empty());
}

#[test]
fn a_value_that_does_not_serialize_fails_the_task_and_names_the_topic() {
    let builder = StreamsBuilder::new();
    stream(&builder, "in").to("out", Produced::with(StringSerde, Refusing));
    let driver = start(builder);
    let fault = driver.pipe_raw("in", RawRecord::new(b"k".to_vec(), b"v".to_vec(), 1)).unwrap_err();
    assert_eq!(fault.to_string(), "cannot serialize a record for topic out: no");
    assert_eq!(driver.written_topics(), ["in"]);
}

/// Serializes nothing.
#[derive(Clone)]
struct Refusing;

impl Serializer<String> for Refusing {
    fn serialize(&self, _: &str, _: &String, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        out.extend_from_slice(b"half");
        Err(SerdeError::Malformed("no".to_owned()))
    }
}
