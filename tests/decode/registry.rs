//! A schema registry that is away, slow, answers garbage or 401, over the whole application in this process.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use orders::demo::generator::Event;
use orders::serdes::Serdes;
use orders::topics::{NOTIFICATION_SMS, ORDER_ANOMALIES, ORDER_EVENTS, ORDER_STATUS, PARTITIONS, PAYMENT_ORDER};
use orders::{APP, schemas};
use serde_json::Value;
use tempfile::TempDir;
use thalweg::cli::{self, Instance};
use thalweg::types::{Headers, partition_of};
use thalweg::wire::{EmbeddedBroker, Kafka, NewTopic};
use thalweg_tests::fake_registry::Mood;
use thalweg_tests::orders::{expected, lives, wait_until_views_equal};
use thalweg_tests::poison::encode;
use thalweg_tests::records::{self, Record};
use thalweg_tests::{FakeRegistry, http, views, wait_until};

const SEED: u64 = 5;
const ORDERS: u64 = 300;
const SOON: Duration = Duration::from_secs(60);
const SLOW: Duration = Duration::from_secs(5);

/// The application over an embedded broker; ends with the test.
struct Scene {
    serdes: Serdes,
    broker: EmbeddedBroker,
    instance: Instance,
    url: String,
    _state: TempDir,
}

impl Scene {
    fn start(registry: &FakeRegistry) -> Self {
        let broker = EmbeddedBroker::start(1).unwrap();
        let topic = |name: &str| NewTopic {
            name: name.to_owned(),
            partitions: PARTITIONS,
            replication_factor: -1,
            config: Vec::new(),
        };
        let topics = [ORDER_EVENTS, PAYMENT_ORDER, ORDER_STATUS, ORDER_ANOMALIES, NOTIFICATION_SMS].map(topic);
        broker.admin().unwrap().create(&topics).unwrap();
        let state = tempfile::tempdir().unwrap();
        let given = [
            ("application.id", "orders"),
            ("application.state_dir", &state.path().display().to_string()),
            ("application.commit_interval_ms", "100"),
            ("kafka.bootstrap_servers", &broker.bootstrap_servers()),
            ("schema_registry.url", registry.url()),
            ("schema_registry.timeout_ms", "15000"),
            ("http.bind", "127.0.0.1:0"),
        ];
        let flags = given.map(|(key, value)| (format!("--set {key}"), key.to_owned(), value.to_owned())).to_vec();
        let settings = cli::configuration(&cli::Options { file: None, flags }).unwrap().settings;
        let recipes = cli::recipes(APP, "orders", settings.schema_registry.as_ref().unwrap()).unwrap();
        let instance = Instance::start(&settings, Arc::new(broker.clone()), recipes).unwrap();
        let url = format!("http://{}", instance.address());
        Self { serdes: crate::serdes(registry), broker, instance, url, _state: state }
    }

    /// Writes events; the first record of each partition in `ids` has the id there instead of its own.
    fn write(&self, events: &[Event], ids: &[(i32, u32)]) {
        let mut ids = ids.to_vec();
        for topic in [ORDER_EVENTS, PAYMENT_ORDER] {
            let events = events.iter().filter(|event| event.topic() == topic);
            let written: Vec<(i32, Record)> = events
                .map(|event| {
                    let (key, mut value) = (event.key.clone().into_bytes(), encode(event, &self.serdes));
                    let partition = partition_of(&key, PARTITIONS);
                    let other = ids.iter().position(|(at, _)| topic == ORDER_EVENTS && *at == partition);
                    if let Some((_, id)) = other.map(|other| ids.remove(other)) {
                        value[1..5].copy_from_slice(&id.to_be_bytes());
                    }
                    let timestamp = event.timestamp;
                    (partition, Record { timestamp, key: Some(key), value: Some(value), headers: Headers::new() })
                })
                .collect();
            records::write(&self.broker, topic, written.iter().map(|(partition, record)| (*partition, record)));
        }
        assert!(ids.is_empty(), "no record for {ids:?}");
    }

    /// Partitions of `order.events` that have not been read to their end, and those where nothing was taken at all.
    fn behind(&self) -> (BTreeSet<i32>, BTreeSet<i32>) {
        let ends = records::ends(&self.broker, ORDER_EVENTS, PARTITIONS);
        let (mut behind, mut untouched) = (BTreeSet::new(), BTreeSet::new());
        for (topic, partition, position) in self.positions() {
            if topic == ORDER_EVENTS {
                behind.extend((position < ends[partition as usize]).then_some(partition));
                untouched.extend((position == 0).then_some(partition));
            }
        }
        (behind, untouched)
    }

