//! The driver's public face.

use std::cell::RefCell;
use std::rc::Rc;

use super::cluster::Cluster;
use super::input::TestInputTopic;
use super::options::{DriverError, DriverOptions};
use super::output::TestOutputTopic;
use super::record::{RawRecord, WrittenRecord};
use super::store::TestKeyValueStore;
use crate::serde::{Deserializer, Serializer};
use crate::task::{DropReason, Fault, Recipes};
use crate::types::Timestamp;

/// Runs a topology without a broker (Kafka Streams' `TopologyTestDriver`, with any number of partitions).
///
/// ```
/// use thalweg::dsl::{Consumed, Grouped, Materialized, Produced, StreamsBuilder};
/// use thalweg::serde::{I64Serde, OptionalSerde, StringSerde};
/// use thalweg::testing::{DriverOptions, TopologyTestDriver};
///
/// let builder = StreamsBuilder::new();
/// let words = builder.stream::<String, String, _, _>("words", Consumed::with(StringSerde, StringSerde));
/// let grouped = words.group_by_key(Grouped::with(StringSerde, StringSerde));
/// let counts = grouped.count(Materialized::named("counts"));
/// counts.to_stream().to("out", Produced::with(StringSerde, OptionalSerde(I64Serde)));
///
/// let driver = TopologyTestDriver::new(builder.build("app")?, DriverOptions::default())?;
/// let words = driver.create_input_topic::<String, String, _, _>("words", StringSerde, StringSerde);
/// let out = driver.create_output_topic::<String, i64, _, _>("out", StringSerde, I64Serde);
/// words.pipe_input("a", "x", 10);
/// words.pipe_input("a", "y", 20);
/// assert_eq!(out.read_key_values_to_list(), [("a".to_owned(), 1), ("a".to_owned(), 2)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TopologyTestDriver {
    cluster: Rc<RefCell<Cluster>>,
}

impl TopologyTestDriver {
    /// Starts every task of the topology.
    pub fn new(recipes: Recipes, options: DriverOptions) -> Result<Self, DriverError> {
        Ok(Self { cluster: Rc::new(RefCell::new(Cluster::start(recipes, options)?)) })
    }

    /// A topic to pipe records into. Panics when the topology does not read it.
    #[track_caller]
    pub fn create_input_topic<K, V, KS, VS>(&self, topic: &str, keys: KS, values: VS) -> TestInputTopic<K, V, KS, VS>
    where
        KS: Serializer<K>,
        VS: Serializer<V>,
    {
        assert!(self.cluster.borrow().is_read(topic), "the topology does not read topic '{topic}'");
        TestInputTopic::new(Rc::clone(&self.cluster), topic, keys, values)
    }

    /// A topic to read records from, from its beginning; each call gives a reader of its own. Panics when the topology
    /// has no such topic.
    #[track_caller]
    pub fn create_output_topic<K, V, KS, VS>(&self, topic: &str, keys: KS, values: VS) -> TestOutputTopic<K, V, KS, VS>
    where
        KS: Deserializer<K>,
        VS: Deserializer<V>,
    {
        let known = self.cluster.borrow().partitions_of(topic).is_some();
        assert!(known, "the topology neither reads nor writes topic '{topic}'");
        TestOutputTopic::new(Rc::clone(&self.cluster), topic, keys, values)
    }

    /// Pipes bytes into a topic and runs until nothing moves; the key picks the partition (murmur2), a null key goes
    /// to partition 0. Fails as the task does; nothing can be piped afterwards.
    pub fn pipe_raw(&self, topic: &str, record: RawRecord) -> Result<(), Fault> {
        self.cluster.borrow_mut().pipe(topic, None, record)
    }

    /// As [`TopologyTestDriver::pipe_raw`], into the partition that the test names.
    pub fn pipe_raw_to(&self, topic: &str, partition: i32, record: RawRecord) -> Result<(), Fault> {
        self.cluster.borrow_mut().pipe(topic, Some(partition), record)
    }

    /// Every record ever written to a topic, input, output or internal, by its full name, in the order of writing.
    ///
    /// What one record causes in several partitions of one topic comes partition by partition.
    pub fn records(&self, topic: &str) -> Vec<WrittenRecord> {
        self.cluster.borrow().log.records(topic).to_vec()
    }

    /// Full names of all topics that have records.
    pub fn written_topics(&self) -> Vec<String> {
        self.cluster.borrow().log.topics().map(str::to_owned).collect()
    }

    /// The number of partitions of a topic that the topology reads, writes or keeps.
    pub fn partitions_of(&self, topic: &str) -> Option<i32> {
        self.cluster.borrow().partitions_of(topic)
    }

    /// Where undecodable records go under [`DecodePolicy::DeadLetter`](crate::task::DecodePolicy::DeadLetter):
    /// `<application id>.dlq`.
    pub fn dead_letter_topic(&self) -> String {
        self.cluster.borrow().dead_letter_topic().to_owned()
    }

    /// Moves the wall clock by `by_ms`, runs what is due, and runs on until nothing moves.
    ///
    /// # Panics
    /// When a task fails.
    #[track_caller]
    pub fn advance_wall_clock(&self, by_ms: i64) {
        let advanced = self.cluster.borrow_mut().advance_wall_clock(by_ms);
        if let Err(fault) = advanced {
            panic!("a task failed: {fault}");
        }
    }

    /// The wall clock in ms.
    pub fn wall_clock(&self) -> Timestamp {
        self.cluster.borrow().now
    }

    /// Commits all tasks: their rows become visible to readers. Needed under [`DriverOptions::manual_commit`] only.
    ///
    /// # Panics
    /// When a store fails.
    #[track_caller]
    pub fn commit(&self) {
        let committed = self.cluster.borrow_mut().commit();
        if let Err(fault) = committed {
            panic!("a commit failed: {fault}");
        }
    }

    /// A key-value store of the topology, over all partitions. Panics when there is none of this name.
    #[track_caller]
    pub fn get_key_value_store<K, V, KS, VS>(&self, name: &str, keys: KS, values: VS) -> TestKeyValueStore<K, V, KS, VS>
    where
        KS: Serializer<K> + Deserializer<K>,
        VS: Deserializer<V>,
    {
        let found = self.cluster.borrow().recipes.topology.store(name).map(|(sub, index)| (sub.id, index));
        let Some((sub_topology, index)) = found else {
            panic!("the topology has no store '{name}'; it has {:?}", self.store_names())
        };
        TestKeyValueStore::new(Rc::clone(&self.cluster), name, (sub_topology, index), keys, values)
    }

    /// Names of all stores, in order of sub-topologies.
    pub fn store_names(&self) -> Vec<String> {
        let cluster = self.cluster.borrow();
        let stores = cluster.recipes.topology.sub_topologies().iter().flat_map(|sub_topology| &sub_topology.stores);
        stores.map(|store| store.definition.name.clone()).collect()
    }

    /// Records dropped for `reason`, by all tasks.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.cluster.borrow().dropped()[reason as usize]
    }

    /// The topology as Kafka Streams prints it.
    pub fn describe(&self) -> String {
        self.cluster.borrow().describe.clone()
    }
}
