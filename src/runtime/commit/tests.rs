#![allow(clippy::unwrap_used)]

//! The commit of a whole instance on the embedded broker, seen from its producer: what is sent before what is waited for,
//! and what a failed wait costs.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use thalweg_state::{Backend, SharedMemory, StoreSpec, TaskState};

use crate::dsl::{Consumed, Grouped, Materialized, Produced, StreamsBuilder};
use crate::query::{Health, Instance, Metrics, Published};
use crate::runtime::clock_steps::{options, wait_until};
use crate::runtime::{Options, Runtime, describe_for_readers};
use crate::serde::StringSerde;
use crate::task::Recipes;
use crate::types::{ArenaRecord, HeadersView, RecordArena, TopicPartition};
use crate::wire::{Acknowledged, Admin, Consumer, EmbeddedBroker, Error, ErrorKind, Kafka, Prefetch, Producer};

const CHANGELOG: &str = "app-latest-changelog";
const PATIENCE: Duration = Duration::from_secs(20);

/// The embedded broker, whose producers note what they are asked.
#[derive(Clone)]
struct Noting {
    broker: EmbeddedBroker,
    notes: Arc<Mutex<Vec<String>>>,
    /// Changelog records get lost, and the wait for them fails.
    loses_changelogs: Arc<AtomicBool>,
}

struct NotingProducer {
    inner: Box<dyn Producer>,
    cluster: Noting,
    lost: bool,
}

impl Noting {
    fn note(&self, what: String) {
        self.notes.lock().unwrap().push(what);
    }

    fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }

    fn count(&self, what: &str) -> usize {
        self.notes.lock().unwrap().iter().filter(|note| *note == what).count()
    }
}

impl Kafka for Noting {
    fn consumer(&self, client_id: &str) -> Result<Box<dyn Consumer>, Error> {
        self.broker.consumer(client_id)
    }

    fn bounded_consumer(&self, client_id: &str, prefetch: Prefetch) -> Result<Box<dyn Consumer>, Error> {
        self.broker.bounded_consumer(client_id, prefetch)
    }

    fn producer(&self, client_id: &str) -> Result<Box<dyn Producer>, Error> {
        let inner = self.broker.producer(client_id)?;
        Ok(Box::new(NotingProducer { inner, cluster: self.clone(), lost: false }))
    }

    fn admin(&self) -> Result<Box<dyn Admin>, Error> {
        self.broker.admin()
    }
}

impl Producer for NotingProducer {
    fn send(&mut self, to: &TopicPartition, arena: &RecordArena, timeout: Duration) -> Result<(), Error> {
        self.cluster.note(format!("{} to {}", arena.len(), to.topic));
        self.lost |= *to.topic == *CHANGELOG && self.cluster.loses_changelogs.load(SeqCst);
        if self.lost { Ok(()) } else { self.inner.send(to, arena, timeout) }
    }

    fn flush(&mut self, timeout: Duration) -> Result<Vec<Acknowledged>, Error> {
        if std::mem::take(&mut self.lost) {
            self.cluster.note("failed".to_owned());
            let (context, reason) = ("waiting for acknowledgements".to_owned(), "lost".to_owned());
            return Err(Error { kind: ErrorKind::Retriable, context, reason });
        }
        let acknowledged = self.inner.flush(timeout)?;
        self.cluster.note("acknowledged".to_owned());
        Ok(acknowledged)
    }

    fn close(self: Box<Self>, deadline: Duration) {
        self.inner.close(deadline);
    }
}

/// Copies `in` to `out`, and keeps the latest value of each key.
fn recipes() -> Recipes {
    let builder = StreamsBuilder::new();
    let events = builder.stream::<String, String, _, _>("in", Consumed::with(StringSerde, StringSerde)).fan_out();
    events.clone().to("out", Produced::with(StringSerde, StringSerde));
    let grouped = events.group_by_key(Grouped::with(StringSerde, StringSerde));
    grouped.reduce(|_, value| value, Materialized::named("latest"));
    builder.build("app").unwrap()
}

