//! Table-table joins (kafka-streams 2.3.4 to 2.3.6): one script of inputs, the results of each kind by hand.

use super::fixture::*;
use crate::dsl::{KTable, Materialized, StreamsBuilder};
use crate::serde::StringSerde;
use crate::testing::{DriverOptions, StoreRow};
use crate::types::Timestamp;

/// Which table, the new value and its time.
type Step = (&'static str, Option<&'static str>, Timestamp);
/// The forwarded values with their times.
type Results = &'static [(Option<&'static str>, Timestamp)];

const L: &str = "left";
const R: &str = "right";

/// The shape of Kafka's `AbstractJoinIntegrationTest` input: nulls, updates and deletes on both sides, then late ones.
/// Each step with the results of the inner, the left and the outer join.
const SCRIPT: [(Step, Results, Results, Results); 19] = [
    // Deletes of absent rows: the left side of left and outer has nothing on either side, so nothing is forwarded.
    ((L, None, 1), &[], &[], &[]),
    ((R, None, 2), &[], &[], &[]),
    ((L, Some("A"), 3), &[], &[(Some("A-null"), 3)], &[(Some("A-null"), 3)]),
    ((R, Some("a"), 4), &[(Some("A-a"), 4)], &[(Some("A-a"), 4)], &[(Some("A-a"), 4)]),
    ((L, Some("B"), 5), &[(Some("B-a"), 5)], &[(Some("B-a"), 5)], &[(Some("B-a"), 5)]),
    ((R, Some("b"), 6), &[(Some("B-b"), 6)], &[(Some("B-b"), 6)], &[(Some("B-b"), 6)]),
    ((L, None, 7), &[(None, 7)], &[(None, 7)], &[(Some("null-b"), 7)]),
    ((R, None, 8), &[], &[], &[(None, 8)]),
    ((L, Some("C"), 9), &[], &[(Some("C-null"), 9)], &[(Some("C-null"), 9)]),
    ((R, Some("c"), 10), &[(Some("C-c"), 10)], &[(Some("C-c"), 10)], &[(Some("C-c"), 10)]),
    ((R, None, 11), &[(None, 11)], &[(Some("C-null"), 11)], &[(Some("C-null"), 11)]),
    ((L, None, 12), &[], &[(None, 12)], &[(None, 12)]),
    // Deletes again: the left row is gone, so the old value is null on both sides.
    ((L, None, 13), &[], &[], &[]),
    ((R, None, 14), &[], &[], &[]),
    ((R, Some("d"), 15), &[], &[], &[(Some("null-d"), 15)]),
    ((L, Some("D"), 14), &[(Some("D-d"), 15)], &[(Some("D-d"), 15)], &[(Some("D-d"), 15)]),
    // Out of order: it overwrites, and the result has the later time of both rows.
    ((R, Some("e"), 2), &[(Some("D-e"), 14)], &[(Some("D-e"), 14)], &[(Some("D-e"), 14)]),
    ((L, Some("F"), 1), &[(Some("F-e"), 2)], &[(Some("F-e"), 2)], &[(Some("F-e"), 2)]),
    ((L, None, 0), &[(None, 2)], &[(None, 2)], &[(Some("null-e"), 2)]),
];

#[derive(Clone, Copy)]
enum Kind {
    Inner,
    Left,
    Outer,
}

fn both(left: Option<&String>, right: Option<&String>) -> String {
    let text = |side: Option<&String>| side.map_or("null", String::as_str).to_owned();
    format!("{}-{}", text(left), text(right))
}

fn join(kind: Kind, left: KTable<String, String>, right: &KTable<String, String>) -> KTable<String, String> {
    match kind {
        Kind::Inner => left.join(right, |left, right| both(Some(left), Some(right))),
        Kind::Left => left.left_join(right, |left, right| both(Some(left), right)),
        Kind::Outer => left.outer_join(right, both),
    }
}

fn join_kept(kind: Kind, left: KTable<String, String>, right: &KTable<String, String>) -> KTable<String, String> {
    let (s, kept) = (StringSerde, Materialized::named("joined"));
    match kind {
        Kind::Inner => left.join_materialized(right, |left, right| both(Some(left), Some(right)), s, s, kept),
        Kind::Left => left.left_join_materialized(right, |left, right| both(Some(left), right), s, s, kept),
        Kind::Outer => left.outer_join_materialized(right, both, s, s, kept),
    }
}

#[track_caller]
fn check(kind: Kind, kept: bool, results: impl Fn(usize) -> Results) {
    let builder = StreamsBuilder::new();
    let (left, right) = (table(&builder, L), table(&builder, R));
    let joined = if kept { join_kept(kind, left, &right) } else { join(kind, left, &right) };
    joined.to_stream().to("out", produced_nullable());
    let driver = start(builder);
    let out = texts(&driver, "out");
    for (step, ((side, value, timestamp), ..)) in SCRIPT.into_iter().enumerate() {
        let source = input(&driver, side);
        match value {
            Some(value) => source.pipe_input("k", value, timestamp),
            None => source.pipe_tombstone("k", timestamp),
        }
        let records = out.read_records_to_list();
        let forwarded: Vec<_> = records.iter().map(|record| (record.value.as_deref(), record.timestamp)).collect();
        assert_eq!(forwarded, results(step), "step {step}: {side} {value:?} at {timestamp}");
        if kept && let Some((value, timestamp)) = results(step).last() {
            let rows = driver.get_key_value_store::<String, String, _, _>("joined", StringSerde, StringSerde).all();
            let row = |value: &str| StoreRow {
                partition: 0,
                key: "k".to_owned(),
                value: value.to_owned(),
                timestamp: *timestamp,
            };
            assert_eq!(rows, value.map(row).into_iter().collect::<Vec<_>>(), "step {step}: the kept row");
        }
    }
}

