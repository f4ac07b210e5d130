//! Three brokers with three copies of everything, of which the one with the group's coordinator dies.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use thalweg::dsl::{Consumed, Grouped, Materialized, Produced, StreamsBuilder};
use thalweg::group::CommitPolicy;
use thalweg::group::member::MemberConfig;
use thalweg::query::{Health, Instance, Metrics, Published};
use thalweg::runtime::{Options, Runtime, describe_for_readers};
use thalweg::serde::{I64Serde, StringSerde};
use thalweg::task::{DecodePolicy, Recipes, TaskOptions};
use thalweg::types::partition_of;
use thalweg::wire::coordinator::{CoordinatorConnection, CoordinatorSettings};
use thalweg::wire::{Kafka as _, KafkaClients, NewTopic};
use thalweg_tests::records::{self, Record};
use thalweg_tests::wait::wait_for;
use thalweg_tests::{Kafka, wait_until};

const APP: &str = "survivor";
const PARTITIONS: i32 = 4;
const KEYS: usize = 200;
const BATCHES: usize = 100;
const BATCH: usize = 200;
const PATIENCE: Duration = Duration::from_secs(180);

/// Copies `in` to `out`, and keeps the latest value of each key.
fn recipes() -> Recipes {
    let builder = StreamsBuilder::new();
    let numbers = builder.stream::<String, i64, _, _>("in", Consumed::with(StringSerde, I64Serde)).fan_out();
    numbers.clone().to("out", Produced::with(StringSerde, I64Serde));
    let grouped = numbers.group_by_key(Grouped::with(StringSerde, I64Serde));
    grouped.reduce(|_, value| value, Materialized::named("latest"));
    builder.build(APP).unwrap()
}

fn key(number: usize) -> String {
    format!("key-{}", number % KEYS)
}

/// The records of one batch: each value is its number.
fn batch(number: usize) -> Vec<(i32, Record)> {
    let record = |number: usize| {
        let (key, value) = (key(number).into_bytes(), (number as i64).to_be_bytes().to_vec());
        let record = Record { timestamp: 1, key: Some(key), value: Some(value), ..Record::default() };
        (partition_of(record.key.as_deref().unwrap(), PARTITIONS), record)
    };
    (number * BATCH..(number + 1) * BATCH).map(record).collect()
}

fn create_topics(clients: &KafkaClients) {
    let topic = |name: &str| NewTopic {
        name: name.to_owned(),
        partitions: PARTITIONS,
        replication_factor: 3,
        config: Vec::new(),
    };
    clients.admin().unwrap().create(&["in", "out"].map(topic)).unwrap();
    let mut consumer = clients.consumer("test-creator").unwrap();
    for topic in ["in", "out"] {
        for number in 0..PARTITIONS {
            let partition = thalweg::types::TopicPartition::new(topic, number);
            wait_until(PATIENCE, "a leader", || consumer.offsets(&partition, PATIENCE).is_ok());
        }
    }
    consumer.close(PATIENCE);
}

fn start(kafka: &Kafka, state_dir: &std::path::Path) -> (Runtime, Arc<Published>) {
    let servers = kafka.bootstrap_servers();
    let options = Options {
        state_dir: state_dir.to_owned(),
        stream_threads: 1,
        commit: CommitPolicy { interval_ms: 100, uncommitted_bytes_max: 16 << 20 },
        state_memory_bytes: 64 << 20,
        input_buffer_max_bytes: 64 << 20,
        task: TaskOptions {
            decode_policy: DecodePolicy::Fail,
            dead_letter_topic: None,
            max_task_idle_ms: 0,
            cache_max_bytes: 0,
            timestamp_ahead_max_ms: i64::MAX,
        },
        replication_factor: 3,
        member: MemberConfig { session_timeout_ms: 10_000, heartbeat_interval_ms: 500, ..MemberConfig::new(APP) },
        coordinator: coordinator(&servers),
        endpoint: "127.0.0.1:1".to_owned(),
        wall_clock: SystemTime::now,
    };
    let recipes = recipes();
    let this_instance = Instance { id: "127.0.0.1:1".to_owned(), endpoint: None };
    let topology = describe_for_readers(&recipes);
    let published = Arc::new(Published::starting(topology, this_instance, Health::default()));
    let clients = Arc::new(kafka.clients());
    let runtime = Runtime::start(clients, recipes, options, Arc::clone(&published), Metrics::new().unwrap()).unwrap();
    (runtime, published)
}

