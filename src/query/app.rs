//! What the handlers share, and the paths they answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::query::answer::{self, ROLE, SERVED_BY};
use crate::query::error::Error;
use crate::query::metrics::Metrics;
use crate::query::peer::Peers;
use crate::query::snapshot::Published;
use crate::query::{health, openapi, status, views};

/// Longest request target, bytes.
pub const URI_BYTES_MAX: usize = 8192;
/// Largest announced body, bytes. No path reads a body yet; this only chooses the error.
pub const BODY_BYTES_MAX: u64 = 64 * 1024;

/// What an operator may tune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Time that the owner of a key has for answering a forwarded request, all tries together.
    pub forward_deadline: Duration,
    /// Reads running at once; one more is refused with 503.
    pub reads_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { forward_deadline: Duration::from_secs(2), reads_max: 256 }
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
    reads: Arc<Semaphore>,
    scrapes: Arc<Semaphore>,
}

impl App {
    /// Runs blocking `work` on the blocking pool if a read slot is free.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Published) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = Arc::clone(&self.reads).try_acquire_owned().map_err(|_| Error::Overloaded)?;
        self.blocking(permit, work).await
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

/// The HTTP service of an instance. Must be called within a tokio runtime that has time and IO enabled.
pub fn router(published: Arc<Published>, metrics: Arc<Metrics>, config: Config) -> Router {
    let app = App {
        published,
        metrics,
        peers: Peers::new(config.forward_deadline),
        reads: Arc::new(Semaphore::new(config.reads_max)),
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

/// Around every request: limits before, common headers and metrics after.
async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let method = request.method().clone();
    let mut response = match check(&request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
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
    response
}

fn check(request: &Request) -> Result<(), Error> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > URI_BYTES_MAX {
        return Err(Error::UriTooLong(URI_BYTES_MAX));
    }
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
