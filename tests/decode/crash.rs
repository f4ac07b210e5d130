//! A process that is killed before its dead letters are acknowledged.

use std::time::Duration;

use orders::demo::generator::Event;
use orders::topics::{NOTIFICATION_SMS, ORDER_ANOMALIES, ORDER_EVENTS, ORDER_STATUS, PARTITIONS, PAYMENT_ORDER};
use thalweg::types::{Headers, partition_of};
use thalweg_tests::orders::{ANY_TIME, expected, lives, wait_until_views_equal};
use thalweg_tests::poison::{Valid, encode, split};
use thalweg_tests::records::{self, Record};
use thalweg_tests::{FakeRegistry, Instance, Kafka, free_port, unique, wait_until};

const SEED: u64 = 9;
const ORDERS: u64 = 100;
const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_dead_letter_that_was_not_acknowledged_is_written_again_after_a_crash() {
    let (kafka, registry) = (Kafka::shared(), FakeRegistry::start());
    let (clients, serdes) = (kafka.clients(), crate::serdes(&registry));
    for topic in [ORDER_EVENTS, PAYMENT_ORDER, ORDER_STATUS, ORDER_ANOMALIES, NOTIFICATION_SMS] {
        records::create_topic(&clients, topic, PARTITIONS, &[ANY_TIME]);
    }
    let id = unique("orders");
    let dead_letters = format!("{id}.dlq");
    // Every letter is larger than that: the broker acknowledges none.
    records::create_topic(&clients, &dead_letters, 1, &[("max.message.bytes", "100")]);

    let events = lives(SEED, "o", ORDERS);
    let poison = Valid::first(&events, &serdes).poison(crate::now());
    for topic in [ORDER_EVENTS, PAYMENT_ORDER] {
        let good = |event: &Event| {
            let key = event.key.clone().into_bytes();
            let (partition, value) = (partition_of(&key, PARTITIONS), Some(encode(event, &serdes)));
            (partition, Record { timestamp: event.timestamp, key: Some(key), value, headers: Headers::new() })
        };
        let good: Vec<_> = events.iter().filter(|event| event.topic() == topic).map(good).collect();
        let bad = poison.iter().filter(|poison| poison.topic == topic);
        let bad = bad.map(|poison| (poison.partition, &poison.record));
        records::write(&clients, topic, good.iter().map(|(partition, record)| (*partition, record)).chain(bad));
    }

    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let config = format!(
        "\
application.id = \"{id}\"
application.state_dir = \"{state}\"
kafka.bootstrap_servers = \"{servers}\"
kafka.group.session_timeout_ms = 3000
kafka.group.heartbeat_interval_ms = 500
schema_registry.url = \"{registry}\"
http.bind = \"127.0.0.1:{port}\"
",
        state = dir.path().join("state").display(),
        servers = kafka.bootstrap_servers(),
        registry = registry.url(),
    );
    let start = || Instance::spawn("only", dir.path(), port, &config);
    let written = |topic: &str, partitions| records::ends(&clients, topic, partitions).iter().sum::<i64>();

    // Results and letters leave in one step of the commit, and the offsets only after it.
    let mut instance = start();
    wait_until(SOON, "a commit that fails", || instance.log().contains("a commit failed"));
    assert!(written(ORDER_STATUS, PARTITIONS) > 0, "results are written");
    assert_eq!(instance.exited(), None, "it tries again");
    instance.kill();
    assert_eq!(written(&dead_letters, 1), 0, "no letter was acknowledged");

    let servers = kafka.bootstrap_servers();
    let writable = ["--alter", "--entity-type", "topics", "--entity-name", &dead_letters, "--add-config"];
    let args = [&["--bootstrap-server", &servers], &writable[..], &["max.message.bytes=2097152"]].concat();
    kafka.tool("kafka.admin.ConfigCommand", &args);
    let mut instance = start();
    let all = i64::try_from(poison.len()).unwrap();
    wait_until(SOON, "all dead letters", || written(&dead_letters, 1) >= all);
    wait_until_views_equal(&[instance.url()], SOON, &expected(&events));
    assert_eq!(instance.stop(SOON).code(), Some(0));

    let letters = records::read_all(&clients, &dead_letters, 1);
    assert_eq!(letters.len(), poison.len(), "each once: none of the first was ever taken");
    for poison in &poison {
        let is_it = |stored: &&records::Stored| {
            let (own, added) = split(&stored.record.headers);
            let same = stored.record.key == poison.record.key && stored.record.value == poison.record.value;
            same && own == poison.record.headers && added["exception"] == poison.reason
        };
        assert!(letters.iter().any(|letter| is_it(&letter)), "{} is lost", poison.kind);
    }
}