fn coordinator(servers: &str) -> CoordinatorSettings {
    CoordinatorSettings::from_client([("bootstrap.servers", servers)]).unwrap()
}

/// The broker that coordinates the group.
fn index_of_coordinator(kafka: &Kafka) -> usize {
    let settings = coordinator(&kafka.bootstrap_servers());
    let mut connection = CoordinatorConnection::open(&settings, "127.0.0.1", kafka.port(0)).unwrap();
    let found = connection.find_coordinator(APP).unwrap().unwrap();
    (0..3).find(|index| kafka.port(*index) == found.port).unwrap()
}

/// Records of `in` that the instance has processed.
fn processed(published: &Published) -> i64 {
    let catalog = published.catalog.load();
    let inputs = |task: &thalweg::query::LocalTask| task.progress.load().inputs.clone();
    catalog.tasks.values().flat_map(inputs).map(|input| input.position).sum()
}

/// How far each task is, for the message of a failure.
fn state(published: &Published) -> String {
    let catalog = published.catalog.load();
    let tasks = catalog.tasks.iter().map(|(id, task)| {
        let progress = task.progress.load();
        format!("{id} {}: {:?}, restore {:?}", task.state, progress.inputs, progress.restore)
    });
    let (tasks, health) = (tasks.collect::<Vec<_>>().join("\n"), published.health.load());
    format!("{:?}, faults {:?}\n{tasks}", health.membership, health.faults)
}

/// The values of a topic by key, in order.
fn values(clients: &KafkaClients, topic: &str) -> BTreeMap<String, Vec<i64>> {
    let mut values: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for stored in records::read_all(clients, topic, PARTITIONS) {
        let key = String::from_utf8(stored.record.key.unwrap()).unwrap();
        // A row of a changelog is the value alone, its time is the record's.
        let value = i64::from_be_bytes(stored.record.value.unwrap().try_into().unwrap());
        values.entry(key).or_default().push(value);
    }
    values
}

#[test]
#[ignore = "long: three brokers, one of which is killed"]
fn nothing_is_lost_when_the_broker_with_the_coordinator_dies() {
    let mut kafka = Kafka::start_three();
    let clients = kafka.clients();
    create_topics(&clients);
    let dir = tempfile::tempdir().unwrap();
    let (runtime, published) = start(&kafka, dir.path());
    let writer = thread::spawn({
        let clients = kafka.clients();
        move || {
            (0..BATCHES).for_each(|number| records::write(&clients, "in", batch(number).iter().map(|(p, r)| (*p, r))))
        }
    });
    let all = (BATCHES * BATCH) as i64;
    wait_until(PATIENCE, "a fifth of the records", || processed(&published) >= all / 5);
    let victim = index_of_coordinator(&kafka);
    assert!(processed(&published) < all, "killed when everything was done");
    kafka.kill(victim);
    let killed = Instant::now();
    println!("killed broker {victim} at {} of {all}", processed(&published));
    writer.join().unwrap();
    println!("all written {:?} later", killed.elapsed());
    let done = wait_for(PATIENCE, "all records", || (processed(&published) >= all).then_some(()));
    done.unwrap_or_else(|late| panic!("{late}; {}", state(&published)));
    println!("all processed {:?} later", killed.elapsed());
    runtime.stop();
    runtime.join().unwrap();

    kafka.start_again(victim);
    let clients = kafka.clients();
    let expected =
        |number: usize| (0..BATCHES * BATCH).skip(number).step_by(KEYS).map(|n| n as i64).collect::<Vec<_>>();
    let out = values(&clients, "out");
    let latest = values(&clients, &format!("{APP}-latest-changelog"));
    for number in 0..KEYS {
        let (key, expected) = (key(number), expected(number));
        let mut known = std::collections::BTreeSet::new();
        let first: Vec<i64> = out[&key].iter().copied().filter(|value| known.insert(*value)).collect();
        assert_eq!(first, expected, "{key}: each value, in order; a repeat may follow");
        assert_eq!(latest[&key].last(), expected.last(), "{key}: the store");
    }
}
