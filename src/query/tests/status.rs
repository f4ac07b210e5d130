use std::time::{Duration, Instant};

use super::*;
use crate::query::app::routes;
use crate::query::snapshot::{Heartbeat, WaitProgress};
use crate::types::TopicPartition;

#[tokio::test]
async fn the_views_are_listed() {
    let body = World::new().get("/v1/views").await.json();
    assert_eq!(
        body["views"][1],
        json!({
            "name": "orders", "store": "orders-store", "subtopology": 0, "partitions": 4,
            "key_type": "String", "value_type": "Value",
        })
    );
}

#[tokio::test]
async fn a_route_names_owner_standbys_and_the_replica_here() {
    let world = World::new();
    let (key, task) = (key_in(2), TaskId::new(0, 2));
    world.table(|table| {
        table.instances.push(instance("b", Some("b:8080".into())));
        table.standbys.insert(task, vec![0]);
    });
    world.owned_by(task, 1).with(task, Role::Standby, reader_at(2));
    let answer = world.get(&format!("/v1/views/orders/{key}/route")).await;
    assert_eq!(
        answer.json(),
        json!({
            "view": "orders", "key": key, "partition": 2, "task": "0_2",
            "active": {"id": "b", "endpoint": "b:8080"}, "standbys": [{"id": "a", "endpoint": null}],
            "local": {"role": "standby", "lag": 4}, "version": 2,
        })
    );
}

#[tokio::test]
async fn instances_show_the_assignment() {
    let world = World::new();
    world.table(|table| {
        table.instances.push(instance("b", Some("b:8080".into())));
        table.standbys.insert(TaskId::new(0, 0), vec![1]);
    });
    world.owned_by(TaskId::new(0, 0), 0).owned_by(TaskId::new(0, 1), 1);
    assert_eq!(
        world.get("/v1/instances").await.json(),
        json!({"version": 3, "instances": [
            {"id": "a", "endpoint": null, "this": true, "active": ["0_0"], "standby": []},
            {"id": "b", "endpoint": "b:8080", "this": false, "active": ["0_1"], "standby": ["0_0"]},
        ]})
    );
}

#[tokio::test]
async fn tasks_show_how_far_they_are() {
    let world = World::new();
    world.with(TaskId::new(0, 2), Role::Restoring, reader_at(2));
    assert_eq!(
        world.get("/v1/tasks").await.json(),
        json!({"instance": "a", "membership": "stable", "tasks": [{
            "id": "0_2", "role": "restoring", "state": "state for people", "thread": "stream-1",
            "stream_time": 1_700_000_000_000_i64, "last_commit_age_seconds": null,
            "inputs": [{"topic": "order.events", "partition": 2, "position": 10, "end": 13, "lag": 3}],
            "stores": [{
                "store": "orders-store", "changelog": "app-orders-changelog-2", "position": 5, "end": 9,
                "remaining": 4, "bytes": 4096,
            }],
            "restore": null, "waiting": [],
        }]})
    );
}

#[tokio::test]
async fn a_task_that_waits_says_so_in_the_words_of_the_probe() {
    let world = World::new().with_orders(&[]);
    let since = Instant::now().checked_sub(Duration::from_millis(12_900)).unwrap();
    let wait = |partition, reason: &str| WaitProgress { partition, since, reason: reason.into() };
    let waits = vec![
        wait(None, "subject 'out-value': refused"),
        wait(Some(TopicPartition::new("order.events", 1)), "schema id 7: refused"),
    ];
    let waiting = TaskProgress { waits, ..TaskProgress::default() };
    world.published.catalog.load().tasks[&TaskId::new(0, 1)].progress.store(Arc::new(waiting));
    let told = [
        "task 0_1 has been waiting for 12 s: subject 'out-value': refused",
        "order.events-1 has been waiting for 12 s: schema id 7: refused",
    ];
    assert_eq!(world.get("/v1/tasks").await.json()["tasks"][1]["waiting"], json!(told));
    assert_eq!(world.get("/readyz").await.json()["reasons"], json!(told));
}

#[tokio::test]
async fn the_topology_is_what_the_runtime_published() {
    assert_eq!(
        World::new().get("/v1/topology").await.json(),
        json!({"application_id": "app", "describe": "Topologies:\n", "graph": {"subtopologies": []}})
    );
}

#[tokio::test]
async fn probes_say_yes_or_why_not() {
    let world = World::new();
    for probe in ["/livez", "/readyz", "/startupz"] {
        let answer = world.get(probe).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"status": "ok"})), "{probe}");
    }
    let long_ago = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
    let stuck = Heartbeat::new("control", Duration::from_secs(1), long_ago);
    world.published.health.store(Arc::new(Health { loops: vec![stuck.clone()], ..Health::default() }));
    let reasons = async |probe| {
        let answer = world.get(probe).await;
        assert_eq!(answer.problem(), (503, "unhealthy".into()));
        answer.json()["reasons"].clone()
    };
    assert_eq!(reasons("/readyz").await, json!(["membership is joining"]));
    assert_eq!(reasons("/startupz").await, json!(["the first assignment has not been handled"]));
    assert!(reasons("/livez").await[0].as_str().unwrap().starts_with("control has not turned for 6"));
    stuck.beat(Instant::now());
    assert_eq!(world.get("/livez").await.status, 200);
}

#[tokio::test]
async fn every_route_is_documented_and_every_documented_path_is_a_route() {
    let document = World::new().get("/openapi.json").await.json();
    let mut documented: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let mut served: Vec<_> = routes().iter().map(|(path, _)| (*path).to_owned()).collect();
    documented.sort();
    served.sort();
    assert_eq!(documented, served);
    let point = &document["paths"]["/v1/views/{view}/{key}"]["get"];
    let names: Vec<_> = point["parameters"].as_array().unwrap().iter().map(|p| p["name"].clone()).collect();
    assert_eq!(names, ["view", "key", "consistency", "min_position"]);
}
