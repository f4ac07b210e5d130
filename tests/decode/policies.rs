//! The whole application in a driver: what becomes of each kind of poison record under each policy.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use orders::demo::generator::Event;
use orders::model::OrderStatus;
use orders::oracle;
use orders::serdes::Serdes;
use orders::topics::{
    NOTIFICATION_SMS, ORDER_ANOMALIES, ORDER_EVENTS, ORDER_STATUS, ORDER_STATUS_VIEW, PARTITIONS, PAYMENT_ORDER,
};
use thalweg::dsl::StreamsBuilder;
use thalweg::task::{DecodePolicy, DropReason};
use thalweg::testing::{DriverOptions, RawRecord, TopologyTestDriver};
use thalweg::types::{Timestamp, partition_of};
use thalweg_tests::orders::{START, expected, lives};
use thalweg_tests::poison::{Poison, Valid, encode, split};
use thalweg_tests::records::Record;
use thalweg_tests::{FakeRegistry, orders::assert_same};

const SEED: u64 = 3;
const ORDERS: u64 = 60;
/// Later than every event.
const NOW: Timestamp = START + 10 * 86_400_000;
const HOUR_MS: i64 = 3_600_000;

struct World {
    serdes: Serdes,
    events: Vec<Event>,
    poison: Vec<Poison>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let serdes = crate::serdes(&FakeRegistry::start());
    let events = lives(SEED, "o", ORDERS);
    assert!(events.iter().all(|event| event.timestamp < NOW));
    let poison = Valid::first(&events, &serdes).poison(NOW);
    World { serdes, events, poison }
});

fn driver(policy: DecodePolicy, partitions: i32) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    orders::topology::describe(&builder, &WORLD.serdes);
    let topics = [ORDER_EVENTS, PAYMENT_ORDER, ORDER_STATUS, ORDER_ANOMALIES, NOTIFICATION_SMS];
    let options = DriverOptions::default().decode_policy(policy).wall_clock(NOW).timestamp_ahead_max_ms(HOUR_MS);
    let options = topics.iter().fold(options, |options, topic| options.partitions(*topic, partitions));
    TopologyTestDriver::new(builder.build("app").unwrap(), options).unwrap()
}

fn raw(record: &Record) -> RawRecord {
    let Record { timestamp, key, value, headers } = record.clone();
    RawRecord { key, value, timestamp, headers }
}

fn valid(event: &Event) -> RawRecord {
    RawRecord::new(event.key.clone().into_bytes(), encode(event, &WORLD.serdes), event.timestamp)
}

/// Pipes all events with the poison among them; returns topic, partition and offset of each poison record.
fn pipe_all(driver: &TopologyTestDriver) -> Vec<(String, String, String)> {
    let mut ends: BTreeMap<(&str, i32), i64> = BTreeMap::new();
    let mut next = |topic, partition| {
        let end = ends.entry((topic, partition)).or_default();
        *end += 1;
        *end - 1
    };
    let mut poison = WORLD.poison.iter();
    let mut places = Vec::new();
    for event in &WORLD.events {
        next(event.topic(), partition_of(event.key.as_bytes(), PARTITIONS));
        driver.pipe_raw(event.topic(), valid(event)).unwrap();
        for Poison { topic, partition, record, .. } in poison.by_ref().take(1) {
            let offset = next(topic, *partition);
            places.push(((*topic).to_owned(), partition.to_string(), offset.to_string()));
            driver.pipe_raw_to(topic, *partition, raw(record)).unwrap();
        }
    }
    assert_eq!(places.len(), WORLD.poison.len(), "more poison than events");
    places
}

