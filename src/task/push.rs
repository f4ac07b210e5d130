//! What flows through a chain, and how.

use super::cx::Cx;
use super::fault::Fault;
use crate::types::Timestamp;

/// One typed record inside a chain. Its headers travel in the [`Cx`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<K, V> {
    /// Key; `Option` where the stream may carry null keys.
    pub key: K,
    /// Value; `Option` where the stream may carry null values.
    pub value: V,
    /// Record time in ms.
    pub timestamp: Timestamp,
}

impl<K, V> Record<K, V> {
    /// The same record with another value.
    pub fn with_value<W>(self, value: W) -> Record<K, W> {
        Record { key: self.key, value, timestamp: self.timestamp }
    }

    /// The same record with another key.
    pub fn with_key<L>(self, key: L) -> Record<L, V> {
        Record { key, value: self.value, timestamp: self.timestamp }
    }
}

/// An update of a table's row: the new value, and the old one where somebody downstream asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<V> {
    /// The row now; `None`: deleted.
    pub new: Option<V>,
    /// The row before, when old values are sent (Kafka Streams' `enableSendingOldValues`).
    pub old: Option<V>,
}

/// Receives records of one type. `cx` lends the task's stores, outbox, scratch buffers and times.
pub trait Push<K, V> {
    /// Processes one record to the end of the chain, depth first.
    fn push(&mut self, record: Record<K, V>, cx: &mut Cx) -> Result<(), Fault>;
}

impl<K, V> Push<K, V> for &mut dyn Push<K, V> {
    fn push(&mut self, record: Record<K, V>, cx: &mut Cx) -> Result<(), Fault> {
        (**self).push(record, cx)
    }
}

impl<K, V> Push<K, V> for Box<dyn Push<K, V>> {
    fn push(&mut self, record: Record<K, V>, cx: &mut Cx) -> Result<(), Fault> {
        (**self).push(record, cx)
    }
}

/// The end of a chain that nobody continues.
pub struct Nothing;

impl<K, V> Push<K, V> for Nothing {
    fn push(&mut self, _: Record<K, V>, _: &mut Cx) -> Result<(), Fault> {
        Ok(())
    }
}

/// Pushes a record that an operator made of the one in hand: it has headers of its own.
///
/// In a chain without processors nobody can change headers: one comparison, nothing to come back for.
#[inline]
pub(crate) fn push_new<K, V>(down: &mut impl Push<K, V>, record: Record<K, V>, cx: &mut Cx) -> Result<(), Fault> {
    if !cx.may_change_headers {
        return down.push(record, cx);
    }
    cx.begin_record();
    let pushed = down.push(record, cx);
    cx.end_record();
    pushed
}
