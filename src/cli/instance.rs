//! One instance of an application from its settings: HTTP server, runtime, and the snapshots between them.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use super::exit;
use super::open_files::raise_open_files;
use super::settings::{BadRecords, Settings};
use super::span_export::{Destination, SpanExport};
use crate::group::CommitPolicy;
use crate::group::member::MemberConfig;
use crate::query::{self, Health, Metrics, Published, Server};
use crate::runtime::{self, RunError, Runtime, StartError, StateDirectoryError};
use crate::task::{DecodePolicy, Recipes, TaskOptions};
use crate::wire::coordinator::CoordinatorSettings;
use crate::wire::{self, Kafka, KafkaClients};

/// Bytes of uncommitted writes that cause an early commit. Half of Kafka Streams' default for
/// `statestore.uncommitted.max.bytes`: a commit holds rows and records twice, the second time on their way out.
const UNCOMMITTED_BYTES_MAX: usize = 32 << 20;
/// Threads of the HTTP server; reads run on its blocking pool.
const HTTP_THREADS: usize = 2;
/// How long running requests may take after a stop.
const HTTP_DEADLINE: Duration = Duration::from_secs(2);
/// How long the collector may take for the last spans after a stop.
const SPANS_DEADLINE: Duration = Duration::from_secs(5);

/// Why an instance did not start.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address} (http.bind): {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The system refused threads.
    #[error("cannot start the HTTP server: {0}")]
    Http(std::io::Error),
    /// Two metrics have one name.
    #[error("cannot register metrics: {0}")]
    Metrics(String),
    /// The exporter of spans cannot be made.
    #[error("cannot send spans to {endpoint} (tracing.otlp_endpoint): {reason}")]
    Spans {
        /// The collector.
        endpoint: String,
        /// What the exporter said.
        reason: String,
    },
    /// The coordinator connection cannot be made from these settings.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// The runtime did not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl InstanceError {
    /// The exit code that tells a supervisor whether to try again.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Bind { .. } => exit::UNAVAILABLE,
            Self::Wire(_) | Self::Spans { .. } => exit::USAGE,
            Self::Http(_) | Self::Metrics(_) => exit::SOFTWARE,
            Self::Start(StartError::StateDirectory(StateDirectoryError::InUse { .. })) => exit::TEMPORARY,
            Self::Start(StartError::StateDirectory(_) | StartError::State(_)) => exit::IO,
            Self::Start(StartError::Wire(_) | StartError::Thread(_)) => exit::SOFTWARE,
        }
    }
}

/// The exit code of a run that ended by itself.
pub(super) fn exit_of_run(error: &RunError) -> u8 {
    match error {
        RunError::Topics(_) => exit::DATA,
        RunError::Store { .. } | RunError::StateDirectory(_) => exit::IO,
        RunError::Group(_) | RunError::Offsets { .. } => exit::TEMPORARY,
        RunError::Thread { .. } | RunError::Stuck(_) | RunError::Restorer(_) | RunError::Client(_) => exit::SOFTWARE,
    }
}

/// A running instance.
pub struct Instance {
    runtime: Runtime,
    server: Server,
    tokio: tokio::runtime::Runtime,
    published: Arc<Published>,
    span_export: Option<SpanExport>,
}

impl Instance {
    /// Starts the runtime, which waits for the cluster, and the HTTP server, whose probes answer meanwhile.
    pub fn start(settings: &Settings, kafka: Arc<dyn Kafka>, recipes: Recipes) -> Result<Self, InstanceError> {
        let address = settings.http.bind;
        let listener = TcpListener::bind(address).map_err(|error| InstanceError::Bind { address, error })?;
        let bound = listener.local_addr().map_err(InstanceError::Http)?;
        let endpoint = settings.http.advertised.clone().unwrap_or_else(|| bound.to_string());
        let this_instance = query::Instance { id: endpoint.clone(), endpoint: Some(endpoint.clone()) };
        let topology = runtime::describe_for_readers(&recipes);
        let metrics = Metrics::new().map_err(|error| InstanceError::Metrics(error.to_string()))?;
        let span_export = span_export(settings, &endpoint, &metrics)?;
        let tracer = span_export.as_ref().map(|export| Arc::new(export.tracer()));
        let published = Published { tracer, ..Published::starting(topology, this_instance, Health::default()) };
        let published = Arc::new(published);
        if let Some(registry) = recipes.registry.clone() {
            metrics.watch(registry);
        }

        let options = options(settings, endpoint)?;
        let runtime = Runtime::start(kafka, recipes, options, Arc::clone(&published), Arc::clone(&metrics))?;
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(HTTP_THREADS)
            .thread_name("http")
            .enable_all()
            .build()
            .map_err(InstanceError::Http)?;
        let limits = limits(settings, raise_open_files());
        let router = {
            let _entered = tokio.enter();
            query::router(Arc::clone(&published), Arc::clone(&metrics), query::Config::default())
        };
        let server = Server::start(tokio.handle(), listener, router, limits, metrics).map_err(InstanceError::Http)?;
        tracing::info!(address = %server.address(), "serving HTTP");
        Ok(Self { runtime, server, tokio, published, span_export })
    }

