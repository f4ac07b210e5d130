use std::net::TcpListener;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use tokio::runtime::Handle;

use super::*;
use crate::query::{Limits, Server, Tracer, Work};
use crate::types::{Span, Spans, TraceContext};

/// Instances on loopback that know each other; instance 0 is asked.
struct Cluster {
    worlds: Vec<World>,
    _servers: Vec<Server>,
}

impl Cluster {
    fn start(ids: &[&str]) -> Self {
        Self::of(ids, ids.iter().map(|id| World::named(id)).collect())
    }

    fn of(ids: &[&str], worlds: Vec<World>) -> Self {
        let listeners: Vec<_> = ids.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let instances: Vec<_> = ids
            .iter()
            .zip(&listeners)
            .map(|(id, listener)| instance(id, Some(listener.local_addr().unwrap().to_string())))
            .collect();
        let start = |(world, listener): (&World, TcpListener)| {
            world.table(|table| table.instances.clone_from(&instances));
            Server::start(&Handle::current(), listener, world.router(), Limits::default(), Arc::clone(&world.metrics))
                .unwrap()
        };
        let servers = worlds.iter().zip(listeners).map(start).collect();
        Self { worlds, _servers: servers }
    }

    /// All instances agree that instance `owner` has `task`, and there it runs.
    fn owned_by(&self, task: TaskId, owner: usize, reader: FakeReader) {
        for world in &self.worlds {
            world.owned_by(task, owner);
        }
        self.worlds[owner].with(task, Role::Active, reader);
    }
}

fn hops(world: &World, outcome: &str) -> bool {
    let text = String::from_utf8(world.metrics.text(&[])).unwrap();
    text.contains(&format!("thalweg_http_forwarded_total{{outcome=\"{outcome}\"}} 1"))
}

#[tokio::test]
async fn both_instances_give_the_owners_answer() {
    let cluster = Cluster::start(&["a", "b"]);
    let key = key_in(1);
    let mut reader = reader_at(1);
    reader.rows.insert(key.clone().into_bytes(), stored(9, &json!({"state": "ready"})));
    cluster.owned_by(TaskId::new(0, 1), 1, reader);
    for target in [format!("/v1/views/orders/{key}"), format!("/v1/views/orders/{key}?min_position=order.events-1:10")]
    {
        let forwarded = cluster.worlds[0].get(&target).await;
        let direct = cluster.worlds[1].get(&target).await;
        assert_eq!(forwarded.status, 200);
        assert_eq!(forwarded.text, direct.text);
        for name in
            ["thalweg-served-by", "thalweg-role", "thalweg-position", "thalweg-lag", "content-type", "cache-control"]
        {
            assert_eq!(forwarded.header(name), direct.header(name), "{name}");
        }
        assert_eq!(forwarded.header("thalweg-served-by"), Some("b"));
    }
}

#[tokio::test]
async fn one_forwarded_request_more_than_allowed_is_refused() {
    let mut world = World::new();
    world.config.forwards_max = 0;
    world.table(|table| table.instances.push(instance("b", Some("127.0.0.1:1".into()))));
    world.owned_by(TaskId::new(0, 1), 1);
    let answer = world.get(&format!("/v1/views/orders/{}", key_in(1))).await;
    assert_eq!(answer.problem(), (503, "overloaded".into()));
}

#[tokio::test]
async fn errors_of_the_owner_pass_through_with_their_headers() {
    let cluster = Cluster::start(&["a", "b"]);
    cluster.owned_by(TaskId::new(0, 1), 1, reader_at(1));
    let target = format!("/v1/views/orders/{}", key_in(1));
    let answer = cluster.worlds[0].get(&target).await;
    assert_eq!(answer.problem(), (404, "unknown-key".into()));
    assert_eq!(answer.header("thalweg-position"), Some("order.events-1:10"));
    let behind = cluster.worlds[0].get(&format!("{target}?min_position=order.events-1:11")).await;
    assert_eq!(behind.problem(), (409, "position-not-reached".into()));
    assert_eq!(behind.header("thalweg-served-by"), Some("b"));
    cluster.worlds[1].with(TaskId::new(0, 1), Role::Restoring, reader_at(1));
    let restoring = cluster.worlds[0].get(&target).await;
    assert_eq!(restoring.problem(), (503, "unavailable".into()));
    assert!(hops(&cluster.worlds[0], "unavailable"));
}

