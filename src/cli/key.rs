//! The table of all keys: the one place that knows their names, kinds, defaults and meanings.

use super::environment::PREFIX;
use super::kind::Kind;

/// One key of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Section and name, such as `application.id`.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is when nobody sets it.
    pub default: Default,
    /// A flag of its own, without the dashes; every key can be set by `--set` too.
    pub flag: Option<&'static str>,
    /// A variable that other programs know too; the key's own one wins.
    pub common_variable: Option<&'static str>,
    /// Whether the value is never printed.
    pub secret: bool,
    /// One line of meaning, with the unit.
    pub meaning: &'static str,
}

/// What a key is when nobody sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// This text.
    Is(&'static str),
    /// Nothing.
    None,
    /// Derived from other keys, as the text says.
    Derived(&'static str),
    /// It must be set.
    Required,
}

impl Key {
    /// The name of its environment variable.
    pub fn variable(&self) -> String {
        variable(self.path)
    }
}

/// The environment variable of a path.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_ascii_uppercase())
}

/// A section that takes any name of another system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// Path of the section, such as `kafka.common`.
    pub path: &'static str,
    /// One line of meaning.
    pub meaning: &'static str,
}

/// Sections that are passed through to librdkafka by its names, such as `"socket.timeout.ms" = 10000`. In a variable
/// each dot of the name is one underscore: `THALWEG__KAFKA__COMMON__SOCKET_TIMEOUT_MS`.
pub const PASSTHROUGH: &[Section] = &[
    Section { path: "kafka.common", meaning: "librdkafka settings of all clients, by librdkafka's names" },
    Section { path: "kafka.consumer", meaning: "librdkafka settings of consumers; win over `kafka.common`" },
    Section { path: "kafka.producer", meaning: "librdkafka settings of producers; win over `kafka.common`" },
];

const fn key(path: &'static str, kind: Kind, default: Default, meaning: &'static str) -> Key {
    Key { path, kind, default, flag: None, common_variable: None, secret: false, meaning }
}

const fn flagged(key: Key, flag: &'static str) -> Key {
    Key { flag: Some(flag), ..key }
}

const fn secret(key: Key) -> Key {
    Key { secret: true, ..key }
}

const fn also(key: Key, variable: &'static str) -> Key {
    Key { common_variable: Some(variable), ..key }
}

const HOUR_MS: i64 = 3_600_000;

