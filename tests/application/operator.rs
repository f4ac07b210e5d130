//! What an operator sees of it: metrics, log lines, the tables of `orders status`.

use std::process::Command;

use orders::topics::{ORDER_EVENTS, ORDER_STATUS, PARTITIONS, PAYMENT_ORDER};
use serde_json::Value;
use thalweg_tests::instance::binary;
use thalweg_tests::{http, records, views};

use crate::SCENE;

fn metric(name: &str, labels: &[&str]) -> f64 {
    views::metric(SCENE.instance.url(), name, labels)
}

/// Records of a topic, as the broker counts them; nothing writes any more.
fn written(topic: &str) -> f64 {
    records::ends(&SCENE.app.clients, topic, PARTITIONS).iter().sum::<i64>() as f64
}

#[test]
fn the_counters_are_those_of_the_broker() {
    for topic in [ORDER_EVENTS, PAYMENT_ORDER] {
        let label = format!("topic=\"{topic}\"");
        assert_eq!(metric("thalweg_records_consumed_total", &[&label]), written(topic), "{topic}");
        assert!(metric("thalweg_bytes_consumed_total", &[&label]) > written(topic) * 20.0);
    }
    assert_eq!(metric("thalweg_records_produced_total", &["topic=\"order.status\""]), written(ORDER_STATUS));
    // Three inputs: the two sources, and what the first sub-topology sends to the second.
    let inputs = [ORDER_EVENTS, PAYMENT_ORDER, &SCENE.app.repartition_topic()].map(written).iter().sum::<f64>();
    assert_eq!(metric("thalweg_task_process_total", &[]), inputs);
    // Records that did not decode are processed, but have no time.
    let decoded = inputs - SCENE.poison.len() as f64;
    assert_eq!(metric("thalweg_task_record_e2e_latency_seconds_count", &[]), decoded);
    assert_eq!(metric("thalweg_task_record_lateness_seconds_count", &[]), decoded);
    assert_eq!(metric("thalweg_task_record_lateness_seconds_bucket", &["le=\"+Inf\""]), decoded);
}

#[test]
fn the_gauges_tell_a_calm_instance() {
    assert_eq!(metric("thalweg_ready", &[]), 1.0);
    assert_eq!(metric("thalweg_member_state", &["state=\"stable\""]), 1.0);
    assert_eq!(metric("thalweg_task_role", &["role=\"active\""]), 2.0 * f64::from(PARTITIONS));
    assert_eq!(metric("thalweg_partition_lag_records", &[]), 0.0);
    assert_eq!(metric("thalweg_task_buffered_records", &[]), 0.0);
    assert_eq!(metric("thalweg_task_restore_remaining_records", &[]), 0.0);
    assert_eq!(metric("thalweg_thread_commit_failures_total", &[]), 0.0);
    assert_eq!(metric("thalweg_task_reopened_total", &[]), 0.0);
    assert!(metric("thalweg_rebalance_duration_seconds_count", &[]) >= 1.0);
    assert!(metric("thalweg_alive_stream_threads", &[]) >= 1.0);
}

#[test]
fn sizes_and_times_are_measured() {
    // Every order's row, at least its key and timestamp.
    let rows = metric("thalweg_store_rows", &["store=\"order-status\""]);
    assert!(rows >= SCENE.expected.statuses.len() as f64, "{rows}");
    let bytes = metric("thalweg_store_bytes", &["store=\"order-status\""]);
    assert!(bytes > rows * 16.0, "{bytes}");
    assert!(metric("thalweg_memory_bytes", &["owner=\"memtables\""]) > 0.0);
    for owner in ["block_cache", "queues", "overlay", "outbox"] {
        assert!(metric("thalweg_memory_bytes", &[&format!("owner=\"{owner}\"")]) < 1e9, "{owner}");
    }
    let busy = ["poll", "process", "commit"].map(|activity| {
        let seconds = metric("thalweg_thread_busy_seconds_total", &[&format!("activity=\"{activity}\"")]);
        assert!(seconds > 0.0, "{activity}");
        seconds
    });
    let processing = metric("thalweg_task_process_seconds_total", &[]);
    assert!((processing - busy[1]).abs() < 1e-6, "tasks {processing}, threads {}", busy[1]);
}

/// What a line must not hold above `debug`: keys and values of records.
fn leak(line: &str) -> Option<String> {
    let keys = SCENE.events.iter().map(|event| event.key.clone());
    let poison = ["this is not Avro", "APPROVAL_REQUESTED", "pos-7"].map(str::to_owned);
    let numbers = ["+1202555".to_owned(), "120255501".to_owned()];
    keys.chain(poison).chain(numbers).find(|marked| line.contains(marked.as_str()))
}

#[test]
fn no_log_line_holds_a_key_a_value_or_a_number() {
    // Reads and mistakes of clients with a key must leave no trace either.
    let key = &SCENE.events[0].key;
    for path in [format!("order-status/{key}"), format!("order-status/{key}?min_position=x"), format!("none/{key}")] {
        http::get(&SCENE.url(&format!("/v1/views/{path}"))).unwrap();
    }
    let log = SCENE.instance.log();
    let mut seen = 0;
    for line in log.lines() {
        let Ok(parsed) = serde_json::from_str::<Value>(line) else { panic!("a file gets JSON, not {line:?}") };
        if ["INFO", "WARN", "ERROR"].contains(&parsed["level"].as_str().unwrap_or_default()) {
            seen += 1;
            assert_eq!(leak(line), None, "{line}");
        }
    }
    assert!(seen > 2 * PARTITIONS as usize, "one line per task at least, not {seen}:\n{log}");
    assert_eq!(leak(&format!("{{\"key\":\"{key}\"}}")).as_deref(), Some(key.as_str()), "the check sees a leak");
}

#[test]
fn each_state_change_is_one_line() {
    let log = SCENE.instance.log();
    let with = |message: &str| log.lines().filter(|line| line.contains(&format!("\"message\":\"{message}\""))).count();
    for once in ["starting", "serving HTTP", "the cluster has the topics of the application"] {
        assert_eq!(with(once), 1, "{once}:\n{log}");
    }
    for per_task in ["task opens", "task is restored and runs"] {
        assert_eq!(with(per_task), 2 * PARTITIONS as usize, "{per_task}:\n{log}");
    }
}

#[test]
fn status_prints_instances_tasks_and_lag() {
    let output = Command::new(binary()).args(["status", "--url", SCENE.instance.url()]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let endpoint = format!("127.0.0.1:{}", SCENE.place.port);
    let tasks = (2 * PARTITIONS).to_string();
    assert_eq!(words[0], ["INSTANCE", "MEMBERSHIP", "ACTIVE", "STANDBY", "RESTORING", "LAG"]);
    assert_eq!(words[1], [endpoint.as_str(), "stable", &tasks, "0", "0", "0"]);
    assert_eq!(words[3], ["TASK", "INSTANCE", "ROLE", "STATE", "LAG", "COMMITTED", "RESTORE"]);
    assert_eq!(words.len(), 4 + 2 * PARTITIONS as usize, "{text}");
    for (row, id) in words[4..].iter().zip([0, 1].into_iter().flat_map(|sub| (0..PARTITIONS).map(move |p| (sub, p)))) {
        assert_eq!(row[..5], [format!("{}_{}", id.0, id.1).as_str(), &endpoint, "active", "running", "0"], "{text}");
    }
}