#[test]
fn an_inner_join_has_a_row_where_both_sides_have_one() {
    check(Kind::Inner, false, |step| SCRIPT[step].1);
    check(Kind::Inner, true, |step| SCRIPT[step].1);
}

#[test]
fn a_left_join_has_a_row_where_the_left_side_has_one() {
    check(Kind::Left, false, |step| SCRIPT[step].2);
    check(Kind::Left, true, |step| SCRIPT[step].2);
}

#[test]
fn an_outer_join_has_a_row_where_either_side_has_one() {
    check(Kind::Outer, false, |step| SCRIPT[step].3);
    check(Kind::Outer, true, |step| SCRIPT[step].3);
}

#[test]
fn an_inner_join_forwards_a_delete_even_when_there_was_no_result() {
    let builder = StreamsBuilder::new();
    let (left, right) = (table(&builder, L), table(&builder, R));
    join(Kind::Inner, left, &right).to_stream().to("out", produced_nullable());
    let driver = start_uncached(builder);
    input(&driver, R).pipe_input("k", "a", 5);
    input(&driver, L).pipe_tombstone("k", 3);
    expect(&texts(&driver, "out"), &[(Some("k"), None, 5)]);
}

#[test]
fn a_table_joined_with_itself_sees_its_own_update_on_both_sides() {
    let builder = StreamsBuilder::new();
    let all = table(&builder, L);
    join(Kind::Inner, all.clone(), &all).to_stream().to("out", produced_nullable());
    let driver = start(builder);
    input(&driver, L).pipe_input("k", "A", 1);
    input(&driver, L).pipe_input("k", "B", 2);
    let (a, b) = ((Some("k"), Some("A-A"), 1), (Some("k"), Some("B-B"), 2));
    expect(&texts(&driver, "out"), &[a, a, b, b]);
}

#[test]
fn a_join_that_is_not_kept_is_computed_again_for_lookups() {
    let builder = StreamsBuilder::new();
    let (left, right) = (table(&builder, L), table(&builder, R));
    let third = table(&builder, "third");
    let joined = join(Kind::Left, left, &right);
    join(Kind::Left, third, &joined).to_stream().to("out", produced_nullable());
    let driver = start(builder);
    input(&driver, "third").pipe_input("k", "T", 1);
    input(&driver, R).pipe_input("k", "a", 2);
    input(&driver, "third").pipe_input("k", "U", 3);
    input(&driver, L).pipe_input("k", "A", 4);
    input(&driver, "third").pipe_input("k", "V", 1);
    expect(
        &texts(&driver, "out"),
        &[
            (Some("k"), Some("T-null"), 1),
            (Some("k"), Some("U-null"), 3),
            (Some("k"), Some("U-A-a"), 4),
            (Some("k"), Some("V-A-a"), 4),
        ],
    );
    assert_eq!(driver.store_names().len(), 3, "the three sources are kept, no join is");
}

#[test]
fn a_grouping_of_a_join_gets_the_joined_old_value() {
    for kept in [false, true] {
        let builder = StreamsBuilder::new();
        let (left, right) = (table(&builder, L), table(&builder, R));
        let joined = if kept { join_kept(Kind::Inner, left, &right) } else { join(Kind::Inner, left, &right) };
        joined
            .group_by(|_: &String, value: String| Some(("g".to_owned(), value)), grouped().named("g"))
            .count(Materialized::unnamed());
        let driver = start(builder);
        input(&driver, L).pipe_input("k", "A", 1);
        input(&driver, R).pipe_input("k", "a", 2);
        input(&driver, R).pipe_input("k", "b", 3);
        input(&driver, L).pipe_tombstone("k", 4);
        let sent: Vec<_> =
            driver.records("app-g-repartition").into_iter().map(|written| written.record.value.unwrap()).collect();
        assert_eq!(sent, [b"A-a\x01".to_vec(), b"\x06A-bA-a\x02".to_vec(), b"A-b\x00".to_vec()], "kept: {kept}");
    }
}

#[test]
fn a_joined_key_meets_on_every_partition_and_unequal_counts_are_refused() {
    let described = || {
        let builder = StreamsBuilder::new();
        let (left, right) = (table(&builder, L), table(&builder, R));
        join(Kind::Inner, left, &right).to_stream().to("out", produced_nullable());
        builder
    };
    let options = DriverOptions::default().partitions(L, 4);
    let driver = start_with(described(), options.clone().partitions(R, 4));
    for key in ["21", "foobar", "abc"] {
        input(&driver, L).pipe_input(key, key, 1);
        input(&driver, R).pipe_input(key, "x", 2);
    }
    expect(
        &texts(&driver, "out"),
        &[(Some("21"), Some("21-x"), 2), (Some("foobar"), Some("foobar-x"), 2), (Some("abc"), Some("abc-x"), 2)],
    );
    let refused = crate::testing::TopologyTestDriver::new(build(described()), options.partitions(R, 3)).err().unwrap();
    assert!(refused.to_string().starts_with("topics are not co-partitioned: left=4, right=3"), "{refused}");
}
