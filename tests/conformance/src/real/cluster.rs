//! The broker as the tool sees it: topics, inputs, committed offsets, what was written.

use std::collections::BTreeMap;
use std::time::Duration;

use thalweg::types::{Headers, TopicPartition};
use thalweg::wire::coordinator::{CommittedOffset, CoordinatorConnection, CoordinatorSettings};
use thalweg::wire::{Consumer, Kafka as _, KafkaClients};
use thalweg_tests::Kafka;
use thalweg_tests::records::{self, Record};
use thalweg_tests::wait::wait_for;

use super::Error;
use super::process::Process;
use super::trace::Topics;
use super::world::World;
use crate::case::{Datum, InputRecord};
use crate::node::Node;

/// How long everything that a case makes an application do may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// The tests' broker.
pub struct Cluster {
    kafka: &'static Kafka,
    clients: KafkaClients,
    coordinator: CoordinatorConnection,
    asker: Box<dyn Consumer>,
}

impl Cluster {
    /// Starts the broker that this process shares.
    pub fn start() -> Result<Self, Error> {
        let kafka = Kafka::shared();
        let clients = kafka.clients();
        let servers = kafka.bootstrap_servers();
        let connecting = |error| Error::unable("connecting to the broker", error);
        let settings = CoordinatorSettings::from_client([("bootstrap.servers", &*servers)]).map_err(connecting)?;
        let coordinator = CoordinatorConnection::open(&settings, "127.0.0.1", kafka.port(0)).map_err(connecting)?;
        let asker = clients.consumer("conformance-ends").map_err(connecting)?;
        Ok(Self { kafka, clients, coordinator, asker })
    }

    /// `host:port`.
    pub fn bootstrap_servers(&self) -> String {
        self.kafka.bootstrap_servers()
    }

    /// Creates the user topics of a world.
    pub fn create(&self, world: &World) {
        for (name, topic) in &world.case.topics {
            records::create_topic(&self.clients, name, topic.partitions, &[]);
        }
    }

    /// Writes inputs of a world, in order.
    pub fn write<'a>(&self, world: &World, inputs: impl IntoIterator<Item = &'a InputRecord>) {
        let mut by_topic: BTreeMap<&str, Vec<(i32, Record)>> = BTreeMap::new();
        for input in inputs {
            by_topic.entry(&input.topic).or_default().push((world.place(input).partition, record(input)));
        }
        for (topic, inputs) in by_topic {
            records::write(&self.clients, topic, inputs.iter().map(|(at, record)| (*at, record)));
        }
    }

    /// Waits until the application has committed all that it can read: then it has nothing left to do.
    pub fn settle(&mut self, world: &World, process: &mut Process) -> Result<(), Error> {
        let what = format!("{} to process all its inputs", world.application_id);
        let settled = wait_for(DEADLINE, &what, || match self.is_settled(world) {
            Ok(true) => Some(Ok(())),
            Ok(false) => process.check().err().map(Err),
            Err(error) => Some(Err(error)),
        });
        settled.map_err(|late| Error::unable("processing", late))?
    }

    /// Offsets first, ends afterwards: where they are equal for all inputs, nothing was on its way in between.
    fn is_settled(&mut self, world: &World) -> Result<bool, Error> {
        let committed = self.committed(world)?;
        let mut is_done = |input: &TopicPartition| {
            let offset = committed.get(input).map_or(0, |committed| committed.offset);
            self.asker.offsets(input, DEADLINE).is_ok_and(|offsets| offsets.end == offset)
        };
        Ok(world.inputs().iter().all(&mut is_done))
    }

    /// What the application has committed, and its metadata.
    pub fn committed(&mut self, world: &World) -> Result<BTreeMap<TopicPartition, CommittedOffset>, Error> {
        let fetched = self.coordinator.offset_fetch(&world.application_id, &world.inputs());
        // A group that does not exist yet, or is being set up, has committed nothing.
        Ok(fetched.map_err(|error| Error::unable("fetching offsets", error))?.unwrap_or_default())
    }

    /// What the application wrote, by common names: the topics of its `to`s and its changelogs.
    pub fn written(&self, world: &World) -> Topics {
        let sinks = world.case.nodes.iter().filter_map(|node| match node {
            Node::To { topic, .. } => {
                world.case.topics.get(topic).map(|described| (topic.clone(), described.partitions))
            }
            _ => None,
        });
        let topics: BTreeMap<String, i32> = sinks.chain(world.changelogs()).collect();
        let read = |(name, partitions): (String, i32)| {
            (world.common(&name), records::read_all(&self.clients, &name, partitions))
        };
        topics.into_iter().map(read).collect()
    }
}

fn record(input: &InputRecord) -> Record {
    let bytes = |datum: &Option<Datum>| datum.as_ref().map(Datum::bytes);
    let mut headers = Headers::new();
    for (key, value) in &input.headers {
        headers.push(key, value.as_deref().map(str::as_bytes));
    }
    Record { timestamp: input.timestamp, key: bytes(&input.key), value: bytes(&input.value), headers }
}
