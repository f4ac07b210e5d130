//! What every implementation of the port must do, told through the port alone.
//!
//! Each check makes its own topic, so that they may run side by side on one cluster.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::types::{ArenaRecord, Headers, HeadersView, Offset, RecordArena, SourceBatch, Timestamp, TopicPartition};
use crate::wire::{Acknowledged, Consumer, ErrorKind, Kafka, NewTopic, PartitionEvent, Producer};

const PATIENCE: Duration = Duration::from_secs(30);

/// A check on any cluster, in a topic of the given name.
pub type Check = fn(&dyn Kafka, &str);

/// All checks by name.
pub const CHECKS: &[(&str, Check)] = &[
    ("records_come_back_as_written", records_come_back_as_written),
    ("the_time_0_is_written_as_1_ms", the_time_0_is_written_as_1_ms),
    ("partitions_are_read_apart", partitions_are_read_apart),
    ("a_read_takes_no_more_than_asked", a_read_takes_no_more_than_asked),
    ("an_assignment_starts_exactly_where_asked", an_assignment_starts_exactly_where_asked),
    ("a_lost_offset_is_told_and_another_can_be_assigned", a_lost_offset_is_told_and_another_can_be_assigned),
    ("the_end_is_told_again_after_it_moved", the_end_is_told_again_after_it_moved),
    ("a_fetch_tells_the_end_also_of_what_is_not_read_yet", a_fetch_tells_the_end_also_of_what_is_not_read_yet),
    ("a_wait_ends_when_something_arrives", a_wait_ends_when_something_arrives),
    ("a_flush_tells_the_acknowledged_offsets", a_flush_tells_the_acknowledged_offsets),
    ("a_producer_that_failed_takes_nothing_more", a_producer_that_failed_takes_nothing_more),
    ("topics_are_created_once_and_described", topics_are_created_once_and_described),
];

/// A record without borrows, to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    offset: Offset,
    timestamp: Timestamp,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Headers,
}

fn create(kafka: &dyn Kafka, topic: &str, partitions: i32) {
    let topic = NewTopic { name: topic.to_owned(), partitions, replication_factor: -1, config: Vec::new() };
    // Event times of the tests are old; retention would delete them on a real broker.
    let topic = NewTopic { config: vec![("retention.ms".to_owned(), "-1".to_owned())], ..topic };
    kafka.admin().unwrap().create(&[topic]).unwrap();
}

fn push(arena: &mut RecordArena, timestamp: Timestamp, key: Option<&[u8]>, value: Option<&[u8]>) {
    arena.push(ArenaRecord { timestamp, key, value, headers: HeadersView::default() });
}

/// Records whose keys are the numbers of `range`.
fn numbered(range: std::ops::Range<u32>) -> RecordArena {
    let mut arena = RecordArena::new();
    for number in range {
        push(&mut arena, 1000 + i64::from(number), Some(&number.to_be_bytes()), Some(&[7; 100]));
    }
    arena
}

fn write(producer: &mut dyn Producer, to: &TopicPartition, arena: &RecordArena) -> Vec<Acknowledged> {
    producer.send(to, arena, PATIENCE).unwrap();
    producer.flush(PATIENCE).unwrap()
}

/// Reads `partition` until an event, waiting for arrivals.
fn read_to_event(consumer: &mut dyn Consumer, partition: &TopicPartition) -> (Vec<Record>, PartitionEvent) {
    let deadline = Instant::now() + PATIENCE;
    let mut records = Vec::new();
    let mut batch = SourceBatch::new();
    while Instant::now() < deadline {
        batch.clear();
        let event = consumer.read(partition, 10_000, &mut batch).unwrap();
        records.extend(batch.iter().map(|record| Record {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.iter().collect(),
        }));
        assert!(batch.iter().all(|record| record.leader_epoch.is_some()), "leader epochs are known");
        if let Some(event) = event {
            return (records, event);
        }
        consumer.wait(Duration::from_millis(50));
    }
    panic!("no event of {partition} in {PATIENCE:?}, {} records", records.len());
}

fn offsets_of(records: &[Record]) -> Vec<Offset> {
    records.iter().map(|record| record.offset).collect()
}

