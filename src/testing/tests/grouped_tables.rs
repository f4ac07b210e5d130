//! Aggregations of grouped tables (kafka-streams 2.2.2, 2.2.3, 3.2.4).

use super::fixture::*;
use crate::dsl::{Consumed, Grouped, Materialized, StreamsBuilder};
use crate::serde::{I64Serde, StringSerde};
use crate::testing::{DriverOptions, TestInputTopic, TopologyTestDriver};

type NumberInput = TestInputTopic<String, i64, StringSerde, I64Serde>;

/// Groups rows `<group>:<text>` by the part before the colon; a row without colon is left out.
fn split(_: &String, value: String) -> Option<(String, String)> {
    let (group, text) = value.split_once(':')?;
    Some((group.to_owned(), text.to_owned()))
}

fn sums() -> (TopologyTestDriver, NumberInput) {
    let builder = StreamsBuilder::new();
    builder
        .table::<String, i64, _, _>("in", Consumed::with(StringSerde, I64Serde), Materialized::unnamed())
        .group_by(
            |_: &String, value: i64| Some((format!("mod{}", value % 2), value)),
            Grouped::with(StringSerde, I64Serde).named("parity"),
        )
        .aggregate(
            || 1000,
            |_: &String, value: i64, sum: i64| sum + value,
            |_: &String, value: i64, sum: i64| (sum != 1000 + value).then_some(sum - value),
            I64Serde,
            Materialized::named("sums"),
        )
        .to_stream()
        .to("out", produced_numbers());
    let driver = start(builder);
    let source = driver.create_input_topic("in", StringSerde, I64Serde);
    (driver, source)
}

#[test]
fn an_update_within_a_group_is_one_record_and_one_result() {
    let (driver, source) = sums();
    source.pipe_input("a", 3, 10);
    source.pipe_input("a", 5, 20);
    expect_numbers(&numbers(&driver, "out"), &[(Some("mod1"), Some(1003), 10), (Some("mod1"), Some(1005), 20)]);
    let values: Vec<_> =
        driver.records("app-parity-repartition").into_iter().map(|written| written.record.value.unwrap()).collect();
    let (three, five) = (3_i64.to_be_bytes(), 5_i64.to_be_bytes());
    // New only: flag 1. Both: length 8 as zigzag (16), new, old, flag 2.
    assert_eq!(values, [[&three[..], &[1]].concat(), [&[16], &five[..], &three, &[2]].concat()]);
}

#[test]
fn a_changed_group_takes_the_old_value_out_first_then_puts_the_new_one_in() {
    let (driver, source) = sums();
    source.pipe_input("a", 3, 10);
    source.pipe_input("b", 5, 11);
    source.pipe_input("a", 4, 5);
    expect_numbers(
        &numbers(&driver, "out"),
        &[
            (Some("mod1"), Some(1003), 10),
            (Some("mod1"), Some(1008), 11),
            (Some("mod1"), Some(1005), 11),
            (Some("mod0"), Some(1004), 5),
        ],
    );
    let log = driver.records("app-parity-repartition");
    let key = |index: usize| String::from_utf8(log[index].record.key.clone().unwrap()).unwrap();
    assert_eq!((key(2), key(3)), ("mod1".to_owned(), "mod0".to_owned()));
    assert_eq!(log[2].record.value.as_deref(), Some(&[0, 0, 0, 0, 0, 0, 0, 3, 0][..]), "old only: flag 0");
}

#[test]
fn a_deleted_row_is_taken_out_and_a_none_deletes_the_groups_row() {
    let (driver, source) = sums();
    source.pipe_input("a", 3, 10);
    source.pipe_tombstone("a", 4);
    source.pipe_tombstone("a", 30);
    source.pipe_input("a", 7, 2);
    expect_numbers(
        &numbers(&driver, "out"),
        &[(Some("mod1"), Some(1003), 10), (Some("mod1"), None, 4), (Some("mod1"), Some(1007), 2)],
    );
    assert_eq!(driver.records("app-parity-repartition").len(), 3, "deleting an absent row sends nothing");
    let last = driver.records("app-sums-changelog");
    assert_eq!((last[1].record.value.clone(), last[1].record.timestamp), (None, 4));
}

