//! Aggregations of streams (kafka-streams 2.1.14, 2.1.15, 2.2.1, 3.2.2).

use super::fixture::*;
use crate::dsl::{Grouped, Materialized, StreamsBuilder};
use crate::serde::{I64Serde, StringSerde};
use crate::task::DropReason;
use crate::testing::{DriverOptions, StoreRow, TestRecord};

/// Appends every value; a value `-` deletes the row.
fn joined_values(builder: &StreamsBuilder, materialized: Materialized<String, String>) {
    nullable(builder, "in")
        .group_by_key(grouped())
        .aggregate(
            || "0".to_owned(),
            |key: &String, value: String, all: String| (value != "-").then(|| format!("{all}{key}{value}")),
            StringSerde,
            materialized,
        )
        .to_stream()
        .to("out", produced_nullable());
}

#[test]
fn count_forwards_every_update_with_the_later_of_both_times() {
    let builder = StreamsBuilder::new();
    stream(&builder, "in")
        .group_by_key(grouped())
        .count(Materialized::named("counts"))
        .to_stream()
        .to("out", produced_numbers());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_input("a", "x", 10);
    source.pipe_input("b", "x", 5);
    source.pipe_input("a", "y", 3);
    source.pipe_input("a", "z", 30);
    expect_numbers(
        &numbers(&driver, "out"),
        &[(Some("a"), Some(1), 10), (Some("b"), Some(1), 5), (Some("a"), Some(2), 10), (Some("a"), Some(3), 30)],
    );
    let counts = driver.get_key_value_store::<String, i64, _, _>("counts", StringSerde, I64Serde);
    assert_eq!(counts.get("a"), Some(3));
    assert_eq!(counts.get("b"), Some(1));
    assert_eq!(counts.get("c"), None);
    let row = |key: &str, value, timestamp| StoreRow { partition: 0, key: key.to_owned(), value, timestamp };
    assert_eq!(counts.all(), [row("a", 3, 30), row("b", 1, 5)]);
    assert_eq!(counts.all_committed(), counts.all(), "every record is committed");
}

#[test]
fn aggregate_starts_from_the_initializer_and_a_none_deletes_and_starts_again() {
    let builder = StreamsBuilder::new();
    joined_values(&builder, Materialized::named("agg"));
    let driver = start_uncached(builder);
    let source = input(&driver, "in");
    for (value, timestamp) in [("1", 10), ("2", 5), ("-", 7), ("-", 20), ("3", 6)] {
        source.pipe_input("k", value, timestamp);
    }
    expect(
        &texts(&driver, "out"),
        &[
            (Some("k"), Some("0k1"), 10),
            (Some("k"), Some("0k1k2"), 10),
            (Some("k"), None, 10),
            (Some("k"), None, 20),
            (Some("k"), Some("0k3"), 6),
        ],
    );
}

#[test]
fn a_changelog_record_is_the_plain_value_at_the_rows_time_without_headers() {
    let builder = StreamsBuilder::new();
    joined_values(&builder, Materialized::named("agg"));
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_record(TestRecord::new("k", "1", 10).with_header("h", b"x"));
    source.pipe_input("k", "2", 5);
    source.pipe_input("k", "-", 7);
    let log: Vec<_> = driver
        .records("app-agg-changelog")
        .into_iter()
        .map(|written| (written.offset, written.record.key, written.record.value, written.record.timestamp))
        .collect();
    let key = Some(b"k".to_vec());
    assert_eq!(
        log,
        [(0, key.clone(), Some(b"0k1".to_vec()), 10), (1, key.clone(), Some(b"0k1k2".to_vec()), 10), (2, key, None, 7)]
    );
    assert!(driver.records("app-agg-changelog").iter().all(|written| written.record.headers.view().is_empty()));
    let out = texts(&driver, "out").read_record().unwrap();
    assert_eq!(out.headers.view().last("h").and_then(|h| h.value), Some(&b"x"[..]), "the result has them");
}

#[test]
fn a_store_without_logging_writes_no_changelog() {
    let builder = StreamsBuilder::new();
    joined_values(&builder, Materialized::named("agg").without_logging());
    let driver = start(builder);
    input(&driver, "in").pipe_input("k", "1", 10);
    assert_eq!(driver.written_topics(), ["in", "out"]);
}

#[test]
fn null_keys_and_null_values_are_dropped_and_counted() {
    let builder = StreamsBuilder::new();
    joined_values(&builder, Materialized::unnamed());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_tombstone("k", 1);
    source.pipe_null_key("v", 2);
    source.pipe_null_key("v", 3);
    source.pipe_input("k", "1", 4);
    assert_eq!((driver.dropped(DropReason::NullValue), driver.dropped(DropReason::NullKey)), (1, 2));
    expect(&texts(&driver, "out"), &[(Some("k"), Some("0k1"), 4)]);
    assert_eq!(driver.store_names(), ["KSTREAM-AGGREGATE-STATE-STORE-0000000001"]);
}

#[test]
fn reduce_starts_with_the_first_value_and_a_none_deletes() {
    let builder = StreamsBuilder::new();
    stream(&builder, "in")
        .group_by_key(grouped())
        .reduce(|old: String, new: String| (new != "-").then(|| old + &new), Materialized::named("reduced"))
        .to_stream()
        .to("out", produced_nullable());
    let driver = start(builder);
    let source = input(&driver, "in");
    for (value, timestamp) in [("-", 9), ("b", 5), ("-", 7), ("c", 1)] {
        source.pipe_input("k", value, timestamp);
    }
    expect(
        &texts(&driver, "out"),
        &[(Some("k"), Some("-"), 9), (Some("k"), Some("-b"), 9), (Some("k"), None, 7), (Some("k"), Some("c"), 1)],
    );
}