fn records_come_back_as_written(kafka: &dyn Kafka, topic: &str) {
    create(kafka, topic, 1);
    let at = TopicPartition::new(topic, 0);
    let mut headers = Headers::new();
    headers.push("trace", Some(b"1"));
    headers.push("null", None);
    headers.push("trace", Some(b""));
    let none = Headers::new();
    let long = vec![b'x'; 200_000];
    type Row<'a> = (Timestamp, Option<&'a [u8]>, Option<&'a [u8]>, &'a Headers);
    let rows: [Row<'_>; 6] = [
        (1_600_000_000_000, Some(b"key"), Some(b"value"), &none),
        (5, None, Some(b"no key"), &headers),
        (6, Some(b"tombstone"), None, &none),
        (7, Some(b""), Some(b""), &headers),
        (8, None, None, &none),
        (1_500_000_000_000, Some(b"long"), Some(&long), &headers),
    ];
    let mut arena = RecordArena::new();
    for (timestamp, key, value, headers) in rows {
        arena.push(ArenaRecord { timestamp, key, value, headers: headers.view() });
    }
    let mut producer = kafka.producer("writer").unwrap();
    write(producer.as_mut(), &at, &arena);

    let mut consumer = kafka.consumer("reader").unwrap();
    consumer.assign(&at, 0).unwrap();
    let (records, event) = read_to_event(consumer.as_mut(), &at);
    let expected: Vec<Record> = rows
        .into_iter()
        .zip(0..)
        .map(|((timestamp, key, value, headers), offset)| Record {
            offset,
            timestamp,
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            headers: headers.clone(),
        })
        .collect();
    assert_eq!(records, expected);
    assert_eq!(event, PartitionEvent::End { offset: 6 });
    assert_eq!(consumer.offsets(&at, PATIENCE).unwrap(), 0..6);
}

/// librdkafka would write the time of day.
fn the_time_0_is_written_as_1_ms(kafka: &dyn Kafka, topic: &str) {
    create(kafka, topic, 1);
    let partition = TopicPartition::new(topic, 0);
    let mut arena = RecordArena::new();
    (0..3).for_each(|timestamp| push(&mut arena, timestamp, Some(b"k"), None));
    write(&mut *kafka.producer("writer").unwrap(), &partition, &arena);
    let mut consumer = kafka.consumer("reader").unwrap();
    consumer.assign(&partition, 0).unwrap();
    let (records, _) = read_to_event(&mut *consumer, &partition);
    assert_eq!(records.iter().map(|record| record.timestamp).collect::<Vec<_>>(), [1, 1, 2]);
}

fn partitions_are_read_apart(kafka: &dyn Kafka, topic: &str) {
    create(kafka, topic, 3);
    let partitions: Vec<_> = (0..3).map(|partition| TopicPartition::new(topic, partition)).collect();
    let mut producer = kafka.producer("writer").unwrap();
    for (partition, start) in partitions.iter().zip([0, 10_000, 20_000]) {
        write(producer.as_mut(), partition, &numbered(start..start + 5000));
    }
    let mut consumer = kafka.consumer("reader").unwrap();
    for partition in &partitions {
        consumer.assign(partition, 0).unwrap();
    }
    // The first partition stays unread meanwhile; nothing of it is lost, and it holds up nobody.
    for (partition, start) in partitions.iter().zip([0_u32, 10_000, 20_000]).rev() {
        let (records, event) = read_to_event(consumer.as_mut(), partition);
        let expected: Vec<_> = (start..start + 5000).map(|n| Some(n.to_be_bytes().to_vec())).collect();
        assert_eq!(records.into_iter().map(|record| record.key).collect::<Vec<_>>(), expected);
        assert_eq!(event, PartitionEvent::End { offset: 5000 });
    }
}

fn a_read_takes_no_more_than_asked(kafka: &dyn Kafka, topic: &str) {
    create(kafka, topic, 1);
    let at = TopicPartition::new(topic, 0);
    let mut producer = kafka.producer("writer").unwrap();
    write(producer.as_mut(), &at, &numbered(0..2000));
    let mut consumer = kafka.consumer("reader").unwrap();
    consumer.assign(&at, 0).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let (mut batch, mut offsets) = (SourceBatch::new(), Vec::new());
    while offsets.len() < 2000 && Instant::now() < deadline {
        batch.clear();
        consumer.read(&at, 7, &mut batch).unwrap();
        assert!(batch.len() <= 7, "{} records", batch.len());
        offsets.extend(batch.iter().map(|record| record.offset));
        if batch.is_empty() {
            consumer.wait(Duration::from_millis(50));
        }
    }
    assert_eq!(offsets, (0..2000).collect::<Vec<_>>());
}

