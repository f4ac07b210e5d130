//! Handlers of views: the list, point reads, ranges and routes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::{Value, json};
use thalweg_state::SharedReader;

use crate::query::answer::{self, FORWARDED, Served};
use crate::query::app::App;
use crate::query::cursor::{Cursor, fingerprint};
use crate::query::error::Error;
use crate::query::freshness::{lag, position_text};
use crate::query::params::{PointQuery, RangeQuery, bad, key_text, no_parameters, view_name};
use crate::query::read::{self, Bounds};
use crate::query::route::{Reason, Route, route as choose, task_of};
use crate::query::snapshot::{Catalog, Instance, LocalTask, Published, Role, RoutingTable, Topology, ViewSpec};
use crate::types::TaskId;

/// `GET /v1/views`: the views, their stores, key and value types.
pub async fn list(State(app): State<App>, uri: Uri) -> Result<Json<Value>, Error> {
    no_parameters(&uri)?;
    let topology = app.published.topology.load();
    let views: Vec<Value> = topology
        .views
        .values()
        .map(|view| {
            json!({
                "name": view.name,
                "store": view.store,
                "subtopology": view.subtopology,
                "partitions": view.partitions,
                "key_type": view.key_type,
                "value_type": view.value_type,
            })
        })
        .collect();
    Ok(Json(json!({"views": views})))
}

/// `GET /v1/views/{view}/{key}`: one row, read here or forwarded to who has it.
pub async fn point(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Result<Response, Error> {
    let view = find_view(&app.published.topology.load(), &uri)?;
    let query = PointQuery::parse(&uri)?;
    let forwarded = headers.contains_key(FORWARDED);
    match app.read(move |published| read_point(published, &view, &query, forwarded)).await? {
        Point::Here(response) => Ok(response),
        Point::There(_) if forwarded => Err(Error::NotHere),
        Point::There(instances) => app.forward(&instances, &uri, &headers).await,
    }
}

/// `GET /v1/views/{view}/{key}/route`: who can answer for a key, as this instance sees it.
pub async fn route(State(app): State<App>, uri: Uri) -> Result<Json<Value>, Error> {
    no_parameters(&uri)?;
    let view = find_view(&app.published.topology.load(), &uri)?;
    let key = key_text(&uri)?;
    let body = app.read(move |published| {
        let task = locate(&view, &key)?.1;
        let (table, catalog) = (published.routing.load(), published.catalog.load());
        let instance = |instance: &Instance| json!({"id": instance.id, "endpoint": instance.endpoint});
        let local = match readable(&catalog, task) {
            None => Value::Null,
            Some((role, reader, local)) => {
                let lag = lag(role, &view.store, &read::position(reader)?, &local.progress.load());
                json!({"role": role.as_str(), "lag": lag})
            }
        };
        Ok(json!({
            "view": view.name,
            "key": key,
            "partition": task.partition,
            "task": task.to_string(),
            "active": table.owner(task).map(instance),
            "standbys": table.standbys(task).map(instance).collect::<Vec<_>>(),
            "local": local,
            "version": table.version,
        }))
    });
    Ok(Json(body.await?))
}

/// `GET /v1/views/{view}`: a page over this instance's active partitions.
pub async fn range(State(app): State<App>, uri: Uri) -> Result<Response, Error> {
    let view = find_view(&app.published.topology.load(), &uri)?;
    let query = RangeQuery::parse(&uri)?;
    app.read_range(move |published| read_range(published, &view, &query)).await
}

fn find_view(topology: &Topology, uri: &Uri) -> Result<Arc<ViewSpec>, Error> {
    let view = view_name(uri).and_then(|name| topology.views.get(&name));
    view.cloned().ok_or_else(|| Error::UnknownView(topology.views.keys().cloned().collect()))
}

fn key_bytes(view: &ViewSpec, text: &str) -> Result<Vec<u8>, Error> {
    view.codec.key_from_text(text).map_err(|error| match error {
        error if error.is_retriable() => Error::CodecUnavailable,
        error => Error::BadKey(format!("{error}; the key type is {}", view.key_type)),
    })
}

fn locate(view: &ViewSpec, key: &str) -> Result<(Vec<u8>, TaskId), Error> {
    let key = key_bytes(view, key)?;
    let task = task_of(view.subtopology, view.partitions, &key).ok_or(Error::Unavailable(Reason::Starting))?;
    Ok((key, task))
}

fn readable(catalog: &Catalog, task: TaskId) -> Option<(Role, &SharedReader, &LocalTask)> {
    let local = catalog.tasks.get(&task)?;
    Some((local.role, local.reader.as_ref()?, local))
}

enum Point {
    Here(Response),
    There(Vec<Instance>),
}

fn read_point(published: &Published, view: &ViewSpec, query: &PointQuery, forwarded: bool) -> Result<Point, Error> {
    let (key, task) = locate(view, &query.key)?;
    let (table, catalog) = (published.routing.load(), published.catalog.load());
    let local = readable(&catalog, task);
    let reader = match choose(&table, task, local.map(|(role, ..)| role), query.consistency) {
        Route::Here(_) => local.ok_or(Error::Unavailable(Reason::Moving))?,
        Route::There(instances) => return Ok(there(&instances)),
        Route::Unavailable(reason) => return Err(Error::Unavailable(reason)),
    };
    let (role, reader, local) = reader;
    let (position, row) = read::point(reader, view, &key)?;
    let progress = local.progress.load();
    let served = Served {
        by: table.this_instance.id.clone(),
        role,
        position: position_text(&position, &progress),
        lag: lag(role, &view.store, &position, &progress),
    };
    if query.min_position.is_reached(task.partition, &position) {
        return Ok(Point::Here(answer::point(&view.name, task.partition, &served, row)));
    }
    // Behind: unless this is the active task, somebody else may be further.
    if role != Role::Active
        && !forwarded
        && let Route::There(instances) = choose(&table, task, None, query.consistency)
    {
        return Ok(there(&instances));
    }
    Ok(Point::Here(answer::point(&view.name, task.partition, &served, Err(Error::PositionNotReached))))
}

fn there(instances: &[&Instance]) -> Point {
    Point::There(instances.iter().map(|instance| (*instance).clone()).collect())
}

fn read_range(published: &Published, view: &ViewSpec, query: &RangeQuery) -> Result<Response, Error> {
    let bounds = bounds(view, query)?;
    let (table, catalog) = (published.routing.load(), published.catalog.load());
    let covered = covered(&table, &catalog, view);
    if covered.is_empty() {
        let unknown = table.version == 0 || view.partitions == 0;
        return Err(if unknown { Error::Unavailable(Reason::Starting) } else { Error::NoLocalPartitions });
    }
    let partitions: Vec<i32> = covered.iter().map(|(partition, ..)| *partition).collect();
    let request = fingerprint(
        [Some(&view.name), query.from.as_ref(), query.to.as_ref(), query.prefix.as_ref()]
            .map(|text| text.map(String::as_bytes)),
    );
    let scope = scope(&table.this_instance.id, &partitions);
    let resumed = query.cursor.as_deref().map(|text| resume(text, request, scope, &bounds)).transpose()?;
    let readers: Vec<_> = covered.iter().map(|(partition, reader, _)| (*partition, Arc::clone(reader))).collect();
    let after = resumed.as_ref().map(|cursor| (cursor.partition, cursor.key.as_slice()));
    let page = read::page(view, &readers, &bounds, after, query.limit)?;
    let cursor = page.next.map(|(partition, key)| Cursor { scope, partition, key }.encode(request));
    let progress: Vec<_> = covered.iter().map(|(.., local)| local.progress.load_full()).collect();
    let texts = progress.iter().map(|progress| position_text(&page.position, progress));
    let served = Served {
        by: table.this_instance.id.clone(),
        role: Role::Active,
        position: texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(","),
        lag: progress.iter().map(|progress| lag(Role::Active, &view.store, &page.position, progress)).sum(),
    };
    Ok(answer::page(&view.name, &served, &partitions, view.partitions, page.rows, cursor.as_deref()))
}

/// The partitions of `view` that this instance owns and runs, ascending.
fn covered<'a>(
    table: &RoutingTable,
    catalog: &'a Catalog,
    view: &ViewSpec,
) -> Vec<(i32, &'a SharedReader, &'a LocalTask)> {
    let tasks = (0..view.partitions).map(|partition| TaskId::new(view.subtopology, partition));
    let owned = tasks.filter(|task| table.owner(*task).is_some_and(|owner| table.is_this(owner)));
    owned
        .filter_map(|task| match readable(catalog, task)? {
            (Role::Active, reader, local) => Some((task.partition, reader, local)),
            (Role::Standby | Role::Restoring, ..) => None,
        })
        .collect()
}

