//! The table of all metrics: the one place that knows their names, kinds, units, labels and meanings.
//!
//! Names are those of Kafka Streams, mapped to Prometheus conventions: `process-total` of `stream-task-metrics` is
//! `thalweg_task_process_total`. A rate is not kept; `rate()` of a counter gives it.

/// One metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Description {
    /// Name in the scrape.
    pub name: &'static str,
    /// What may be asked of it.
    pub kind: Kind,
    /// What one of it is.
    pub unit: &'static str,
    /// Label names; each stands in `LABELS`.
    pub labels: &'static [&'static str],
    /// One sentence of meaning.
    pub meaning: &'static str,
    /// Group and name in Kafka Streams; empty: it has none.
    pub kafka: &'static str,
}

/// What may be asked of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only goes up.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts per bucket, with sum and count.
    Histogram,
}

impl Kind {
    /// The word in the scrape.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Every label: what its values are, and so why they are bounded.
pub const LABELS: &[(&str, &str)] = &[
    ("activity", "what a stream thread does: `poll`, `process`, `punctuate`, `commit`"),
    ("application", "the application id"),
    ("cause", "why a task was opened again: `retry` (from its last commit) or `rebuild` (its stores were wiped)"),
    ("hop", "`local`, or `forwarded` when another instance answered"),
    ("method", "an HTTP method that the service knows, or `other`"),
    ("outcome", "a word of the code, named with the metric"),
    (
        "owner",
        "who holds the memory: `block_cache`, `memtables`, `memory_stores`, `queues`, `record_cache`, `overlay`, `outbox`",
    ),
    ("partition", "a partition number of an input topic"),
    ("reason", "a word of the code for what was wrong with a record or a connection"),
    ("role", "`active`, `standby` or `restoring`; `none` when no replica answered"),
    ("route", "a path template such as `/v1/views/{view}/{key}`, or `unmatched`"),
    ("state", "where the process stands in its group: `joining`, `stable`, `rebalancing`, `leaving`"),
    ("status", "an HTTP status code that the service uses"),
    ("store", "a store's name"),
    ("task", "a task id, `<sub-topology>_<partition>`; its series leave with the task"),
    ("thread", "a stream thread's name"),
    ("topic", "a topic that the topology reads or writes"),
    ("version", "the version of the program"),
];

type Words = &'static str;
type Labels = &'static [&'static str];

const fn counter(name: Words, unit: Words, labels: Labels, meaning: Words, kafka: Words) -> Description {
    Description { name, kind: Kind::Counter, unit, labels, meaning, kafka }
}

const fn gauge(name: Words, unit: Words, labels: Labels, meaning: Words, kafka: Words) -> Description {
    Description { name, kind: Kind::Gauge, unit, labels, meaning, kafka }
}

const fn histogram(name: Words, labels: Labels, meaning: Words, kafka: Words) -> Description {
    Description { name, kind: Kind::Histogram, unit: "seconds", labels, meaning, kafka }
}

// Tasks.

pub static TASK_PROCESS: Description = counter(
    "thalweg_task_process_total",
    "records",
    &["task"],
    "Records processed, dropped ones included",
    "stream-task-metrics process-total, process-rate",
);
pub static TASK_PROCESS_SECONDS: Description = counter(
    "thalweg_task_process_seconds_total",
    "seconds",
    &["task"],
    "Time spent processing records; its rate over that of the records is the latency of one",
    "stream-task-metrics process-latency-avg",
);
pub static TASK_PUNCTUATE: Description = counter(
    "thalweg_task_punctuate_total",
    "punctuations",
    &["task"],
    "Punctuations that ran, on stream time and on the wall clock",
    "stream-task-metrics punctuate-total, punctuate-rate",
);
pub static TASK_PUNCTUATE_SECONDS: Description = counter(
    "thalweg_task_punctuate_seconds_total",
    "seconds",
    &["task"],
    "Time spent in wall-clock punctuations; those on stream time count as processing",
    "stream-task-metrics punctuate-latency-avg",
);
pub static TASK_COMMIT: Description = counter(
    "thalweg_task_commit_total",
    "commits",
    &["task"],
    "Commits that succeeded",
    "stream-task-metrics commit-total, commit-rate",
);
pub static TASK_COMMIT_AGE: Description = gauge(
    "thalweg_task_last_commit_age_seconds",
    "seconds",
    &["task"],
    "Time since the last commit that succeeded; a task without news does not commit",
    "",
);
pub static TASK_ROLE: Description =
    gauge("thalweg_task_role", "tasks", &["task", "role"], "1 for the role of each task of this instance", "");
