//! Raw records of a topic: put in, read back.

use std::time::{Duration, Instant};

use thalweg::types::{ArenaRecord, Headers, Offset, RecordArena, SourceBatch, Timestamp, TopicPartition};
use thalweg::wire::{self, NewTopic, PartitionEvent};

use crate::wait::wait_until;

const WAIT: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(30);
const READ_RECORDS: usize = 1_000;

/// One record with bytes of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Record time in ms.
    pub timestamp: Timestamp,
    /// Key bytes, `None` for null.
    pub key: Option<Vec<u8>>,
    /// Value bytes, `None` for null.
    pub value: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Headers,
}

/// A record and its place in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Partition number.
    pub partition: i32,
    /// Its own offset.
    pub offset: Offset,
    /// The record.
    pub record: Record,
}

/// Creates a topic with one copy of each partition, and waits until every partition has a leader that answers: the
/// broker says "created" before its own metadata has them.
pub fn create_topic(kafka: &dyn wire::Kafka, name: &str, partitions: i32, config: &[(&str, &str)]) {
    let config = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let topic = NewTopic { name: name.to_owned(), partitions, replication_factor: 1, config };
    let admin = kafka.admin().expect("an admin client");
    admin.create(&[topic]).unwrap_or_else(|error| panic!("creating {name}: {error}"));
    let mut consumer = kafka.consumer("test-creator").expect("a consumer");
    for number in 0..partitions {
        let partition = TopicPartition::new(name, number);
        wait_until(TIMEOUT, &format!("a leader of {partition}"), || consumer.offsets(&partition, TIMEOUT).is_ok());
    }
    consumer.close(TIMEOUT);
}

/// Writes records to their partitions, in order, and waits until all are acknowledged.
pub fn write<'a>(kafka: &dyn wire::Kafka, topic: &str, records: impl IntoIterator<Item = (i32, &'a Record)>) {
    let mut arenas: std::collections::BTreeMap<i32, RecordArena> = std::collections::BTreeMap::new();
    for (partition, record) in records {
        arenas.entry(partition).or_default().push(ArenaRecord {
            timestamp: record.timestamp,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: record.headers.view(),
        });
    }
    let mut producer = kafka.producer("test-writer").expect("a producer");
    for (partition, arena) in &arenas {
        let to = TopicPartition::new(topic, *partition);
        producer.send(&to, arena, TIMEOUT).unwrap_or_else(|error| panic!("writing to {to}: {error}"));
    }
    producer.flush(TIMEOUT).unwrap_or_else(|error| panic!("writing to {topic}: {error}"));
    producer.close(TIMEOUT);
}

/// All records that the topic holds now, by partition and offset.
pub fn read_all(kafka: &dyn wire::Kafka, topic: &str, partitions: i32) -> Vec<Stored> {
    let reader = Reader::open(kafka, topic, partitions);
    let ends: Vec<Offset> = reader.places.iter().map(|place| place.end).collect();
    reader.read(TIMEOUT, &format!("the end of {topic}"), |reader| {
        reader.places.iter().zip(&ends).all(|(place, end)| place.next >= *end)
    })
}

/// Reads the topic from its start until `enough` is true of what was read, by partition and offset.
pub fn read_until(
    kafka: &dyn wire::Kafka,
    topic: &str,
    partitions: i32,
    deadline: Duration,
    what: &str,
    enough: impl Fn(&[Stored]) -> bool,
) -> Vec<Stored> {
    Reader::open(kafka, topic, partitions).read(deadline, what, |reader| enough(&reader.records))
}

/// The offset after the last record of each partition.
pub fn ends(kafka: &dyn wire::Kafka, topic: &str, partitions: i32) -> Vec<Offset> {
    let mut consumer = kafka.consumer("test-ends").expect("a consumer");
    let end = |number| {
        let partition = TopicPartition::new(topic, number);
        let offsets = consumer.offsets(&partition, TIMEOUT);
        offsets.unwrap_or_else(|error| panic!("offsets of {partition}: {error}")).end
    };
    let ends = (0..partitions).map(end).collect();
    consumer.close(TIMEOUT);
    ends
}

struct Reader {
    topic: String,
    consumer: Box<dyn wire::Consumer>,
    places: Vec<Place>,
    records: Vec<Stored>,
}

struct Place {
    partition: TopicPartition,
    next: Offset,
    end: Offset,
}

impl Reader {
    fn open(kafka: &dyn wire::Kafka, topic: &str, partitions: i32) -> Self {
        let mut consumer = kafka.consumer("test-reader").expect("a consumer");
        let places = (0..partitions)
            .map(|number| {
                let partition = TopicPartition::new(topic, number);
                let offsets = consumer.offsets(&partition, TIMEOUT);
                let offsets = offsets.unwrap_or_else(|error| panic!("offsets of {partition}: {error}"));
                consumer.assign(&partition, offsets.start).unwrap_or_else(|error| panic!("{partition}: {error}"));
                Place { partition, next: offsets.start, end: offsets.end }
            })
            .collect();
        Self { topic: topic.to_owned(), consumer, places, records: Vec::new() }
    }

    fn read(mut self, deadline: Duration, what: &str, done: impl Fn(&Self) -> bool) -> Vec<Stored> {
        let started = Instant::now();
        while !done(&self) {
            let read = self.records.len();
            assert!(started.elapsed() < deadline, "waited {deadline:?} for {what}; read {read} records");
            self.consumer.wait(WAIT);
            self.read_arrived();
        }
        self.consumer.close(TIMEOUT);
        self.records.sort_by_key(|stored| (stored.partition, stored.offset));
        self.records
    }

    fn read_arrived(&mut self) {
        let mut batch = SourceBatch::new();
        for place in &mut self.places {
            batch.clear();
            let event = self.consumer.read(&place.partition, READ_RECORDS, &mut batch);
            let event = event.unwrap_or_else(|error| panic!("reading {}: {error}", place.partition));
            for view in batch.iter() {
                let mut headers = Headers::new();
                headers.assign(view.headers);
                let (key, value) = (view.key.map(<[u8]>::to_vec), view.value.map(<[u8]>::to_vec));
                let record = Record { timestamp: view.timestamp, key, value, headers };
                self.records.push(Stored { partition: place.partition.partition, offset: view.offset, record });
                place.next = view.offset + 1;
            }
            match event {
                Some(PartitionEvent::End { offset }) => place.next = place.next.max(offset),
                Some(event) => panic!("reading {} of {}: {event:?}", place.partition, self.topic),
                None => {}
            }
        }
    }
}
