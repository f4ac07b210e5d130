//! The counters of an instance around one registry, built in `main` and passed down.
//!
//! Names follow Prometheus conventions with Kafka Streams' words; `description.rs` is the table of all of them. Label
//! values are task ids, topics, threads, route templates and words of the code: all bounded. What a snapshot can tell is
//! not counted here but read from it at each scrape (`gauges.rs`), so it leaves with its task.

pub(super) mod description;
mod document;
mod registrar;
mod spreads;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus::proto::MetricFamily;
use prometheus::{
    Counter, CounterVec, Encoder as _, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, Registry,
    TextEncoder,
};

use crate::query::close_reason::CloseReason;
use crate::serde::SchemaRegistry;
use crate::types::TaskId;
use description as all;
use description::Description;
pub use document::metrics_document;
pub use registrar::Registrar;
pub use spreads::SpreadHistogram;
use spreads::SpreadHistograms;

const PROCESS_SECONDS: [f64; 9] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0];
const COMMIT_SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
const REBALANCE_SECONDS: [f64; 9] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0];
const HTTP_SECONDS: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0];
const NO_LABELS: &[&str] = &[];

/// The counters of an instance.
pub struct Metrics {
    registry: Registry,
    described: Vec<&'static Description>,
    tasks: Tasks,
    threads: Threads,
    dropped: IntCounterVec,
    dead_letters: IntCounterVec,
    skipped: IntCounterVec,
    registry_failures: IntCounter,
    schema_registry: OnceLock<SchemaRegistry>,
    consumed: IntCounterVec,
    consumed_bytes: IntCounterVec,
    produced: IntCounterVec,
    produced_bytes: IntCounterVec,
    reopened: IntCounterVec,
    rebalances: IntCounter,
    rebalance_seconds: Histogram,
    spans: IntCounterVec,
    http: Http,
    dropped_reasons: Mutex<BTreeMap<TaskId, BTreeSet<&'static str>>>,
}

/// What carries the label `task`.
struct Tasks {
    process: IntCounterVec,
    process_seconds: CounterVec,
    punctuate: IntCounterVec,
    punctuate_seconds: CounterVec,
    commits: IntCounterVec,
    restored: IntCounterVec,
    lateness: SpreadHistograms,
    latency: SpreadHistograms,
}

/// What carries the label `thread`.
struct Threads {
    busy: CounterVec,
    process_seconds: HistogramVec,
    commit_seconds: HistogramVec,
    commit_failures: IntCounterVec,
    created: IntCounterVec,
    closed: IntCounterVec,
}

struct Http {
    connections: IntGauge,
    closed: IntCounterVec,
    requests: IntCounterVec,
    seconds: HistogramVec,
    reads: IntCounterVec,
    forwarded: IntCounterVec,
    forward_seconds: Histogram,
}

/// How a forwarded hop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HopOutcome {
    /// With an answer of the other instance.
    Answered,
    /// The other instance cannot answer now.
    Unavailable,
    /// The other instance does not have the key any more.
    Moved,
    /// Its answer was none of ours, or too large.
    Rejected,
    /// No connection, or no answer in time.
    Unreachable,
}

impl HopOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unavailable => "unavailable",
            Self::Moved => "moved",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
        }
    }
}

/// Why a task was opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReopenCause {
    /// It failed and starts again from its last commit.
    Retry,
    /// Its stores could not be trusted and are rebuilt from their changelogs.
    Rebuild,
}

/// What became of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanOutcome {
    /// The collector took it.
    Sent,
    /// Too many waited.
    Dropped,
    /// The collector did not take it.
    Failed,
}

impl SpanOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Dropped => "dropped",
            Self::Failed => "failed",
        }
    }
}

