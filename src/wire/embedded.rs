//! A broker inside the process, for the demo and for tests: librdkafka's mock cluster.
//!
//! It speaks the protocol on loopback ports, so any client may use it. What differs from a real broker:
//! - it keeps about 5 MiB of record batches per partition in memory and drops the oldest; a reader that was too slow
//!   gets [`PartitionEvent::OffsetOutOfRange`](super::PartitionEvent::OffsetOutOfRange);
//! - it has no requests for topics: they are created through [`EmbeddedBroker::create_topic`] or its [`Admin`];
//! - nothing is compacted, and a topic has no configuration;
//! - aborted transactions are delivered, and a producer's retry may repeat records;
//! - a rebalance of a running group takes the session timeout less a second, even when all members have rejoined, and
//!   offsets committed during it are refused.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::rdkafka::{KafkaClients, MockCluster, Settings};
use super::{Admin, Consumer, Error, ErrorKind, Kafka, NewTopic, Prefetch, Producer, TopicDescription};

/// A running embedded broker; it stops when the last clone and the last [`Admin`] made from it are dropped.
#[derive(Clone)]
pub struct EmbeddedBroker {
    cluster: Arc<Cluster>,
    clients: KafkaClients,
}

struct Cluster {
    mock: MockCluster,
    brokers: i32,
}

impl EmbeddedBroker {
    /// Starts `brokers` brokers on free loopback ports.
    pub fn start(brokers: i32) -> Result<Self, Error> {
        let failed =
            |reason| Error { kind: ErrorKind::Fatal, context: "starting the embedded broker".to_owned(), reason };
        let mock = MockCluster::start(brokers).map_err(failed)?;
        let settings = Settings { bootstrap_servers: mock.bootstrap_servers(), ..Settings::default() };
        let clients = KafkaClients::new(settings).map_err(|mistakes| failed(format!("{mistakes:?}")))?;
        Ok(Self { cluster: Arc::new(Cluster { mock, brokers }), clients })
    }

    /// `host:port` of every broker, separated by commas.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.mock.bootstrap_servers()
    }

    /// Creates a topic; one that exists already is left as it is.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), Error> {
        self.cluster.create_topic(name, partitions)
    }

    /// Lets the coordinator refuse the next OffsetFetch with GROUP_AUTHORIZATION_FAILED.
    #[cfg(test)]
    pub(crate) fn refuse_offset_fetch(&self) {
        self.cluster.mock.refuse_offset_fetch();
    }

    /// Lets the brokers refuse connections, or accept them again.
    #[cfg(test)]
    pub(super) fn set_down(&self, down: bool) {
        self.cluster.mock.set_down(down);
    }
}

impl fmt::Debug for EmbeddedBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedBroker").field("bootstrap_servers", &self.bootstrap_servers()).finish()
    }
}

impl Cluster {
    fn create_topic(&self, name: &str, partitions: i32) -> Result<(), Error> {
        self.mock.create_topic(name, partitions, self.brokers)
    }
}

impl Kafka for EmbeddedBroker {
    fn consumer(&self, client_id: &str) -> Result<Box<dyn Consumer>, Error> {
        self.clients.consumer(client_id)
    }

    fn bounded_consumer(&self, client_id: &str, prefetch: Prefetch) -> Result<Box<dyn Consumer>, Error> {
        self.clients.bounded_consumer(client_id, prefetch)
    }

    fn producer(&self, client_id: &str) -> Result<Box<dyn Producer>, Error> {
        self.clients.producer(client_id)
    }

    fn admin(&self) -> Result<Box<dyn Admin>, Error> {
        let clients = self.clients.admin()?;
        Ok(Box::new(EmbeddedAdmin { cluster: Arc::clone(&self.cluster), clients }))
    }
}

/// The topic administration of the embedded broker.
struct EmbeddedAdmin {
    cluster: Arc<Cluster>,
    clients: Box<dyn Admin>,
}

impl Admin for EmbeddedAdmin {
    fn describe(&self, topics: &[String]) -> Result<Vec<TopicDescription>, Error> {
        self.clients.describe(topics)
    }

    fn create(&self, topics: &[NewTopic]) -> Result<(), Error> {
        topics.iter().try_for_each(|topic| self.cluster.create_topic(&topic.name, topic.partitions))
    }

    fn config(&self, _topic: &str) -> Result<Option<Vec<(String, String)>>, Error> {
        Ok(None)
    }

