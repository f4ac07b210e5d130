//! Traces from end to end: a record comes in with a trace, what follows from it and who reads it carry it on, and a
//! collector gets the spans.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use thalweg::cli::{self, Instance};
use thalweg::dsl::{Consumed, Grouped, Materialized, Produced, StreamsBuilder};
use thalweg::serde::StringSerde;
use thalweg::task::Recipes;
use thalweg::types::{Headers, partition_of};
use thalweg::wire::EmbeddedBroker;
use thalweg_tests::child::{Child, Program};
use thalweg_tests::collector::Received;
use thalweg_tests::instance::binary;
use thalweg_tests::records::{self, Record};
use thalweg_tests::{Collector, free_port, http, views, wait_until};

const PARTITIONS: i32 = 2;
const SOON: Duration = Duration::from_secs(60);

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const PRODUCER: &str = "b7ad6b7169203331";
const READER: &str = "00f067aa0ba902b7";
/// Numbers of OTLP.
const SERVER: i32 = 2;
const CONSUMER: i32 = 5;

fn traceparent(parent: &str, flags: &str) -> String {
    format!("00-{TRACE_ID}-{parent}-{flags}")
}

/// Copies `in` to `out`, and keeps the latest value of each key.
fn recipes(id: &str) -> Recipes {
    let builder = StreamsBuilder::new();
    let texts = builder.stream::<String, String, _, _>("in", Consumed::with(StringSerde, StringSerde)).fan_out();
    texts.clone().to("out", Produced::with(StringSerde, StringSerde));
    let grouped = texts.group_by_key(Grouped::with(StringSerde, StringSerde));
    grouped.reduce(|_, value| value, Materialized::named("latest").view());
    builder.build(id).unwrap()
}

/// An instance in this process.
struct Scene {
    instance: Instance,
    url: String,
    _state: TempDir,
}

fn broker() -> EmbeddedBroker {
    let broker = EmbeddedBroker::start(1).unwrap();
    ["in", "out", "shop.dlq"].into_iter().for_each(|topic| broker.create_topic(topic, PARTITIONS).unwrap());
    broker
}

impl Scene {
    fn start(broker: &EmbeddedBroker, more: &[(&str, &str)]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let (state_dir, servers) = (state.path().display().to_string(), broker.bootstrap_servers());
        let given = [
            ("application.id", "shop"),
            ("application.state_dir", &state_dir),
            ("application.commit_interval_ms", "100"),
            ("kafka.bootstrap_servers", &servers),
            // The embedded broker ends a rebalance a second before the session timeout.
            ("kafka.group.session_timeout_ms", "3500"),
            ("kafka.group.heartbeat_interval_ms", "200"),
            ("http.bind", "127.0.0.1:0"),
        ];
        let flag = |(key, value): &(&str, &str)| (format!("--set {key}"), (*key).to_owned(), (*value).to_owned());
        let flags = given.iter().chain(more).map(flag).collect();
        let settings = cli::configuration(&cli::Options { file: None, flags }).unwrap().settings;
        let instance = Instance::start(&settings, Arc::new(broker.clone()), recipes("shop")).unwrap();
        let url = format!("http://{}", instance.address());
        Self { instance, url, _state: state }
    }

    fn is_ready(&self) -> bool {
        http::get(&format!("{}/readyz", self.url)).is_ok_and(|answer| answer.status == 200)
    }

    fn tasks(&self) -> usize {
        views::tasks(&self.url).map_or(0, |tasks| tasks.len())
    }

    fn spans(&self, outcome: &str) -> f64 {
        views::metric(&self.url, "thalweg_spans_total", &[&format!("outcome=\"{outcome}\"")])
    }
}

/// A key of the partition.
fn key_in(partition: i32) -> String {
    (0..).map(|n| format!("secret-key-{n}")).find(|key| partition_of(key.as_bytes(), PARTITIONS) == partition).unwrap()
}

fn write(broker: &EmbeddedBroker, traces: &[Option<String>]) {
    let record = |partition: i32, trace: &Option<String>| {
        let mut headers = Headers::new();
        if let Some(trace) = trace {
            headers.push("traceparent", Some(trace.as_bytes()));
        }
        let (key, value) = (Some(key_in(partition).into_bytes()), Some(b"secret-value".to_vec()));
        (partition, Record { timestamp: 1, key, value, headers })
    };
    let all: Vec<_> = (0..PARTITIONS).flat_map(|p| traces.iter().map(move |trace| record(p, trace))).collect();
    records::write(broker, "in", all.iter().map(|(partition, record)| (*partition, record)));
}

/// The `traceparent` of each record of `out`, per partition and in order.
fn derived(broker: &EmbeddedBroker, records: usize) -> Vec<(i32, Option<String>)> {
    let enough = |read: &[records::Stored]| read.len() >= records;
    let stored = records::read_until(broker, "out", PARTITIONS, SOON, "the derived records", enough);
    let trace = |record: &Record| {
        let value = record.headers.view().last("traceparent")?.value?;
        Some(String::from_utf8(value.to_vec()).unwrap())
    };
    stored.iter().map(|stored| (stored.partition, trace(&stored.record))).collect()
}

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}

