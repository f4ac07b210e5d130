//! Sends spans to an OpenTelemetry collector (OTLP over HTTP), in batches, from a thread of the SDK.
//!
//! Whoever makes a span never waits: what the collector does not take in time is dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanExporter, SpanProcessor as _};
use prometheus::IntCounter;

use super::span_data::{resource, span_data};
use crate::query::{Metrics, SpanOutcome, Tracer};
use crate::types::Spans;

/// Path of the traces below the collector's base URL (OTLP specification, "OTLP/HTTP Request").
const TRACES_PATH: &str = "/v1/traces";
/// How long the collector may take for one try, and until when a batch is tried again.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long spans wait for others.
const DELAY: Duration = Duration::from_secs(1);
/// Spans that may wait, those of the batch under way included.
const WAITING_MAX: usize = 2_048;
/// Spans of one batch.
const BATCH_MAX: usize = 512;

/// Where the spans of a process go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Destination<'a> {
    /// The collector's base URL.
    pub endpoint: &'a str,
    /// `service.name`.
    pub service: &'a str,
    /// `service.instance.id`: the address under which others reach this instance.
    pub instance: &'a str,
    /// The consumer group, which is the application id.
    pub group: &'a str,
}

/// The way of spans to the collector.
pub(super) struct SpanExport {
    processor: Arc<BatchSpanProcessor>,
    queue: Arc<Queue>,
    group: String,
}

/// How many spans wait, and what became of the others. The SDK counts what its queue refuses and tells nobody; ours is
/// never longer, so that nothing is refused there.
#[derive(Debug)]
struct Queue {
    waiting: AtomicUsize,
    sent: IntCounter,
    dropped: IntCounter,
    failed: IntCounter,
}

/// Counts what an exporter sends and what it does not.
#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    endpoint: String,
    queue: Arc<Queue>,
}

