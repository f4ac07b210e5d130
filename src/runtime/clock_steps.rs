#![allow(clippy::unwrap_used)]

//! A whole instance on the embedded broker while its wall clock is set back and forth.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

use super::*;
use crate::dsl::{Consumed, Processor, ProcessorContext, Produced, Stores, StreamsBuilder};
use crate::group::CommitPolicy;
use crate::group::member::MemberConfig;
use crate::query::{Health, Instance, Membership, Metrics, Published};
use crate::serde::StringSerde;
use crate::task::{DecodePolicy, Fault, PunctuationType, Recipes, Record, ScheduleId, TaskOptions};
use crate::types::{ArenaRecord, HeadersView, RecordArena, Timestamp, TopicPartition};
use crate::wire::coordinator::CoordinatorSettings;
use crate::wire::{EmbeddedBroker, Kafka};

const PATIENCE: Duration = Duration::from_secs(60);
const INTERVAL_MS: i64 = 50;
const PARTITIONS: i32 = 2;

/// How far the wall clock is off, in seconds; ticks and records of all tasks.
static OFF: AtomicI64 = AtomicI64::new(0);
static TICKS: AtomicU64 = AtomicU64::new(0);
static RECORDS: AtomicU64 = AtomicU64::new(0);

fn wall_clock() -> SystemTime {
    let off = OFF.load(SeqCst);
    let step = Duration::from_secs(off.unsigned_abs());
    if off < 0 { SystemTime::now() - step } else { SystemTime::now() + step }
}

struct Counting;

impl Processor<String, String, String, String> for Counting {
    fn init(&mut self, context: &mut ProcessorContext<'_, String, String>) {
        context.schedule(INTERVAL_MS, PunctuationType::WallClockTime);
    }

    fn process(
        &mut self,
        record: Record<String, String>,
        context: &mut ProcessorContext<'_, String, String>,
    ) -> Result<(), Fault> {
        RECORDS.fetch_add(1, SeqCst);
        context.forward(record)
    }

    fn punctuate(
        &mut self,
        _: ScheduleId,
        _: Timestamp,
        _: &mut ProcessorContext<'_, String, String>,
    ) -> Result<(), Fault> {
        TICKS.fetch_add(1, SeqCst);
        Ok(())
    }
}

fn recipes() -> Recipes {
    let builder = StreamsBuilder::new();
    builder
        .stream::<String, String, _, _>("in", Consumed::with(StringSerde, StringSerde))
        .process(&[], |_: &mut Stores<'_, '_>| Counting)
        .to("out", Produced::with(StringSerde, StringSerde));
    builder.build("app").unwrap()
}

pub(super) fn options(broker: &EmbeddedBroker, directory: &TempDir) -> Options {
    let servers = broker.bootstrap_servers();
    Options {
        state_dir: directory.path().to_owned(),
        stream_threads: 1,
        commit: CommitPolicy { interval_ms: 100, uncommitted_bytes_max: 1 << 20 },
        state_memory_bytes: 8 << 20,
        input_buffer_max_bytes: 64 << 20,
        task: TaskOptions {
            decode_policy: DecodePolicy::Fail,
            dead_letter_topic: None,
            max_task_idle_ms: 0,
            cache_max_bytes: 0,
            timestamp_ahead_max_ms: i64::MAX,
        },
        replication_factor: 1,
        // The embedded broker ends a rebalance a second before the session timeout.
        member: MemberConfig { session_timeout_ms: 3_500, heartbeat_interval_ms: 200, ..MemberConfig::new("app") },
        coordinator: CoordinatorSettings::from_client([("bootstrap.servers", servers.as_str())]).unwrap(),
        endpoint: "127.0.0.1:1".to_owned(),
        wall_clock,
    }
}

pub(super) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn write(broker: &EmbeddedBroker, records: u64) {
    let mut producer = broker.producer("test").unwrap();
    let mut arena = RecordArena::new();
    for _ in 0..records {
        let (key, value) = (Some(&b"k"[..]), Some(&b"v"[..]));
        arena.push(ArenaRecord { timestamp: 1, key, value, headers: HeadersView::default() });
    }
    for partition in 0..PARTITIONS {
        producer.send(&TopicPartition::new("in", partition), &arena, PATIENCE).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    producer.close(PATIENCE);
}

#[test]
fn a_clock_that_steps_by_an_hour_costs_no_session_and_moves_no_tick() {
    let broker = EmbeddedBroker::start(1).unwrap();
    ["in", "out"].into_iter().for_each(|topic| broker.create_topic(topic, PARTITIONS).unwrap());
    let directory = TempDir::new().unwrap();
    let (recipes, metrics) = (recipes(), Metrics::new().unwrap());
    let this_instance = Instance { id: "127.0.0.1:1".to_owned(), endpoint: None };
    let published = Arc::new(Published::starting(describe_for_readers(&recipes), this_instance, Health::default()));
    let options = options(&broker, &directory);
    let (kafka, of_runtime) = (Arc::new(broker.clone()), (Arc::clone(&published), Arc::clone(&metrics)));
    let runtime = Runtime::start(kafka, recipes, options, of_runtime.0, of_runtime.1).unwrap();
    let running = || published.catalog.load().tasks.values().filter(|task| task.state == "running").count();
    wait_until("both tasks", || running() == 2);
    let loops: Vec<String> = published.health.load().loops.iter().map(|beat| beat.name().to_owned()).collect();
    assert!(loops.iter().any(|name| name == "restorer") && loops.len() == 3, "{loops:?}");
    let rebalances = metrics.rebalances().get();

    for (step, hours) in (1..).zip([1, -1, 0, 1, 0, -1]) {
        OFF.store(hours * 3_600, SeqCst);
        let (ticks, at) = (TICKS.load(SeqCst), Instant::now());
        write(&broker, 5);
        wait_until("the records", || RECORDS.load(SeqCst) >= step * 10);
        wait_until("ticks", || TICKS.load(SeqCst) >= ticks + 8);
        let most = at.elapsed().as_millis() as u64 / 50 * 2 + 4;
        let ticked = TICKS.load(SeqCst) - ticks;
        assert!(ticked <= most, "{ticked} ticks where {most} fit");
        for task in published.catalog.load().tasks.values() {
            for input in &task.progress.load().inputs {
                assert!(input.end.is_none_or(|end| end >= input.position), "{input:?}");
            }
        }
    }
    assert_eq!(RECORDS.load(SeqCst), 60, "each record once");
    assert_eq!(running(), 2);
    assert_eq!(metrics.rebalances().get(), rebalances, "the session is kept");
    assert_eq!(published.health.load().membership, Membership::Stable);
    runtime.stop();
    runtime.join().unwrap();
}
