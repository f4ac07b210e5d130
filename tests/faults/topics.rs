//! Topics that change under the application: deleted and created again, or shorter than what a store has of them. A
//! named error or a rebuild, never silence.

use std::time::Duration;

use thalweg_state::{Backend, Position, SharedMemory, StoreSpec, TaskState};
use thalweg_tests::{Kafka, records};

use crate::application::{Application, PARTITIONS, STOP, end};
use crate::topology::SEEN;

const NOTICED: Duration = Duration::from_secs(40);
const KEYS: usize = 100;

/// An application that has processed some events.
fn told() -> (Application, thalweg_tests::Instance) {
    let mut app = Application::prepare(Kafka::shared(), "");
    let mut instance = app.start();
    app.tell(KEYS, 5 * KEYS, 50);
    app.wait_until_told(&mut instance);
    (app, instance)
}

fn delete(topic: &str) {
    let kafka = Kafka::shared();
    let (servers, class) = (kafka.bootstrap_servers(), "org.apache.kafka.tools.TopicCommand");
    kafka.tool(class, &["--bootstrap-server", &servers, "--delete", "--topic", topic]);
}

#[test]
fn a_source_topic_created_again_while_running_stops_the_process_and_keeps_it_stopped() {
    let (mut app, instance) = told();
    delete(&app.events);
    records::create_topic(&app.clients, &app.events, PARTITIONS, &[]);
    // More than before: the offsets that the application wants exist, and mean other events.
    app.forget();
    app.tell(KEYS, 20 * KEYS, 50);
    let (code, log) = end(instance, NOTICED);
    assert_eq!(code, Some(65), "{log}");
    let last = log.lines().last().unwrap();
    let named = format!("deleted and created again while the application ran: {}", app.events);
    assert!(last.contains(&named) && last.contains("reset the application"), "{last}");

    let (code, log) = end(app.spawn(""), NOTICED);
    assert_eq!(code, Some(65), "{log}");
    let last = log.lines().last().unwrap();
    assert!(last.contains("since the state directory was built") && last.contains(&app.events), "{last}");
}

#[test]
fn a_changelog_created_again_while_stopped_is_not_taken_for_an_empty_store() {
    let (app, mut instance) = told();
    assert_eq!(instance.stop(STOP).code(), Some(0));
    let changelog = format!("{}-{SEEN}-changelog", app.id);
    delete(&changelog);
    // The application creates what is missing, as on its first start.
    let (code, log) = end(app.spawn(""), NOTICED);
    assert_eq!(code, Some(65), "{log}");
    let last = log.lines().last().unwrap();
    assert!(last.contains("since the state directory was built") && last.contains(&changelog), "{last}");
    assert_eq!(records::ends(&app.clients, &changelog, PARTITIONS), [0; PARTITIONS as usize], "nothing was processed");
}

#[test]
fn a_deleted_topic_is_told() {
    let (app, instance) = told();
    delete(&app.events);
    let (code, log) = end(instance, NOTICED);
    assert_eq!(code, Some(65), "{log}");
    let named = format!("deleted while the application ran: {}", app.events);
    assert!(log.lines().last().unwrap().contains(&named), "{log}");
}

#[test]
fn a_store_ahead_of_its_changelog_is_rebuilt_from_it() {
    let (mut app, mut instance) = told();
    assert_eq!(instance.stop(STOP).code(), Some(0));
    // As after the loss of the newest records of a changelog: one store says more than it has, with a row to prove it.
    let changelog = format!("{}-{SEEN}-changelog-1", app.id);
    let spec = StoreSpec { name: SEEN.to_owned(), backend: Backend::RocksDb, changelog: Some(changelog.clone()) };
    let memory = SharedMemory::new(1 << 20).unwrap();
    let mut state = TaskState::open(&app.state().join("0_1"), &[spec], &memory).unwrap().state;
    let mut ahead = Position::default();
    ahead.set(&changelog, state.position().get(&changelog).unwrap() + 1_000);
    state.put(0, b"lost", Some(b"\0\0\0\0\0\0\0\0{}")).unwrap();
    state.apply(&ahead).unwrap();
    state.close().unwrap();

    let mut instance = app.start();
    app.wait_until_told(&mut instance);
    app.tell(KEYS, KEYS, 50);
    app.wait_until_told(&mut instance);
    let log = instance.log();
    let told = log.lines().find(|line| line.contains("is beyond the end"));
    assert!(told.is_some_and(|line| line.contains("0_1") && line.contains(&changelog)), "{log}");
    assert_eq!(instance.stop(STOP).code(), Some(0));
}