fn an_assignment_starts_exactly_where_asked(kafka: &dyn Kafka, topic: &str) {
    create(kafka, topic, 2);
    let (at, other) = (TopicPartition::new(topic, 0), TopicPartition::new(topic, 1));
    let mut producer = kafka.producer("writer").unwrap();
    write(producer.as_mut(), &at, &numbered(0..3000));
    write(producer.as_mut(), &other, &numbered(0..3000));
    let mut consumer = kafka.consumer("reader").unwrap();
    consumer.assign(&other, 0).unwrap();
    let mut batch = SourceBatch::new();
    // Steps through the offsets in a fixed order that jumps both ways, with fetches in flight each time.
    for round in 0..60 {
        let from = (round * 1237) % 3000;
        if round % 3 == 0 {
            consumer.unassign(&at).unwrap();
        }
        consumer.assign(&at, from).unwrap();
        let deadline = Instant::now() + PATIENCE;
        batch.clear();
        while batch.is_empty() && Instant::now() < deadline {
            consumer.read(&at, if round % 2 == 0 { 10 } else { 5000 }, &mut batch).unwrap();
            if batch.is_empty() {
                consumer.wait(Duration::from_millis(50));
            }
        }
        let offsets: Vec<_> = batch.iter().map(|record| record.offset).collect();
        assert_eq!(offsets, (from..from + offsets.len() as i64).collect::<Vec<_>>(), "round {round} from {from}");
        assert!(!offsets.is_empty(), "round {round} from {from}");
    }
    // The partition beside it was never disturbed.
    let (records, _) = read_to_event(consumer.as_mut(), &other);
    assert_eq!(offsets_of(&records), (0..3000).collect::<Vec<_>>());
    consumer.unassign(&at).unwrap();
    assert!(consumer.read(&at, 1, &mut batch).is_err(), "an unassigned partition cannot be read");
    assert_eq!(consumer.unassign(&at).map_err(|error| error.kind), Ok(()));
}

fn a_lost_offset_is_told_and_another_can_be_assigned(kafka: &dyn Kafka, topic: &str) {
    create(kafka, topic, 1);
    let at = TopicPartition::new(topic, 0);
    let mut producer = kafka.producer("writer").unwrap();
    write(producer.as_mut(), &at, &numbered(0..10));
    let mut consumer = kafka.consumer("reader").unwrap();
    consumer.assign(&at, 1000).unwrap();
    assert_eq!(read_to_event(consumer.as_mut(), &at), (Vec::new(), PartitionEvent::OffsetOutOfRange));
    consumer.assign(&at, 4).unwrap();
    let (records, event) = read_to_event(consumer.as_mut(), &at);
    assert_eq!(offsets_of(&records), [4, 5, 6, 7, 8, 9]);
    assert_eq!(event, PartitionEvent::End { offset: 10 });
}

fn the_end_is_told_again_after_it_moved(kafka: &dyn Kafka, topic: &str) {
    create(kafka, topic, 1);
    let at = TopicPartition::new(topic, 0);
    let mut producer = kafka.producer("writer").unwrap();
    let mut consumer = kafka.consumer("reader").unwrap();
    consumer.assign(&at, 0).unwrap();
    assert_eq!(read_to_event(consumer.as_mut(), &at), (Vec::new(), PartitionEvent::End { offset: 0 }));
    for round in 0..5 {
        write(producer.as_mut(), &at, &numbered(0..3));
        let mut seen = Vec::new();
        // An end that was queued before the write may come first.
        while seen.len() < 3 {
            let (records, event) = read_to_event(consumer.as_mut(), &at);
            seen.extend(offsets_of(&records));
            assert_eq!(event, PartitionEvent::End { offset: round * 3 + seen.len() as i64 });
        }
        assert_eq!(seen, (round * 3..round * 3 + 3).collect::<Vec<_>>());
    }
}

fn a_fetch_tells_the_end_also_of_what_is_not_read_yet(kafka: &dyn Kafka, topic: &str) {
    create(kafka, topic, 1);
    let at = TopicPartition::new(topic, 0);
    let mut producer = kafka.producer("writer").unwrap();
    let mut consumer = kafka.consumer("reader").unwrap();
    write(producer.as_mut(), &at, &numbered(0..5));
    assert_eq!(consumer.fetched_end(&at), None, "nothing was fetched");
    consumer.assign(&at, 2).unwrap();
    wait_for_end(consumer.as_mut(), &at, 5);
    let (records, _) = read_to_event(consumer.as_mut(), &at);
    assert_eq!(offsets_of(&records), [2, 3, 4]);
    write(producer.as_mut(), &at, &numbered(5..7));
    wait_for_end(consumer.as_mut(), &at, 7);
    consumer.unassign(&at).unwrap();
    assert_eq!(consumer.fetched_end(&at), None, "it may move unseen");
}

