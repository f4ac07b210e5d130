//! The probes: pure verdicts over published snapshots, and their handlers.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::query::app::App;
use crate::query::error::Error;
use crate::query::snapshot::{Catalog, Health, LocalTask, Membership, Role, RoutingTable, WaitProgress};
use crate::types::TaskId;

/// `GET /livez`: whether the control loop and the stream threads turn; nothing outside the process counts.
pub async fn livez(State(app): State<App>) -> Result<Json<Value>, Error> {
    verdict(stuck_loops(&app.published.health.load(), Instant::now()))
}

/// `GET /startupz`: whether the first assignment was handled.
pub async fn startupz(State(app): State<App>) -> Result<Json<Value>, Error> {
    let started = app.published.health.load().assigned_once;
    verdict(if started { vec![] } else { vec!["the first assignment has not been handled".into()] })
}

/// `GET /readyz`: whether the member is stable and all its active tasks run.
///
/// A task that cannot begin because the schema registry is away is not ready: the rollout of a process that cannot reach
/// the registry must stop there. A partition that waits later is told as `waiting`, and the instance stays ready: its
/// rows can be read and the other partitions go on, whereas taking every instance away because one service is, would turn
/// late data into no data.
pub async fn readyz(State(app): State<App>) -> Result<Json<Value>, Error> {
    let published = &app.published;
    let (catalog, now) = (published.catalog.load(), Instant::now());
    let waiting = waiting(&catalog, now);
    match not_ready(&published.health.load(), &published.routing.load(), &catalog, now) {
        reasons if !reasons.is_empty() => Err(Error::Unhealthy(reasons.into_iter().chain(waiting).collect())),
        _ if waiting.is_empty() => Ok(Json(json!({"status": "ok"}))),
        _ => Ok(Json(json!({"status": "ok", "waiting": waiting}))),
    }
}

fn verdict(reasons: Vec<String>) -> Result<Json<Value>, Error> {
    if reasons.is_empty() { Ok(Json(json!({"status": "ok"}))) } else { Err(Error::Unhealthy(reasons)) }
}

fn stuck_loops(health: &Health, now: Instant) -> Vec<String> {
    let stuck = |(name, age): (&str, std::time::Duration)| format!("{name} has not turned for {} s", age.as_secs());
    health.loops.iter().filter_map(|beat| Some((beat.name(), beat.stuck_for(now)?))).map(stuck).collect()
}

/// Why the instance cannot serve all that it owns; nothing: it is ready.
pub fn not_ready(health: &Health, table: &RoutingTable, catalog: &Catalog, now: Instant) -> Vec<String> {
    let mut reasons = health.faults.clone();
    if health.membership != Membership::Stable {
        reasons.push(format!("membership is {}", health.membership.as_str()));
    }
    for (task, owner) in &table.active {
        if !table.instances.get(*owner).is_some_and(|owner| table.is_this(owner)) {
            continue;
        }
        match catalog.tasks.get(task) {
            Some(local) if local.role == Role::Active => {
                let progress = local.progress.load();
                let whole = progress.waits.iter().filter(|wait| wait.partition.is_none());
                reasons.extend(whole.map(|wait| describe(*task, wait, now)));
            }
            Some(local) => reasons.push(format!("task {task} is {}", local.role.as_str())),
            None => reasons.push(format!("task {task} is not open")),
        }
    }
    reasons
}

/// The partitions that wait for the schema registry.
fn waiting(catalog: &Catalog, now: Instant) -> Vec<String> {
    let waits = |(task, local): (&TaskId, &LocalTask)| -> Vec<String> {
        let progress = local.progress.load();
        let partitions = progress.waits.iter().filter(|wait| wait.partition.is_some());
        partitions.map(|wait| describe(*task, wait, now)).collect()
    };
    catalog.tasks.iter().flat_map(waits).collect()
}

