//! Names and ports that no other test uses.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};

static COUNTER: AtomicU32 = AtomicU32::new(0);
static NEXT: AtomicU16 = AtomicU16::new(0);

const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 12_000;

/// A name for a topic or an application id that is new in every call and in every run.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{:x}-{}", std::process::id(), COUNTER.fetch_add(1, Relaxed))
}

/// A port of the loopback interface on which nobody listens now.
///
/// It lies below the system's range for outgoing connections: a client that keeps trying to reach a stopped service
/// must not be given the service's own port as its local one.
pub fn free_port() -> u16 {
    let start = (std::process::id() % u32::from(PORTS)) as u16;
    for _ in 0..PORTS {
        let port = FIRST_PORT + (start + NEXT.fetch_add(1, Relaxed) % PORTS) % PORTS;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST_PORT} and {}", FIRST_PORT + PORTS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ports_differ() {
        assert_ne!(unique("orders"), unique("orders"));
        let (a, b) = (free_port(), free_port());
        assert_ne!(a, b);
        assert!((FIRST_PORT..FIRST_PORT + PORTS).contains(&a));
    }
}