/// Reads nothing.
fn wait_for_end(consumer: &mut dyn Consumer, partition: &TopicPartition, end: Offset) {
    let deadline = Instant::now() + PATIENCE;
    while consumer.fetched_end(partition) != Some(end) {
        assert!(Instant::now() < deadline, "{:?}, not {end}", consumer.fetched_end(partition));
        consumer.wait(Duration::from_millis(50));
    }
}

fn a_wait_ends_when_something_arrives(kafka: &dyn Kafka, topic: &str) {
    create(kafka, topic, 1);
    let at = TopicPartition::new(topic, 0);
    let mut producer = kafka.producer("writer").unwrap();
    let mut consumer = kafka.consumer("reader").unwrap();
    assert!(!consumer.wait(Duration::ZERO), "nothing is assigned");
    consumer.assign(&at, 0).unwrap();
    read_to_event(consumer.as_mut(), &at);
    while consumer.wait(Duration::ZERO) {}
    write(producer.as_mut(), &at, &numbered(0..1));
    assert!(consumer.wait(PATIENCE), "the record was announced");
    assert_eq!(read_to_event(consumer.as_mut(), &at).0.len(), 1);
}

fn a_flush_tells_the_acknowledged_offsets(kafka: &dyn Kafka, topic: &str) {
    create(kafka, topic, 2);
    let (first, second) = (TopicPartition::new(topic, 0), TopicPartition::new(topic, 1));
    let mut producer = kafka.producer("writer").unwrap();
    assert_eq!(producer.flush(PATIENCE).unwrap(), []);
    producer.send(&first, &numbered(0..30_000), PATIENCE).unwrap();
    producer.send(&second, &numbered(0..5), PATIENCE).unwrap();
    producer.send(&first, &numbered(0..1), PATIENCE).unwrap();
    let by_partition = |acknowledged: Vec<Acknowledged>| -> BTreeMap<i32, Offset> {
        acknowledged.into_iter().map(|a| (a.partition.partition, a.next_offset)).collect()
    };
    assert_eq!(by_partition(producer.flush(PATIENCE).unwrap()), BTreeMap::from([(0, 30_001), (1, 5)]));
    assert_eq!(producer.flush(PATIENCE).unwrap(), []);
    assert_eq!(by_partition(write(producer.as_mut(), &second, &numbered(0..2))), BTreeMap::from([(1, 7)]));
}

fn a_producer_that_failed_takes_nothing_more(kafka: &dyn Kafka, topic: &str) {
    create(kafka, topic, 1);
    let at = TopicPartition::new(topic, 0);
    // Refused by the client itself.
    let mut too_large = RecordArena::new();
    push(&mut too_large, 1, None, Some(&vec![0; 3_000_000]));
    let mut producer = kafka.producer("writer").unwrap();
    let error = producer.send(&at, &too_large, PATIENCE).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Fatal);
    assert!(error.to_string().contains(&format!("{topic}-0")), "{error}");
    assert!(producer.send(&at, &numbered(0..1), PATIENCE).is_err());
    assert!(producer.flush(PATIENCE).is_err());

    // Refused after it was taken: the partition does not exist.
    let mut producer = kafka.producer("writer").unwrap();
    let nowhere = TopicPartition::new(topic, 9);
    let sent = producer.send(&nowhere, &numbered(0..1), PATIENCE);
    let error = sent.and_then(|()| producer.flush(PATIENCE).map(|_| ())).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Fatal);
    assert!(error.to_string().contains(&format!("{topic}-9")), "{error}");
    assert!(producer.send(&at, &numbered(0..1), PATIENCE).is_err());

    let mut consumer = kafka.consumer("reader").unwrap();
    assert_eq!(consumer.offsets(&at, PATIENCE).unwrap(), 0..0, "nothing was written");
}

fn topics_are_created_once_and_described(kafka: &dyn Kafka, topic: &str) {
    create(kafka, topic, 3);
    create(kafka, topic, 3);
    let admin = kafka.admin().unwrap();
    let described = admin.describe(&[topic.to_owned(), format!("{topic}-missing")]).unwrap();
    let described: Vec<_> = described.iter().map(|d| (d.name.as_str(), d.partitions)).collect();
    assert_eq!(described, [(topic, 3)]);
    assert_eq!(admin.describe(&[]).unwrap(), []);
    if let Some(config) = admin.config(topic).unwrap() {
        assert!(config.contains(&("retention.ms".to_owned(), "-1".to_owned())), "{config:?}");
    }
}