/// Who waits of `task`, how long already, and what for: the words of every answer that tells it.
pub fn describe(task: TaskId, wait: &WaitProgress, now: Instant) -> String {
    let who = wait.partition.as_ref().map_or_else(|| format!("task {task}"), ToString::to_string);
    let seconds = now.saturating_duration_since(wait.since).as_secs();
    format!("{who} has been waiting for {seconds} s: {}", wait.reason)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::query::snapshot::{Heartbeat, Instance, TaskProgress};
    use crate::types::TopicPartition;

    fn local(role: Role) -> LocalTask {
        LocalTask { role, state: role.as_str().into(), reader: None, progress: Arc::default() }
    }

    #[test]
    fn a_loop_that_stops_turning_fails_liveness_and_recovers() {
        let start = Instant::now();
        let beat = Heartbeat::new("stream-1", Duration::from_secs(10), start);
        let health = Health { loops: vec![beat.clone()], ..Health::default() };
        assert!(stuck_loops(&health, start + Duration::from_secs(10)).is_empty());
        assert_eq!(stuck_loops(&health, start + Duration::from_secs(11)), ["stream-1 has not turned for 11 s"]);
        beat.beat(start + Duration::from_secs(11));
        assert!(stuck_loops(&health, start + Duration::from_secs(12)).is_empty());
        assert!(stuck_loops(&health, start).is_empty(), "a clock behind the beat is no fault");
    }

    #[test]
    fn readiness_names_every_own_task_that_does_not_run() {
        let instance = |id: &str| Instance { id: id.into(), endpoint: None };
        let mut table = RoutingTable::alone(instance("a"));
        table.instances.push(instance("b"));
        let mut catalog = Catalog::default();
        for (partition, owner, role) in
            [(0, 0, Some(Role::Active)), (1, 0, Some(Role::Restoring)), (2, 0, None), (3, 1, None)]
        {
            let task = TaskId::new(0, partition);
            table.active.insert(task, owner);
            catalog.tasks.extend(role.map(|role| (task, local(role))));
        }
        let mut health = Health { faults: vec!["the registry does not answer".into()], ..Health::default() };
        assert_eq!(
            not_ready(&health, &table, &catalog, Instant::now()),
            ["the registry does not answer", "membership is joining", "task 0_1 is restoring", "task 0_2 is not open"]
        );
        health = Health { membership: Membership::Stable, ..Health::default() };
        table.active.retain(|task, _| matches!(task.partition, 0 | 3));
        assert!(not_ready(&health, &table, &catalog, Instant::now()).is_empty());
    }

    #[test]
    fn a_task_that_cannot_begin_is_not_ready_and_a_partition_that_waits_is_told() {
        let mut table = RoutingTable::alone(Instance { id: "a".into(), endpoint: None });
        table.active.insert(TaskId::new(0, 1), 0);
        let since = Instant::now();
        let now = since + Duration::from_millis(12_900);
        let wait = |partition, reason: &str| WaitProgress { partition, since, reason: reason.into() };
        let task = local(Role::Active);
        let catalog = Catalog { tasks: [(TaskId::new(0, 1), task.clone())].into() };
        let health = Health { membership: Membership::Stable, ..Health::default() };
        let with = |waits: Vec<WaitProgress>| {
            task.progress.store(Arc::new(TaskProgress { waits, ..TaskProgress::default() }));
            (not_ready(&health, &table, &catalog, now), waiting(&catalog, now))
        };
        let partition = wait(Some(TopicPartition::new("orders", 1)), "schema id 7: refused");
        let told = vec!["orders-1 has been waiting for 12 s: schema id 7: refused".to_owned()];
        assert_eq!(with(vec![partition.clone()]), (vec![], told.clone()));
        let start = wait(None, "subject 'out-value': refused");
        let not_ready = vec!["task 0_1 has been waiting for 12 s: subject 'out-value': refused".to_owned()];
        assert_eq!(with(vec![start, partition]), (not_ready, told));
        assert_eq!(with(vec![]), (vec![], vec![]));
    }
}