fn scope(instance: &str, partitions: &[i32]) -> u32 {
    let listed: Vec<u8> = partitions.iter().flat_map(|partition| partition.to_be_bytes()).collect();
    fingerprint([Some(instance.as_bytes()), Some(&listed)])
}

fn resume(text: &str, request: u32, scope: u32, bounds: &Bounds) -> Result<Cursor, Error> {
    let cursor = Cursor::decode(text, request)?;
    if cursor.scope != scope {
        return Err(Error::CursorExpired);
    }
    if !bounds.contains(&cursor.key) {
        return Err(Error::BadCursor);
    }
    Ok(cursor)
}

fn bounds(view: &ViewSpec, query: &RangeQuery) -> Result<Bounds, Error> {
    let bytes = |name: &str, text: &Option<String>| {
        let bytes = text.as_deref().map(|text| key_bytes(view, text)).transpose();
        bytes.map_err(|error| match error {
            Error::BadKey(reason) => bad(name, &reason),
            error => error,
        })
    };
    if let (Some(text), Some(prefix)) = (&query.prefix, bytes("prefix", &query.prefix)?) {
        if prefix != text.as_bytes() {
            return Err(bad("prefix", "the keys of this view are not text: use from and to"));
        }
        return Ok(Bounds::prefixed(prefix));
    }
    Bounds::between(bytes("from", &query.from)?, bytes("to", &query.to)?)
        .ok_or_else(|| bad("from", "lies behind to in the byte order of keys"))
}