/// The counters of one task; add to them once per batch.
pub struct TaskMetrics {
    id: TaskId,
    metrics: Arc<Metrics>,
    /// Records processed.
    pub process: IntCounter,
    /// Time spent processing them, seconds.
    pub process_seconds: Counter,
    /// Punctuations.
    pub punctuate: IntCounter,
    /// Time spent in wall-clock punctuations, seconds.
    pub punctuate_seconds: Counter,
    /// Commits that succeeded.
    pub commits: IntCounter,
    /// How far records were behind stream time.
    pub lateness: Arc<SpreadHistogram>,
    /// How old records were when they were processed.
    pub latency: Arc<SpreadHistogram>,
}

/// The counters of one stream thread.
pub struct ThreadMetrics {
    /// Time spent fetching, seconds.
    pub poll: Counter,
    /// Time spent processing, seconds.
    pub process: Counter,
    /// Time spent in wall-clock punctuations, seconds.
    pub punctuate: Counter,
    /// Time spent committing, failed commits too, seconds.
    pub commit: Counter,
    /// Times of batches, seconds.
    pub process_seconds: Histogram,
    /// Times of commits that succeeded, seconds.
    pub commit_seconds: Histogram,
    /// Commits that failed.
    pub commit_failures: IntCounter,
    /// Tasks that it began to run.
    pub created: IntCounter,
    /// Tasks that it gave up.
    pub closed: IntCounter,
}

impl TaskMetrics {
    /// Counts records that were dropped for `reason`, a word of the code.
    pub fn dropped(&self, reason: &'static str, records: u64) {
        let mut reasons = self.metrics.dropped_reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.entry(self.id).or_default().insert(reason);
        self.metrics.dropped.with_label_values(&[self.id.to_string().as_str(), reason]).inc_by(records);
    }
}

impl Tasks {
    fn new(r: &mut Registrar) -> Result<Self, prometheus::Error> {
        Ok(Self {
            process: r.counters(&all::TASK_PROCESS)?,
            process_seconds: r.real_counters(&all::TASK_PROCESS_SECONDS)?,
            punctuate: r.counters(&all::TASK_PUNCTUATE)?,
            punctuate_seconds: r.real_counters(&all::TASK_PUNCTUATE_SECONDS)?,
            commits: r.counters(&all::TASK_COMMIT)?,
            restored: r.counters(&all::TASK_RESTORE)?,
            lateness: SpreadHistograms::new(r.describe(&all::TASK_LATENESS)),
            latency: SpreadHistograms::new(r.describe(&all::TASK_LATENCY)),
        })
    }

    fn remove(&self, id: TaskId) {
        let label = id.to_string();
        for counters in [&self.process, &self.punctuate, &self.commits, &self.restored] {
            // An error says that the counter is not there, which is what is wanted.
            let _ = counters.remove_label_values(&[&label]);
        }
        for counters in [&self.process_seconds, &self.punctuate_seconds] {
            let _ = counters.remove_label_values(&[&label]);
        }
        self.lateness.remove(id);
        self.latency.remove(id);
    }
}

impl Threads {
    fn new(r: &mut Registrar) -> Result<Self, prometheus::Error> {
        Ok(Self {
            busy: r.real_counters(&all::THREAD_BUSY)?,
            process_seconds: r.histograms(&all::THREAD_PROCESS, &PROCESS_SECONDS)?,
            commit_seconds: r.histograms(&all::THREAD_COMMIT, &COMMIT_SECONDS)?,
            commit_failures: r.counters(&all::THREAD_COMMIT_FAILURES)?,
            created: r.counters(&all::THREAD_TASK_CREATED)?,
            closed: r.counters(&all::THREAD_TASK_CLOSED)?,
        })
    }
}

impl Http {
    fn new(r: &mut Registrar) -> Result<Self, prometheus::Error> {
        Ok(Self {
            connections: r.gauges(&all::HTTP_CONNECTIONS)?.with_label_values(NO_LABELS),
            closed: r.counters(&all::HTTP_CLOSED)?,
            requests: r.counters(&all::HTTP_REQUESTS)?,
            seconds: r.histograms(&all::HTTP_SECONDS, &HTTP_SECONDS)?,
            reads: r.counters(&all::READS)?,
            forwarded: r.counters(&all::FORWARDED)?,
            forward_seconds: r.histograms(&all::FORWARD_SECONDS, &HTTP_SECONDS)?.with_label_values(NO_LABELS),
        })
    }
}

