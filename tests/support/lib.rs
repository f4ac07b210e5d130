//! The real services and the small tools of the integration tests.
//!
//! A test binary starts Apache Kafka and a schema registry as child processes, on free ports, with their data in a
//! temporary directory. They die with the test binary, however it ends. `orders` knows the application under test, the
//! others know none.
//!
//! Everything panics when it fails: a test has nothing else to do then. The tail of the service's log is printed.

pub mod child;
pub mod collector;
pub mod fake_registry;
pub mod heap;
pub mod http;
pub mod instance;
pub mod kafka;
pub mod names;
pub mod orders;
pub mod poison;
pub mod readers;
pub mod records;
pub mod registry;
pub mod services;
pub mod views;
pub mod wait;

pub use collector::Collector;
pub use fake_registry::FakeRegistry;
pub use instance::Instance;
pub use kafka::Kafka;
pub use names::{free_port, unique};
pub use registry::Registry;
pub use wait::wait_until;

/// Starts this test binary's shared broker and shared registry at the same time, once, and returns both.
pub fn shared() -> (&'static Kafka, &'static Registry) {
    std::thread::scope(|scope| {
        let registry = scope.spawn(Registry::shared);
        let kafka = Kafka::shared();
        (kafka, registry.join().expect("the registry starts"))
    })
}