    /// Where HTTP listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What readers see.
    pub fn published(&self) -> &Published {
        &self.published
    }

    /// Whether the run has ended by itself.
    pub fn is_finished(&self) -> bool {
        self.runtime.is_finished()
    }

    /// Commits, leaves the group, stops every thread; readers are answered until the end, the last spans are sent.
    pub fn stop(self) -> Result<(), RunError> {
        self.runtime.stop();
        let result = self.runtime.join();
        self.tokio.block_on(self.server.stop(HTTP_DEADLINE));
        self.tokio.shutdown_timeout(HTTP_DEADLINE);
        if let Some(export) = &self.span_export {
            export.stop(SPANS_DEADLINE);
        }
        result
    }
}

/// The way of spans to the configured collector, if there is one.
fn span_export(settings: &Settings, instance: &str, metrics: &Metrics) -> Result<Option<SpanExport>, InstanceError> {
    let Some(endpoint) = settings.tracing.otlp_endpoint.as_deref() else { return Ok(None) };
    let (service, group) = (settings.tracing.service_name.as_str(), settings.application.id.as_str());
    SpanExport::start(Destination { endpoint, service, instance, group }, metrics)
        .map(Some)
        .map_err(|reason| InstanceError::Spans { endpoint: endpoint.to_owned(), reason })
}

/// Clients get half of the open files at most: stores and Kafka connections need theirs.
fn limits(settings: &Settings, open_files: Option<u64>) -> query::Limits {
    let limits = query::Limits { header_read_timeout: settings.http.header_read_timeout, ..query::Limits::default() };
    let half = open_files.and_then(|files| usize::try_from(files / 2).ok()).unwrap_or(usize::MAX);
    query::Limits { connections_max: limits.connections_max.min(half), ..limits }
}

/// The clients of the cluster that the settings name; settings were checked before ([`check`](super::check)).
pub fn kafka_clients(settings: &Settings) -> Result<KafkaClients, InstanceError> {
    KafkaClients::new(wire_settings(settings)).map_err(|mistakes| {
        let reason = mistakes.iter().map(|(_, mistake)| mistake.to_string()).collect::<Vec<_>>().join("; ");
        InstanceError::Wire(wire::Error { kind: wire::ErrorKind::Fatal, context: "client settings".to_owned(), reason })
    })
}

/// The part of the settings that the clients get.
pub(super) fn wire_settings(settings: &Settings) -> wire::Settings {
    let kafka = &settings.kafka;
    wire::Settings {
        bootstrap_servers: kafka.bootstrap_servers.clone(),
        common: kafka.common.clone(),
        consumer: kafka.consumer.clone(),
        producer: kafka.producer.clone(),
    }
}

fn options(settings: &Settings, endpoint: String) -> Result<runtime::Options, wire::Error> {
    let application = &settings.application;
    let group = &settings.kafka.group;
    let member = MemberConfig {
        instance_id: group.instance_id.clone(),
        session_timeout_ms: millis(group.session_timeout),
        heartbeat_interval_ms: millis(group.heartbeat_interval),
        rebalance_timeout_ms: millis(group.rebalance_timeout),
        // Instances differ in their endpoints, so their retries differ.
        seed: u64::from(crate::types::murmur2(endpoint.as_bytes())),
        ..MemberConfig::new(application.id.as_str())
    };
    let common = settings.kafka.common.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let bootstrap = [("bootstrap.servers", settings.kafka.bootstrap_servers.as_str())];
    Ok(runtime::Options {
        state_dir: application.state_dir.clone(),
        stream_threads: application.stream_threads,
        commit: CommitPolicy {
            interval_ms: millis(application.commit_interval),
            uncommitted_bytes_max: UNCOMMITTED_BYTES_MAX,
        },
        state_memory_bytes: application.state_memory_bytes,
        input_buffer_max_bytes: application.input_buffer_max_bytes,
        task: task_options(settings),
        replication_factor: application.replication_factor,
        member,
        coordinator: CoordinatorSettings::from_client(common.chain(bootstrap))?,
        endpoint,
        wall_clock: std::time::SystemTime::now,
    })
}

fn task_options(settings: &Settings) -> TaskOptions {
    let application = &settings.application;
    let (decode_policy, dead_letter_topic) = match &application.bad_records {
        BadRecords::DeadLetter(topic) => (DecodePolicy::DeadLetter, Some(topic.clone())),
        BadRecords::Skip => (DecodePolicy::Skip, None),
        BadRecords::Fail => (DecodePolicy::Fail, None),
    };
    let max_task_idle_ms =
        application.max_task_idle.map_or(-1, |idle| i64::try_from(idle.as_millis()).unwrap_or(i64::MAX));
    let cache_max_bytes = application.statestore_cache_max_bytes / application.stream_threads.max(1);
    let timestamp_ahead_max_ms = i64::try_from(application.timestamp_ahead_max.as_millis()).unwrap_or(i64::MAX);
    TaskOptions { decode_policy, dead_letter_topic, max_task_idle_ms, cache_max_bytes, timestamp_ahead_max_ms }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
