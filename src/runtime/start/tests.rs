#![allow(clippy::unwrap_used)]

//! A start without a cluster: waited for while that may help, ended when it cannot.

use std::sync::Mutex;
use std::time::SystemTime;

use tempfile::TempDir;

use super::super::clock_steps::{options, wait_until};
use super::*;
use crate::dsl::{Consumed, Produced, StreamsBuilder};
use crate::query::Instance;
use crate::serde::StringSerde;
use crate::wire::{self, Admin, Consumer, EmbeddedBroker, Prefetch, Producer};

/// A cluster whose administration refuses with this kind of error, while there is one.
#[derive(Clone)]
struct Refusing {
    broker: EmbeddedBroker,
    kind: Arc<Mutex<Option<ErrorKind>>>,
}

impl Kafka for Refusing {
    fn consumer(&self, client_id: &str) -> Result<Box<dyn Consumer>, wire::Error> {
        self.broker.consumer(client_id)
    }

    fn bounded_consumer(&self, client_id: &str, prefetch: Prefetch) -> Result<Box<dyn Consumer>, wire::Error> {
        self.broker.bounded_consumer(client_id, prefetch)
    }

    fn producer(&self, client_id: &str) -> Result<Box<dyn Producer>, wire::Error> {
        self.broker.producer(client_id)
    }

    fn admin(&self) -> Result<Box<dyn Admin>, wire::Error> {
        match *self.kind.lock().unwrap() {
            Some(kind) => Err(wire::Error { kind, context: "asking".to_owned(), reason: "nobody is there".to_owned() }),
            None => self.broker.admin(),
        }
    }
}

fn start(kind: ErrorKind, directory: &TempDir) -> (Refusing, Runtime, Arc<Published>) {
    let broker = EmbeddedBroker::start(1).unwrap();
    ["in", "out"].into_iter().for_each(|topic| broker.create_topic(topic, 1).unwrap());
    let builder = StreamsBuilder::new();
    let events = builder.stream::<String, String, _, _>("in", Consumed::with(StringSerde, StringSerde));
    events.to("out", Produced::with(StringSerde, StringSerde));
    let recipes = builder.build("app").unwrap();
    let this_instance = Instance { id: "127.0.0.1:1".to_owned(), endpoint: None };
    let published = Arc::new(Published::starting(describe_for_readers(&recipes), this_instance, Health::default()));
    let options = Options { wall_clock: SystemTime::now, ..options(&broker, directory) };
    let kafka = Refusing { broker, kind: Arc::new(Mutex::new(Some(kind))) };
    let (cluster, metrics) = (Arc::new(kafka.clone()), Metrics::new().unwrap());
    let runtime = Runtime::start(cluster, recipes, options, Arc::clone(&published), metrics).unwrap();
    (kafka, runtime, published)
}

#[test]
fn a_cluster_that_is_away_is_told_and_waited_for() {
    let directory = TempDir::new().unwrap();
    let (kafka, runtime, published) = start(ErrorKind::Retriable, &directory);
    let why = "the cluster cannot prepare the topics yet: asking: nobody is there";
    wait_until("the reason", || published.health.load().faults == [why]);
    *kafka.kind.lock().unwrap() = None;
    wait_until("the task", || published.catalog.load().tasks.values().any(|task| task.state == "running"));
    assert_eq!(published.health.load().faults, Vec::<String>::new());
    runtime.stop();
    runtime.join().unwrap();
}

#[test]
fn a_cluster_that_refuses_for_good_ends_the_run_with_its_reason() {
    let directory = TempDir::new().unwrap();
    let (_, runtime, _) = start(ErrorKind::Fatal, &directory);
    wait_until("the end", || runtime.is_finished());
    let error = runtime.join().unwrap_err();
    assert!(matches!(error, RunError::Topics(_)), "{error:?}");
    assert_eq!(error.to_string(), "asking: nobody is there");
}