struct Deployment {
    cluster: Noting,
    directory: TempDir,
}

impl Deployment {
    fn new() -> Self {
        let broker = EmbeddedBroker::start(1).unwrap();
        ["in", "out"].into_iter().for_each(|topic| broker.create_topic(topic, 1).unwrap());
        let cluster = Noting { broker, notes: Arc::default(), loses_changelogs: Arc::default() };
        Self { cluster, directory: TempDir::new().unwrap() }
    }

    fn tell(&self, value: &str) {
        let mut producer = self.cluster.broker.producer("test").unwrap();
        let mut arena = RecordArena::new();
        let (key, value) = (Some(&b"k"[..]), Some(value.as_bytes()));
        arena.push(ArenaRecord { timestamp: 1, key, value, headers: HeadersView::default() });
        producer.send(&TopicPartition::new("in", 0), &arena, PATIENCE).unwrap();
        producer.flush(PATIENCE).unwrap();
        producer.close(PATIENCE);
    }

    /// Runs an instance until `done`.
    fn run_until(&self, what: &str, done: impl FnMut() -> bool) {
        let recipes = recipes();
        let this_instance = Instance { id: "127.0.0.1:1".to_owned(), endpoint: None };
        let published = Arc::new(Published::starting(describe_for_readers(&recipes), this_instance, Health::default()));
        let options = Options { wall_clock: SystemTime::now, ..options(&self.cluster.broker, &self.directory) };
        let (kafka, metrics) = (Arc::new(self.cluster.clone()), Metrics::new().unwrap());
        let runtime = Runtime::start(kafka, recipes, options, published, metrics).unwrap();
        wait_until(what, done);
        runtime.stop();
        runtime.join().unwrap();
    }

    /// What the store says: next offsets of the input and of the changelog, and the row.
    fn stored(&self) -> (Option<i64>, Option<i64>, Option<String>) {
        let changelog = format!("{CHANGELOG}-0");
        let spec =
            StoreSpec { name: "latest".to_owned(), backend: Backend::RocksDb, changelog: Some(changelog.clone()) };
        let memory = SharedMemory::new(1 << 20).unwrap();
        let state = TaskState::open(&self.directory.path().join("app/0_0"), &[spec], &memory).unwrap().state;
        let mut row = None;
        // The value behind the time of the row.
        state.get(0, b"k", &mut |bytes| row = Some(String::from_utf8(bytes[8..].to_vec()).unwrap())).unwrap();
        (state.position().get("in-0"), state.position().get(&changelog), row)
    }
}

#[test]
fn sinks_are_acknowledged_before_the_changelog_is_sent() {
    let deployment = Deployment::new();
    deployment.tell("1");
    let cluster = &deployment.cluster;
    deployment.run_until("the changelog record to be out", || {
        cluster.notes().iter().skip_while(|note| !note.ends_with(CHANGELOG)).any(|note| note == "acknowledged")
    });
    assert_eq!(cluster.notes(), ["1 to out", "acknowledged", "1 to app-latest-changelog", "acknowledged"]);
    assert_eq!(deployment.stored(), (Some(1), Some(1), Some("1".to_owned())));
}

#[test]
fn what_is_not_acknowledged_moves_neither_stores_nor_offsets() {
    let deployment = Deployment::new();
    let cluster = &deployment.cluster;
    deployment.tell("1");
    deployment.run_until("the first commit", || cluster.count("acknowledged") >= 2);
    let committed = (Some(1), Some(1), Some("1".to_owned()));
    assert_eq!(deployment.stored(), committed);

    cluster.loses_changelogs.store(true, SeqCst);
    deployment.tell("2");
    deployment.run_until("a commit to fail", || cluster.count("failed") >= 1);
    assert_eq!(deployment.stored(), committed);

    cluster.loses_changelogs.store(false, SeqCst);
    let copies = cluster.count("1 to out");
    deployment.run_until("the record to be processed again", || cluster.count("1 to out") > copies);
    assert_eq!(deployment.stored(), (Some(2), Some(2), Some("2".to_owned())));
}
