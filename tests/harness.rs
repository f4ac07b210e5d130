//! The harness itself: the services start, answer, keep their data, and die with the test binary.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use thalweg_tests::child::{Child, Program};
use thalweg_tests::{Kafka, http, shared, unique, wait_until};

const ROLE: &str = "THALWEG_HARNESS_ROLE";
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[test]
fn a_schema_comes_back_as_registered_and_an_incompatible_one_is_refused() {
    let (_, registry) = shared();
    let subject = unique("orders-value");
    let versions = format!("{}/subjects/{subject}/versions", registry.url());
    let schema = r#"{"type":"record","name":"Order","fields":[{"name":"id","type":"string"}]}"#;
    let registered = http::post(&versions, &json!({ "schema": schema })).expect("an answer");
    assert_eq!(registered.status, 200, "{}", registered.body);
    let id = registered.json()["id"].as_i64().expect("a schema id");
    let back = http::get_json(&format!("{}/schemas/ids/{id}", registry.url()));
    assert_eq!(back["schema"], schema);
    let unknown = http::get(&format!("{}/schemas/ids/999999", registry.url())).expect("an answer");
    assert_eq!(unknown.status, 404);
}

#[test]
fn the_broker_creates_and_describes_topics() {
    let kafka = Kafka::shared();
    let (servers, topic) = (kafka.bootstrap_servers(), unique("topic"));
    kafka.tool(TOPICS, &["--bootstrap-server", &servers, "--create", "--topic", &topic, "--partitions", "3"]);
    let described = kafka.tool(TOPICS, &["--bootstrap-server", &servers, "--describe", "--topic", &topic]);
    assert!(described.contains("PartitionCount: 3"), "{described}");
    assert!(described.contains("ReplicationFactor: 1"), "{described}");
}

#[test]
fn a_broker_keeps_its_topics_and_its_port_over_a_restart_and_a_kill() {
    let mut kafka = Kafka::start();
    let (servers, port, topic) = (kafka.bootstrap_servers(), kafka.port(0), unique("kept"));
    kafka.tool(TOPICS, &["--bootstrap-server", &servers, "--create", "--topic", &topic]);
    kafka.stop(0);
    assert!(!listens(port), "a stopped broker listens");
    kafka.start_again(0);
    kafka.kill(0);
    assert!(!listens(port), "a killed broker listens");
    kafka.start_again(0);
    assert_eq!(kafka.bootstrap_servers(), servers);
    let listed = kafka.tool(TOPICS, &["--bootstrap-server", &servers, "--list"]);
    assert!(listed.lines().any(|line| line == topic), "{listed}");
}

#[test]
fn three_brokers_hold_three_copies() {
    let kafka = Kafka::start_three();
    let (servers, topic) = (kafka.bootstrap_servers(), unique("copied"));
    kafka.tool(TOPICS, &["--bootstrap-server", &servers, "--create", "--topic", &topic]);
    let described = kafka.tool(TOPICS, &["--bootstrap-server", &servers, "--describe", "--topic", &topic]);
    assert!(described.contains("ReplicationFactor: 3"), "{described}");
}

#[test]
fn a_child_reports_its_exit_code_its_output_and_the_signal_that_ended_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let shell = |name: &str, script: &str| {
        Child::spawn(Program::new(name, "sh", ["-c", script], &dir.path().join(name))).expect("sh starts")
    };
    let second = Duration::from_secs(10);
    let mut ends = shell("ends", "echo said; exit 7");
    assert_eq!(ends.wait(second).expect("an end").code(), Some(7));
    assert_eq!(ends.log(), "said\n");
    let mut traps = shell("traps", "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done");
    wait_until(second, "the trap to be set", || traps.log() == "up\n");
    assert_eq!(traps.terminate(second).expect("an end").code(), Some(3));
    let mut hangs = shell("hangs", "trap '' TERM; echo up; while :; do sleep 0.05; done");
    wait_until(second, "the trap to be set", || hangs.log() == "up\n");
    assert!(hangs.terminate(Duration::from_millis(300)).is_err(), "TERM was ignored by the child");
    assert_eq!(hangs.kill().expect("an end").code(), Some(128 + 9));
}

/// Plays both roles: with [`ROLE`] set it is the process that is killed.
#[test]
fn a_killed_test_binary_takes_its_broker_and_its_files_along() {
    if std::env::var_os(ROLE).is_some() {
        let kafka = Kafka::start();
        println!("\nbroker {} {}", kafka.port(0), kafka.directory().display());
        return wait_until(Duration::from_secs(120), "the kill", || false);
    }
    let mut victim = Command::new(std::env::current_exe().expect("a test knows its executable"))
        .args(["--exact", "a_killed_test_binary_takes_its_broker_and_its_files_along", "--nocapture"])
        .env(ROLE, "victim")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the victim starts");
    let output = BufReader::new(victim.stdout.take().expect("a pipe"));
    let (port, dir) = output.lines().map_while(Result::ok).find_map(|line| announced(&line)).expect("a broker");
    assert!(listens(port) && dir.is_dir(), "the victim's broker serves");
    victim.kill().expect("SIGKILL can be sent");
    victim.wait().expect("the victim ends");
    wait_until(Duration::from_secs(5), "the broker's port to close", || !listens(port));
    wait_until(Duration::from_secs(10), "the broker's files to go", || !dir.exists());
}

fn announced(line: &str) -> Option<(u16, PathBuf)> {
    let (port, dir) = line.strip_prefix("broker ")?.split_once(' ')?;
    Some((port.parse().ok()?, PathBuf::from(dir)))
}
