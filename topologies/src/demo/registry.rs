//! A schema registry for the demo and for tests: Confluent's REST paths over a map in memory.
//!
//! Avro only, no references, no authentication, one compatibility level for all subjects; bound to the loopback
//! address. `subjects` decides, `api` speaks HTTP.

mod api;
mod subjects;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use subjects::{Level, Refusal, Subjects};

/// A registry that serves until it is dropped.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    server: JoinHandle<io::Result<()>>,
}

impl Registry {
    /// Starts a registry on the loopback address; `port` 0 takes a free one. Fails when the port is taken.
    pub async fn start(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move { axum::serve(listener, api::router(Subjects::default())).await });
        Ok(Self { address, server })
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[cfg(test)]
mod tests;
