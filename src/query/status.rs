//! Handlers that show who runs what, how far it is, and the graph.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::query::app::App;
use crate::query::error::Error;
use crate::query::gauges;
use crate::query::health;
use crate::query::params::no_parameters;
use crate::query::snapshot::{InputProgress, LocalTask, RestoreProgress, StoreProgress};
use crate::types::{Offset, TaskId};

/// `GET /v1/instances`: the processes of the application and their tasks, as of the last rebalance.
pub async fn instances(State(app): State<App>, uri: Uri) -> Result<Json<Value>, Error> {
    no_parameters(&uri)?;
    let table = app.published.routing.load();
    let instances = table.instances.iter().enumerate().map(|(index, instance)| {
        let active = table.active.iter().filter(|(_, owner)| **owner == index);
        let standbys = table.standbys.iter().filter(|(_, standbys)| standbys.contains(&index));
        json!({
            "id": instance.id,
            "endpoint": instance.endpoint,
            "this": table.is_this(instance),
            "active": active.map(|(task, _)| task.to_string()).collect::<Vec<_>>(),
            "standby": standbys.map(|(task, _)| task.to_string()).collect::<Vec<_>>(),
        })
    });
    Ok(Json(json!({"version": table.version, "instances": instances.collect::<Vec<_>>()})))
}

/// `GET /v1/tasks`: the tasks of this instance and how far they are.
pub async fn tasks(State(app): State<App>, uri: Uri) -> Result<Json<Value>, Error> {
    no_parameters(&uri)?;
    let now = Instant::now();
    let catalog = app.published.catalog.load();
    let tasks: Vec<Value> = catalog.tasks.iter().map(|(id, local)| task(*id, local, now)).collect();
    let membership = app.published.health.load().membership.as_str();
    Ok(Json(
        json!({"instance": app.published.routing.load().this_instance.id, "membership": membership, "tasks": tasks}),
    ))
}

fn task(id: TaskId, local: &LocalTask, now: Instant) -> Value {
    let progress = local.progress.load();
    let age = |commit: Instant| now.saturating_duration_since(commit).as_secs_f64();
    let input = |InputProgress { partition, position, end }: &InputProgress| {
        json!({
            "topic": &*partition.topic,
            "partition": partition.partition,
            "position": position,
            "end": end,
            "lag": remaining(*position, *end),
        })
    };
    let store = |StoreProgress { store, changelog, position, end, bytes }: &StoreProgress| {
        json!({
            "store": store,
            "changelog": changelog.as_ref().map(ToString::to_string),
            "position": position,
            "end": end,
            "remaining": remaining(*position, *end),
            "bytes": bytes,
        })
    };
    let restore = |restore: &RestoreProgress| {
        json!({
            "percent": tenths(restore.percent()),
            "records_per_second": restore.records_per_second().round(),
            "remaining_records": restore.remaining_records,
            "estimate_seconds": restore.estimate_seconds().map(tenths),
        })
    };
    json!({
        "id": id.to_string(),
        "role": local.role.as_str(),
        "state": local.state,
        "thread": progress.thread,
        "stream_time": progress.stream_time,
        "last_commit_age_seconds": progress.last_commit.map(age),
        "inputs": progress.inputs.iter().map(input).collect::<Vec<_>>(),
        "stores": progress.stores.iter().map(store).collect::<Vec<_>>(),
        "restore": progress.restore.as_ref().map(restore),
        "waiting": progress.waits.iter().map(|wait| health::describe(id, wait, now)).collect::<Vec<_>>(),
    })
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Records between `position` and `end`, never negative; `None` while the end is not known.
pub fn remaining(position: Offset, end: Option<Offset>) -> Option<i64> {
    end.map(|end| end.saturating_sub(position).max(0))
}

/// `GET /v1/topology`: the graph, and the text of `describe()`.
pub async fn topology(State(app): State<App>, uri: Uri) -> Result<Json<Value>, Error> {
    no_parameters(&uri)?;
    let topology = app.published.topology.load();
    Ok(Json(json!({
        "application_id": topology.application_id,
        "describe": topology.describe,
        "graph": topology.graph,
    })))
}

/// `GET /metrics`: Prometheus text.
pub async fn metrics(State(app): State<App>) -> Result<Response, Error> {
    let metrics = app.metrics.clone();
    let text = app.scrape(move |published| {
        let families = gauges::gather(published, Instant::now()).map_err(|error| {
            tracing::error!(%error, "the gauges could not be gathered");
            Error::StoreFailed
        })?;
        Ok(metrics.text(&families))
    });
    let content_type = HeaderValue::from_static(prometheus::TEXT_FORMAT);
    Ok(([(header::CONTENT_TYPE, content_type)], text.await?).into_response())
}