impl SpanExport {
    /// Starts the thread that sends; asks nothing of the collector yet.
    pub(super) fn start(to: Destination<'_>, metrics: &Metrics) -> Result<Self, String> {
        // As to the schema registry: no proxy of the surroundings stands between.
        let client = reqwest::blocking::Client::builder().no_proxy().timeout(EXPORT_TIMEOUT).build();
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client.map_err(|error| error.to_string())?)
            .with_endpoint(format!("{}{TRACES_PATH}", to.endpoint.trim_end_matches('/')))
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self::over(exporter, to, metrics))
    }

    fn over(exporter: impl SpanExporter + 'static, to: Destination<'_>, metrics: &Metrics) -> Self {
        let queue = Arc::new(Queue {
            waiting: AtomicUsize::new(0),
            sent: metrics.spans(SpanOutcome::Sent),
            dropped: metrics.spans(SpanOutcome::Dropped),
            failed: metrics.spans(SpanOutcome::Failed),
        });
        let counted = Counted { exporter, endpoint: to.endpoint.to_owned(), queue: Arc::clone(&queue) };
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING_MAX)
            .with_max_export_batch_size(BATCH_MAX)
            .with_scheduled_delay(DELAY);
        let mut processor = BatchSpanProcessor::builder(counted).with_batch_config(config.build()).build();
        processor.set_resource(&resource(to.service, to.instance));
        Self { processor: Arc::new(processor), queue, group: to.group.to_owned() }
    }

    /// Makes spans and takes them for the collector.
    pub(super) fn tracer(&self) -> Tracer {
        let (seed, _) = uuid::Uuid::new_v4().as_u64_pair();
        let (processor, queue, group) = (Arc::clone(&self.processor), Arc::clone(&self.queue), self.group.clone());
        Tracer::new(Spans::new(seed, now_us), move |span, work| {
            if queue.enter() {
                processor.on_end(span_data(span, work, &group));
            }
        })
    }

    /// Sends what waits, for `deadline` at most.
    pub(super) fn stop(&self, deadline: Duration) {
        if let Err(error) = self.processor.shutdown_with_timeout(deadline) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

impl Queue {
    /// Takes a place in the queue; false: there is none, and the span is dropped.
    fn enter(&self) -> bool {
        let free = |waiting: usize| (waiting < WAITING_MAX).then_some(waiting + 1);
        let entered = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).is_ok();
        if !entered {
            self.dropped.inc();
        }
        entered
    }
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        self.queue.waiting.fetch_sub(spans, Ordering::Relaxed);
        match &result {
            Ok(()) => self.queue.sent.inc_by(spans as u64),
            Err(error) => {
                let endpoint = &self.endpoint;
                tracing::warn!(%error, endpoint, spans, "the collector does not take spans, they are dropped");
                self.queue.failed.inc_by(spans as u64);
            }
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

fn now_us() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Mutex, PoisonError};
    use std::time::Instant;

    use opentelemetry_sdk::error::OTelSdkError;

    use super::*;
    use crate::query::Work;
    use crate::types::{TaskId, TopicPartition};

    const CALLER: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const PATIENCE: Duration = Duration::from_secs(30);

    /// A collector that answers when it is told how.
    #[derive(Debug)]
    struct Told {
        answers: Mutex<Receiver<bool>>,
        batches: Arc<Mutex<Vec<usize>>>,
    }

    impl SpanExporter for Told {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.batches.lock().unwrap_or_else(PoisonError::into_inner).push(batch.len());
            match self.answers.lock().unwrap_or_else(PoisonError::into_inner).recv() {
                Ok(true) => Ok(()),
                _ => Err(OTelSdkError::InternalFailure("nobody is there".to_owned())),
            }
        }
    }

    struct Scene {
        export: SpanExport,
        tracer: Tracer,
        answers: Sender<bool>,
        batches: Arc<Mutex<Vec<usize>>>,
        metrics: Arc<Metrics>,
    }

    impl Scene {
        fn start() -> Self {
            let metrics = Metrics::new().unwrap();
            let (answers, received) = channel();
            let batches = Arc::default();
            let exporter = Told { answers: Mutex::new(received), batches: Arc::clone(&batches) };
            let to = Destination { endpoint: "http://c", service: "s", instance: "i", group: "g" };
            let export = SpanExport::over(exporter, to, &metrics);
            let tracer = export.tracer();
            Self { export, tracer, answers, batches, metrics }
        }

        fn send(&self, spans: usize) {
            for offset in 0..spans {
                let (task, partition) = (TaskId::new(0, 0), TopicPartition::new("in", 0));
                let span = self.tracer.spans().begin(CALLER).unwrap();
                self.tracer.send(span, Work::Process { task, partition, offset: offset as i64, fault: None });
            }
        }

        /// Sent, dropped, failed.
        fn counts(&self) -> [u64; 3] {
            [SpanOutcome::Sent, SpanOutcome::Dropped, SpanOutcome::Failed]
                .map(|outcome| self.metrics.spans(outcome).get())
        }
    }

    #[test]
    fn more_spans_than_may_wait_are_dropped_and_counted() {
        let scene = Scene::start();
        scene.send(WAITING_MAX + 10);
        assert_eq!(scene.counts(), [0, 10, 0]);
        for _ in 0..WAITING_MAX / BATCH_MAX + 1 {
            scene.answers.send(true).unwrap();
        }
        scene.export.stop(PATIENCE);
        assert_eq!(scene.counts(), [WAITING_MAX as u64, 10, 0]);
        let batches = scene.batches.lock().unwrap();
        assert_eq!(batches.iter().sum::<usize>(), WAITING_MAX);
        assert!(batches.iter().all(|spans| *spans <= BATCH_MAX), "{batches:?}");
    }

    #[test]
    fn spans_that_the_collector_does_not_take_are_counted_and_make_room() {
        let scene = Scene::start();
        // A batch may be as small as one span: how many there are is a matter of timing.
        for _ in 0..2 * WAITING_MAX {
            scene.answers.send(false).unwrap();
        }
        scene.send(WAITING_MAX);
        let began = Instant::now();
        while scene.counts()[2] < WAITING_MAX as u64 {
            assert!(began.elapsed() < PATIENCE, "{:?}", scene.counts());
            std::thread::park_timeout(Duration::from_millis(5));
        }
        scene.send(WAITING_MAX);
        scene.export.stop(PATIENCE);
        assert_eq!(scene.counts(), [0, 0, 2 * WAITING_MAX as u64]);
    }

    #[test]
    fn a_collector_that_does_not_answer_holds_no_stop_beyond_the_deadline() {
        let scene = Scene::start();
        scene.send(1);
        let began = Instant::now();
        scene.export.stop(Duration::from_millis(50));
        assert!(began.elapsed() >= Duration::from_millis(50) && began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        assert_eq!(scene.counts(), [0, 0, 0]);
    }
}
