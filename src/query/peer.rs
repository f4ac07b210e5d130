//! The one hop to the instance that has a key: pooled connections, one deadline, no redirects, no proxies.
//!
//! The request target is passed on byte for byte: a client that normalises URLs would change keys such as `%2E%2E`.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, Method, Request, StatusCode, Uri, header, uri};
use axum::response::{IntoResponse, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};

use crate::query::answer::{self, FORWARDED, LAG, POSITION, ROLE, SERVED_BY};
use crate::query::app::App;
use crate::query::error::Error;
use crate::query::metrics::HopOutcome;
use crate::query::snapshot::Instance;

/// Largest answer taken from another instance, bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Idle connections are dropped before the other side's header timeout (5 s unless configured) closes them.
const POOL_IDLE: Duration = Duration::from_secs(2);
/// Idle connections kept per instance.
const POOL_IDLE_MAX: usize = 64;
/// What of an answer is passed on.
const PASSED_ON: [HeaderName; 6] = [header::CONTENT_TYPE, header::RETRY_AFTER, SERVED_BY, ROLE, POSITION, LAG];

/// What of a request is passed on: its trace context (W3C Trace Context).
const TRACE: [&str; 2] = ["traceparent", "tracestate"];

/// The way to other instances; cheap to clone.
#[derive(Clone)]
pub struct Peers {
    client: Client<HttpConnector, Body>,
    deadline: Duration,
}

impl Peers {
    /// A pool whose requests, all tries together, take at most `deadline`.
    pub fn new(deadline: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_IDLE_MAX)
            .build(connector);
        Self { client, deadline }
    }

    /// Asks `instances` in order until one answers; each try gets an equal part of the time that is left. The trace
    /// context among `headers` goes along.
    pub async fn forward(
        &self,
        app: &App,
        instances: &[Instance],
        target: &Uri,
        headers: &HeaderMap,
    ) -> Result<Response, Error> {
        let deadline = Instant::now() + self.deadline;
        let sender = app.published.routing.load().this_instance.id.clone();
        let mut last = Err(Error::PeerUnreachable);
        for (tried, instance) in instances.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let part = left / u32::try_from(instances.len() - tried).unwrap_or(u32::MAX);
            let started = Instant::now();
            let hop = timeout_at(started + part, self.ask(instance, target, &sender, headers)).await;
            last = hop.unwrap_or(Err(Error::PeerUnreachable));
            app.metrics.forwarded(outcome(&last), started.elapsed());
            if last.as_ref().is_ok_and(|response| response.status() != StatusCode::SERVICE_UNAVAILABLE) {
                return last;
            }
        }
        last
    }

    async fn ask(
        &self,
        instance: &Instance,
        target: &Uri,
        sender: &str,
        headers: &HeaderMap,
    ) -> Result<Response, Error> {
        let mut request = request(instance, target, sender).ok_or(Error::PeerUnreachable)?;
        for name in TRACE {
            if let Some(value) = headers.get(name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        let answer = self.client.request(request).await.map_err(|_| Error::PeerUnreachable)?;
        let (parts, body) = answer.into_parts();
        let served_by = parts.headers.get(SERVED_BY).ok_or(Error::BadPeerAnswer)?;
        // Another instance may live at that address by now.
        if served_by.as_bytes() != instance.id.as_bytes() || parts.status == StatusCode::MISDIRECTED_REQUEST {
            return Err(Error::Closed);
        }
        let body = to_bytes(Body::new(body), ANSWER_BYTES_MAX).await.map_err(|_| Error::BadPeerAnswer)?;
        let mut headers = HeaderMap::new();
        for name in PASSED_ON {
            if let Some(value) = parts.headers.get(&name) {
                headers.insert(name, value.clone());
            }
        }
        Ok((parts.status, headers, body).into_response())
    }
}

fn request(instance: &Instance, target: &Uri, sender: &str) -> Option<Request<Body>> {
    let uri = Uri::builder()
        .scheme(uri::Scheme::HTTP)
        .authority(instance.endpoint.as_deref()?)
        .path_and_query(target.path_and_query()?.clone())
        .build()
        .ok()?;
    let mut request = Request::builder().method(Method::GET).uri(uri).body(Body::empty()).ok()?;
    answer::insert(request.headers_mut(), FORWARDED, sender);
    request.headers().contains_key(FORWARDED).then_some(request)
}

fn outcome(result: &Result<Response, Error>) -> HopOutcome {
    match result {
        Ok(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => HopOutcome::Unavailable,
        Ok(_) => HopOutcome::Answered,
        Err(Error::Closed) => HopOutcome::Moved,
        Err(Error::BadPeerAnswer) => HopOutcome::Rejected,
        Err(_) => HopOutcome::Unreachable,
    }
}
