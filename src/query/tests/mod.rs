//! The HTTP surface as its callers see it: a router over fake readers, and servers on loopback.
#![allow(clippy::unwrap_used)]

mod bad_requests;
mod forwarding;
mod metrics;
mod points;
mod ranges;
mod sockets;
mod status;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use thalweg_state::{Error, ErrorKind, KeyRange, Position, Reader, Snapshot, StoreIndex, Visit};
use tower::ServiceExt as _;

use crate::query::snapshot::{
    Catalog, Health, InputProgress, Instance, LocalTask, Membership, Published, Role, RoutingTable, StoreProgress,
    TaskProgress, Topology, ViewSpec,
};
use crate::query::{Config, Metrics, router};
use crate::serde::{SerdeError, ViewCodec};
use crate::types::{TaskId, TopicPartition, partition_of};

const PARTITIONS: i32 = 4;

/// Keys are text (or `u64`, big-endian); values are JSON. The value bytes `away` mean that the registry is away.
struct FakeCodec {
    numbers: bool,
}

impl ViewCodec for FakeCodec {
    fn key_from_text(&self, text: &str) -> Result<Vec<u8>, SerdeError> {
        match self.numbers {
            false => Ok(text.as_bytes().to_vec()),
            true => match text.parse::<u64>() {
                Ok(key) => Ok(key.to_be_bytes().to_vec()),
                Err(_) => Err(SerdeError::Malformed("the key is not a valid u64".into())),
            },
        }
    }

    fn key_to_text(&self, key: &[u8]) -> Result<String, SerdeError> {
        let malformed = |_| SerdeError::Malformed("not text".into());
        match self.numbers {
            false => String::from_utf8(key.to_vec()).map_err(|_| SerdeError::Malformed("not text".into())),
            true => key.try_into().map(|key| u64::from_be_bytes(key).to_string()).map_err(malformed),
        }
    }

    fn value_to_json(&self, value: &[u8]) -> Result<Value, SerdeError> {
        if value == b"away" {
            return Err(SerdeError::Unavailable("connection refused".into()));
        }
        serde_json::from_slice(value).map_err(|error| SerdeError::Malformed(error.to_string()))
    }
}

/// A store in memory. `echo`: every key exists and its value is its text.
#[derive(Default)]
struct FakeReader {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    position: Position,
    echo: bool,
    fails: Option<ErrorKind>,
}

impl Reader for FakeReader {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, Error> {
        match self.fails {
            Some(kind) => Err(Error { kind, context: "secret path".into(), reason: "secret reason".into() }),
            None => Ok(Box::new(FakeSnapshot(self))),
        }
    }

    fn approximate_rows(&self, _: StoreIndex) -> Result<u64, Error> {
        Ok(self.rows.len() as u64)
    }
}

struct FakeSnapshot<'a>(&'a FakeReader);