impl Metrics {
    /// All counters in a registry of their own; an error means that two of them have one name.
    pub fn new() -> Result<Arc<Self>, prometheus::Error> {
        let mut r = Registrar::default();
        let metrics = Self {
            tasks: Tasks::new(&mut r)?,
            threads: Threads::new(&mut r)?,
            dropped: r.counters(&all::DROPPED)?,
            dead_letters: r.counters(&all::DEAD_LETTERS)?,
            skipped: r.counters(&all::SKIPPED)?,
            registry_failures: r.counters(&all::REGISTRY_FAILURES)?.with_label_values(NO_LABELS),
            schema_registry: OnceLock::new(),
            consumed: r.counters(&all::CONSUMED)?,
            consumed_bytes: r.counters(&all::CONSUMED_BYTES)?,
            produced: r.counters(&all::PRODUCED)?,
            produced_bytes: r.counters(&all::PRODUCED_BYTES)?,
            reopened: r.counters(&all::TASK_REOPENED)?,
            rebalances: r.counters(&all::REBALANCES)?.with_label_values(NO_LABELS),
            rebalance_seconds: r.histograms(&all::REBALANCE_SECONDS, &REBALANCE_SECONDS)?.with_label_values(NO_LABELS),
            spans: r.counters(&all::SPANS)?,
            http: Http::new(&mut r)?,
            dropped_reasons: Mutex::default(),
            registry: r.registry,
            described: r.described,
        };
        Ok(Arc::new(metrics))
    }

    /// The counters of task `id`; the same ones when called again.
    pub fn task(self: &Arc<Self>, id: TaskId) -> TaskMetrics {
        let label = id.to_string();
        let tasks = &self.tasks;
        TaskMetrics {
            id,
            metrics: Arc::clone(self),
            process: tasks.process.with_label_values(&[&label]),
            process_seconds: tasks.process_seconds.with_label_values(&[&label]),
            punctuate: tasks.punctuate.with_label_values(&[&label]),
            punctuate_seconds: tasks.punctuate_seconds.with_label_values(&[&label]),
            commits: tasks.commits.with_label_values(&[&label]),
            lateness: tasks.lateness.of(id),
            latency: tasks.latency.of(id),
        }
    }

    /// Forgets the counters of a task that has left this instance.
    pub fn remove_task(&self, id: TaskId) {
        self.tasks.remove(id);
        let label = id.to_string();
        let reasons = self.dropped_reasons.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        for reason in reasons.unwrap_or_default() {
            // An error says that the counter is not there, which is what is wanted.
            let _ = self.dropped.remove_label_values(&[label.as_str(), reason]);
        }
    }

    /// The counters of stream thread `name`; the same ones when called again.
    pub fn thread(&self, name: &str) -> ThreadMetrics {
        let threads = &self.threads;
        let busy = |activity| threads.busy.with_label_values(&[name, activity]);
        ThreadMetrics {
            poll: busy("poll"),
            process: busy("process"),
            punctuate: busy("punctuate"),
            commit: busy("commit"),
            process_seconds: threads.process_seconds.with_label_values(&[name]),
            commit_seconds: threads.commit_seconds.with_label_values(&[name]),
            commit_failures: threads.commit_failures.with_label_values(&[name]),
            created: threads.created.with_label_values(&[name]),
            closed: threads.closed.with_label_values(&[name]),
        }
    }

    /// Counts `records` in `bytes` consumed from `topic`.
    pub fn consumed(&self, topic: &str, records: usize, bytes: usize) {
        self.consumed.with_label_values(&[topic]).inc_by(records as u64);
        self.consumed_bytes.with_label_values(&[topic]).inc_by(bytes as u64);
    }

    /// Counts `records` in `bytes` of `topic` that were handed to the client for producing.
    pub fn produced(&self, topic: &str, records: usize, bytes: usize) {
        self.produced.with_label_values(&[topic]).inc_by(records as u64);
        self.produced_bytes.with_label_values(&[topic]).inc_by(bytes as u64);
    }