    fn positions(&self) -> Vec<(String, i32, i64)> {
        let tasks = views::tasks(&self.url).unwrap_or_default();
        let inputs = tasks.into_values().flat_map(|task| task["inputs"].as_array().cloned().unwrap_or_default());
        let number = |value: &Value| value.as_i64().unwrap();
        inputs
            .map(|input| {
                let topic = input["topic"].as_str().unwrap().to_owned();
                (topic, number(&input["partition"]) as i32, number(&input["position"]))
            })
            .collect()
    }

    fn ready(&self) -> (u16, Value) {
        let answer = http::get(&format!("{}/readyz", self.url)).unwrap();
        (answer.status, answer.json())
    }

    fn waiting(&self) -> Vec<String> {
        let (status, body) = self.ready();
        assert_eq!(status, 200, "{body}: a partition that waits is no reason to send reads elsewhere");
        let waiting = body["waiting"].as_array().cloned().unwrap_or_default();
        waiting.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    fn metric(&self, name: &str) -> f64 {
        views::metric(&self.url, name, &[])
    }
}

#[test]
fn each_fault_of_the_registry_holds_one_partition_and_ends_by_itself() {
    // Away at the start: the process stays, and says why it is not ready.
    let registry = FakeRegistry::start();
    registry.set_all(Mood::Away);
    let scene = Scene::start(&registry);
    wait_until(SOON, "/readyz to tell of the registry", || {
        let (status, body) = scene.ready();
        status == 503 && body["reasons"].to_string().contains("subject '")
    });
    assert_eq!(http::get(&format!("{}/livez", scene.url)).unwrap().status, 200);
    assert!(!scene.instance.is_finished());
    assert!(scene.metric("thalweg_schema_registry_failures_total") >= 1.0);
    registry.set_all(Mood::Fine);
    wait_until(SOON, "the instance to be ready", || scene.ready().0 == 200);

    // One fault per partition, each before its first record.
    let moods = [Mood::Away, Mood::Says(200, "<html>sorry</html>"), Mood::Says(401, "{}"), Mood::Slow(SLOW)];
    let ids: Vec<(i32, u32)> = moods
        .iter()
        .zip(0..)
        .map(|(mood, partition)| {
            let id = registry.another_id_of(schemas::ORDER_EVENT);
            registry.set(id, *mood);
            (partition, id)
        })
        .collect();
    let failing = &ids[..3];
    let events = lives(SEED, "o", ORDERS);
    let (first, second) = events.split_at(events.len() / 2);
    scene.write(first, &ids);
    let held: BTreeSet<i32> = failing.iter().map(|(partition, _)| *partition).collect();
    wait_until(SOON, "all other partitions to be read to their end", || scene.behind().0 == held);
    assert_eq!(scene.behind().1, held, "what waits has not moved");
    let ends = records::ends(&scene.broker, PAYMENT_ORDER, PARTITIONS);
    let payments = || scene.positions().into_iter().filter(|(topic, ..)| topic == PAYMENT_ORDER);
    wait_until(SOON, "the payments of the same tasks to be taken", || {
        payments().all(|(_, partition, position)| position == ends[partition as usize])
    });
    wait_until(SOON, "/readyz to tell of three partitions", || scene.waiting().len() == 3);
    for ((partition, id), why) in failing.iter().zip(["connection closed", "could not parse", "401 Unauthorized"]) {
        let all = scene.waiting();
        let told = |text: &&String| text.starts_with(&format!("order.events-{partition} has been waiting for "));
        let text = all.iter().find(told).unwrap_or_else(|| panic!("order.events-{partition} in {all:?}"));
        assert!(text.contains(&format!("schema id {id}")) && text.contains(why), "{text}");
        assert!(registry.questions_about(*id) >= 2, "asked again");
    }
    assert_eq!(scene.metric("thalweg_task_paused_partitions"), 3.0);

    // What is known goes on while nothing answers at all.
    registry.set_all(Mood::Away);
    scene.write(second, &[]);
    wait_until(SOON, "known ids to go on", || scene.behind().0 == held);

    registry.set_all(Mood::Fine);
    failing.iter().for_each(|(_, id)| registry.set(*id, Mood::Fine));
    wait_until(SOON, "everything to be taken", || scene.behind().0.is_empty());
    wait_until_views_equal(&[&scene.url], SOON, &expected(&events));
    wait_until(SOON, "nothing to wait", || scene.waiting().is_empty());
    assert_eq!(scene.metric("thalweg_task_paused_partitions"), 0.0);
    assert_eq!(scene.metric("thalweg_dead_letters_total"), 0.0, "nothing was set aside");
    scene.instance.stop().unwrap();
}