#[tokio::test]
async fn tables_that_disagree_do_not_loop() {
    let cluster = Cluster::start(&["a", "b"]);
    let task = TaskId::new(0, 1);
    cluster.worlds[0].owned_by(task, 1);
    cluster.worlds[1].owned_by(task, 0);
    let answer = cluster.worlds[0].get(&format!("/v1/views/orders/{}", key_in(1))).await;
    assert_eq!(answer.problem(), (503, "moving".into()));
    assert!(hops(&cluster.worlds[0], "moved"));
    assert!(!hops(&cluster.worlds[1], "moved"), "the second instance does not forward");
}

#[tokio::test]
async fn a_dead_owner_is_503_and_a_standby_helps_only_who_allows_it() {
    let cluster = Cluster::start(&["a", "dead", "c"]);
    // Bound but not listening: the port stays ours and refuses connections.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let dead = socket.local_addr().unwrap();
    let task = TaskId::new(0, 1);
    cluster.worlds[0].owned_by(task, 1).table(|table| {
        table.instances[1].endpoint = Some(dead.to_string());
        table.standbys.insert(task, vec![2]);
    });
    cluster.worlds[2].owned_by(task, 1).with(task, Role::Standby, FakeReader { echo: true, ..reader_at(1) });
    let target = format!("/v1/views/orders/{}", key_in(1));
    assert_eq!(cluster.worlds[0].get(&target).await.problem(), (503, "owner-unreachable".into()));
    let any = cluster.worlds[0].get(&format!("{target}?consistency=any")).await;
    assert_eq!(any.status, 200);
    assert_eq!((any.header("thalweg-served-by"), any.header("thalweg-role")), (Some("c"), Some("standby")));
    assert_eq!(any.header("thalweg-lag"), Some("4"));
}

#[tokio::test]
async fn a_silent_owner_costs_the_deadline_at_most() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut world = World::new();
    world.config.forward_deadline = Duration::from_millis(100);
    world.table(|table| table.instances.push(instance("b", Some(silent.local_addr().unwrap().to_string()))));
    world.owned_by(TaskId::new(0, 1), 1);
    let started = Instant::now();
    let answer = world.get(&format!("/v1/views/orders/{}", key_in(1))).await;
    assert_eq!(answer.problem(), (503, "owner-unreachable".into()));
    assert!(started.elapsed() >= Duration::from_millis(100) && started.elapsed() < Duration::from_secs(5));
    assert!(hops(&world, "unreachable"));
}

#[tokio::test]
async fn what_is_not_the_owner_is_not_believed() {
    let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = foreign.local_addr().unwrap().to_string();
    let page = Router::new().fallback(async || "<html>");
    let _foreign =
        Server::start(&Handle::current(), foreign, page, Limits::default(), Metrics::new().unwrap()).unwrap();
    let cluster = Cluster::start(&["a", "b"]);
    let task = TaskId::new(0, 1);
    cluster.owned_by(task, 1, FakeReader { echo: true, ..reader_at(1) });
    let world = &cluster.worlds[0];
    let target = format!("/v1/views/orders/{}", key_in(1));
    world.table(|table| table.instances[1].id = "former".into());
    assert_eq!(world.get(&target).await.problem(), (503, "moving".into()), "another instance lives there now");
    for endpoint in [address.as_str(), "no host at all", "", "host:99999", "user@[::1"] {
        world.table(|table| table.instances[1].endpoint = Some(endpoint.into()));
        let expected = if endpoint == address { (502, "bad-peer-answer") } else { (503, "owner-unreachable") };
        assert_eq!(world.get(&target).await.problem(), (expected.0, expected.1.into()), "{endpoint}");
    }
}

#[test]
fn keys_cross_the_hop_byte_for_byte() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _entered = runtime.enter();
    let cluster = Cluster::start(&["a", "b"]);
    for partition in 0..PARTITIONS {
        cluster.owned_by(TaskId::new(0, partition), 1, FakeReader { echo: true, ..reader_at(partition) });
    }
    let check = |key: &str, encoded: &str| {
        let answer = runtime.block_on(cluster.worlds[0].get(&format!("/v1/views/orders/{encoded}")));
        assert_eq!(answer.status, 200, "{key:?}: {}", answer.text);
        assert_eq!(answer.header("thalweg-served-by"), Some("b"));
        assert_eq!(answer.json()["value"], json!(key));
    };
    for (key, encoded) in [
        ("..", "%2E%2E"),
        (".", "%2e"),
        ("a/b", "a%2Fb"),
        ("100%", "100%25"),
        ("%2F", "%252F"),
        ("a b+c", "a%20b+c"),
        ("é", "%C3%A9"),
        ("e\u{301}", "e%CC%81"),
        ("?#&=", "%3F%23&="),
        ("'()*!;:@$,", "'()*!;:@$,"),
    ] {
        check(key, encoded);
    }
    proptest!(ProptestConfig::with_cases(64), |(key in "[^\0]{1,60}")| {
        check(&key, &utf8_percent_encode(&key, NON_ALPHANUMERIC).to_string());
    });
}