    /// Records of source `topic` that went to the dead letter topic for `reason`, a word of the code.
    pub fn dead_letters(&self, topic: &str, reason: &'static str) -> IntCounter {
        self.dead_letters.with_label_values(&[topic, reason])
    }

    /// Records of source `topic` that did not decode for `reason`, a word of the code, and were skipped.
    pub fn skipped(&self, topic: &str, reason: &'static str) -> IntCounter {
        self.skipped.with_label_values(&[topic, reason])
    }

    /// Counts the failures of the application's schema registry from now on; there is one per application.
    pub fn watch(&self, registry: SchemaRegistry) {
        // A second registry would be a second application.
        let _ = self.schema_registry.set(registry);
    }

    /// Takes over what the registry has counted; scrapes run one at a time.
    fn refresh_registry_failures(&self) {
        if let Some(registry) = self.schema_registry.get() {
            self.registry_failures.inc_by(registry.failures().saturating_sub(self.registry_failures.get()));
        }
    }

    /// Counts changelog records that `task` replayed.
    pub fn restored(&self, task: TaskId, records: usize) {
        self.tasks.restored.with_label_values(&[task.to_string()]).inc_by(records as u64);
    }

    /// Counts a task that is opened again.
    pub fn reopened(&self, cause: ReopenCause) {
        let cause = match cause {
            ReopenCause::Retry => "retry",
            ReopenCause::Rebuild => "rebuild",
        };
        self.reopened.with_label_values(&[cause]).inc();
    }

    /// Rebalances that this instance took part in.
    pub fn rebalances(&self) -> &IntCounter {
        &self.rebalances
    }

    /// Times from the begin of a rebalance until its assignment is taken, seconds.
    pub fn rebalance_seconds(&self) -> &Histogram {
        &self.rebalance_seconds
    }

    /// Spans with this outcome.
    pub fn spans(&self, outcome: SpanOutcome) -> IntCounter {
        self.spans.with_label_values(&[outcome.as_str()])
    }

    pub(super) fn http_connections(&self, open: usize) {
        self.http.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    pub(super) fn http_closed(&self, reason: CloseReason) {
        self.http.closed.with_label_values(&[reason.as_str()]).inc();
    }

    pub(super) fn http_request(&self, route: &str, method: &Method, status: StatusCode, took: Duration) {
        let method = match *method {
            Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE | Method::OPTIONS => {
                method.as_str()
            }
            _ => "other",
        };
        self.http.requests.with_label_values(&[route, method, status.as_str()]).inc();
        self.http.seconds.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// Counts a read of a view: the role of the replica that answered, whether here, and how it ended.
    pub(super) fn read(&self, role: &str, forwarded: bool, status: StatusCode) {
        let role = ["active", "standby", "restoring"].into_iter().find(|known| *known == role).unwrap_or("none");
        let outcome = match status.as_u16() {
            200..=299 => "answered",
            404 => "not_found",
            409 => "behind",
            400..=499 => "refused",
            502 | 503 => "unavailable",
            _ => "failed",
        };
        let hop = if forwarded { "forwarded" } else { "local" };
        self.http.reads.with_label_values(&[role, hop, outcome]).inc();
    }

    pub(super) fn forwarded(&self, outcome: HopOutcome, took: Duration) {
        self.http.forwarded.with_label_values(&[outcome.as_str()]).inc();
        self.http.forward_seconds.observe(took.as_secs_f64());
    }

    /// All counters and `more` families as Prometheus text.
    pub(super) fn text(&self, more: &[MetricFamily]) -> Vec<u8> {
        self.refresh_registry_failures();
        let mut families = self.registry.gather();
        families.extend(self.tasks.lateness.gather());
        families.extend(self.tasks.latency.gather());
        families.extend_from_slice(more);
        let mut text = Vec::new();
        // Writing into a Vec cannot fail, and empty families are not gathered.
        let _ = TextEncoder::new().encode(&families, &mut text);
        text
    }
}
