//! The small carriers of names, serdes and choices that operators take, named as in Kafka Streams.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

use crate::serde::{Deserializer, SerdeViewCodec, Serializer, ViewCodec};
use crate::task::DecodePolicy;

/// How a source's records are read.
#[derive(Debug, Clone)]
pub struct Consumed<KS, VS> {
    pub(super) keys: KS,
    pub(super) values: VS,
    pub(super) name: Option<String>,
    pub(super) policy: Option<DecodePolicy>,
}

impl<KS, VS> Consumed<KS, VS> {
    /// Reads with these serdes. A serde of a type without null makes a null a decode fault.
    pub fn with(keys: KS, values: VS) -> Self {
        Self { keys, values, name: None, policy: None }
    }

    /// Names the source node.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Overrides what happens to records that do not decode.
    pub fn on_decode_fault(self, policy: DecodePolicy) -> Self {
        Self { policy: Some(policy), ..self }
    }
}

/// How a sink's records are written.
#[derive(Debug, Clone)]
pub struct Produced<KS, VS> {
    pub(super) keys: KS,
    pub(super) values: VS,
    pub(super) name: Option<String>,
}

impl<KS, VS> Produced<KS, VS> {
    /// Writes with these serdes.
    pub fn with(keys: KS, values: VS) -> Self {
        Self { keys, values, name: None }
    }

    /// Names the sink node.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }
}

/// How grouped records travel through a repartition topic, should one be needed.
#[derive(Debug)]
pub struct Grouped<K, V, KS, VS> {
    pub(super) keys: KS,
    pub(super) values: VS,
    pub(super) name: Option<String>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V, KS: Clone, VS: Clone> Clone for Grouped<K, V, KS, VS> {
    fn clone(&self) -> Self {
        Self { keys: self.keys.clone(), values: self.values.clone(), name: self.name.clone(), types: PhantomData }
    }
}

impl<K, V, KS, VS> Grouped<K, V, KS, VS> {
    /// Groups with these serdes.
    pub fn with(keys: KS, values: VS) -> Self {
        Self { keys, values, name: None, types: PhantomData }
    }

    /// Names the grouping: the repartition topic is then `<application id>-<name>-repartition`.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }
}

/// How a stream travels through a repartition topic.
#[derive(Debug, Clone)]
pub struct Repartitioned<KS, VS> {
    pub(super) keys: KS,
    pub(super) values: VS,
    pub(super) name: Option<String>,
    pub(super) partitions: Option<i32>,
}

impl<KS, VS> Repartitioned<KS, VS> {
    /// Repartitions with these serdes.
    pub fn with(keys: KS, values: VS) -> Self {
        Self { keys, values, name: None, partitions: None }
    }

    /// Names the topic: `<application id>-<name>-repartition`.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Fixes the number of partitions.
    pub fn partitions(self, count: i32) -> Self {
        Self { partitions: Some(count), ..self }
    }
}

/// How a stream-table join names its parts and, when the stream must be repartitioned first, writes it.
#[derive(Debug, Clone)]
pub struct Joined<KS, VS> {
    pub(super) keys: KS,
    pub(super) values: VS,
    pub(super) name: Option<String>,
}

impl<KS, VS> Joined<KS, VS> {
    /// Joins with these serdes of the stream's key and value.
    pub fn with(keys: KS, values: VS) -> Self {
        Self { keys, values, name: None }
    }

    /// Names the join node and the repartition topic.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }
}

/// Both directions of a serde behind one pointer, for readers outside the hot path.
pub(super) trait SharedSerde<T>: Serializer<T> + Deserializer<T> {}

impl<T, S: Serializer<T> + Deserializer<T>> SharedSerde<T> for S {}

type MakeCodec<K, V> = fn(String, Arc<dyn SharedSerde<K>>, Arc<dyn SharedSerde<V>>) -> Arc<dyn ViewCodec>;

/// How a table or a processor's store is kept.
pub struct Materialized<K, V> {
    pub(super) name: Option<String>,
    pub(super) in_memory: bool,
    pub(super) logged: bool,
    pub(super) cached: bool,
    pub(super) changelog_config: BTreeMap<String, String>,
    /// Whether it stands for a `Materialized` of Java; else for a call without one.
    pub(super) is_given: bool,
    make_codec: Option<MakeCodec<K, V>>,
}

impl<K, V> Materialized<K, V> {
    /// A store with a generated name; never served. Any choice beside makes it what [`Materialized::with_defaults`] is.
    pub fn unnamed() -> Self {
        Self {
            name: None,
            in_memory: false,
            logged: true,
            cached: true,
            changelog_config: BTreeMap::new(),
            is_given: false,
            make_codec: None,
        }
    }

    /// As [`Materialized::unnamed`], standing for Java's `Materialized.with` and not for a call without `Materialized`:
    /// where Kafka Streams generates other names for the two (`count` of a stream), so does this.
    pub fn with_defaults() -> Self {
        Self { is_given: true, ..Self::unnamed() }
    }

    /// A named RocksDB store with a changelog `<application id>-<name>-changelog`.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::unnamed() }
    }

    /// Keeps the rows in memory; they are rebuilt from the changelog on every start.
    pub fn in_memory(self) -> Self {
        Self { in_memory: true, is_given: true, ..self }
    }

    /// Writes no changelog: the store starts empty when its task moves.
    pub fn without_logging(self) -> Self {
        Self { logged: false, is_given: true, ..self }
    }

    /// Forwards and logs every update of a table at once, instead of the newest one of each key per commit (Kafka
    /// Streams' `withCachingDisabled`). A processor's own store is never cached.
    pub fn without_caching(self) -> Self {
        Self { cached: false, is_given: true, ..self }
    }

    /// Sets one configuration of the changelog topic, by Kafka's name.
    pub fn changelog_config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.changelog_config.insert(key.into(), value.into());
        self.is_given = true;
        self
    }

    pub(super) fn codec(
        &self,
        topic: &str,
        keys: Arc<dyn SharedSerde<K>>,
        values: Arc<dyn SharedSerde<V>>,
    ) -> Option<Arc<dyn ViewCodec>> {
        self.make_codec.map(|make| make(topic.to_owned(), keys, values))
    }
}

impl<K: FromStr + Display + 'static, V: Serialize + 'static> Materialized<K, V> {
    /// Serves the store over HTTP as the view of its name. Stores are private unless they say this.
    pub fn view(self) -> Self {
        Self { make_codec: Some(make_codec), ..self }
    }
}

fn make_codec<K: FromStr + Display + 'static, V: Serialize + 'static>(
    topic: String,
    keys: Arc<dyn SharedSerde<K>>,
    values: Arc<dyn SharedSerde<V>>,
) -> Arc<dyn ViewCodec> {
    Arc::new(SerdeViewCodec::new(topic, keys, values))
}