/// The only span with this parent.
fn caused_by<'a>(spans: &'a [Received], parent: &str) -> &'a Received {
    let all: Vec<_> = spans.iter().filter(|span| span.parent == parent).collect();
    let [span] = all[..] else { panic!("one span caused by {parent}, not {all:#?}") };
    span
}

#[test]
fn a_trace_goes_from_the_record_over_derived_records_and_from_the_reader_to_the_owner() {
    let (broker, collector) = (broker(), Collector::start());
    let settings = [("tracing.otlp_endpoint", collector.url()), ("tracing.service_name", "the shop")];
    let instances = [Scene::start(&broker, &settings), Scene::start(&broker, &settings)];
    wait_until(SOON, "a task on each instance", || {
        instances.iter().all(|instance| instance.is_ready() && instance.tasks() == 1)
    });

    // Per partition one record of a sampled trace, one that is not sampled, one without.
    write(&broker, &[Some(traceparent(PRODUCER, "01")), Some(traceparent(PRODUCER, "00")), None]);
    let derived = derived(&broker, 3 * PARTITIONS as usize);
    let key = key_in(1);
    let owner = instances.iter().position(|instance| views::tasks(&instance.url).unwrap().contains_key("0_1")).unwrap();
    let asked = 1 - owner;
    let url = format!("{}/v1/views/latest/{key}", instances[asked].url);
    wait_until(SOON, "the row", || http::get(&url).is_ok_and(|answer| answer.status == 200));
    assert_eq!(http::get_with(&url, &[("traceparent", traceparent(READER, "01"))]).unwrap().status, 200);
    let sent = || instances.iter().map(|instance| instance.spans("sent")).sum::<f64>();
    wait_until(SOON, "the spans of two records, a read and its hop", || sent() == 4.0);
    for instance in &instances {
        assert_eq!((instance.spans("dropped"), instance.spans("failed")), (0.0, 0.0));
    }

    let spans = collector.spans();
    assert_eq!(spans.len(), 4, "none of what is not sampled: {spans:#?}");
    assert!(spans.iter().all(|span| span.trace_id == TRACE_ID && span.time.0 <= span.time.1), "{spans:#?}");
    for (partition, task) in [(0, "0_0"), (1, "0_1")] {
        let of_task = |span: &&Received| span.attributes.get("thalweg.task").is_some_and(|id| id == task);
        let span = spans.iter().find(of_task).unwrap();
        assert_eq!((&*span.name, span.kind, &*span.parent), ("process in", CONSUMER, PRODUCER));
        let expected = [
            ("messaging.consumer.group.name", "shop"),
            ("messaging.destination.name", "in"),
            ("messaging.destination.partition.id", &partition.to_string()),
            ("messaging.kafka.offset", "0"),
            ("messaging.operation.name", "process"),
            ("messaging.operation.type", "process"),
            ("messaging.system", "kafka"),
            ("thalweg.task", task),
        ];
        assert_eq!(span.attributes, texts(expected));
        assert_eq!(span.resource["service.name"], "the shop");
        let carried = [Some(traceparent(&span.span_id, "01")), Some(traceparent(PRODUCER, "00")), None];
        let of_partition = derived.iter().filter(|(p, _)| *p == partition).map(|(_, trace)| trace.clone());
        assert_eq!(of_partition.collect::<Vec<_>>(), carried);
    }
    let instance = |scene: &Scene| scene.url.trim_start_matches("http://").to_owned();
    let [read, hop] = [READER, &caused_by(&spans, READER).span_id].map(|parent| caused_by(&spans, parent));
    for (span, scene) in [(read, &instances[asked]), (hop, &instances[owner])] {
        assert_eq!((&*span.name, span.kind), ("GET /v1/views/{view}/{key}", SERVER));
        assert_eq!(span.resource["service.instance.id"], instance(scene));
        assert_eq!(span.attributes["http.response.status_code"], "200");
    }
    let all = format!("{spans:?}");
    assert!(!all.contains("secret"), "neither keys nor values: {all}");
    for instance in instances {
        instance.instance.stop().unwrap();
    }
}

#[test]
fn the_last_spans_are_sent_before_an_instance_ends() {
    let (broker, collector) = (broker(), Collector::start());
    let scene = Scene::start(&broker, &[("tracing.otlp_endpoint", &format!("{}/", collector.url()))]);
    wait_until(SOON, "the instance to be ready", || scene.is_ready());
    let reader = traceparent(READER, "01");
    assert_eq!(http::get_with(&format!("{}/v1/views", scene.url), &[("traceparent", reader)]).unwrap().status, 200);
    scene.instance.stop().unwrap();
    let names: Vec<_> =
        collector.spans().into_iter().map(|span| (span.name, span.resource["service.name"].clone())).collect();
    assert_eq!(names, [("GET /v1/views".to_owned(), "shop".to_owned())]);
}

