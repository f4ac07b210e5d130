//! The input of `orders`: generated lives of orders and payments in Avro, and what must come of them.

use std::time::Duration;

use orders::demo::generator::{Event, Generator};
use orders::model::{Input, Millis};
use orders::oracle::{self, Expected};
use orders::serdes::Serdes;
use orders::topics::{NOTIFICATION_SMS, ORDER_ANOMALIES, ORDER_EVENTS, ORDER_STATUS, PARTITIONS, PAYMENT_ORDER};
use thalweg::serde::{RegistryOptions, SchemaRegistry, SerdeError, Serializer};
use thalweg_tests::Registry;

use crate::cluster::Cluster;
use crate::failure::Failure;

const SEED: u64 = 7;
const START_MS: Millis = 1_700_000_000_000;
/// Events per second of event time: some ten thousand orders are under way at a time.
const RATE: u32 = 10_000;
/// Records of both topics for each order. A life has about nine events; the rest are repeats, as producers make them
/// that send until they are told.
const RECORDS_PER_ORDER: u64 = 20;
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(30);
const SOURCES: [&str; 2] = [ORDER_EVENTS, PAYMENT_ORDER];
const DERIVED: [&str; 3] = [ORDER_STATUS, ORDER_ANOMALIES, NOTIFICATION_SMS];

/// Number of records in each derived topic.
pub type Derived = [u64; DERIVED.len()];

/// Filled source topics and a registry that knows their schemas.
pub struct OrdersInput {
    registry: Registry,
    records: u64,
    expected: Derived,
}

impl OrdersInput {
    /// Creates the topics and writes `records` records, half of them to each source topic.
    pub fn fill(cluster: &Cluster, records: u64) -> Result<Self, Failure> {
        let registry = Registry::start();
        for topic in SOURCES.into_iter().chain(DERIVED) {
            cluster.create(topic, PARTITIONS);
        }
        let serdes = serdes(registry.url()).map_err(|error| Failure::unable("schemas", error))?;
        let events: Vec<Event> = lives(records / RECORDS_PER_ORDER).collect();
        let mut told: Vec<&Event> = Vec::new();
        for topic in SOURCES {
            let of_topic: Vec<&Event> = events.iter().filter(|event| event.topic() == topic).collect();
            let repeated: Vec<&Event> = repeat_to(&of_topic, (records / 2) as usize);
            write(cluster, topic, &serdes, &repeated)?;
            told.extend(repeated);
        }
        told.sort_by_key(|event| event.timestamp);
        let expected = oracle::expect(told.iter().map(|event| (event.key.as_str(), &event.input)));
        Ok(Self { registry, records: told.len() as u64, expected: count(&expected) })
    }

    /// URL of the registry.
    pub fn registry(&self) -> &str {
        self.registry.url()
    }

    /// Source topics and their partition counts.
    pub fn sources(&self) -> Vec<(String, i32)> {
        SOURCES.map(|topic| (topic.to_owned(), PARTITIONS)).to_vec()
    }

    /// Records of both source topics.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// How many records the derived topics have now; none before the topics exist.
    pub fn derived(cluster: &mut Cluster) -> Derived {
        DERIVED.map(|topic| cluster.written(topic, PARTITIONS).unwrap_or_default())
    }

    /// Compares what a run has added to the derived topics with the independent model.
    pub fn check(&self, cluster: &mut Cluster, before: &Derived) -> Vec<String> {
        let after = Self::derived(cluster);
        let found = DERIVED.iter().zip(after.iter().zip(before).map(|(after, before)| after - before));
        let compared = found.zip(self.expected);
        let wrong = compared.filter(|((_, found), expected)| found != expected);
        wrong.map(|((topic, found), expected)| format!("{topic}: {found} records, not {expected}")).collect()
    }
}

fn serdes(url: &str) -> Result<Serdes, SerdeError> {
    let options = RegistryOptions { url: url.to_owned(), credentials: None, timeout: REGISTRY_TIMEOUT };
    Serdes::new(&SchemaRegistry::new(&options)?)
}

fn lives(orders: u64) -> Generator {
    let mut generator = Generator::new(SEED, START_MS).with_orders(orders);
    generator.set_rate(RATE);
    generator
}

/// Repeats members of `events` in place, as evenly as possible, until there are `wanted`; never leaves one out.
fn repeat_to<T: Copy>(events: &[T], wanted: usize) -> Vec<T> {
    let wanted = wanted.max(events.len());
    (0..wanted).map(|at| events[at * events.len() / wanted]).collect()
}

fn write(cluster: &Cluster, topic: &str, serdes: &Serdes, events: &[&Event]) -> Result<(), Failure> {
    let mut writer = cluster.writer(topic, PARTITIONS)?;
    let mut value = Vec::new();
    for event in events {
        value.clear();
        let encoded = match &event.input {
            Input::Order(order) => serdes.order_event.serialize(topic, order, &mut value),
            Input::Payment(payment) => serdes.payment_event.serialize(topic, payment, &mut value),
        };
        encoded.map_err(|error| Failure::unable(format!("writing {topic}"), error))?;
        writer.write(event.timestamp, event.key.as_bytes(), |out| out.extend_from_slice(&value))?;
    }
    writer.end()
}

fn count(expected: &Expected) -> Derived {
    [
        expected.changes.values().map(|all| all.len() as u64).sum(),
        expected.anomalies.values().map(|all| all.len() as u64).sum(),
        expected.notifications.values().map(|all| all.len() as u64).sum(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_even_and_in_place() {
        assert_eq!(repeat_to(&[1, 2, 3], 6), [1, 1, 2, 2, 3, 3]);
        assert_eq!(repeat_to(&[1, 2, 3], 4), [1, 1, 2, 3]);
        assert_eq!(repeat_to(&[1, 2, 3], 2), [1, 2, 3]);
        assert_eq!(repeat_to::<u8>(&[], 0), [0; 0]);
    }

    #[test]
    fn repeats_change_nothing_but_what_is_refused() {
        let events: Vec<Event> = lives(200).collect();
        let all: Vec<&Event> = events.iter().collect();
        let of = |events: &[&Event]| oracle::expect(events.iter().map(|event| (event.key.as_str(), &event.input)));
        let (once, repeated) = (of(&all), of(&repeat_to(&all, 4_000)));
        assert_eq!((&once.changes, &once.notifications), (&repeated.changes, &repeated.notifications));
        assert!(all.len() < 4_000 && all.len() > 1_500, "{} events of 200 orders", all.len());
    }
}
