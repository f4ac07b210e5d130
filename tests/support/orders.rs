//! The order and payment application in a test: its topics, its input, its configuration, what must come of it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orders::demo::generator::{Event, Generator};
use orders::model::{CustomerOrders, Millis, OrderStatus};
use orders::oracle::{self, Expected};
use orders::serdes::Serdes;
use orders::topics::{
    CUSTOMER_ORDERS_VIEW, NOTIFICATION_SMS, ORDER_ANOMALIES, ORDER_EVENTS, ORDER_STATUS, ORDER_STATUS_VIEW, PARTITIONS,
    PAYMENT_ORDER,
};
use thalweg::serde::{RegistryOptions, SchemaRegistry};
use thalweg::types::{Headers, partition_of};
use thalweg::wire::{self, KafkaClients};

use crate::records::{self, Record, Stored};
use crate::{Instance, Kafka, Registry, free_port, poison, shared, unique, views, wait_until};

/// Time of the first event of a test.
pub const START: Millis = 1_700_000_000_000;

/// Topic configuration: record times may lie as far ahead as they like.
pub const ANY_TIME: (&str, &str) = ("message.timestamp.after.max.ms", "9223372036854775807");

/// Header of every event: its number. Derived records carry it on.
pub const TRACE: &str = "trace";

/// One application over the services of its test binary.
pub struct Application {
    /// Application id.
    pub id: String,
    /// The broker.
    pub kafka: &'static Kafka,
    /// The registry.
    pub registry: &'static Registry,
    /// The test's own clients.
    pub clients: KafkaClients,
    /// The application's serdes, on the test's side.
    pub serdes: Serdes,
    dir: PathBuf,
}

impl Application {
    /// Starts the services and creates the topics that the application does not create itself.
    ///
    /// Their names are fixed: one application per test binary.
    pub fn prepare() -> Self {
        let (kafka, registry) = shared();
        let clients = kafka.clients();
        for topic in [ORDER_EVENTS, PAYMENT_ORDER] {
            // A broker takes no time that lies more than an hour ahead; tests of such times must get past it.
            records::create_topic(&clients, topic, PARTITIONS, &[ANY_TIME]);
        }
        for topic in [ORDER_STATUS, ORDER_ANOMALIES, NOTIFICATION_SMS] {
            records::create_topic(&clients, topic, PARTITIONS, &[]);
        }
        let options =
            RegistryOptions { url: registry.url().to_owned(), credentials: None, timeout: Duration::from_secs(10) };
        let serdes = Serdes::new(&SchemaRegistry::new(&options).expect("a registry client")).expect("valid schemas");
        let id = unique("orders");
        // Goes with the broker's files, however the test binary ends.
        let dir = kafka.directory().join(&id);
        std::fs::create_dir(&dir).expect("a directory");
        Self { id, kafka, registry, clients, serdes, dir }
    }

    /// A place for an instance: its name, directory, port and configuration. `settings` are further lines of TOML.
    pub fn place(&self, name: &str, settings: &str) -> Place {
        let dir = self.dir.join(name);
        std::fs::create_dir(&dir).expect("a directory");
        let port = free_port();
        let config = format!(
            "\
application.id = \"{id}\"
application.state_dir = \"{state}\"
kafka.bootstrap_servers = \"{servers}\"
# The group notices a killed member soon.
kafka.group.session_timeout_ms = 3000
kafka.group.heartbeat_interval_ms = 500
schema_registry.url = \"{registry}\"
http.bind = \"127.0.0.1:{port}\"
{settings}
",
            id = self.id,
            state = dir.join("state").display(),
            servers = self.kafka.bootstrap_servers(),
            registry = self.registry.url(),
        );
        Place { name: name.to_owned(), dir, port, config }
    }

    /// Writes events to their topics, in order per partition, each with its number (counted from `first`) in [`TRACE`].
    pub fn write(&self, first: usize, events: &[Event]) {
        for topic in [ORDER_EVENTS, PAYMENT_ORDER] {
            let numbered = (first..).zip(events).filter(|(_, event)| event.topic() == topic);
            let written: Vec<(i32, Record)> = numbered.map(|(number, event)| self.record(number, event)).collect();
            records::write(&self.clients, topic, written.iter().map(|(partition, record)| (*partition, record)));
        }
    }

    fn record(&self, number: usize, event: &Event) -> (i32, Record) {
        let value = poison::encode(event, &self.serdes);
        let mut headers = Headers::new();
        headers.push(TRACE, Some(number.to_string().as_bytes()));
        let key = event.key.clone().into_bytes();
        let partition = partition_of(&key, PARTITIONS);
        (partition, Record { timestamp: event.timestamp, key: Some(key), value: Some(value), headers })
    }

    /// All records of a topic by key, in order; each must lie in the partition of its key.
    pub fn by_key(&self, topic: &str) -> BTreeMap<String, Vec<Stored>> {
        let mut by_key: BTreeMap<String, Vec<Stored>> = BTreeMap::new();
        for stored in records::read_all(&self.clients, topic, PARTITIONS) {
            let key = stored.record.key.clone().expect("a record with a key");
            assert_eq!(stored.partition, partition_of(&key, PARTITIONS), "{topic}: {stored:?}");
            by_key.entry(String::from_utf8(key).expect("a key of text")).or_default().push(stored);
        }
        by_key
    }