/// All keys, in the order of the documentation. Names and defaults are Kafka Streams' where it has them.
pub const KEYS: &[Key] = &[
    flagged(
        // Internal topics append store names and suffixes, and a topic name has at most 249 characters.
        key(
            "application.id",
            Kind::Name(120),
            Default::Required,
            "name of the deployment: group id and prefix of internal topics",
        ),
        "application-id",
    ),
    flagged(
        key(
            "application.state_dir",
            Kind::Path,
            Default::Is("state"),
            "directory of the stores; one process at a time",
        ),
        "state-dir",
    ),
    key("application.stream_threads", Kind::Integer(1, 512), Default::Is("1"), "threads that process tasks"),
    key(
        // Kafka Streams has 30000 (100 with exactly-once); readers see only committed rows, so ours is shorter.
        "application.commit_interval_ms",
        Kind::Integer(1, HOUR_MS),
        Default::Is("1000"),
        "longest time between commits, in ms; also how stale a read may be",
    ),
    key(
        "application.state_memory_bytes",
        Kind::Integer(16 << 20, i64::MAX),
        Default::Is("268435456"),
        "cap of all stores' memory in the process, in bytes: block cache and write buffers",
    ),
    key(
        "application.statestore_cache_max_bytes",
        Kind::Integer(0, i64::MAX),
        Default::Is("10485760"),
        "bytes of all record caches in the process; a table forwards and logs a changed key once per commit; 0: every change",
    ),
    key(
        "application.deserialization_policy",
        Kind::Choice(&["dead_letter", "skip", "fail"]),
        Default::Is("dead_letter"),
        "what happens to a record that does not decode",
    ),
    key(
        "application.dead_letter_topic",
        Kind::Name(249),
        Default::Derived("`<application.id>.dlq`"),
        "topic of records set aside",
    ),
    key(
        "application.replication_factor",
        Kind::Integer(-1, 32_767),
        Default::Is("-1"),
        "copies of internal topics; -1 is the broker's default",
    ),
    key(
        "application.max_task_idle_ms",
        Kind::Integer(-1, HOUR_MS),
        Default::Is("0"),
        "how long a task with several inputs waits for an empty one, in ms; 0 only for records known to be there, -1 never",
    ),
    key(
        // KIP-770's `input.buffer.max.bytes` with its default.
        "application.input_buffer_max_bytes",
        Kind::Integer(16 << 20, i64::MAX),
        Default::Is("536870912"),
        "cap of fetched records that wait in the process, in bytes, divided over all partitions that it may read or restore",
    ),
    key(
        // A broker refuses what lies further ahead (KIP-1030), so nothing could be written that follows from it.
        "application.timestamp_ahead_max_ms",
        Kind::Integer(0, i64::MAX),
        Default::Is("3600000"),
        "how far a record's time may lie ahead, in ms; beyond it the record counts as one that does not decode; as the topics' `message.timestamp.after.max.ms`",
    ),
    flagged(
        key("kafka.bootstrap_servers", Kind::Addresses, Default::Required, "brokers to connect to first"),
        "bootstrap-servers",
    ),
    key(
        "kafka.group.session_timeout_ms",
        Kind::Integer(1, HOUR_MS),
        Default::Is("45000"),
        "silence after which the coordinator drops a member, in ms",
    ),
    key(
        "kafka.group.heartbeat_interval_ms",
        Kind::Integer(1, HOUR_MS),
        Default::Is("3000"),
        "time between heartbeats, in ms; at most a third of the session timeout",
    ),
    key(
        "kafka.group.rebalance_timeout_ms",
        Kind::Integer(1, HOUR_MS),
        Default::Is("300000"),
        "how long a rebalance waits for this member, in ms (Kafka's `max.poll.interval.ms`)",
    ),
    key(
        "kafka.group.instance_id",
        Kind::Name(249),
        Default::None,
        "identity that survives restarts: static membership, no rebalance within the session timeout",
    ),
    flagged(
        key("schema_registry.url", Kind::Url, Default::None, "base URL of the schema registry; needed by Avro topics"),
        "schema-registry",
    ),
    key("schema_registry.user", Kind::Text, Default::None, "user of HTTP basic authentication"),
    secret(key("schema_registry.password", Kind::Text, Default::None, "password of HTTP basic authentication")),
    key(
        "schema_registry.timeout_ms",
        Kind::Integer(1, 60_000),
        Default::Is("5000"),
        "longest time of one call to the registry, in ms",
    ),
    flagged(
        key("http.bind", Kind::Listen, Default::Is("127.0.0.1:8080"), "address that queries are served on"),
        "http-bind",
    ),
    key(
        "http.advertised",
        Kind::Address,
        Default::Derived("`http.bind`"),
        "address under which other instances reach this one (Kafka Streams' `application.server`)",
    ),
    key(
        "http.header_read_timeout_ms",
        Kind::Integer(1, 600_000),
        Default::Is("5000"),
        "time that a client has to send the headers of a request, in ms",
    ),
    key("log.filter", Kind::LogFilter, Default::Is("info"), "what is logged, as directives of `tracing`"),
    key(
        "log.format",
        Kind::Choice(&["auto", "text", "json"]),
        Default::Is("auto"),
        "how it is logged: text for people, json one object per line; auto is text on a terminal, else json",
    ),
    also(
        key(
            "tracing.otlp_endpoint",
            Kind::Url,
            Default::None,
            "base URL of an OpenTelemetry collector, such as http://localhost:4318; it gets the spans of sampled traces (OTLP over HTTP)",
        ),
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ),
    also(
        key(
            "tracing.service_name",
            Kind::Text,
            Default::Derived("`application.id`"),
            "name of the service in spans (`service.name`)",
        ),
        "OTEL_SERVICE_NAME",
    ),
];