#[test]
fn group_by_repartitions_by_the_new_key_with_time_headers_and_exact_bytes() {
    let builder = StreamsBuilder::new();
    nullable(&builder, "in")
        .group_by(|_, value: &Option<String>| value.clone(), grouped().named("by-value"))
        .count(Materialized::named("counts"))
        .to_stream()
        .to("out", produced_numbers());
    let driver = start_with(builder, DriverOptions::default().partitions("in", 5));
    let source = input(&driver, "in");
    source.pipe_record(TestRecord::new("k1", "21", 5).with_header("h", b"x"));
    source.pipe_input("k2", "21", 3);
    source.pipe_tombstone("k3", 4);
    let topic = "app-by-value-repartition";
    assert_eq!(driver.partitions_of(topic), Some(5));
    let through = driver.records(topic);
    assert_eq!(through.len(), 2, "the null key is dropped in front of the topic");
    for (written, time) in through.iter().zip([5, 3]) {
        assert_eq!((written.partition, written.record.timestamp), (1_173_551_340 % 5, time));
        assert_eq!(written.record.key.as_deref(), Some(&b"21"[..]));
        assert_eq!(written.record.value.as_deref(), Some(&b"21"[..]));
    }
    assert_eq!(through[0].record.headers.view().last("h").and_then(|h| h.value), Some(&b"x"[..]));
    expect_numbers(&numbers(&driver, "out"), &[(Some("21"), Some(1), 5), (Some("21"), Some(2), 5)]);
    let counts = driver.get_key_value_store::<String, i64, _, _>("counts", StringSerde, I64Serde);
    assert_eq!(counts.all()[0].partition, 1_173_551_340 % 5);
    assert_eq!(driver.dropped(DropReason::NullKey), 0, "the filter does not count, as in Kafka Streams");
}

#[test]
fn a_null_value_crosses_the_repartition_topic_and_is_dropped_by_the_aggregation() {
    let builder = StreamsBuilder::new();
    nullable(&builder, "in").group_by(|key, _| key.clone(), grouped()).count(Materialized::unnamed());
    let driver = start(builder);
    input(&driver, "in").pipe_tombstone("k", 4);
    let through = driver.records("app-KSTREAM-AGGREGATE-STATE-STORE-0000000002-repartition");
    assert_eq!((through[0].record.key.as_deref(), through[0].record.value.as_deref()), (Some(&b"k"[..]), None));
    assert_eq!(driver.dropped(DropReason::NullValue), 1);
}

#[test]
fn a_repartition_topic_may_carry_other_types_than_the_input() {
    let builder = StreamsBuilder::new();
    stream(&builder, "in")
        .map(|key, value| (value.len() as i64, key.len() as i64))
        .group_by_key(Grouped::with(I64Serde, I64Serde))
        .reduce(|sum: i64, more: i64| sum + more, Materialized::named("sums"));
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_input("abc", "xy", 1);
    source.pipe_input("defg", "zw", 2);
    let sums = driver.get_key_value_store::<i64, i64, _, _>("sums", I64Serde, I64Serde);
    assert_eq!((sums.get(2), sums.get(3)), (Some(7), None));
    let through = driver.records("app-sums-repartition");
    assert_eq!(through[1].record.value.as_deref(), Some(&[0, 0, 0, 0, 0, 0, 0, 4][..]));
}

#[test]
fn the_old_value_of_a_keys_first_update_is_the_initial_value() {
    let builder = StreamsBuilder::new();
    let table = stream(&builder, "in").group_by_key(grouped()).aggregate(
        || "init".to_owned(),
        |_: &String, value: String, _: String| value,
        StringSerde,
        Materialized::unnamed(),
    );
    table
        .group_by(|_: &String, value: String| Some(("all".to_owned(), value)), grouped().named("g"))
        .count(Materialized::unnamed())
        .to_stream()
        .to("out", produced_numbers());
    let driver = start_uncached(builder);
    input(&driver, "in").pipe_input("k", "v", 1);
    // Both halves have one key, so one record carries them: new length 1 as zigzag, new, old, the flag for both.
    assert_eq!(driver.records("app-g-repartition")[0].record.value.as_deref(), Some(&b"\x02vinit\x02"[..]));
    expect_numbers(&numbers(&driver, "out"), &[(Some("all"), Some(1), 1)]);
}

#[test]
fn several_partitions_keep_their_rows_apart_on_disk_as_in_memory() {
    for options in [DriverOptions::default(), DriverOptions::default().on_disk()] {
        let builder = StreamsBuilder::new();
        stream(&builder, "in").group_by_key(grouped()).count(Materialized::named("counts"));
        let driver = start_with(builder, options.partitions("in", 12));
        let source = input(&driver, "in");
        for (key, times) in [("21", 2), ("foobar", 3), ("abc", 1)] {
            for _ in 0..times {
                source.pipe_input(key, "x", 1);
            }
        }
        let counts = driver.get_key_value_store::<String, i64, _, _>("counts", StringSerde, I64Serde);
        let mut rows: Vec<_> =
            counts.all_committed().into_iter().map(|row| (row.key, row.partition, row.value)).collect();
        rows.sort();
        let partition = |hash: i32| (hash & 0x7fff_ffff) % 12;
        let row = |key: &str, hash, count| (key.to_owned(), partition(hash), count);
        assert_eq!(rows, [row("21", -973_932_308, 2), row("abc", 479_470_107, 1), row("foobar", -790_332_482, 3)]);
        let logged: Vec<i32> = driver.records("app-counts-changelog").iter().map(|written| written.partition).collect();
        assert_eq!(logged[..2], [partition(-973_932_308); 2], "a changelog has the partitions of its task");
    }
}