    /// Number of records that were ever written to a topic of the application.
    pub fn written(&self, topic: &str) -> i64 {
        records::ends(&self.clients, topic, PARTITIONS).into_iter().sum()
    }

    /// The repartition topic of the customers' pages.
    pub fn repartition_topic(&self) -> String {
        format!("{}-{CUSTOMER_ORDERS_VIEW}-repartition", self.id)
    }

    /// The changelog of a store.
    pub fn changelog(&self, store: &str) -> String {
        format!("{}-{store}-changelog", self.id)
    }

    /// Waits until the instances at `urls` have taken `records` source records and all that follows from them.
    pub fn wait_until_taken(&self, urls: &[&str], records: usize, deadline: Duration) {
        let all = i64::try_from(records).expect("a number of records");
        let sources = || views::taken(urls, ORDER_EVENTS) + views::taken(urls, PAYMENT_ORDER);
        wait_until(deadline, &format!("{all} records to be taken"), || sources() >= all);
        let repartition = self.repartition_topic();
        let rest = || views::taken(urls, &repartition) >= self.written(&repartition);
        wait_until(deadline, "the repartition topic to be taken", rest);
    }
}

/// Where an instance runs, over restarts.
#[derive(Debug)]
pub struct Place {
    /// Name of its files.
    pub name: String,
    /// Its files.
    pub dir: PathBuf,
    /// Its HTTP port.
    pub port: u16,
    /// Its configuration.
    pub config: String,
}

impl Place {
    /// Starts the instance.
    pub fn start(&self) -> Instance {
        Instance::spawn(&self.name, &self.dir, self.port, &self.config)
    }

    /// Its state directory.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Its directory, for files of the test.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// `count` orders and their payments, told in full; the seed is printed.
pub fn lives(seed: u64, prefix: &str, count: u64) -> Vec<Event> {
    println!("{count} orders {prefix}-* of seed {seed}");
    Generator::new(seed, START).with_prefix(prefix).with_orders(count).collect()
}

/// What must come of `events`.
pub fn expected(events: &[Event]) -> Expected {
    oracle::expect(events.iter().map(|event| (event.key.as_str(), &event.input)))
}

/// Waits until both views equal the model, whatever the interleaving of the two topics was.
pub fn wait_until_views_equal(urls: &[&str], deadline: Duration, expected: &Expected) {
    let settle = |statuses: BTreeMap<String, OrderStatus>| -> BTreeMap<String, OrderStatus> {
        statuses.into_iter().map(|(id, status)| (id, oracle::settled(status))).collect()
    };
    let statuses = settle(expected.statuses.clone());
    wait_until_equal("order-status", deadline, &statuses, || {
        views::rows(urls, ORDER_STATUS_VIEW).map(|rows| settle(views::values(rows)))
    });
    wait_until_equal("customer-orders", deadline, &expected.customers, || {
        views::rows(urls, CUSTOMER_ORDERS_VIEW).map(views::values::<CustomerOrders>)
    });
}

fn wait_until_equal<V: PartialEq + Debug>(
    what: &str,
    deadline: Duration,
    expected: &BTreeMap<String, V>,
    mut read: impl FnMut() -> Result<BTreeMap<String, V>, String>,
) {
    let mut last = Err("not read".to_owned());
    let equal = crate::wait::wait_for(deadline, what, || {
        last = read();
        last.as_ref().is_ok_and(|found| found == expected).then_some(())
    });
    if equal.is_err() {
        match last {
            Ok(found) => panic!("{what} differs from the model after {deadline:?}\n{}", difference(&found, expected)),
            Err(reason) => panic!("{what} could not be read within {deadline:?}: {reason}"),
        }
    }
}

/// Asserts that two maps are equal; tells the first differences and their number.
#[track_caller]
pub fn assert_same<V: PartialEq + Debug>(what: &str, found: &BTreeMap<String, V>, expected: &BTreeMap<String, V>) {
    assert!(found == expected, "{what}\n{}", difference(found, expected));
}

fn difference<V: PartialEq + Debug>(found: &BTreeMap<String, V>, expected: &BTreeMap<String, V>) -> String {
    let keys: std::collections::BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let differing: Vec<&String> = keys.into_iter().filter(|key| found.get(*key) != expected.get(*key)).collect();
    let shown = differing
        .iter()
        .take(3)
        .map(|key| format!("{key}\n  found    {:?}\n  expected {:?}\n", found.get(*key), expected.get(*key)));
    let shown: String = shown.collect();
    format!("{} of {} keys differ, such as\n{shown}", differing.len(), expected.len())
}

/// A topic of 12 partitions as its readers see it: their clients are independent of the application.
pub fn partitions_of(clients: &dyn wire::Kafka, topic: &str) -> Option<i32> {
    let described = clients.admin().and_then(|admin| admin.describe(&[topic.to_owned()])).expect("a description");
    described.first().map(|topic| topic.partitions)
}
