//! The whole topology as one task, as Kafka Streams' driver runs it.

use super::fixture::*;
use crate::dsl::{Consumed, Materialized, Produced, Repartitioned, StreamsBuilder};
use crate::serde::{I64Serde, OptionalSerde, StringSerde};
use crate::testing::{DriverOptions, TopologyTestDriver};

#[test]
fn one_task_reads_all_topics_in_the_order_of_their_times_and_describes_what_was_built() {
    let topology = || {
        let builder = StreamsBuilder::new();
        let all = stream(&builder, "in").fan_out();
        all.clone()
            .repartition(Repartitioned::with(StringSerde, StringSerde).named("x").partitions(3))
            .to("out", produced());
        all.map_values(|_, value| value.to_uppercase()).to("out", produced());
        builder.build("app").unwrap()
    };
    let options = DriverOptions::default().one_task();
    let driver = TopologyTestDriver::new(topology(), options).unwrap();
    assert_eq!(driver.partitions_of("app-x-repartition"), Some(1), "no count is enforced");
    let apart = TopologyTestDriver::new(topology(), DriverOptions::default()).unwrap();
    assert_eq!(apart.partitions_of("app-x-repartition"), Some(3));
    assert_eq!(driver.describe(), apart.describe());
    assert!(driver.describe().contains("Sub-topology: 1"), "{}", driver.describe());
    input(&driver, "in").pipe_input("k", "a", 5);
    expect(&texts(&driver, "out"), &[(Some("k"), Some("A"), 5), (Some("k"), Some("a"), 5)]);
}

#[test]
fn a_stream_whose_keys_are_never_null_merges_with_one_whose_keys_may_be() {
    let builder = StreamsBuilder::new();
    let table =
        builder.table::<String, i64, _, _>("rows", Consumed::with(StringSerde, I64Serde), Materialized::unnamed());
    let changes = table.to_stream().nullable::<String, i64>();
    let numbers = Consumed::with(OptionalSerde(StringSerde), OptionalSerde(I64Serde));
    builder
        .stream::<Option<String>, Option<i64>, _, _>("in", numbers)
        .merge(changes)
        .to("out", Produced::with(OptionalSerde(StringSerde), OptionalSerde(I64Serde)));
    let driver = start(builder);
    let described = driver.describe();
    assert_eq!(described.matches("Processor: ").count(), 3, "table, its stream and the merge: {described}");
    let rows = driver.create_input_topic::<String, i64, _, _>("rows", StringSerde, I64Serde);
    rows.pipe_input("k", 1, 1);
    rows.pipe_tombstone("k", 2);
    driver.create_input_topic::<String, i64, _, _>("in", StringSerde, I64Serde).pipe_null_key(3, 3);
    let out = driver.create_output_topic::<Option<String>, Option<i64>, _, _>(
        "out",
        OptionalSerde(StringSerde),
        OptionalSerde(I64Serde),
    );
    let key = Some("k".to_owned());
    assert_eq!(out.read_key_values_to_list(), [(key.clone(), Some(1)), (key, None), (None, Some(3))]);
}
