//! The counters of an instance around one registry, built in `main` and passed down.
//!
//! Names follow Prometheus conventions with Kafka Streams' words. Label values are task ids, topics, threads, route
//! templates and words of the code: all bounded. What a snapshot can tell is not counted here but read from it at each
//! scrape (`gauges.rs`), so it leaves with its task.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};

use crate::serde::SchemaRegistry;
use crate::types::TaskId;

const COMMIT_SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
const HTTP_SECONDS: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0];

/// The counters of an instance.
pub struct Metrics {
    registry: Registry,
    process: IntCounterVec,
    task_commits: IntCounterVec,
    dropped: IntCounterVec,
    dead_letters: IntCounterVec,
    skipped: IntCounterVec,
    registry_failures: IntCounter,
    schema_registry: OnceLock<SchemaRegistry>,
    consumed: IntCounterVec,
    produced: IntCounterVec,
    commit_seconds: HistogramVec,
    rebalances: IntCounter,
    http_requests: IntCounterVec,
    http_seconds: HistogramVec,
    forwarded: IntCounterVec,
    dropped_reasons: Mutex<BTreeMap<TaskId, BTreeSet<&'static str>>>,
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

/// The counters of one task; add to them once per batch.
pub struct TaskMetrics {
    id: TaskId,
    metrics: Arc<Metrics>,
    /// Records processed.
    pub process: IntCounter,
    /// Commits that succeeded.
    pub commits: IntCounter,
}

impl TaskMetrics {
    /// Counts records that were dropped for `reason`, a word of the code.
    pub fn dropped(&self, reason: &'static str, records: u64) {
        let mut reasons = self.metrics.dropped_reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.entry(self.id).or_default().insert(reason);
        self.metrics.dropped.with_label_values(&[self.id.to_string().as_str(), reason]).inc_by(records);
    }
}

impl Metrics {
    /// All counters in a registry of their own; an error means that two of them have one name.
    pub fn new() -> Result<Arc<Self>, prometheus::Error> {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let seconds = |name: &str, help: &str, labels: &[&str], buckets: &[f64]| {
            let seconds = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?;
            registry.register(Box::new(seconds.clone()))?;
            Ok::<_, prometheus::Error>(seconds)
        };
        let rebalances = IntCounter::new("thalweg_rebalances_total", "Rebalances that this instance took part in")?;
        registry.register(Box::new(rebalances.clone()))?;
        let registry_failures = IntCounter::new(
            "thalweg_schema_registry_failures_total",
            "Calls to the schema registry that brought no usable answer",
        )?;
        registry.register(Box::new(registry_failures.clone()))?;
        Ok(Arc::new(Self {
            process: counters("thalweg_task_process_total", "Records processed", &["task"])?,
            task_commits: counters("thalweg_task_commit_total", "Commits that succeeded", &["task"])?,
            dropped: counters("thalweg_dropped_records_total", "Records dropped", &["task", "reason"])?,
            dead_letters: counters("thalweg_dead_letters_total", "Records set aside", &["topic", "reason"])?,
            skipped: counters(
                "thalweg_skipped_records_total",
                "Undecodable records skipped by the policy",
                &["topic", "reason"],
            )?,
            registry_failures,
            schema_registry: OnceLock::new(),
            consumed: counters("thalweg_records_consumed_total", "Records consumed", &["topic"])?,
            produced: counters(
                "thalweg_records_produced_total",
                "Records handed to the client for producing",
                &["topic"],
            )?,
            commit_seconds: seconds(
                "thalweg_thread_commit_duration_seconds",
                "Time of a commit, from flush to applied stores",
                &["thread"],
                &COMMIT_SECONDS,
            )?,
            rebalances,
            http_requests: counters(
                "thalweg_http_requests_total",
                "HTTP requests answered, by route template",
                &["route", "method", "status"],
            )?,
            http_seconds: seconds(
                "thalweg_http_request_duration_seconds",
                "Time until an answer is ready to be sent",
                &["route"],
                &HTTP_SECONDS,
            )?,
            forwarded: counters("thalweg_http_forwarded_total", "Hops to other instances", &["outcome"])?,
            dropped_reasons: Mutex::default(),
            registry,
        }))
    }

    /// The counters of task `id`; the same ones when called again.
    pub fn task(self: &Arc<Self>, id: TaskId) -> TaskMetrics {
        let label = id.to_string();
        TaskMetrics {
            id,
            metrics: Arc::clone(self),
            process: self.process.with_label_values(&[&label]),
            commits: self.task_commits.with_label_values(&[&label]),
        }
    }

    /// Forgets the counters of a task that has left this instance.
    pub fn remove_task(&self, id: TaskId) {
        let label = id.to_string();
        // An error says that the counter is not there, which is what is wanted.
        let _ = self.process.remove_label_values(&[&label]);
        let _ = self.task_commits.remove_label_values(&[&label]);
        let reasons = self.dropped_reasons.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        for reason in reasons.unwrap_or_default() {
            let _ = self.dropped.remove_label_values(&[label.as_str(), reason]);
        }
    }

    /// Records consumed from `topic`.
    pub fn consumed(&self, topic: &str) -> IntCounter {
        self.consumed.with_label_values(&[topic])
    }

    /// Records of `topic` that were handed to the client for producing.
    pub fn produced(&self, topic: &str) -> IntCounter {
        self.produced.with_label_values(&[topic])
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

    /// Times of the commits of stream thread `thread`, seconds.
    pub fn commit_seconds(&self, thread: &str) -> Histogram {
        self.commit_seconds.with_label_values(&[thread])
    }

    /// Rebalances that this instance took part in.
    pub fn rebalances(&self) -> &IntCounter {
        &self.rebalances
    }

    pub(super) fn http_request(&self, route: &str, method: &Method, status: StatusCode, took: Duration) {
        let method = match *method {
            Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE | Method::OPTIONS => {
                method.as_str()
            }
            _ => "other",
        };
        self.http_requests.with_label_values(&[route, method, status.as_str()]).inc();
        self.http_seconds.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    pub(super) fn forwarded(&self, outcome: HopOutcome) {
        self.forwarded.with_label_values(&[outcome.as_str()]).inc();
    }

    /// All counters and `more` families as Prometheus text.
    pub(super) fn text(&self, more: &[MetricFamily]) -> Vec<u8> {
        self.refresh_registry_failures();
        let mut families = self.registry.gather();
        families.extend_from_slice(more);
        let mut text = Vec::new();
        // Writing into a Vec cannot fail, and empty families are not gathered.
        let _ = TextEncoder::new().encode(&families, &mut text);
        text
    }
}
