use super::*;

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
    assert_eq!(text.matches(r#"task="0_2""#).count(), 9, "{text}");

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
    assert_eq!(text.matches(r#"task="0_1""#).count(), 9);
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
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[test]
fn the_counters_of_topics_threads_and_the_group_are_there() {
    let metrics = Metrics::new().unwrap();
    metrics.consumed("order.events").inc_by(5);
    metrics.produced("order.status").inc_by(4);
    metrics.dead_letters("order.events", "malformed").inc();
    metrics.skipped("payment.order", "null").inc_by(2);
    metrics.commit_seconds("stream-1").observe(0.02);
    metrics.rebalances().inc();
    let text = String::from_utf8(metrics.text(&[])).unwrap();
    for line in [
        r#"thalweg_records_consumed_total{topic="order.events"} 5"#,
        r#"thalweg_records_produced_total{topic="order.status"} 4"#,
        r#"thalweg_dead_letters_total{reason="malformed",topic="order.events"} 1"#,
        r#"thalweg_skipped_records_total{reason="null",topic="payment.order"} 2"#,
        "thalweg_schema_registry_failures_total 0",
        r#"thalweg_thread_commit_duration_seconds_bucket{thread="stream-1",le="0.025"} 1"#,
        r#"thalweg_thread_commit_duration_seconds_bucket{thread="stream-1",le="0.01"} 0"#,
        "thalweg_rebalances_total 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}
