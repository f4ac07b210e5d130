use std::time::Duration;

use super::*;
use crate::query::close_reason::CloseReason;
use crate::query::metrics::description::{Description, Kind, LABELS};
use crate::query::metrics::{HopOutcome, Registrar};
use crate::query::{MemoryOwner, ReopenCause, RestoreProgress, SpanOutcome, metrics_document};
use crate::types::Spread;

fn lines(text: &str, name: &str) -> Vec<String> {
    let mut lines: Vec<_> = text.lines().filter(|line| line.starts_with(name)).map(ToOwned::to_owned).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn requests_are_counted_by_template_never_by_path() {
    let world = World::new().with_orders(&[("o-1", json!(1))]);
    world.get("/v1/views/orders/o-1").await;
    world.get("/v1/views/orders/nobody").await;
    world.get("/wp-admin.php").await;
    world.request(Method::from_bytes(b"BREW").unwrap(), "/v1/tasks").await;
    let text = world.get("/metrics").await.text;
    assert_eq!(
        lines(&text, "thalweg_http_requests_total"),
        [
            r#"thalweg_http_requests_total{method="GET",route="/v1/views/{view}/{key}",status="200"} 1"#,
            r#"thalweg_http_requests_total{method="GET",route="/v1/views/{view}/{key}",status="404"} 1"#,
            r#"thalweg_http_requests_total{method="GET",route="unmatched",status="404"} 1"#,
            r#"thalweg_http_requests_total{method="other",route="/v1/tasks",status="405"} 1"#,
        ]
    );
    assert!(!text.contains("nobody") && !text.contains("wp-admin"));
    assert_eq!(lines(&text, "thalweg_http_request_duration_seconds_count").len(), 3);
}

#[tokio::test]
async fn a_task_that_leaves_takes_its_series_along() {
    let world = World::new();
    let metrics = &world.metrics;
    let (stays, leaves) = (TaskId::new(0, 1), TaskId::new(0, 2));
    for id in [stays, leaves] {
        world.with(id, Role::Active, reader_at(id.partition));
        let task = metrics.task(id);
        task.process.inc_by(500);
        metrics.task(id).process.inc_by(100);
        task.commits.inc();
        task.dropped("late", 3);
        task.process_seconds.inc_by(0.5);
        task.punctuate.inc();
        task.punctuate_seconds.inc_by(0.25);
        metrics.restored(id, 7);
    }
    let text = world.get("/metrics").await.text;
    assert_eq!(
        lines(&text, "thalweg_task_process_total"),
        [r#"thalweg_task_process_total{task="0_1"} 600"#, r#"thalweg_task_process_total{task="0_2"} 600"#]
    );
    assert_eq!(
        lines(&text, "thalweg_dropped_records_total")[0],
        r#"thalweg_dropped_records_total{reason="late",task="0_1"} 3"#
    );
    let series = text.matches(r#"task="0_2""#).count();
    assert!(series > 50, "counters, gauges and two histograms, not {series}: {text}");

    metrics.remove_task(leaves);
    world.published.catalog.store(Arc::new(Catalog {
        tasks: world
            .published
            .catalog
            .load()
            .tasks
            .iter()
            .map(|(id, task)| (*id, task.clone()))
            .filter(|(id, _)| *id == stays)
            .collect(),
    }));
    let text = world.get("/metrics").await.text;
    assert_eq!(text.matches(r#"task="0_2""#).count(), 0, "{text}");
    assert_eq!(text.matches(r#"task="0_1""#).count(), series);
}

#[tokio::test]
async fn gauges_are_those_of_the_published_progress() {
    let world = World::new().with_orders(&[(&key_in(2), json!(1))]);
    world.with(TaskId::new(0, 3), Role::Standby, reader_at(3));
    let text = world.get("/metrics").await.text;
    for line in [
        r#"thalweg_task_role{role="active",task="0_2"} 1"#,
        r#"thalweg_task_role{role="standby",task="0_3"} 1"#,
        r#"thalweg_task_restore_remaining_records{store="orders-store",task="0_3"} 4"#,
        r#"thalweg_store_rows{store="orders-store",task="0_2"} 1"#,
        r#"thalweg_store_rows{store="orders-store",task="0_1"} 0"#,
        r#"thalweg_store_bytes{store="orders-store",task="0_2"} 4096"#,
        r#"thalweg_task_stream_time_seconds{task="0_2"} 1700000000"#,
        r#"thalweg_partition_lag_records{partition="2",topic="order.events"} 3"#,
        r#"thalweg_task_buffered_records{task="0_2"} 0"#,
        r#"thalweg_member_state{state="stable"} 1"#,
        "thalweg_ready 0",
        "thalweg_alive_stream_threads 0",
        &format!(r#"thalweg_info{{application="app",version="{}"}} 1"#, env!("CARGO_PKG_VERSION")),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[test]
fn the_counters_of_topics_threads_and_the_group_are_there() {
    let metrics = Metrics::new().unwrap();
    metrics.consumed("order.events", 5, 500);
    metrics.produced("order.status", 4, 100);
    metrics.dead_letters("order.events", "malformed").inc();
    metrics.skipped("payment.order", "null").inc_by(2);
    let thread = metrics.thread("stream-1");
    thread.commit_seconds.observe(0.02);
    thread.commit.inc_by(0.75);
    metrics.rebalances().inc();
    metrics.rebalance_seconds().observe(0.2);
    metrics.reopened(ReopenCause::Rebuild);
    let text = String::from_utf8(metrics.text(&[])).unwrap();
    for line in [
        r#"thalweg_records_consumed_total{topic="order.events"} 5"#,
        r#"thalweg_records_produced_total{topic="order.status"} 4"#,
        r#"thalweg_dead_letters_total{reason="malformed",topic="order.events"} 1"#,
        r#"thalweg_skipped_records_total{reason="null",topic="payment.order"} 2"#,
        "thalweg_schema_registry_failures_total 0",
        r#"thalweg_thread_commit_duration_seconds_bucket{thread="stream-1",le="0.025"} 1"#,
        r#"thalweg_thread_commit_duration_seconds_bucket{thread="stream-1",le="0.01"} 0"#,
        r#"thalweg_bytes_consumed_total{topic="order.events"} 500"#,
        r#"thalweg_bytes_produced_total{topic="order.status"} 100"#,
        r#"thalweg_thread_busy_seconds_total{activity="commit",thread="stream-1"} 0.75"#,
        r#"thalweg_task_reopened_total{cause="rebuild"} 1"#,
        "thalweg_rebalances_total 1",
        r#"thalweg_rebalance_duration_seconds_bucket{le="0.1"} 0"#,
        r#"thalweg_rebalance_duration_seconds_bucket{le="0.5"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[tokio::test]
async fn reads_are_counted_by_role_hop_and_outcome() {
    let (key, elsewhere) = (key_in(1), key_in(2));
    let world = World::new().with_orders(&[(&key, json!(1))]);
    world.table(|table| table.instances.push(instance("b", None)));
    world.owned_by(TaskId::new(0, 2), 1);
    for path in [&key, &key, &key_in(3), &elsewhere] {
        world.get(&format!("/v1/views/orders/{path}")).await;
    }
    world.get("/v1/views/orders?limit=0").await;
    world.get("/v1/views").await;
    let text = world.get("/metrics").await.text;
    assert_eq!(
        lines(&text, "thalweg_view_reads_total"),
        [
            r#"thalweg_view_reads_total{hop="local",outcome="answered",role="active"} 2"#,
            r#"thalweg_view_reads_total{hop="local",outcome="not_found",role="active"} 1"#,
            r#"thalweg_view_reads_total{hop="local",outcome="refused",role="none"} 1"#,
            r#"thalweg_view_reads_total{hop="local",outcome="unavailable",role="none"} 1"#,
        ]
    );
}

#[test]
fn times_of_records_are_cumulative_buckets_per_task() {
    let metrics = Metrics::new().unwrap();
    let mut spread = Spread::default();
    [0, 3, 3, 40, 1_000_000].into_iter().for_each(|ms| spread.count(ms));
    let task = metrics.task(TaskId::new(1, 2));
    task.latency.add(&spread);
    task.latency.add(&spread);
    let text = String::from_utf8(metrics.text(&[])).unwrap();
    let name = "thalweg_task_record_e2e_latency_seconds";
    for line in [
        format!("# TYPE {name} histogram"),
        format!(r#"{name}_bucket{{task="1_2",le="0.001"}} 2"#),
        format!(r#"{name}_bucket{{task="1_2",le="0.002"}} 2"#),
        format!(r#"{name}_bucket{{task="1_2",le="0.004"}} 6"#),
        format!(r#"{name}_bucket{{task="1_2",le="0.064"}} 8"#),
        format!(r#"{name}_bucket{{task="1_2",le="262.144"}} 8"#),
        format!(r#"{name}_bucket{{task="1_2",le="+Inf"}} 10"#),
        format!(r#"{name}_count{{task="1_2"}} 10"#),
        format!(r#"{name}_sum{{task="1_2"}} 2000.092"#),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[tokio::test]
async fn memory_is_the_sum_of_each_owner() {
    let world = World::new().with_orders(&[]);
    let owner = |name, bytes| MemoryOwner { name, bytes: Box::new(move || bytes) };
    world.published.memory.store(Arc::new(vec![owner("block_cache", 700), owner("memtables", 30)]));
    for task in world.published.catalog.load().tasks.values() {
        let memory = vec![("queues", 10), ("overlay", 2)];
        task.progress.store(Arc::new(TaskProgress { memory, ..TaskProgress::default() }));
    }
    let text = world.get("/metrics").await.text;
    assert_eq!(
        lines(&text, "thalweg_memory_bytes"),
        [
            r#"thalweg_memory_bytes{owner="block_cache"} 700"#,
            r#"thalweg_memory_bytes{owner="memtables"} 30"#,
            r#"thalweg_memory_bytes{owner="overlay"} 8"#,
            r#"thalweg_memory_bytes{owner="queues"} 40"#,
        ]
    );
}

#[tokio::test]
async fn a_restore_shows_share_rate_and_rest() {
    let world = World::new();
    world.with(TaskId::new(0, 2), Role::Restoring, reader_at(2));
    let restore =
        RestoreProgress { restored_records: 1_000, remaining_records: 2_000, elapsed: Duration::from_secs(3) };
    let tasks = world.published.catalog.load();
    tasks.tasks[&TaskId::new(0, 2)]
        .progress
        .store(Arc::new(TaskProgress { restore: Some(restore), ..TaskProgress::default() }));
    assert_eq!(
        world.get("/v1/tasks").await.json()["tasks"][0]["restore"],
        json!({"percent": 33.3, "records_per_second": 333.0, "remaining_records": 2_000, "estimate_seconds": 6.0})
    );
}

/// All descriptions, read back from the document's rows.
fn documented() -> Vec<Vec<String>> {
    let document = metrics_document().unwrap();
    let rows = document.lines().filter(|line| line.starts_with("| `thalweg_"));
    rows.map(|row| row.split(" | ").map(|cell| cell.trim_matches(['|', ' ', '`']).to_owned()).collect()).collect()
}

#[test]
fn names_carry_their_units_and_labels_are_explained() {
    let rows = documented();
    assert!(rows.len() > 40 && rows.is_sorted(), "{rows:?}");
    for row in rows {
        let [name, kind, unit, labels, meaning, _] = row.as_slice() else { panic!("{row:?}") };
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
        assert_eq!(unit == "seconds", name.contains("_seconds"), "{name}");
        assert_eq!(unit == "bytes", name.contains("bytes"), "{name}");
        assert!(!meaning.is_empty() && !meaning.ends_with('.'), "{name}");
        for label in labels.split(", ").map(|label| label.trim_matches('`')).filter(|label| !label.is_empty()) {
            assert!(LABELS.iter().any(|(known, _)| *known == label), "{label} of {name}");
        }
    }
    assert!(LABELS.is_sorted());
    let document = metrics_document().unwrap();
    for (label, _) in LABELS {
        assert!(document.contains(&format!("| `{label}` |")), "no metric carries {label}");
    }
}

#[tokio::test]
async fn what_a_scrape_answers_is_what_is_documented() {
    let world = World::new().with_orders(&[(&key_in(2), json!(1))]);
    let metrics = &world.metrics;
    let task = metrics.task(TaskId::new(0, 2));
    task.dropped("late", 1);
    metrics.restored(TaskId::new(0, 2), 1);
    metrics.thread("stream-1");
    metrics.consumed("in", 1, 1);
    metrics.produced("out", 1, 1);
    metrics.dead_letters("in", "malformed").inc();
    metrics.skipped("in", "malformed").inc();
    metrics.reopened(ReopenCause::Retry);
    metrics.spans(SpanOutcome::Sent).inc();
    metrics.forwarded(HopOutcome::Answered, Duration::ZERO);
    metrics.read("active", false, StatusCode::OK);
    metrics.http_closed(CloseReason::Idle);
    for local in world.published.catalog.load().tasks.values() {
        let progress = TaskProgress::clone(&local.progress.load());
        let last_commit = Some(std::time::Instant::now());
        let memory = vec![("queues", 1)];
        local.progress.store(Arc::new(TaskProgress { last_commit, memory, ..progress }));
    }
    world.get("/v1/tasks").await;
    let text = world.get("/metrics").await.text;
    let mut types: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    types.sort();
    let expected: Vec<(String, String)> =
        documented().into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(types, expected);
}

#[test]
#[should_panic(expected = "registered as what it is described")]
fn a_metric_is_registered_as_what_it_is_described() {
    static WRONG: Description =
        Description { name: "x_total", kind: Kind::Gauge, unit: "", labels: &[], meaning: "m", kafka: "" };
    let _ = Registrar::default().counters(&WRONG);
}

#[test]
fn metrics_document_is_up_to_date() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let document = metrics_document().unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &document).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == document, "docs/metrics.md is out of date: UPDATE_DOCS=1 cargo test -p thalweg metrics_document");
}
