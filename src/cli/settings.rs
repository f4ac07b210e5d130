//! The configuration as the program uses it: plain typed data.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::kind::Value;

/// The whole configuration. What each field means stands in the table of [`KEYS`](super::KEYS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `application`.
    pub application: Application,
    /// `kafka`.
    pub kafka: Kafka,
    /// `schema_registry`; `None` without a URL.
    pub schema_registry: Option<Registry>,
    /// `http`.
    pub http: Http,
    /// `log`.
    pub log: Log,
    /// `tracing`.
    pub tracing: Tracing,
}

/// Section `application`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// `application.id`.
    pub id: String,
    /// `application.state_dir`.
    pub state_dir: PathBuf,
    /// `application.stream_threads`.
    pub stream_threads: usize,
    /// `application.commit_interval_ms`.
    pub commit_interval: Duration,
    /// `application.state_memory_bytes`.
    pub state_memory_bytes: usize,
    /// `application.statestore_cache_max_bytes`.
    pub statestore_cache_max_bytes: usize,
    /// `application.deserialization_policy` with its topic.
    pub bad_records: BadRecords,
    /// `application.replication_factor`.
    pub replication_factor: i32,
    /// `application.max_task_idle_ms`; `None` is -1: never wait.
    pub max_task_idle: Option<Duration>,
    /// `application.input_buffer_max_bytes`.
    pub input_buffer_max_bytes: usize,
    /// `application.timestamp_ahead_max_ms`.
    pub timestamp_ahead_max: Duration,
}

/// What happens to a record that does not decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadRecords {
    /// It goes to this topic and processing goes on.
    DeadLetter(String),
    /// It is counted and processing goes on.
    Skip,
    /// Its task fails.
    Fail,
}

/// Section `kafka`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kafka {
    /// `kafka.bootstrap_servers`.
    pub bootstrap_servers: String,
    /// `kafka.group`.
    pub group: Group,
    /// `kafka.common`, by librdkafka's names.
    pub common: BTreeMap<String, String>,
    /// `kafka.consumer`, by librdkafka's names.
    pub consumer: BTreeMap<String, String>,
    /// `kafka.producer`, by librdkafka's names.
    pub producer: BTreeMap<String, String>,
}

/// Section `kafka.group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `kafka.group.session_timeout_ms`.
    pub session_timeout: Duration,
    /// `kafka.group.heartbeat_interval_ms`.
    pub heartbeat_interval: Duration,
    /// `kafka.group.rebalance_timeout_ms`.
    pub rebalance_timeout: Duration,
    /// `kafka.group.instance_id`.
    pub instance_id: Option<String>,
}

/// Section `schema_registry`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// `schema_registry.url`.
    pub url: String,
    /// `schema_registry.user` and `.password`.
    pub credentials: Option<Credentials>,
    /// `schema_registry.timeout_ms`.
    pub timeout: Duration,
}

/// User and password; the password is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Section `http`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// `http.bind`.
    pub bind: SocketAddr,
    /// `http.advertised`; `None`: the address that is really bound.
    pub advertised: Option<String>,
    /// `http.header_read_timeout_ms`.
    pub header_read_timeout: Duration,
}

/// Section `log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// `log.filter`.
    pub filter: String,
    /// `log.format`.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, else JSON.
    Auto,
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Section `tracing`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracing {
    /// `tracing.otlp_endpoint`; `None`: no spans.
    pub otlp_endpoint: Option<String>,
    /// `tracing.service_name`.
    pub service_name: String,
}

/// Checked values by path; a key without a value is absent.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    pub known: BTreeMap<&'static str, Value>,
    /// Pass-through settings by section.
    pub passed: BTreeMap<&'static str, BTreeMap<String, String>>,
}

impl Values {
    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.known.get(path).map(Value::to_string)
    }

    /// The number of a key whose kind is a whole number and which has a default.
    pub(super) fn integer(&self, path: &str) -> i64 {
        match self.known.get(path) {
            Some(Value::Integer(number)) => *number,
            _ => 0,
        }
    }

    fn milliseconds(&self, path: &str) -> Duration {
        Duration::from_millis(self.integer(path).unsigned_abs())
    }

    fn passed(&self, section: &str) -> BTreeMap<String, String> {
        self.passed.get(section).cloned().unwrap_or_default()
    }

    /// The settings. A required key without a value is empty: the caller has reported it.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            application: self.application(),
            kafka: Kafka {
                bootstrap_servers: self.text("kafka.bootstrap_servers").unwrap_or_default(),
                group: Group {
                    session_timeout: self.milliseconds("kafka.group.session_timeout_ms"),
                    heartbeat_interval: self.milliseconds("kafka.group.heartbeat_interval_ms"),
                    rebalance_timeout: self.milliseconds("kafka.group.rebalance_timeout_ms"),
                    instance_id: self.text("kafka.group.instance_id"),
                },
                common: self.passed("kafka.common"),
                consumer: self.passed("kafka.consumer"),
                producer: self.passed("kafka.producer"),
            },
            schema_registry: self.registry(),
            http: self.http(),
            log: Log {
                filter: self.text("log.filter").unwrap_or_default(),
                format: match self.text("log.format").as_deref() {
                    Some("json") => LogFormat::Json,
                    Some("text") => LogFormat::Text,
                    _ => LogFormat::Auto,
                },
            },
            tracing: self.tracing(),
        }
    }

    fn application(&self) -> Application {
        let id = self.text("application.id").unwrap_or_default();
        let idle = self.integer("application.max_task_idle_ms");
        let dead_letters = self.text("application.dead_letter_topic").unwrap_or_else(|| format!("{id}.dlq"));
        Application {
            id,
            state_dir: self.text("application.state_dir").unwrap_or_default().into(),
            stream_threads: self.integer("application.stream_threads").unsigned_abs() as usize,
            commit_interval: self.milliseconds("application.commit_interval_ms"),
            state_memory_bytes: self.integer("application.state_memory_bytes").unsigned_abs() as usize,
            statestore_cache_max_bytes: self.integer("application.statestore_cache_max_bytes").unsigned_abs() as usize,
            bad_records: match self.text("application.deserialization_policy").as_deref() {
                Some("skip") => BadRecords::Skip,
                Some("fail") => BadRecords::Fail,
                _ => BadRecords::DeadLetter(dead_letters),
            },
            replication_factor: self.integer("application.replication_factor") as i32,
            max_task_idle: u64::try_from(idle).ok().map(Duration::from_millis),
            input_buffer_max_bytes: self.integer("application.input_buffer_max_bytes").unsigned_abs() as usize,
            timestamp_ahead_max: self.milliseconds("application.timestamp_ahead_max_ms"),
        }
    }

    fn registry(&self) -> Option<Registry> {
        let user_and_password = self.text("schema_registry.user").zip(self.text("schema_registry.password"));
        Some(Registry {
            url: self.text("schema_registry.url")?,
            credentials: user_and_password.map(|(user, password)| Credentials { user, password }),
            timeout: self.milliseconds("schema_registry.timeout_ms"),
        })
    }

    fn tracing(&self) -> Tracing {
        let service_name = self.text("tracing.service_name").or_else(|| self.text("application.id"));
        Tracing { otlp_endpoint: self.text("tracing.otlp_endpoint"), service_name: service_name.unwrap_or_default() }
    }

    fn http(&self) -> Http {
        let bind = self.text("http.bind").and_then(|bind| bind.parse().ok());
        Http {
            bind: bind.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))),
            advertised: self.text("http.advertised"),
            header_read_timeout: self.milliseconds("http.header_read_timeout_ms"),
        }
    }
}