fn check_view(driver: &TopologyTestDriver) {
    let rows = driver.get_key_value_store(ORDER_STATUS_VIEW, WORLD.serdes.id, WORLD.serdes.order_status.clone()).all();
    let settle = |(id, status): (String, OrderStatus)| (id, oracle::settled(status));
    let found: BTreeMap<_, _> = rows.into_iter().map(|row| settle((row.key, row.value))).collect();
    let expected: BTreeMap<_, _> = expected(&WORLD.events).statuses.into_iter().map(settle).collect();
    assert_same(ORDER_STATUS_VIEW, &found, &expected);
}

fn count(poison: &[Poison], reason: &str) -> usize {
    poison.iter().filter(|poison| poison.reason == reason).count()
}

#[test]
fn there_are_at_least_thirty_kinds_of_every_reason() {
    let cuts = WORLD.poison.iter().filter(|poison| poison.kind.starts_with("cut to")).count();
    assert!(WORLD.poison.len() - cuts >= 30, "{} kinds beside {cuts} cuts", WORLD.poison.len() - cuts);
    for (reason, least) in [("malformed", 20), ("unknown_schema", 4), ("null", 3), ("invalid_timestamp", 3)] {
        assert!(count(&WORLD.poison, reason) >= least, "{reason}");
    }
}

#[test]
fn under_dead_letter_each_is_kept_as_it_came_and_the_rest_is_processed() {
    let driver = driver(DecodePolicy::DeadLetter, PARTITIONS);
    let places = pipe_all(&driver);
    let letters = driver.records("app.dlq");
    assert_eq!(letters.len(), WORLD.poison.len());
    for ((poison, place), letter) in WORLD.poison.iter().zip(places).zip(letters) {
        let (kind, letter) = (&poison.kind, letter.record);
        assert!(letter.key == poison.record.key && letter.value == poison.record.value, "{kind}: key or value");
        let time = if poison.reason == "invalid_timestamp" { NOW } else { poison.record.timestamp };
        assert_eq!(letter.timestamp, time, "{kind}");
        let (own, mut added) = split(&letter.headers);
        assert_eq!(own, poison.record.headers, "{kind}");
        let message = added.remove("message").unwrap();
        assert!(message.starts_with("the record's ") && message.contains(" does not decode: "), "{kind}: {message}");
        let (topic, partition, offset) = place;
        let names = ["exception", "topic", "partition", "offset"].map(str::to_owned);
        let expected = names.into_iter().zip([poison.reason.to_owned(), topic, partition, offset]);
        assert_eq!(added, expected.collect(), "{kind}");
    }
    assert_eq!(driver.dropped(DropReason::DeadLetter), WORLD.poison.len() as u64);
    check_view(&driver);
}

#[test]
fn under_skip_each_is_counted_and_the_rest_is_processed() {
    let driver = driver(DecodePolicy::Skip, PARTITIONS);
    pipe_all(&driver);
    assert_eq!(driver.dropped(DropReason::Skipped), WORLD.poison.len() as u64);
    assert_eq!(driver.dropped(DropReason::DeadLetter), 0);
    assert!(driver.records("app.dlq").is_empty());
    check_view(&driver);
}

#[test]
fn under_fail_each_fails_its_task_and_nothing_of_it_is_written() {
    for poison in &WORLD.poison {
        let driver = driver(DecodePolicy::Fail, 1);
        driver.pipe_raw(WORLD.events[0].topic(), valid(&WORLD.events[0])).unwrap();
        let before: Vec<usize> = written(&driver);
        let fault = driver.pipe_raw(poison.topic, raw(&poison.record)).unwrap_err();
        assert_eq!((fault.reason(), fault.is_retriable()), (poison.reason, false), "{}: {fault}", poison.kind);
        assert_eq!(written(&driver), before, "{}", poison.kind);
    }
}

/// Records of every topic but the sources.
fn written(driver: &TopologyTestDriver) -> Vec<usize> {
    let derived = driver.written_topics().into_iter().filter(|topic| topic != ORDER_EVENTS && topic != PAYMENT_ORDER);
    derived.map(|topic| driver.records(&topic).len()).collect()
}
