//! Where a stream ends: encodes records for a topic.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::serde::{Nullable, SerdeError, Serializer};
use crate::task::{Cx, Fault, Push, Record, SinkSlot, Wiring};
use crate::topology::Topic;

/// Writes each record to a topic; murmur2 of the key's bytes picks the partition.
pub(super) struct Sink<KS, VS> {
    slot: SinkSlot,
    topic: Arc<str>,
    keys: KS,
    values: VS,
    needs_key: bool,
}

impl<KS, VS> Sink<KS, VS> {
    /// Opens the topic's lanes; the task takes no record before both serializers are prepared.
    pub(super) fn wire<K, V>(w: &mut Wiring<'_>, topic: &Topic, keys: KS, values: VS) -> Self
    where
        K: 'static,
        V: 'static,
        KS: Serializer<K> + Clone,
        VS: Serializer<V> + Clone,
    {
        let (slot, topic) = w.sink(topic);
        let target = format!("topic {topic}");
        w.prepare::<K, _>(&topic, &target, keys.clone());
        w.prepare::<V, _>(&topic, &target, values.clone());
        Self { slot, topic, keys, values, needs_key: false }
    }

    /// Drops records with a null key, as the filter in front of a repartition topic does.
    pub(super) fn dropping_null_keys(self) -> Self {
        Self { needs_key: true, ..self }
    }
}

impl<K, V, KS: Serializer<K>, VS: Serializer<V>> Push<K, V> for Sink<KS, VS> {
    fn push(&mut self, record: Record<K, V>, cx: &mut Cx) -> Result<(), Fault> {
        let fault = |error: SerdeError| Fault::Encode { target: format!("topic {}", self.topic), error };
        cx.scratch.key.clear();
        let has_key = self.keys.serialize(&self.topic, &record.key, &mut cx.scratch.key).map_err(fault)?;
        if !has_key && self.needs_key {
            return Ok(());
        }
        let key = has_key.then_some(&*cx.scratch.key);
        let value = |out: &mut Vec<u8>| self.values.serialize(&self.topic, &record.value, out);
        cx.outbox.push(self.slot, record.timestamp, key, cx.headers.view(), value).map_err(fault)
    }
}

/// The end of a stream in a user's function.
pub(super) struct Foreach<F>(pub(super) F);

impl<K, V, F: Fn(&K, &V)> Push<K, V> for Foreach<F> {
    fn push(&mut self, record: Record<K, V>, _: &mut Cx) -> Result<(), Fault> {
        (self.0)(&record.key, &record.value);
        Ok(())
    }
}

/// Writes a nullable type with the serde of its non-null part; null becomes Kafka's null.
pub(super) struct NonNull<S, T> {
    inner: S,
    types: PhantomData<fn() -> T>,
}

impl<S, T> NonNull<S, T> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, types: PhantomData }
    }
}

impl<S: Clone, T> Clone for NonNull<S, T> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone())
    }
}

impl<N: Nullable<T>, T: 'static, S: Serializer<T>> Serializer<N> for NonNull<S, T> {
    fn prepare(&self, topic: &str) -> Result<(), SerdeError> {
        self.inner.prepare(topic)
    }

    fn serialize(&self, topic: &str, value: &N, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        value.as_option().map_or(Ok(false), |value| self.inner.serialize(topic, value, out))
    }
}
