//! The HTTP server of an instance: HTTP/1.1 with a time limit for headers and idling, a bound on connections and a
//! shutdown that lets answers finish until a deadline.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};

/// Most bytes of request line and headers; hyper answers 431 beyond it, and beyond 100 headers (its default).
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// Pause after a failed accept: the usual cause, no free file descriptor, does not go away by trying at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Limits of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time for the headers of a request, and for idling between two requests; the connection is closed then.
    pub header_read_timeout: Duration,
    /// Connections at once; more wait in the listen queue of the operating system.
    pub connections_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { header_read_timeout: Duration::from_secs(10), connections_max: 8192 }
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
    /// Serves `router` on `listener` with tasks of `runtime`, until [`Server::stop`].
    pub fn start(runtime: &Handle, listener: TcpListener, router: Router, limits: Limits) -> io::Result<Self> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopping) = oneshot::channel();
        let accepting = runtime.spawn(accept(listener, router, limits, stopping));
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
    mut stopping: oneshot::Receiver<Duration>,
) -> Stopped {
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let deadline = loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        tokio::select! {
            deadline = &mut stopping => break deadline.unwrap_or_default(),
            Some(_finished) = connections.join_next() => {}
            (slot, accepted) = next => match accepted {
                Ok((stream, _)) => {
                    let connection = graceful.watch(connection(stream, router.clone(), limits));
                    connections.spawn(async move {
                        // A connection that ends in an error is the client's affair: reset, timeout, no HTTP.
                        let _ = connection.await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
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

type Connection = http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>>;

fn connection(stream: TcpStream, router: Router, limits: Limits) -> Connection {
    // Without it, small answers wait for the client's delayed acknowledgement; a refusal costs only that.
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read_timeout)
        .max_header_size(HEADER_BYTES_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        // A client may close its side after the request and still wants the answer.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}
