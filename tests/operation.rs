//! What an operator meets: mistakes in the configuration, a directory in use, topics that are missing.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use orders::topics::{NOTIFICATION_SMS, ORDER_ANOMALIES, ORDER_EVENTS, ORDER_STATUS, PARTITIONS, PAYMENT_ORDER};
use thalweg_tests::wait::wait_for;
use thalweg_tests::{Instance, Kafka, free_port, http, records, unique, wait_until};

const QUICK: Duration = Duration::from_secs(20);

/// A configuration without a mistake.
fn config(id: &str, dir: &Path, servers: &str, port: u16) -> String {
    format!(
        "\
application.id = \"{id}\"
application.state_dir = \"{}\"
kafka.bootstrap_servers = \"{servers}\"
schema_registry.url = \"http://127.0.0.1:1\"
http.bind = \"127.0.0.1:{port}\"
",
        dir.join("state").display()
    )
}

/// Exit code and output of an instance that ends by itself.
fn end(mut instance: Instance) -> (Option<i32>, String) {
    let status = wait_for(QUICK, "the instance to end", || instance.exited());
    let status = status.unwrap_or_else(|late| panic!("{late}\n{}", instance.log()));
    (status.code(), instance.log())
}

#[test]
fn ten_mistakes_in_the_configuration_are_told_at_once_and_nothing_starts() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = dir.path().join("missing.pem").display().to_string();
    let config = format!(
        "\
[application]
id = \"orders\"
comit_interval_ms = 100
max_task_idle_ms = \"5s\"
state_dir = \"here\"
state_dir = \"there\"
state_memory_bytes = 1024
stream_threads = true

[http]
bind = \"localhost:8080\"

[kafka]
bootstrap_servers = []

[kafka.group]
session_timeout_ms = 6000
heartbeat_interval_ms = 5000

[kafka.common]
\"ssl.ca.location\" = \"{certificate}\"

[kafka.consumer]
\"fetch.min.byts\" = 1
"
    );
    let (code, told) = end(Instance::spawn("mistaken", dir.path(), 0, &config));
    let file = dir.path().join("mistaken.toml").display().to_string();
    let expected = format!(
        "\
10 mistakes in the configuration, nothing was started:
  {file}: line 6: not TOML: duplicate key state_dir; keep one of the lines
  {file}: application.comit_interval_ms: there is no such key; did you mean application.commit_interval_ms?
  {file}: application.max_task_idle_ms: \"5s\" is not a whole number from -1 to 3600000; write 5000, the name of the key says its unit
  {file}: application.state_memory_bytes: 1024 is not a whole number of at least 16777216
  {file}: application.stream_threads: true is not a whole number from 1 to 512
  {file}: http.bind: \"localhost:8080\" is not an IP address and port such as 127.0.0.1:8080
  {file}: kafka.bootstrap_servers: a value of type array is not host:port, several separated by commas; write them as one text, such as \"a:9092,b:9092\"
  {file}: kafka.group.heartbeat_interval_ms: kafka.group.heartbeat_interval_ms must be at most a third of kafka.group.session_timeout_ms, or one lost heartbeat ends the membership; lower it, or raise kafka.group.session_timeout_ms
  {file}: kafka.consumer.fetch.min.byts: 'fetch.min.byts' is not a setting of librdkafka; did you mean fetch.min.bytes?
  {file}: kafka.common.ssl.ca.location: \"{certificate}\" is not a file that can be read: No such file or directory (os error 2)
"
    );
    assert_eq!(told, expected);
    assert_eq!(code, Some(64));
    let files: Vec<_> = dir.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files.len(), 2, "the configuration and the log: {files:?}");
}

#[test]
fn a_line_that_is_no_toml_is_told_beside_the_other_mistakes() {
    let dir = tempfile::tempdir().unwrap();
    let config = "\
application.id = \"orders\"
kafka.bootstrap_servers \"localhost:9092\"
http.bind = 8080
";
    let (code, told) = end(Instance::spawn("broken", dir.path(), 0, config));
    let file = dir.path().join("broken.toml").display().to_string();
    let expected = format!(
        "\
2 mistakes in the configuration, nothing was started:
  {file}: line 2: not TOML: key with no value, expected `=`
  {file}: http.bind: 8080 is not an IP address and port such as 127.0.0.1:8080
"
    );
    assert_eq!(told, expected);
    assert_eq!(code, Some(64));
}

#[test]
fn a_state_directory_belongs_to_one_process() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody listens there: the first instance waits for its cluster.
    let servers = format!("127.0.0.1:{}", free_port());
    let id = unique("orders");
    let ports = [free_port(), free_port()];
    let first = Instance::spawn("first", dir.path(), ports[0], &config(&id, dir.path(), &servers, ports[0]));
    let alive = format!("{}/livez", first.url());
    wait_until(QUICK, "the first instance to live", || http::get(&alive).is_ok_and(|answer| answer.status == 200));
    let lock = dir.path().join("state").join(&id).join(".lock");
    wait_until(QUICK, "the first instance's lock", || lock.exists());
    let holder = std::fs::read_to_string(&lock).unwrap();
    let started = Instant::now();
    let (code, log) =
        end(Instance::spawn("second", dir.path(), ports[1], &config(&id, dir.path(), &servers, ports[1])));
    assert_eq!(code, Some(75), "{log}");
    assert!(log.contains("is in use by") && log.contains(holder.trim()), "{holder}:\n{log}");
    assert!(started.elapsed() < Duration::from_secs(5), "it took {:?}", started.elapsed());
    assert_eq!(http::get(&alive).unwrap().status, 200, "the first goes on");
}

#[test]
fn missing_topics_are_named() {
    let kafka = Kafka::shared();
    let clients = kafka.clients();
    let run = || {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = config(&unique("orders"), dir.path(), &kafka.bootstrap_servers(), port);
        end(Instance::spawn("lacking", dir.path(), port, &config))
    };
    records::create_topic(&clients, ORDER_EVENTS, PARTITIONS, &[]);
    let (code, log) = run();
    assert_eq!(code, Some(65), "{log}");
    assert!(log.contains(PAYMENT_ORDER), "{log}");

    records::create_topic(&clients, PAYMENT_ORDER, PARTITIONS, &[]);
    for topic in [ORDER_STATUS, NOTIFICATION_SMS] {
        records::create_topic(&clients, topic, PARTITIONS, &[]);
    }
    let (code, log) = run();
    assert_eq!(code, Some(65), "{log}");
    assert!(log.contains(ORDER_ANOMALIES) && !log.contains(NOTIFICATION_SMS), "{log}");
}