#[test]
fn a_collector_that_is_away_holds_nothing_up() {
    let broker = broker();
    let scene = Scene::start(&broker, &[("tracing.otlp_endpoint", &format!("http://127.0.0.1:{}", free_port()))]);
    wait_until(SOON, "the instance to be ready", || scene.is_ready());
    write(&broker, &[Some(traceparent(PRODUCER, "01"))]);
    for (partition, trace) in derived(&broker, PARTITIONS as usize) {
        let trace = trace.unwrap();
        assert!(trace.starts_with(&format!("00-{TRACE_ID}-")) && !trace.contains(PRODUCER), "{partition}: {trace}");
    }
    wait_until(SOON, "the spans to be given up", || scene.spans("failed") == f64::from(PARTITIONS));
    assert_eq!(scene.spans("sent"), 0.0);
    let began = Instant::now();
    scene.instance.stop().unwrap();
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn without_a_collector_traces_pass_as_they_came() {
    let broker = broker();
    let scene = Scene::start(&broker, &[]);
    wait_until(SOON, "the instance to be ready", || scene.is_ready());
    write(&broker, &[Some(traceparent(PRODUCER, "01"))]);
    let came = Some(traceparent(PRODUCER, "01"));
    assert_eq!(derived(&broker, PARTITIONS as usize), [(0, came.clone()), (1, came)]);
    let metrics = http::get(&format!("{}/metrics", scene.url)).unwrap().body;
    assert!(!metrics.contains("thalweg_spans_total"), "{metrics}");
    scene.instance.stop().unwrap();
}

/// The program as an operator starts it, with a cluster that is away; `variable` is set in its environment.
fn serve(name: &str, dir: &Path, port: u16, variable: &str) -> Child {
    let (file, log) = (dir.join(format!("{name}.toml")), dir.join(format!("{name}.log")));
    let config = format!(
        "\
application.id = \"{name}\"
application.state_dir = \"{}\"
kafka.bootstrap_servers = \"127.0.0.1:{}\"
schema_registry.url = \"http://127.0.0.1:1\"
http.bind = \"127.0.0.1:{port}\"
",
        dir.display(),
        free_port()
    );
    std::fs::write(&file, config).unwrap();
    let (program, file) = (binary().display().to_string(), file.display().to_string());
    let child =
        Child::spawn(Program::new(name, "env", [variable, &program, "serve", "--config", &file], &log)).unwrap();
    let alive = format!("http://127.0.0.1:{port}/livez");
    wait_until(SOON, name, || http::get(&alive).is_ok_and(|answer| answer.status == 200));
    child
}

/// Whether the process has the thread that sends spans; the system keeps 15 bytes of its name.
fn sends_spans(child: &Child) -> bool {
    let tasks = Path::new("/proc").join(child.id().unwrap().to_string()).join("task");
    let name = |task: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(task.unwrap().path().join("comm"));
    tasks.read_dir().unwrap().filter_map(|task| name(task).ok()).any(|name| name.trim() == "OpenTelemetry.T")
}

#[test]
fn the_common_variable_starts_the_export_and_a_collector_that_is_away_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let ports = [free_port(), free_port()];
    let off = serve("off", dir.path(), ports[0], "OTEL_EXPORTER_OTLP_ENDPOINT=");
    assert!(!sends_spans(&off));
    let away = format!("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{}", free_port());
    let on = serve("on", dir.path(), ports[1], &away);
    assert!(sends_spans(&on));
    let url = format!("http://127.0.0.1:{}", ports[1]);
    for failures in [1.0, 2.0] {
        http::get_with(&format!("{url}/v1/views"), &[("traceparent", traceparent(READER, "01"))]).unwrap();
        let failed = || views::metric(&url, "thalweg_spans_total", &["outcome=\"failed\""]);
        wait_until(SOON, "the span to be given up", || failed() == failures);
    }
    let log = std::fs::read_to_string(dir.path().join("on.log")).unwrap();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("span") || line.contains("opentelemetry")).collect();
    assert!(told.len() == 1 && told[0].contains("the collector does not take spans, they are dropped"), "{log}");
    drop((on, off));
}

#[test]
fn an_empty_common_variable_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("orders.toml");
    std::fs::write(&file, "application.id = \"a\"\nkafka.bootstrap_servers = \"b:1\"\n").unwrap();
    let mut command = Command::new(binary());
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318").env("OTEL_SERVICE_NAME", "");
    let output = command.args(["config", "--config"]).arg(&file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, section) = text.split_once("\n[tracing]\n").unwrap();
    assert_eq!(section.trim(), "otlp_endpoint = \"http://collector:4318\" # environment", "{text}");
}
