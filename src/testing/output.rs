//! Reading records from a topic.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::Hash;
use std::marker::PhantomData;
use std::rc::Rc;

use super::cluster::Cluster;
use super::record::TestRecord;
use crate::serde::Deserializer;

/// Reads typed records of a topic, each once, in the order of writing. Take an
/// [`OptionalSerde`](crate::serde::OptionalSerde) where nulls may come.
///
/// # Panics
/// Every read panics when a record does not decode with the topic's serdes.
pub struct TestOutputTopic<K, V, KS, VS> {
    cluster: Rc<RefCell<Cluster>>,
    topic: String,
    next: Cell<usize>,
    keys: KS,
    values: VS,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V, KS: Deserializer<K>, VS: Deserializer<V>> TestOutputTopic<K, V, KS, VS> {
    pub(super) fn new(cluster: Rc<RefCell<Cluster>>, topic: &str, keys: KS, values: VS) -> Self {
        Self { cluster, topic: topic.to_owned(), next: Cell::new(0), keys, values, types: PhantomData }
    }

    /// Whether every record has been read.
    pub fn is_empty(&self) -> bool {
        self.queue_size() == 0
    }

    /// Records not read yet.
    pub fn queue_size(&self) -> usize {
        self.cluster.borrow().log.records(&self.topic).len() - self.next.get()
    }

    /// The next record.
    #[track_caller]
    pub fn read_record(&self) -> Option<TestRecord<K, V>> {
        let next = self.cluster.borrow().log.records(&self.topic).get(self.next.get())?.record.clone();
        self.next.set(self.next.get() + 1);
        let key = self.decode(&self.keys, "key", next.key.as_deref());
        let value = self.decode(&self.values, "value", next.value.as_deref());
        Some(TestRecord { key, value, timestamp: next.timestamp, headers: next.headers })
    }

    /// All records not read yet.
    #[track_caller]
    pub fn read_records_to_list(&self) -> Vec<TestRecord<K, V>> {
        let mut all = Vec::new();
        while let Some(record) = self.read_record() {
            all.push(record);
        }
        all
    }

    /// Key and value of all records not read yet.
    #[track_caller]
    pub fn read_key_values_to_list(&self) -> Vec<(K, V)> {
        self.read_records_to_list().into_iter().map(|record| (record.key, record.value)).collect()
    }

    /// The newest value of each key among the records not read yet.
    #[track_caller]
    pub fn read_key_values_to_map(&self) -> HashMap<K, V>
    where
        K: Eq + Hash,
    {
        self.read_key_values_to_list().into_iter().collect()
    }

    #[track_caller]
    fn decode<T>(&self, serde: &impl Deserializer<T>, part: &str, bytes: Option<&[u8]>) -> T {
        match serde.deserialize(&self.topic, bytes) {
            Ok(decoded) => decoded,
            Err(error) => panic!("the {part} of a record of topic '{}' does not decode: {error}", self.topic),
        }
    }
}
