//! Piping records into a topic.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use super::cluster::Cluster;
use super::record::{RawRecord, TestRecord};
use crate::serde::Serializer;
use crate::task::Fault;
use crate::types::Timestamp;

/// Pipes typed records into a topic; every call runs the topology until nothing moves.
pub struct TestInputTopic<K, V, KS, VS> {
    cluster: Rc<RefCell<Cluster>>,
    topic: String,
    keys: KS,
    values: VS,
    types: PhantomData<fn(K, V)>,
}

impl<K, V, KS: Serializer<K>, VS: Serializer<V>> TestInputTopic<K, V, KS, VS> {
    pub(super) fn new(cluster: Rc<RefCell<Cluster>>, topic: &str, keys: KS, values: VS) -> Self {
        Self { cluster, topic: topic.to_owned(), keys, values, types: PhantomData }
    }

    /// Pipes one record; `timestamp` in ms.
    ///
    /// # Panics
    /// When a task fails; [`TestInputTopic::try_pipe`] returns the fault.
    #[track_caller]
    pub fn pipe_input(&self, key: impl Into<K>, value: impl Into<V>, timestamp: Timestamp) {
        self.pipe_record(TestRecord::new(key, value, timestamp));
    }

    /// Pipes a null value, whatever the value's serde says.
    ///
    /// # Panics
    /// When a task fails.
    #[track_caller]
    pub fn pipe_tombstone(&self, key: impl Into<K>, timestamp: Timestamp) {
        let key = self.bytes(&self.keys, &key.into());
        self.settle(self.run(TestRecord::new(key, None, timestamp)));
    }

    /// Pipes a null key, whatever the key's serde says; it goes to partition 0.
    ///
    /// # Panics
    /// When a task fails.
    #[track_caller]
    pub fn pipe_null_key(&self, value: impl Into<V>, timestamp: Timestamp) {
        let value = self.bytes(&self.values, &value.into());
        self.settle(self.run(TestRecord::new(None, value, timestamp)));
    }

    /// Pipes one record with its headers.
    ///
    /// # Panics
    /// When a task fails.
    #[track_caller]
    pub fn pipe_record(&self, record: TestRecord<K, V>) {
        self.settle(self.try_pipe(record));
    }

    /// Pipes one record; returns why a task failed. Nothing can be piped afterwards.
    pub fn try_pipe(&self, record: TestRecord<K, V>) -> Result<(), Fault> {
        let TestRecord { key, value, timestamp, headers } = record;
        let (key, value) = (self.bytes(&self.keys, &key), self.bytes(&self.values, &value));
        self.run(TestRecord { key, value, timestamp, headers })
    }

    fn run(&self, record: RawRecord) -> Result<(), Fault> {
        self.cluster.borrow_mut().pipe(&self.topic, None, record)
    }

    #[track_caller]
    fn settle(&self, piped: Result<(), Fault>) {
        if let Err(fault) = piped {
            panic!("a task failed on a record of topic '{}': {fault}", self.topic);
        }
    }

    fn bytes<T>(&self, serde: &impl Serializer<T>, value: &T) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        match serde.serialize(&self.topic, value, &mut out) {
            Ok(present) => present.then_some(out),
            Err(error) => panic!("the record for topic '{}' does not serialize: {error}", self.topic),
        }
    }
}