    fn ids(&self, _topics: &[String]) -> Result<Option<BTreeMap<String, String>>, Error> {
        Ok(None)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::types::{ArenaRecord, HeadersView, RecordArena, SourceBatch, TopicPartition};
    use crate::wire::conformance::CHECKS;
    use crate::wire::{Acknowledged, PartitionEvent};

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn it_does_what_the_port_promises() {
        let broker = EmbeddedBroker::start(2).unwrap();
        for (name, check) in CHECKS {
            check(&broker, name);
        }
    }

    #[test]
    fn a_reader_slower_than_the_memory_of_the_broker_is_told() {
        let broker = EmbeddedBroker::start(1).unwrap();
        broker.create_topic("t", 1).unwrap();
        let at = TopicPartition::new("t", 0);
        let mut producer = broker.producer("writer").unwrap();
        let mut arena = RecordArena::new();
        let value = vec![1; 100_000];
        arena.push(ArenaRecord { timestamp: 1, key: None, value: Some(&value), headers: HeadersView::default() });
        for _ in 0..100 {
            producer.send(&at, &arena, PATIENCE).unwrap();
            producer.flush(PATIENCE).unwrap();
        }
        let mut consumer = broker.consumer("reader").unwrap();
        let kept = consumer.offsets(&at, PATIENCE).unwrap();
        assert_eq!(kept.end, 100);
        assert!((45..=53).contains(&(kept.end - kept.start)), "about 5 MiB are kept, {kept:?}");
        consumer.assign(&at, 0).unwrap();
        let mut batch = SourceBatch::new();
        let mut event = None;
        while event.is_none() && consumer.wait(PATIENCE) {
            event = consumer.read(&at, 1000, &mut batch).unwrap();
        }
        assert_eq!((event, batch.len()), (Some(PartitionEvent::OffsetOutOfRange), 0));
    }

    #[test]
    fn the_end_that_was_fetched_is_known_while_no_broker_answers() {
        let broker = EmbeddedBroker::start(1).unwrap();
        broker.create_topic("t", 1).unwrap();
        let at = TopicPartition::new("t", 0);
        let mut consumer = broker.consumer("reader").unwrap();
        consumer.assign(&at, 0).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while consumer.fetched_end(&at).is_none() && Instant::now() < deadline {
            consumer.wait(Duration::from_millis(50));
        }
        broker.set_down(true);
        assert_eq!(consumer.fetched_end(&at), Some(0));
        assert!(consumer.offsets(&at, Duration::from_millis(1)).is_err(), "asking waits, and fails");
    }

    #[test]
    fn offsets_are_asked_from_the_new_leader_while_the_old_one_hangs() {
        let broker = EmbeddedBroker::start(2).unwrap();
        broker.create_topic("t", 1).unwrap();
        let at = TopicPartition::new("t", 0);
        broker.cluster.mock.set_leader("t", 0, 1);
        let mut consumer = broker.consumer("reader").unwrap();
        assert_eq!(consumer.offsets(&at, PATIENCE).unwrap(), 0..0);
        broker.cluster.mock.hang(1);
        let short = Duration::from_millis(200);
        let hangs = consumer.offsets(&at, short).unwrap_err();
        assert_eq!(hangs.kind, ErrorKind::Retriable, "{hangs}");
        broker.cluster.mock.set_leader("t", 0, 2);
        let deadline = Instant::now() + PATIENCE;
        // The new leader is asked for at any broker, sometimes at the one that hangs.
        while consumer.offsets(&at, short).is_err() {
            assert!(Instant::now() < deadline, "the old leader is asked for ever");
        }
    }

    #[test]
    fn clients_close_in_time_while_no_broker_answers() {
        let broker = EmbeddedBroker::start(1).unwrap();
        broker.create_topic("t", 1).unwrap();
        let at = TopicPartition::new("t", 0);
        let mut arena = RecordArena::new();
        arena.push(ArenaRecord { timestamp: 1, key: None, value: None, headers: HeadersView::default() });
        let mut producer = broker.producer("writer").unwrap();
        producer.send(&at, &arena, PATIENCE).unwrap();
        producer.flush(PATIENCE).unwrap();
        let mut consumer = broker.consumer("reader").unwrap();
        consumer.assign(&at, 0).unwrap();
        assert!(consumer.wait(PATIENCE));
        broker.set_down(true);
        producer.send(&at, &arena, PATIENCE).unwrap();
        assert!(producer.flush(Duration::from_millis(1)).is_err(), "nobody acknowledges");
        let began = Instant::now();
        consumer.close(PATIENCE);
        producer.close(PATIENCE);
        assert!(began.elapsed() < PATIENCE, "both were dropped, none was left behind");
    }

    #[test]
    fn a_send_gives_up_when_there_is_no_room_in_time() {
        let broker = EmbeddedBroker::start(1).unwrap();
        broker.create_topic("t", 1).unwrap();
        let at = TopicPartition::new("t", 0);
        let small = BTreeMap::from([("queue.buffering.max.messages".to_owned(), "10".to_owned())]);
        let settings =
            Settings { bootstrap_servers: broker.bootstrap_servers(), producer: small, ..Settings::default() };
        let clients = KafkaClients::new(settings).unwrap();
        let mut arena = RecordArena::new();
        for timestamp in 1..=1000 {
            arena.push(ArenaRecord { timestamp, key: None, value: None, headers: HeadersView::default() });
        }
        // A queue far smaller than the arena: room is made by the acknowledgements.
        let mut producer = clients.producer("writer").unwrap();
        producer.send(&at, &arena, PATIENCE).unwrap();
        let acknowledged = producer.flush(PATIENCE).unwrap();
        assert_eq!(acknowledged, [Acknowledged { partition: at.clone(), next_offset: 1000 }]);
        broker.set_down(true);
        let error = producer.send(&at, &arena, Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Fatal, "the producer must be replaced: {error}");
        assert!(error.reason.contains("Queue full"), "{error}");
        let again = producer.send(&at, &arena, PATIENCE).unwrap_err();
        assert!(again.to_string().contains("Queue full"), "the first cause is kept: {again}");
    }

    #[test]
    fn a_missing_topic_is_told_and_read_once_it_exists() {
        let broker = EmbeddedBroker::start(1).unwrap();
        let impatient = BTreeMap::from([("topic.metadata.propagation.max.ms".to_owned(), "1".to_owned())]);
        let settings =
            Settings { bootstrap_servers: broker.bootstrap_servers(), consumer: impatient, ..Settings::default() };
        let mut consumer = KafkaClients::new(settings).unwrap().consumer("reader").unwrap();
        let at = TopicPartition::new("late", 0);
        consumer.assign(&at, 0).unwrap();
        let mut next_event = |wanted: fn(&PartitionEvent) -> bool| {
            let deadline = Instant::now() + PATIENCE;
            let mut batch = SourceBatch::new();
            while Instant::now() < deadline {
                match consumer.read(&at, 10, &mut batch).unwrap() {
                    Some(event) if wanted(&event) => return Some(event),
                    _ => consumer.wait(Duration::from_millis(50)),
                };
            }
            None
        };
        let failed = next_event(|_| true);
        assert!(matches!(&failed, Some(PartitionEvent::Failed(text)) if text.contains("late [0]")), "{failed:?}");
        broker.create_topic("late", 1).unwrap();
        let end = next_event(|event| !matches!(event, PartitionEvent::Failed(_)));
        assert_eq!(end, Some(PartitionEvent::End { offset: 0 }));
    }

    #[test]
    fn what_is_acknowledged_survives_a_broker_that_comes_back() {
        let broker = EmbeddedBroker::start(1).unwrap();
        broker.create_topic("t", 1).unwrap();
        let at = TopicPartition::new("t", 0);
        let mut arena = RecordArena::new();
        for timestamp in 1..=100 {
            arena.push(ArenaRecord { timestamp, key: None, value: None, headers: HeadersView::default() });
        }
        let mut producer = broker.producer("writer").unwrap();
        let mut consumer = broker.consumer("reader").unwrap();
        consumer.assign(&at, 0).unwrap();
        producer.send(&at, &arena, PATIENCE).unwrap();
        producer.flush(PATIENCE).unwrap();
        broker.set_down(true);
        producer.send(&at, &arena, PATIENCE).unwrap();
        broker.set_down(false);
        let acknowledged = producer.flush(PATIENCE).unwrap();
        assert_eq!(acknowledged, [Acknowledged { partition: at.clone(), next_offset: 200 }]);
        let mut batch = SourceBatch::new();
        let deadline = Instant::now() + PATIENCE;
        while batch.len() < 200 && Instant::now() < deadline {
            consumer.wait(Duration::from_millis(50));
            consumer.read(&at, 1000, &mut batch).unwrap();
        }
        let offsets: Vec<_> = batch.iter().map(|record| record.offset).collect();
        assert_eq!(offsets, (0..200).collect::<Vec<_>>());
    }
}
