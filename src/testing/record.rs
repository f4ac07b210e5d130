//! Records as a test writes and reads them.

use crate::types::{Headers, Offset, Timestamp};

/// A record that a test pipes in or reads out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRecord<K, V> {
    /// Key.
    pub key: K,
    /// Value.
    pub value: V,
    /// Record time in ms.
    pub timestamp: Timestamp,
    /// Headers in order.
    pub headers: Headers,
}

/// A record as bytes; `None` is Kafka's null.
pub type RawRecord = TestRecord<Option<Vec<u8>>, Option<Vec<u8>>>;

impl<K, V> TestRecord<K, V> {
    /// A record without headers; `timestamp` in ms.
    pub fn new(key: impl Into<K>, value: impl Into<V>, timestamp: Timestamp) -> Self {
        Self { key: key.into(), value: value.into(), timestamp, headers: Headers::new() }
    }

    /// The same record with one more header.
    pub fn with_header(mut self, key: &str, value: &[u8]) -> Self {
        self.headers.push(key, Some(value));
        self
    }
}

/// A record of a topic, with the place it has there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenRecord {
    /// Partition of the topic.
    pub partition: i32,
    /// Its own offset.
    pub offset: Offset,
    /// The record.
    pub record: RawRecord,
}