impl Snapshot for FakeSnapshot<'_> {
    fn get(&self, _: StoreIndex, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, Error> {
        if self.0.echo {
            visit(&stored(7, &json!(str::from_utf8(key).unwrap())));
            return Ok(true);
        }
        let value = self.0.rows.get(key);
        Ok(value.map(|value| visit(value)).is_some())
    }

    fn scan(&self, _: StoreIndex, range: KeyRange<'_>, visit: &mut Visit<'_>) -> Result<(), Error> {
        for (key, value) in self.0.rows.range::<[u8], _>(range) {
            if visit(key, value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn position(&self) -> &Position {
        &self.0.position
    }
}

fn stored(timestamp: i64, value: &Value) -> Vec<u8> {
    [&timestamp.to_be_bytes(), value.to_string().as_bytes()].concat()
}

/// A reader of partition `partition` at offset 10 of its input and 5 of its changelog.
fn reader_at(partition: i32) -> FakeReader {
    let mut position = Position::default();
    position.set(&format!("order.events-{partition}"), 10);
    position.set(&format!("app-orders-changelog-{partition}"), 5);
    FakeReader { position, ..FakeReader::default() }
}

fn local(partition: i32, role: Role, reader: FakeReader) -> LocalTask {
    let changelog = TopicPartition::new("app-orders-changelog", partition);
    let progress = TaskProgress {
        thread: Some("stream-1".into()),
        stream_time: Some(1_700_000_000_000),
        inputs: vec![InputProgress {
            partition: TopicPartition::new("order.events", partition),
            position: 10,
            end: Some(13),
        }],
        stores: vec![StoreProgress {
            store: "orders-store".into(),
            changelog: Some(changelog),
            position: 5,
            end: Some(9),
            bytes: Some(4096),
        }],
        last_commit: None,
        waits: vec![],
    };
    LocalTask {
        role,
        state: "state for people".into(),
        reader: Some(Arc::new(reader)),
        progress: Arc::new(ArcSwap::from_pointee(progress)),
    }
}

fn instance(id: &str, endpoint: Option<String>) -> Instance {
    Instance { id: id.into(), endpoint }
}

/// A key whose partition is `partition`.
fn key_in(partition: i32) -> String {
    (0..).map(|n| format!("k{n}")).find(|key| partition_of(key.as_bytes(), PARTITIONS) == partition).unwrap()
}

/// One instance that is named `a` and whose routing and tasks a test arranges.
struct World {
    published: Arc<Published>,
    metrics: Arc<Metrics>,
    config: Config,
}

impl World {
    fn new() -> Self {
        Self::named("a")
    }

    fn named(id: &str) -> Self {
        let view = |name: &str, numbers| {
            let spec = ViewSpec {
                name: name.into(),
                store: format!("{name}-store"),
                subtopology: u32::from(numbers),
                store_index: 0,
                partitions: PARTITIONS,
                key_type: if numbers { "u64" } else { "String" }.into(),
                value_type: "Value".into(),
                codec: Arc::new(FakeCodec { numbers }),
            };
            (name.to_owned(), Arc::new(spec))
        };
        let topology = Topology {
            application_id: "app".into(),
            views: BTreeMap::from([view("orders", false), view("numbers", true)]),
            graph: json!({"subtopologies": []}),
            describe: "Topologies:\n".into(),
        };
        let health = Health { membership: Membership::Stable, assigned_once: true, ..Health::default() };
        let published = Arc::new(Published::starting(topology, instance(id, None), health));
        Self { published, metrics: Metrics::new().unwrap(), config: Config::default() }
    }

    fn table(&self, change: impl FnOnce(&mut RoutingTable)) {
        let mut table = (*self.published.routing.load_full()).clone();
        table.version += 1;
        change(&mut table);
        self.published.routing.store(Arc::new(table));
    }

    /// Gives the task to `owner`, an index into the instances.
    fn owned_by(&self, task: TaskId, owner: usize) -> &Self {
        self.table(|table| table.active.extend([(task, owner)]));
        self
    }

    /// Puts a replica here.
    fn with(&self, task: TaskId, role: Role, reader: FakeReader) -> &Self {
        let mut catalog = Catalog { tasks: self.published.catalog.load().tasks.clone() };
        catalog.tasks.insert(task, local(task.partition, role, reader));
        self.published.catalog.store(Arc::new(catalog));
        self
    }

    /// Runs every partition of `orders` here, with these rows.
    fn with_orders(self, rows: &[(&str, Value)]) -> Self {
        for partition in 0..PARTITIONS {
            let mut reader = reader_at(partition);
            let here = rows.iter().filter(|(key, _)| partition_of(key.as_bytes(), PARTITIONS) == partition);
            reader.rows.extend(here.map(|(key, value)| (key.as_bytes().to_vec(), stored(1000, value))));
            let task = TaskId::new(0, partition);
            self.owned_by(task, 0).with(task, Role::Active, reader);
        }
        self
    }

    fn router(&self) -> Router {
        router(Arc::clone(&self.published), Arc::clone(&self.metrics), self.config)
    }

    async fn get(&self, target: &str) -> Answer {
        send(self.router(), Request::get(target).body(Body::empty()).unwrap()).await
    }

    async fn request(&self, method: Method, target: &str) -> Answer {
        send(self.router(), Request::builder().method(method).uri(target).body(Body::empty()).unwrap()).await
    }
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and the last word of the problem type, after checking what every problem must have.
    fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert!(self.header("thalweg-served-by").is_some(), "{self:?}");
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
        let slug = body["type"].as_str().unwrap().strip_prefix("urn:thalweg:problem:").unwrap();
        if self.status == 503 {
            assert_eq!(self.header("retry-after"), Some("1"));
        }
        (self.status.as_u16(), slug.to_owned())
    }
}

async fn send(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(body.to_vec()).unwrap() }
}