#[test]
fn within_one_update_a_none_of_the_subtractor_lets_the_adder_start_again() {
    let (driver, source) = sums();
    source.pipe_input("a", 3, 10);
    // Takes 3 out (only value: None), starts again from the initializer, adds 9.
    source.pipe_input("a", 9, 4);
    expect_numbers(&numbers(&driver, "out"), &[(Some("mod1"), Some(1003), 10), (Some("mod1"), Some(1009), 10)]);
}

#[test]
fn count_counts_rows_and_goes_down_to_zero() {
    let builder = StreamsBuilder::new();
    table(&builder, "in")
        .group_by(split, grouped())
        .count(Materialized::named("counts"))
        .to_stream()
        .to("out", produced_numbers());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_input("a", "g:1", 1);
    source.pipe_input("b", "g:1", 2);
    source.pipe_input("a", "g:2", 3);
    source.pipe_input("a", "h:2", 4);
    source.pipe_tombstone("b", 5);
    expect_numbers(
        &numbers(&driver, "out"),
        &[
            (Some("g"), Some(1), 1),
            (Some("g"), Some(2), 2),
            (Some("g"), Some(2), 3),
            (Some("g"), Some(1), 4),
            (Some("h"), Some(1), 4),
            (Some("g"), Some(0), 5),
        ],
    );
}

#[test]
fn a_row_that_the_selector_leaves_out_belongs_to_no_group() {
    let builder = StreamsBuilder::new();
    table(&builder, "in")
        .group_by(split, grouped().named("g"))
        .count(Materialized::unnamed())
        .to_stream()
        .to("out", produced_numbers());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_input("a", "nothing", 1);
    source.pipe_input("a", "g:1", 2);
    source.pipe_input("a", "nothing", 3);
    source.pipe_input("a", "nothing", 4);
    expect_numbers(&numbers(&driver, "out"), &[(Some("g"), Some(1), 2), (Some("g"), Some(0), 3)]);
    assert_eq!(driver.records("app-g-repartition").len(), 2);
}

#[test]
fn reduce_starts_with_the_first_value_adds_and_subtracts() {
    let builder = StreamsBuilder::new();
    table(&builder, "in")
        .group_by(split, grouped())
        .reduce(
            |all: String, more: String| format!("{all}+{more}"),
            |all: String, less: String| (all != less).then(|| format!("{all}-{less}")),
            Materialized::named("reduced"),
        )
        .to_stream()
        .to("out", produced_nullable());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_input("a", "g:1", 10);
    source.pipe_input("b", "g:2", 5);
    source.pipe_input("a", "g:3", 20);
    source.pipe_input("c", "h:9", 1);
    source.pipe_input("c", "h:8", 2);
    source.pipe_tombstone("c", 3);
    expect(
        &texts(&driver, "out"),
        &[
            (Some("g"), Some("1"), 10),
            (Some("g"), Some("1+2"), 10),
            (Some("g"), Some("1+2-1+3"), 20),
            (Some("h"), Some("9"), 1),
            (Some("h"), Some("8"), 2),
            (Some("h"), None, 3),
        ],
    );
}

#[test]
fn groups_live_on_the_partitions_of_their_keys() {
    let builder = StreamsBuilder::new();
    table(&builder, "in").group_by(split, grouped()).count(Materialized::named("counts"));
    let driver = start_with(builder, DriverOptions::default().partitions("in", 12));
    let source = input(&driver, "in");
    for key in ["a", "b", "c", "d"] {
        source.pipe_input(key, "21:x", 1);
    }
    let counts = driver.get_key_value_store::<String, i64, _, _>("counts", StringSerde, I64Serde);
    let rows: Vec<_> = counts.all().into_iter().map(|row| (row.partition, row.key, row.value)).collect();
    assert_eq!(rows, [(1_173_551_340 % 12, "21".to_owned(), 4)]);
}
