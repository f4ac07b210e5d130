//! Input that does not decode: every kind of poison record under every policy, a registry that fails in every way, and
//! a crash before a dead letter is acknowledged.
#![allow(clippy::unwrap_used)]

mod crash;
mod policies;
mod registry;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use orders::serdes::Serdes;
use thalweg::serde::{RegistryOptions, SchemaRegistry};
use thalweg::types::Timestamp;
use thalweg_tests::FakeRegistry;

fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    Timestamp::try_from(elapsed.as_millis()).expect("a time in ms")
}

/// The application's serdes over a registry.
fn serdes(registry: &FakeRegistry) -> Serdes {
    let options =
        RegistryOptions { url: registry.url().to_owned(), credentials: None, timeout: Duration::from_secs(20) };
    Serdes::new(&SchemaRegistry::new(&options).expect("a registry client")).expect("valid schemas")
}