pub static TASK_STREAM_TIME: Description = gauge(
    "thalweg_task_stream_time_seconds",
    "seconds",
    &["task"],
    "Highest record timestamp that the task has seen, since the epoch",
    "",
);
pub static TASK_LATENESS: Description = histogram(
    "thalweg_task_record_lateness_seconds",
    &["task"],
    "How far each record was behind its task's stream time",
    "stream-task-metrics record-lateness-avg, -max",
);
pub static TASK_LATENCY: Description = histogram(
    "thalweg_task_record_e2e_latency_seconds",
    &["task"],
    "From each record's timestamp until its batch is processed, by the wall clock at the batch's begin",
    "stream-processor-node-metrics record-e2e-latency-avg, -min, -max",
);
pub static TASK_BUFFERED: Description = gauge(
    "thalweg_task_buffered_records",
    "records",
    &["task"],
    "Records that were fetched and wait in the task's queues",
    "stream-task-metrics active-buffer-count",
);
pub static TASK_RESTORE: Description = counter(
    "thalweg_task_restore_total",
    "records",
    &["task"],
    "Changelog records that were replayed",
    "stream-task-metrics restore-total, restore-rate",
);
pub static TASK_RESTORE_REMAINING: Description = gauge(
    "thalweg_task_restore_remaining_records",
    "records",
    &["task", "store"],
    "Changelog offsets that the store has not reached yet",
    "stream-task-metrics restore-remaining-records-total",
);
pub static TASK_REOPENED: Description = counter(
    "thalweg_task_reopened_total",
    "tasks",
    &["cause"],
    "Tasks that failed here and were opened again, or whose stores could not be trusted",
    "",
);
pub static DROPPED: Description = counter(
    "thalweg_dropped_records_total",
    "records",
    &["task", "reason"],
    "Records that were dropped",
    "stream-task-metrics dropped-records-total",
);
pub static DEAD_LETTERS: Description = counter(
    "thalweg_dead_letters_total",
    "records",
    &["topic", "reason"],
    "Records of the source topic that were set aside in the dead letter topic",
    "",
);

pub static SKIPPED: Description = counter(
    "thalweg_skipped_records_total",
    "records",
    &["topic", "reason"],
    "Records of the source topic that did not decode and were skipped by its policy",
    "",
);
pub static TASK_PAUSED_PARTITIONS: Description = gauge(
    "thalweg_task_paused_partitions",
    "partitions",
    &["task"],
    "Input partitions whose next record waits for the schema registry",
    "",
);
pub static REGISTRY_FAILURES: Description = counter(
    "thalweg_schema_registry_failures_total",
    "calls",
    &[],
    "Calls to the schema registry that brought no usable answer",
    "",
);

// Stores and memory.

pub static STORE_ROWS: Description = gauge(
    "thalweg_store_rows",
    "rows",
    &["task", "store"],
    "Rows of the store, estimated; overwritten ones count until they are merged",
    "stream-state-metrics estimate-num-keys, num-keys",
);
pub static STORE_BYTES: Description = gauge(
    "thalweg_store_bytes",
    "bytes",
    &["task", "store"],
    "Bytes of the store: its live files and write buffers, or its rows in memory",
    "stream-state-metrics live-sst-files-size + cur-size-all-mem-tables",
);
pub static MEMORY: Description = gauge(
    "thalweg_memory_bytes",
    "bytes",
    &["owner"],
    "Memory of this process by owner, as far as the owner counts it",
    "stream-state-metrics block-cache-usage, cur-size-all-mem-tables; stream-task-metrics input-buffer-bytes-total",
);

// Topics.

pub static CONSUMED: Description = counter(
    "thalweg_records_consumed_total",
    "records",
    &["topic"],
    "Records consumed",
    "stream-topic-metrics records-consumed-total",
);
pub static CONSUMED_BYTES: Description = counter(
    "thalweg_bytes_consumed_total",
    "bytes",
    &["topic"],
    "Bytes of the records consumed, as they lie in the queues",
    "stream-topic-metrics bytes-consumed-total",
);
pub static PRODUCED: Description = counter(
    "thalweg_records_produced_total",
    "records",
    &["topic"],
    "Records handed to the client for producing",
    "stream-topic-metrics records-produced-total",
);
pub static PRODUCED_BYTES: Description = counter(
    "thalweg_bytes_produced_total",
    "bytes",
    &["topic"],
    "Bytes of keys, values and headers handed to the client for producing",
    "stream-topic-metrics bytes-produced-total",
);
pub static LAG: Description = gauge(
    "thalweg_partition_lag_records",
    "records",
    &["topic", "partition"],
    "Input records that are not processed yet; absent while the end is not known",
    "consumer-fetch-manager-metrics records-lag",
);