/// A peer that answers as `b` and keeps what it was sent.
async fn echoing_peer(listener: tokio::net::TcpListener) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await.unwrap();
        request.push(byte);
    }
    let answer = b"HTTP/1.1 200 OK\r\nthalweg-served-by: b\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(answer).await.unwrap();
    String::from_utf8(request).unwrap()
}

#[tokio::test]
async fn a_forwarded_read_takes_the_trace_context_of_its_caller_along() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = World::named("a");
    let endpoint = listener.local_addr().unwrap().to_string();
    world.table(|table| table.instances = vec![instance("a", None), instance("b", Some(endpoint))]);
    world.owned_by(TaskId::new(0, 1), 1);
    let peer = tokio::spawn(echoing_peer(listener));
    let request = Request::get(format!("/v1/views/orders/{}", key_in(1)))
        .header("traceparent", TRACE)
        .header("tracestate", "vendor=1")
        .header("authorization", "secret");
    assert_eq!(send(world.router(), request.body(Body::empty()).unwrap()).await.status, 200);
    let sent = peer.await.unwrap();
    for header in [format!("traceparent: {TRACE}"), "tracestate: vendor=1".to_owned()] {
        assert!(sent.lines().any(|line| line == header), "{header} in {sent}");
    }
    assert!(!sent.contains("secret"), "nothing else goes along: {sent}");
}

type Told = Arc<Mutex<Vec<(Span, Work)>>>;

/// A world whose spans are kept.
fn traced(id: &str, seed: u64) -> (World, Told) {
    let (mut world, told) = (World::named(id), Told::default());
    let kept = Arc::clone(&told);
    let tracer = Tracer::new(Spans::new(seed, || 77), move |span, work| kept.lock().unwrap().push((span, work)));
    Arc::get_mut(&mut world.published).unwrap().tracer = Some(Arc::new(tracer));
    (world, told)
}

async fn ask(world: &World, target: &str, traces: &[&str]) -> Answer {
    let request = traces.iter().fold(Request::get(target), |request, trace| request.header("traceparent", *trace));
    send(world.router(), request.body(Body::empty()).unwrap()).await
}

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn a_trace_goes_from_the_caller_over_the_asked_instance_to_the_owner() {
    let ((a, told_by_a), (b, told_by_b)) = (traced("a", 1), traced("b", 2));
    let cluster = Cluster::of(&["a", "b"], vec![a, b]);
    cluster.owned_by(TaskId::new(0, 1), 1, FakeReader { echo: true, ..reader_at(1) });
    let target = format!("/v1/views/orders/{}", key_in(1));
    assert_eq!(ask(&cluster.worlds[0], &target, &[CALLER]).await.status, 200);
    let (first, second) = (told_by_a.lock().unwrap().clone(), told_by_b.lock().unwrap().clone());
    let ([(first, work)], [(second, forwarded)]) = (&first[..], &second[..]) else { panic!("{first:?} {second:?}") };
    let caller = TraceContext::parse(CALLER.as_bytes()).unwrap();
    assert_eq!((first.context.trace_id, first.parent), (caller.trace_id, caller.span_id));
    assert_eq!((second.context.trace_id, second.parent), (caller.trace_id, first.context.span_id));
    assert_eq!((first.start_us, first.end_us), (77, 77));
    let route = Some("/v1/views/{view}/{key}".to_owned());
    let answer = Work::Answer { method: Method::GET, route, status: StatusCode::OK };
    assert_eq!((work, forwarded), (&answer, &answer));
}

#[tokio::test]
async fn a_request_has_a_span_only_in_a_sampled_trace() {
    let (world, told) = traced("a", 1);
    let unsampled = CALLER.replace("-01", "-00");
    for traces in [&[][..], &[&*unsampled], &["nonsense"], &[CALLER, CALLER]] {
        assert_eq!(ask(&world, "/v1/views", traces).await.status, 200);
        assert_eq!(told.lock().unwrap().len(), 0, "{traces:?}");
    }
    assert_eq!(ask(&world, "/nowhere", &[CALLER]).await.status, 404);
    let works: Vec<Work> = told.lock().unwrap().iter().map(|(_, work)| work.clone()).collect();
    assert_eq!(works, [Work::Answer { method: Method::GET, route: None, status: StatusCode::NOT_FOUND }]);
}
