//! The HTTP server of an instance: HTTP/1.1 with time limits for headers, idling and taking an answer, a bound on
//! connections and a shutdown that lets answers finish until a deadline.
//!
//! A connection serves one request at a time: while an answer is made or taken, nothing more is read (hyper).

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use crate::query::close_reason::CloseReason;
use crate::query::metrics::Metrics;
use crate::query::patience::Patient;

/// Most bytes of request line and headers that are read, and so the read buffer of a connection. `app.rs` refuses less
/// with a problem; beyond this, and beyond 100 headers (its default), hyper answers a bare 431 and closes.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Pause after a failed accept: the usual cause, no free file descriptor, does not go away by trying at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that wait to be accepted; the system has a maximum of its own.
const LISTEN_QUEUE: i32 = 1024;
/// Time between two log lines about failed accepts.
const ACCEPT_WARNING: Duration = Duration::from_secs(10);

/// Limits of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time for the headers of a request, and for idling between two requests; the connection is closed then.
    pub header_read_timeout: Duration,
    /// Time for taking 64 KiB of an answer, or a whole smaller one; the connection is reset then.
    pub write_timeout: Duration,
    /// Connections at once; more wait in the listen queue of the operating system until one of them ends. Idle ones end
    /// after `header_read_timeout`.
    pub connections_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_read_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            connections_max: 8192,
        }
    }
}

/// How a shutdown ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// All connections finished by themselves.
    Clean,
    /// The deadline came first: the remaining connections were cut.
    Cut,
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<Duration>,
    accepting: JoinHandle<Stopped>,
}

impl Server {
    /// Serves `router` on `listener` with tasks of `runtime`, until [`Server::stop`]; counts connections in `metrics`.
    pub fn start(
        runtime: &Handle,
        listener: TcpListener,
        router: Router,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        // The standard library lets 128 wait: in a burst the system would ignore more for a second.
        rustix::net::listen(&listener, LISTEN_QUEUE)?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopping) = oneshot::channel();
        let accepting = runtime.spawn(accept(listener, router, limits, metrics, stopping));
        Ok(Self { address, stop, accepting })
    }

    /// The address it listens on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets running requests finish for `deadline`, then cuts the rest.
    pub async fn stop(self, deadline: Duration) -> Stopped {
        // The receiver lives as long as the task that is awaited next.
        let _ = self.stop.send(deadline);
        self.accepting.await.unwrap_or(Stopped::Cut)
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    router: Router,
    limits: Limits,
    metrics: Arc<Metrics>,
    mut stopping: oneshot::Receiver<Duration>,
) -> Stopped {
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut warned: Option<Instant> = None;
    let deadline = loop {
        metrics.http_connections(connections.len());
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        tokio::select! {
            deadline = &mut stopping => break deadline.unwrap_or_default(),
            Some(ended) = connections.join_next() => if let Ok(Some(reason)) = ended {
                metrics.http_closed(reason);
            },
            (slot, accepted) = next => match accepted {
                Ok((stream, _)) => {
                    let heard = Arc::default();
                    let connection = graceful.watch(connection(stream, router.clone(), limits, Arc::clone(&heard)));
                    connections.spawn(async move {
                        let ended = connection.await;
                        drop(slot);
                        CloseReason::of(&ended.err()?, heard.load(Ordering::Relaxed))
                    });
                }
                // The client was gone before it was served.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    if warned.is_none_or(|at| at.elapsed() >= ACCEPT_WARNING) {
                        warned = Some(Instant::now());
                        tracing::warn!(%error, "connections cannot be accepted");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    };
    drop(listener);
    let finished = tokio::time::timeout(deadline, graceful.shutdown()).await;
    connections.shutdown().await;
    if finished.is_ok() { Stopped::Clean } else { Stopped::Cut }
}

type Connection = http1::Connection<TokioIo<Patient>, TowerToHyperService<Router>>;

fn connection(stream: TcpStream, router: Router, limits: Limits, heard: Arc<AtomicBool>) -> Connection {
    // Without it, small answers wait for the client's delayed acknowledgement; a refusal costs only that.
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read_timeout)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        // A client may close its side after the request and still wants the answer.
        .half_close(true)
        .serve_connection(
            TokioIo::new(Patient::new(stream, limits.write_timeout, heard)),
            TowerToHyperService::new(router),
        )
}