// Threads and the group.

pub static INFO: Description = gauge(
    "thalweg_info",
    "instances",
    &["application", "version"],
    "1, with what runs",
    "stream-metrics version, application-id",
);
pub static READY: Description =
    gauge("thalweg_ready", "instances", &[], "1 while `/readyz` answers 200, else 0", "stream-metrics state");
pub static MEMBER_STATE: Description = gauge(
    "thalweg_member_state",
    "instances",
    &["state"],
    "1 for where the process stands in its group",
    "stream-metrics client-state",
);
pub static ALIVE_THREADS: Description = gauge(
    "thalweg_alive_stream_threads",
    "threads",
    &[],
    "Stream threads whose loop turns",
    "stream-metrics alive-stream-threads",
);
pub static THREAD_BUSY: Description = counter(
    "thalweg_thread_busy_seconds_total",
    "seconds",
    &["thread", "activity"],
    "Time that a stream thread spends on each activity; its rate is the ratio of that activity",
    "stream-thread-metrics poll-ratio, process-ratio, punctuate-ratio, commit-ratio",
);
pub static THREAD_PROCESS: Description = histogram(
    "thalweg_thread_process_duration_seconds",
    &["thread"],
    "Time of one batch of a task's records, at most 1000",
    "stream-thread-metrics process-latency-avg, -max",
);
pub static THREAD_COMMIT: Description = histogram(
    "thalweg_thread_commit_duration_seconds",
    &["thread"],
    "Time of a commit that succeeded, from flush to applied stores",
    "stream-thread-metrics commit-latency-avg, -max",
);
pub static THREAD_COMMIT_FAILURES: Description =
    counter("thalweg_thread_commit_failures_total", "commits", &["thread"], "Commits that failed", "");
pub static THREAD_TASK_CREATED: Description = counter(
    "thalweg_thread_task_created_total",
    "tasks",
    &["thread"],
    "Tasks that a stream thread began to run",
    "stream-thread-metrics task-created-total",
);
pub static THREAD_TASK_CLOSED: Description = counter(
    "thalweg_thread_task_closed_total",
    "tasks",
    &["thread"],
    "Tasks that a stream thread gave up",
    "stream-thread-metrics task-closed-total",
);
pub static REBALANCES: Description = counter(
    "thalweg_rebalances_total",
    "rebalances",
    &[],
    "Rebalances that this instance took part in",
    "consumer-coordinator-metrics rebalance-total",
);
pub static REBALANCE_SECONDS: Description = histogram(
    "thalweg_rebalance_duration_seconds",
    &[],
    "From the begin of a rebalance until its assignment is taken; tasks that stay go on meanwhile",
    "consumer-coordinator-metrics rebalance-latency-avg, -max",
);

// HTTP.

pub static HTTP_CONNECTIONS: Description = gauge(
    "thalweg_http_connections",
    "connections",
    &[],
    "HTTP connections that are open; at the bound more wait, unaccepted",
    "",
);
pub static HTTP_CLOSED: Description = counter(
    "thalweg_http_connections_closed_total",
    "connections",
    &["reason"],
    "HTTP connections that this instance closed; the reason is `idle` (no request in time), `slow_headers`, \
     `slow_reader` (an answer was not taken in time) or `malformed`",
    "",
);
pub static HTTP_REQUESTS: Description = counter(
    "thalweg_http_requests_total",
    "requests",
    &["route", "method", "status"],
    "HTTP requests that were answered",
    "",
);
pub static HTTP_SECONDS: Description =
    histogram("thalweg_http_request_duration_seconds", &["route"], "Time until an answer is ready to be sent", "");
pub static READS: Description = counter(
    "thalweg_view_reads_total",
    "reads",
    &["role", "hop", "outcome"],
    "Reads of views by the role of the replica that answered; the outcome is `answered`, `not_found`, `behind`, \
     `refused`, `unavailable` or `failed`",
    "",
);
pub static FORWARDED: Description = counter(
    "thalweg_http_forwarded_total",
    "hops",
    &["outcome"],
    "Hops to other instances; the outcome is `answered`, `unavailable`, `moved`, `rejected` or `unreachable`",
    "",
);
pub static FORWARD_SECONDS: Description =
    histogram("thalweg_http_forward_duration_seconds", &[], "Time of a hop to another instance, failed ones too", "");

// Traces.

pub static SPANS: Description = counter(
    "thalweg_spans_total",
    "spans",
    &["outcome"],
    "Spans of sampled traces; the outcome is `sent`, `dropped` (too many waited) or `failed` (the collector did not take \
     them)",
    "",
);
