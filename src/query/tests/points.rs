use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;

#[tokio::test]
async fn a_row_says_who_served_it_and_how_fresh_it_is() {
    let world = World::new().with_orders(&[("o-1", json!({"state": "ready"}))]);
    let partition = partition_of(b"o-1", PARTITIONS);
    let answer = world.get("/v1/views/orders/o-1").await;
    assert_eq!(answer.status, 200);
    let position = format!("order.events-{partition}:10");
    assert_eq!(
        answer.json(),
        json!({
            "view": "orders", "key": "o-1", "value": {"state": "ready"}, "timestamp": 1000, "partition": partition,
            "served": {"by": "a", "role": "active", "position": position, "lag": 3},
        })
    );
    assert_eq!(answer.header("thalweg-served-by"), Some("a"));
    assert_eq!(answer.header("thalweg-role"), Some("active"));
    assert_eq!(answer.header("thalweg-position"), Some(position.as_str()));
    assert_eq!(answer.header("thalweg-lag"), Some("3"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn an_unknown_key_is_404_and_still_tells_the_position() {
    let world = World::new().with_orders(&[]);
    let answer = world.get("/v1/views/orders/nobody").await;
    assert_eq!(answer.problem(), (404, "unknown-key".into()));
    assert_eq!(answer.header("thalweg-role"), Some("active"));
    assert!(answer.header("thalweg-position").unwrap().starts_with("order.events-"));
    assert!(!answer.text.contains("nobody"), "errors quote no keys");
}

#[tokio::test]
async fn an_unknown_view_lists_the_views() {
    let answer = World::new().get("/v1/views/order/o-1").await;
    assert_eq!(answer.problem(), (404, "unknown-view".into()));
    assert_eq!(answer.json()["views"], json!(["numbers", "orders"]));
}

#[tokio::test]
async fn a_replica_answers_only_when_the_query_allows_it() {
    let world = World::new();
    let (key, task) = (key_in(2), TaskId::new(0, 2));
    let mut reader = reader_at(2);
    reader.rows.insert(key.clone().into_bytes(), stored(-1, &json!(1)));
    world.owned_by(task, 0).with(task, Role::Restoring, reader);

    let strong = world.get(&format!("/v1/views/orders/{key}")).await;
    assert_eq!(strong.problem(), (503, "unavailable".into()));
    assert_eq!(strong.json()["reason"], "restoring");

    let any = world.get(&format!("/v1/views/orders/{key}?consistency=any")).await;
    assert_eq!(any.status, 200);
    assert_eq!(any.header("thalweg-role"), Some("restoring"));
    assert_eq!(any.header("thalweg-lag"), Some("4"), "behind its changelog");
    assert_eq!(any.json()["timestamp"], Value::Null, "unknown record time");
}

#[tokio::test]
async fn each_reason_for_503_is_named() {
    let world = World::new();
    let target = format!("/v1/views/orders/{}", key_in(1));
    let reason = async |world: &World| world.get(&target).await.json()["reason"].clone();
    assert_eq!(reason(&world).await, "starting");
    world.table(|_| {});
    assert_eq!(reason(&world).await, "no-owner");
    world.owned_by(TaskId::new(0, 1), 0);
    assert_eq!(reason(&world).await, "moving");
    world.table(|table| table.instances.push(instance("mute", None)));
    world.owned_by(TaskId::new(0, 1), 1);
    assert_eq!(reason(&world).await, "no-endpoint");
}

#[tokio::test]
async fn min_position_is_checked_against_the_snapshot() {
    let key = key_in(2);
    let world = World::new().with_orders(&[(&key, json!("v"))]);
    let at = async |bound: &str| world.get(&format!("/v1/views/orders/{key}?min_position={bound}")).await;
    assert_eq!(at("order.events-2:10").await.status, 200);
    assert_eq!(at("order.events-1:99").await.status, 200, "another partition does not concern this key");
    let behind = at("order.events-2:11").await;
    assert_eq!(behind.problem(), (409, "position-not-reached".into()));
    assert_eq!(behind.header("thalweg-position"), Some("order.events-2:10"));
    assert_eq!(behind.header("retry-after"), Some("1"));
    assert_eq!(at("other-2:1").await.status, 409, "an input that was never seen");
    let fresh = at("order.events-2:10").await;
    let token = fresh.header("thalweg-position").unwrap();
    assert_eq!(at(token).await.status, 200, "the header is a valid bound");
}

#[tokio::test]
async fn failures_of_a_store_are_told_apart_and_quote_nothing() {
    let key = key_in(0);
    let cases: [(FakeReader, (u16, &str)); 6] = [
        (FakeReader { fails: Some(ErrorKind::Closed), ..FakeReader::default() }, (503, "moving")),
        (FakeReader { fails: Some(ErrorKind::Corrupt), ..FakeReader::default() }, (500, "store-failed")),
        (FakeReader { fails: Some(ErrorKind::Io), ..FakeReader::default() }, (500, "store-failed")),
        (row(&key, b"\0\0\0"), (500, "undecodable-row")),
        (row(&key, b"\0\0\0\0\0\0\0\0{\"phone\": secret"), (500, "undecodable-row")),
        (row(&key, b"\0\0\0\0\0\0\0\0away"), (503, "codec-unavailable")),
    ];
    for (reader, (status, slug)) in cases {
        let world = World::new();
        world.owned_by(TaskId::new(0, 0), 0).with(TaskId::new(0, 0), Role::Active, reader);
        let answer = world.get(&format!("/v1/views/orders/{key}")).await;
        assert_eq!(answer.problem(), (status, slug.into()));
        assert!(!answer.text.contains("secret"), "{}", answer.text);
    }
}

fn row(key: &str, bytes: &[u8]) -> FakeReader {
    FakeReader { rows: BTreeMap::from([(key.as_bytes().to_vec(), bytes.to_vec())]), ..FakeReader::default() }
}

/// A reader that reports when it is entered and stays until it is told to go on.
struct Gate {
    entered: SyncSender<()>,
    go_on: Mutex<Receiver<()>>,
    inner: FakeReader,
}

impl Reader for Gate {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, Error> {
        self.entered.send(()).unwrap();
        self.go_on.lock().unwrap().recv().unwrap();
        self.inner.snapshot()
    }

    fn approximate_rows(&self, store: StoreIndex) -> Result<u64, Error> {
        self.inner.approximate_rows(store)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_read_more_than_allowed_is_refused_and_the_rest_go_on() {
    let mut world = World::new();
    world.config.reads_max = 1;
    let (entered, has_entered) = sync_channel(1);
    let (release, go_on) = sync_channel(1);
    let gate = Gate { entered, go_on: Mutex::new(go_on), inner: FakeReader { echo: true, ..reader_at(0) } };
    let task = TaskId::new(0, 0);
    let mut gated = local(0, Role::Active, FakeReader::default());
    gated.reader = Some(Arc::new(gate));
    world.owned_by(task, 0).published.catalog.store(Arc::new(Catalog { tasks: BTreeMap::from([(task, gated)]) }));

    let target = format!("/v1/views/orders/{}", key_in(0));
    let router = world.router();
    let request = || Request::get(&target).body(Body::empty()).unwrap();
    let first = tokio::spawn(send(router.clone(), request()));
    tokio::task::spawn_blocking(move || has_entered.recv().unwrap()).await.unwrap();
    assert_eq!(send(router.clone(), request()).await.problem(), (503, "overloaded".into()));
    for target in ["/livez", "/metrics"] {
        let answer = send(router.clone(), Request::get(target).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 200, "{target} needs no read slot");
    }
    release.send(()).unwrap();
    assert_eq!(first.await.unwrap().status, 200);
}

#[tokio::test]
async fn answers_that_nobody_takes_are_bounded_and_small_ones_go_on() {
    let (large, small) = (json!("x".repeat(700_000)), json!("x"));
    let mut world = World::new().with_orders(&[(&key_in(0), large), (&key_in(1), small)]);
    world.config.outgoing_bytes_max = 1 << 20;
    let router = world.router();
    let request = |key: String| {
        Request::get(format!("/v1/views/orders/{key}")).header(header::HOST, "x").body(Body::empty()).unwrap()
    };
    let waits = router.clone().oneshot(request(key_in(0))).await.unwrap();
    assert_eq!(waits.status(), 200);
    assert_eq!(send(router.clone(), request(key_in(0))).await.problem(), (503, "overloaded".into()));
    assert_eq!(send(router.clone(), request(key_in(1))).await.status, 200);
    // The body has left the response, as when hyper writes it: it still takes its memory.
    let bytes = to_bytes(waits.into_body(), usize::MAX).await.unwrap();
    assert_eq!(send(router.clone(), request(key_in(0))).await.problem(), (503, "overloaded".into()));
    drop(bytes);
    let answer = send(router, request(key_in(0))).await;
    assert_eq!((answer.status.as_u16(), answer.text.len() > 700_000), (200, true));
}

#[tokio::test]
async fn a_range_waits_for_ranges_but_not_for_ever() {
    let mut world = World::new().with_orders(&[("o-1", json!(1))]);
    world.config.ranges_max = 0;
    let started = Instant::now();
    assert_eq!(world.get("/v1/views/orders").await.problem(), (503, "overloaded".into()));
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(world.get("/v1/views/orders/o-1").await.status, 200, "reads of keys go on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_find_no_slot_wait_for_one() {
    let mut world = World::new().with_orders(&[("o-1", json!(1))]);
    world.config.reads_max = 1;
    let router = world.router();
    let request = || Request::get("/v1/views/orders/o-1").body(Body::empty()).unwrap();
    let all: Vec<_> = (0..200).map(|_| tokio::spawn(send(router.clone(), request()))).collect();
    for answer in all {
        assert_eq!(answer.await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn head_answers_the_headers_alone() {
    let world = World::new().with_orders(&[("o-1", json!(1))]);
    let answer = world.request(Method::HEAD, "/v1/views/orders/o-1").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
    assert_eq!(answer.header("thalweg-role"), Some("active"));
}

#[tokio::test]
async fn number_keys_are_read_by_their_bytes() {
    let world = World::new();
    let partition = partition_of(&42_u64.to_be_bytes(), PARTITIONS);
    let mut reader = reader_at(partition);
    reader.rows.insert(42_u64.to_be_bytes().to_vec(), stored(5, &json!("x")));
    let task = TaskId::new(1, partition);
    world.owned_by(task, 0).with(task, Role::Active, reader);
    let answer = world.get("/v1/views/numbers/042").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["key"]), (200, &json!("42")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn every_text_is_a_key_when_percent_encoded(key in "[^\0]{1,100}", everything: bool) {
        let world = World::new();
        for partition in 0..PARTITIONS {
            let task = TaskId::new(0, partition);
            world.owned_by(task, 0).with(task, Role::Active, FakeReader { echo: true, ..reader_at(partition) });
        }
        let encoded: String = if everything {
            key.bytes().map(|byte| format!("%{byte:02x}")).collect()
        } else {
            utf8_percent_encode(&key, NON_ALPHANUMERIC).to_string()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(world.get(&format!("/v1/views/orders/{encoded}")));
        prop_assert_eq!(answer.status, 200);
        prop_assert_eq!(&answer.json()["key"], &json!(key));
        prop_assert_eq!(&answer.json()["value"], &json!(key), "the store was asked for exactly these bytes");
    }
}
