//! What the handlers share, and the paths they answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Uri, Version, header, uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::query::answer::{self, ROLE, SERVED_BY};
use crate::query::error::Error;
use crate::query::metrics::Metrics;
use crate::query::outgoing::Outgoing;
use crate::query::peer::Peers;
use crate::query::snapshot::{Instance, Published};
use crate::query::tracer::Work;
use crate::query::{health, openapi, status, views};

/// Longest request target, bytes.
pub const URI_BYTES_MAX: usize = 8192;
/// Largest announced body, bytes. No path reads a body yet; this only chooses the error.
pub const BODY_BYTES_MAX: u64 = 64 * 1024;
/// Most headers of a request.
pub const HEADERS_MAX: usize = 64;
/// Most bytes of a request's header names and values.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

/// What an operator may tune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Time that the owner of a key has for answering a forwarded request, all tries together.
    pub forward_deadline: Duration,
    /// Reads of single keys running at once. More wait for up to a second, then they are refused with 503; so it is
    /// with the next two.
    pub reads_max: usize,
    /// Ranges running at once: each holds a page and is worth many reads.
    pub ranges_max: usize,
    /// Requests at once that wait for another instance.
    pub forwards_max: usize,
    /// Bytes of answers that clients have not taken yet, those up to 16 KiB not counted; what does not fit is refused
    /// with 503.
    pub outgoing_bytes_max: usize,
}

/// How long a request waits for others before it is refused. As many wait as there are connections.
const SLOT_WAIT: Duration = Duration::from_secs(1);

impl Default for Config {
    fn default() -> Self {
        Self {
            forward_deadline: Duration::from_secs(2),
            reads_max: 64,
            ranges_max: 8,
            forwards_max: 256,
            outgoing_bytes_max: 64 << 20,
        }
    }
}

/// What the handlers share; cheap to clone.
#[derive(Clone)]
pub struct App {
    /// What the runtime publishes.
    pub published: Arc<Published>,
    /// The registry of this instance.
    pub metrics: Arc<Metrics>,
    /// The way to other instances.
    pub peers: Peers,
    outgoing: Outgoing,
    reads: Arc<Semaphore>,
    ranges: Arc<Semaphore>,
    forwards: Arc<Semaphore>,
    scrapes: Arc<Semaphore>,
}

impl App {
    /// Runs blocking `work` of a read of one key on the blocking pool.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Published) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.blocking(slot(&self.reads).await?, work).await
    }

    /// Runs blocking `work` of a range on the blocking pool.
    pub async fn read_range<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Published) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.blocking(slot(&self.ranges).await?, work).await
    }

    /// Asks other instances.
    ///
    /// Its slots are not those of reads: two instances whose slots all wait for each other would stand still.
    pub async fn forward(&self, instances: &[Instance], target: &Uri, headers: &HeaderMap) -> Result<Response, Error> {
        let _slot = slot(&self.forwards).await?;
        self.peers.forward(self, instances, target, headers).await
    }

    /// Runs blocking `work` after the scrapes before it: reads that take all slots must not hide the metrics.
    pub async fn scrape<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Published) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = Arc::clone(&self.scrapes).acquire_owned().await.map_err(|_| Error::Overloaded)?;
        self.blocking(permit, work).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        permit: OwnedSemaphorePermit,
        work: impl FnOnce(&Published) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let published = Arc::clone(&self.published);
        let read = tokio::task::spawn_blocking(move || {
            let result = work(&published);
            drop(permit);
            result
        });
        read.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a read did not finish");
            Err(Error::StoreFailed)
        })
    }
}

