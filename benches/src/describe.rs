//! The topologies on our side; `benches/java/Topologies.java` has the same ones.

use thalweg::dsl::{Consumed, Grouped, Joined, KStream, KTable, Materialized, Produced, Source, StreamsBuilder};
use thalweg::serde::{BytesSerde, I64Serde, OptionalSerde};

use crate::topology::{REVERSED, Topology};

type Bytes = Vec<u8>;
type Input = KStream<Bytes, Bytes, Source<Bytes, Bytes, BytesSerde, BytesSerde>>;

/// The topics around a topology.
#[derive(Debug, Clone)]
pub struct Topics {
    /// Where records come from.
    pub input: String,
    /// The rows that joins look up.
    pub table: String,
    /// Where results go.
    pub output: String,
}

/// Describes `topology`. `restore` and `orders` are no topologies of their own here: nothing is described for them.
pub fn describe(builder: &StreamsBuilder, topology: Topology, topics: &Topics) {
    match topology {
        Topology::Passthrough => passthrough(builder, topics),
        Topology::Count => {
            counts(input(builder, topics).group_by_key(grouped()).count(Materialized::named("store")), topics)
        }
        Topology::Aggregate => latest(builder, topics, Materialized::named("store")),
        Topology::AggregateMemory => latest(builder, topics, Materialized::named("store").in_memory()),
        Topology::Join => join(builder, topics),
        Topology::TableJoin => table_join(builder, topics),
        Topology::Repartition => counts(
            input(builder, topics)
                .select_key(|key, _| reversed(key))
                .group_by_key(grouped().named(REVERSED))
                .count(Materialized::named("store")),
            topics,
        ),
        Topology::Restore | Topology::Orders => {}
    }
}

/// The value that `passthrough` makes of a value.
pub fn mapped(mut value: Bytes) -> Bytes {
    if let Some(first) = value.first_mut() {
        *first ^= 0x20;
    }
    value
}

/// The key that `repartition` makes of a key.
pub fn reversed(key: &[u8]) -> Bytes {
    key.iter().rev().copied().collect()
}

/// The value that joins make of a value and a row.
pub fn joined(value: &[u8], row: &[u8]) -> Bytes {
    [&value[..value.len() / 2], &row[..row.len() / 2]].concat()
}

fn input(builder: &StreamsBuilder, topics: &Topics) -> Input {
    builder.stream(&topics.input, Consumed::with(BytesSerde, BytesSerde))
}

fn grouped() -> Grouped<Bytes, Bytes, BytesSerde, BytesSerde> {
    Grouped::with(BytesSerde, BytesSerde)
}

fn passthrough(builder: &StreamsBuilder, topics: &Topics) {
    input(builder, topics)
        .filter(|_, value| !value.is_empty())
        .map_values(|_, value| mapped(value))
        .to(&topics.output, Produced::with(BytesSerde, BytesSerde));
}

fn counts(table: KTable<Bytes, i64>, topics: &Topics) {
    table.to_stream().to(&topics.output, Produced::with(BytesSerde, OptionalSerde(I64Serde)));
}

fn latest(builder: &StreamsBuilder, topics: &Topics, materialized: Materialized<Bytes, Bytes>) {
    input(builder, topics)
        .group_by_key(grouped())
        .aggregate(Bytes::new, |_: &Bytes, value: Bytes, _: Bytes| value, BytesSerde, materialized)
        .to_stream()
        .to(&topics.output, Produced::with(BytesSerde, OptionalSerde(BytesSerde)));
}

fn join(builder: &StreamsBuilder, topics: &Topics) {
    let table = table(builder, &topics.table, "table");
    input(builder, topics)
        .join(&table, |_: &Bytes, value: Bytes, row: Bytes| joined(&value, &row), Joined::with(BytesSerde, BytesSerde))
        .to(&topics.output, Produced::with(BytesSerde, BytesSerde));
}

fn table_join(builder: &StreamsBuilder, topics: &Topics) {
    let left = table(builder, &topics.input, "left");
    let right = table(builder, &topics.table, "right");
    left.join(&right, |value: &Bytes, row: &Bytes| joined(value, row))
        .to_stream()
        .to(&topics.output, Produced::with(BytesSerde, OptionalSerde(BytesSerde)));
}

fn table(builder: &StreamsBuilder, topic: &str, store: &str) -> KTable<Bytes, Bytes> {
    builder.table(topic, Consumed::with(BytesSerde, BytesSerde), Materialized::named(store))
}
