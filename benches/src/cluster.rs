//! The broker of a benchmark: topics filled once, committed offsets watched, results read back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use thalweg::types::{HeadersView, RecordArena, RecordView, SourceBatch, TopicPartition, partition_of};
use thalweg::wire::coordinator::{CoordinatorConnection, CoordinatorSettings};
use thalweg::wire::{Consumer, Kafka as _, KafkaClients, PartitionEvent, Producer};
use thalweg_tests::{Kafka, records};

use crate::failure::Failure;
use crate::work::Records;

const TIMEOUT: Duration = Duration::from_secs(60);
const WAIT: Duration = Duration::from_millis(100);
/// Bytes of a partition's arena that are handed over at once.
const ARENA_BYTES: usize = 128 << 10;
const READ_RECORDS: usize = 10_000;

/// One broker of our own.
pub struct Cluster {
    kafka: Kafka,
    clients: KafkaClients,
    coordinator: CoordinatorConnection,
    /// Asks for ends of topics again and again.
    asker: Box<dyn Consumer>,
}

/// Writes records to the partitions of their keys.
pub struct Writer {
    producer: Box<dyn Producer>,
    arenas: Vec<(TopicPartition, RecordArena)>,
}

impl Cluster {
    /// Starts the broker.
    pub fn start() -> Result<Self, Failure> {
        let kafka = Kafka::start_large();
        let servers = kafka.bootstrap_servers();
        let settings = CoordinatorSettings::from_client([("bootstrap.servers", servers.as_str())])?;
        let coordinator = CoordinatorConnection::open(&settings, "127.0.0.1", kafka.port(0))?;
        let clients = kafka.clients();
        Ok(Self { asker: clients.consumer("bench-ends")?, clients, kafka, coordinator })
    }

    /// `host:port` of the broker.
    pub fn bootstrap_servers(&self) -> String {
        self.kafka.bootstrap_servers()
    }

    /// Creates a topic that keeps everything.
    pub fn create(&self, topic: &str, partitions: i32) {
        records::create_topic(&self.clients, topic, partitions, &[]);
    }

    /// A writer of an existing topic.
    pub fn writer(&self, topic: &str, partitions: i32) -> Result<Writer, Failure> {
        let arenas = (0..partitions).map(|number| (TopicPartition::new(topic, number), RecordArena::new())).collect();
        Ok(Writer { producer: self.clients.producer("bench-filler")?, arenas })
    }

    /// Creates `topic` and writes `records` to it.
    pub fn fill(&self, topic: &str, partitions: i32, mut records: Records) -> Result<(), Failure> {
        self.create(topic, partitions);
        let mut writer = self.writer(topic, partitions)?;
        while let Some(record) = records.next_record() {
            writer.write(record.timestamp, record.key, |out| out.extend_from_slice(record.value))?;
        }
        writer.end()
    }

    /// Number of records that were ever written to a topic; `None` while it does not exist.
    pub fn written(&mut self, topic: &str, partitions: i32) -> Option<u64> {
        let ends = (0..partitions).map(|number| {
            let offsets = self.asker.offsets(&TopicPartition::new(topic, number), TIMEOUT);
            offsets.ok().map(|offsets| offsets.end.unsigned_abs())
        });
        ends.sum()
    }

    /// Sum of the offsets that `group` has committed on a topic: its records that were processed.
    pub fn committed(&mut self, group: &str, topic: &str, partitions: i32) -> Result<u64, Failure> {
        let all: Vec<TopicPartition> = (0..partitions).map(|number| TopicPartition::new(topic, number)).collect();
        // A group that does not exist yet, or is being set up, has committed nothing.
        let committed: BTreeMap<_, _> = self.coordinator.offset_fetch(group, &all)?.unwrap_or_default();
        Ok(committed.values().map(|committed| committed.offset.unsigned_abs()).sum())
    }

    /// Reads a topic from its start to its present end.
    pub fn scan(&self, topic: &str, partitions: i32, mut visit: impl FnMut(RecordView<'_>)) -> Result<u64, Failure> {
        let mut consumer = self.clients.consumer("bench-reader")?;
        let mut places = Vec::new();
        for number in 0..partitions {
            let partition = TopicPartition::new(topic, number);
            let offsets = consumer.offsets(&partition, TIMEOUT)?;
            consumer.assign(&partition, offsets.start)?;
            places.push((partition, offsets.start, offsets.end));
        }
        let (mut batch, mut read, mut last) = (SourceBatch::new(), 0, Instant::now());
        while places.iter().any(|(_, next, end)| next < end) {
            if last.elapsed() > TIMEOUT {
                return Err(Failure::unable(format!("reading {topic}"), format!("nothing came for {TIMEOUT:?}")));
            }
            for (partition, next, _) in &mut places {
                batch.clear();
                let event = consumer.read(partition, READ_RECORDS, &mut batch)?;
                for view in batch.iter() {
                    visit(view);
                    *next = view.offset + 1;
                    read += 1;
                }
                match event {
                    Some(PartitionEvent::End { offset }) => *next = offset.max(*next),
                    Some(event) => return Err(Failure::unable(format!("reading {partition}"), format!("{event:?}"))),
                    None => {}
                }
                if !batch.is_empty() {
                    last = Instant::now();
                }
            }
            consumer.wait(WAIT);
        }
        consumer.close(TIMEOUT);
        Ok(read)
    }

    /// Deletes the topics whose names begin with `prefix`.
    pub fn delete(&self, prefix: &str) {
        let (servers, topics) = (self.bootstrap_servers(), format!("{prefix}.*"));
        let arguments = ["--bootstrap-server", &servers, "--delete", "--if-exists", "--topic", &topics];
        self.kafka.tool("org.apache.kafka.tools.TopicCommand", &arguments);
    }
}

impl Writer {
    /// Writes one record; `value` appends its bytes.
    pub fn write(&mut self, timestamp: i64, key: &[u8], value: impl FnOnce(&mut Vec<u8>)) -> Result<(), Failure> {
        let count = i32::try_from(self.arenas.len()).unwrap_or(i32::MAX);
        let at = usize::try_from(partition_of(key, count)).unwrap_or_default();
        let (partition, arena) = &mut self.arenas[at];
        let written: Result<(), std::convert::Infallible> =
            arena.write(timestamp, Some(key), HeadersView::default(), |out| {
                value(out);
                Ok(true)
            });
        match written {
            Ok(()) => {}
        }
        if arena.bytes() >= ARENA_BYTES {
            self.producer.send(partition, arena, TIMEOUT)?;
            arena.clear();
        }
        Ok(())
    }

    /// Waits until everything is acknowledged.
    pub fn end(mut self) -> Result<(), Failure> {
        for (partition, arena) in self.arenas.iter().filter(|(_, arena)| !arena.is_empty()) {
            self.producer.send(partition, arena, TIMEOUT)?;
        }
        self.producer.flush(TIMEOUT)?;
        self.producer.close(TIMEOUT);
        Ok(())
    }
}