async fn slot(slots: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Error> {
    let slot = tokio::time::timeout(SLOT_WAIT, Arc::clone(slots).acquire_owned()).await;
    slot.map_err(|_| Error::Overloaded)?.map_err(|_| Error::Overloaded)
}

/// The HTTP service of an instance. Must be called within a tokio runtime that has time and IO enabled.
pub fn router(published: Arc<Published>, metrics: Arc<Metrics>, config: Config) -> Router {
    let app = App {
        published,
        metrics,
        peers: Peers::new(config.forward_deadline),
        outgoing: Outgoing::new(config.outgoing_bytes_max),
        reads: Arc::new(Semaphore::new(config.reads_max)),
        ranges: Arc::new(Semaphore::new(config.ranges_max)),
        forwards: Arc::new(Semaphore::new(config.forwards_max)),
        scrapes: Arc::new(Semaphore::new(1)),
    };
    let mut router = Router::new();
    for (path, handler) in routes() {
        router = router.route(path, handler);
    }
    router
        // A key is never empty: say so instead of claiming that there is no such path.
        .route("/v1/views/{view}/", get(async || Error::BadKey("the key is empty".into())))
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
        .fallback(async || Error::UnknownPath)
        .layer(middleware::from_fn_with_state(app.clone(), around))
        .with_state(app)
}

/// Every documented path; `openapi.rs` documents exactly these.
pub fn routes() -> [(&'static str, MethodRouter<App>); 12] {
    [
        ("/v1/views", get(views::list)),
        ("/v1/views/{view}", get(views::range)),
        ("/v1/views/{view}/{key}", get(views::point)),
        ("/v1/views/{view}/{key}/route", get(views::route)),
        ("/v1/instances", get(status::instances)),
        ("/v1/tasks", get(status::tasks)),
        ("/v1/topology", get(status::topology)),
        ("/livez", get(health::livez)),
        ("/readyz", get(health::readyz)),
        ("/startupz", get(health::startupz)),
        ("/metrics", get(status::metrics)),
        ("/openapi.json", get(openapi::serve)),
    ]
}

/// Around every request: limits and the begin of a span before, common headers, metrics and its end after.
async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);
    let method = request.method().clone();
    let tracer = app.published.tracer.as_deref();
    let span = tracer.and_then(|tracer| tracer.continue_trace(request.headers_mut()));
    let answer = match check(&request) {
        Ok(()) => app.outgoing.admit(next.run(request).await).await,
        Err(error) => Err(error),
    };
    let mut response = answer.unwrap_or_else(Error::into_response);
    let headers = response.headers_mut();
    if !headers.contains_key(SERVED_BY) {
        answer::insert(headers, SERVED_BY, &app.published.routing.load().this_instance.id);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if matches!(route, "/v1/views/{view}" | "/v1/views/{view}/{key}") {
        let text = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let forwarded = text(SERVED_BY) != Some(&app.published.routing.load().this_instance.id);
        app.metrics.read(text(ROLE).unwrap_or_default(), forwarded, response.status());
    }
    app.metrics.http_request(route, &method, response.status(), started.elapsed());
    if let (Some(tracer), Some(span)) = (tracer, span) {
        let route = matched.as_ref().map(|path| path.as_str().to_owned());
        tracer.send(tracer.spans().end(span), Work::Answer { method, route, status: response.status() });
    }
    response
}

fn check(request: &Request) -> Result<(), Error> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > URI_BYTES_MAX {
        return Err(Error::UriTooLong(URI_BYTES_MAX));
    }
    check_headers(request.headers(), request.version())?;
    let body = request.body().size_hint();
    if body.lower() > BODY_BYTES_MAX {
        return Err(Error::BodyTooLarge(BODY_BYTES_MAX));
    }
    let reads_only = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads_only && body.upper() != Some(0) {
        return Err(Error::UnexpectedBody);
    }
    Ok(())
}

fn check_headers(headers: &HeaderMap, version: Version) -> Result<(), Error> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        return Err(Error::HeadersTooLarge { headers: HEADERS_MAX, bytes: HEADER_BYTES_MAX });
    }
    // RFC 9112 section 3.2: exactly one in HTTP/1.1, and a host with an optional port. Who it names is the proxy's affair.
    let mut hosts = headers.get_all(header::HOST).iter();
    let good = match (hosts.next(), hosts.next()) {
        (None, None) => version != Version::HTTP_11,
        (Some(host), None) => {
            host.as_bytes().is_empty()
                || uri::Authority::try_from(host.as_bytes()).is_ok_and(|host| !host.as_str().contains('@'))
        }
        _ => false,
    };
    if good { Ok(()) } else { Err(Error::BadHost) }
}
