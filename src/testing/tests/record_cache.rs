//! The record cache (KIP-63, kafka-streams 2.6.9): one record per changed key and commit, to the changelog and onwards.

use std::collections::BTreeMap;

use super::fixture::*;
use crate::dsl::{Consumed, Materialized, StreamsBuilder};
use crate::serde::{I64Serde, StringSerde};
use crate::testing::{DriverOptions, TestRecord, TopologyTestDriver, WrittenRecord};
use crate::types::Timestamp;

fn manual() -> DriverOptions {
    DriverOptions::default().manual_commit()
}

fn counts(materialized: Materialized<String, i64>, options: DriverOptions) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    let counts = stream(&builder, "in").group_by_key(grouped()).count(materialized);
    counts.to_stream().to("out", produced_numbers());
    start_with(builder, options)
}

fn rows(table: &str) -> (StreamsBuilder, crate::dsl::KTable<String, String>) {
    let builder = StreamsBuilder::new();
    let rows = builder.table("in", Consumed::with(StringSerde, StringSerde), Materialized::named(table));
    (builder, rows)
}

fn plain(records: Vec<WrittenRecord>) -> Vec<(String, Option<Vec<u8>>, Timestamp)> {
    let record = |written: WrittenRecord| {
        let TestRecord { key, value, timestamp, .. } = written.record;
        (String::from_utf8(key.unwrap_or_default()).unwrap(), value, timestamp)
    };
    records.into_iter().map(record).collect()
}

#[test]
fn a_commit_forwards_and_logs_each_changed_key_once_in_the_order_of_the_last_updates() {
    let driver = counts(Materialized::named("counts"), manual());
    let source = input(&driver, "in");
    for (key, timestamp) in [("a", 10), ("b", 20), ("a", 5), ("c", 30), ("a", 15)] {
        source.pipe_input(key, "x", timestamp);
    }
    assert!(driver.records("out").is_empty() && driver.records("app-counts-changelog").is_empty());
    driver.commit();
    let out = numbers(&driver, "out");
    expect_numbers(&out, &[(Some("b"), Some(1), 20), (Some("c"), Some(1), 30), (Some("a"), Some(3), 15)]);
    let number = |n: i64| Some(n.to_be_bytes().to_vec());
    let logged = [("b".to_owned(), number(1), 20), ("c".to_owned(), number(1), 30), ("a".to_owned(), number(3), 15)];
    assert_eq!(plain(driver.records("app-counts-changelog")), logged);

    source.pipe_input("c", "x", 31);
    driver.commit();
    driver.commit();
    expect_numbers(&out, &[(Some("c"), Some(2), 31)]);
}

#[test]
fn without_caching_every_update_is_forwarded_and_logged() {
    for (materialized, options) in [
        (Materialized::named("counts").without_caching(), manual()),
        (Materialized::named("counts"), manual().cache_max_bytes(0)),
    ] {
        let driver = counts(materialized, options);
        let source = input(&driver, "in");
        source.pipe_input("a", "x", 10);
        source.pipe_input("a", "x", 11);
        expect_numbers(&numbers(&driver, "out"), &[(Some("a"), Some(1), 10), (Some("a"), Some(2), 11)]);
        assert_eq!(driver.records("app-counts-changelog").len(), 2);
    }
}

#[test]
fn the_old_value_is_that_of_the_last_forward() {
    let (builder, rows) = rows("rows");
    rows.group_by(|key: &String, value: String| Some((value, key.clone())), grouped().named("by-value"))
        .count(Materialized::named("sizes"))
        .to_stream()
        .to("out", produced_numbers());
    let driver = start_with(builder, manual());
    let source = input(&driver, "in");
    source.pipe_input("k", "red", 1);
    source.pipe_input("k", "blue", 2);
    driver.commit();
    let out = numbers(&driver, "out");
    // Nobody was told about red, so nothing is taken out of it.
    expect_numbers(&out, &[(Some("blue"), Some(1), 2)]);
    source.pipe_input("k", "green", 3);
    source.pipe_input("k", "grey", 4);
    driver.commit();
    expect_numbers(&out, &[(Some("blue"), Some(0), 4), (Some("grey"), Some(1), 4)]);
}

#[test]
fn a_row_that_comes_and_goes_between_commits_leaves_no_trace() {
    let (builder, rows) = rows("rows");
    rows.to_stream().to("out", produced_nullable());
    let driver = start_with(builder, manual());
    let source = input(&driver, "in");
    source.pipe_input("k", "v", 1);
    source.pipe_tombstone("k", 2);
    source.pipe_tombstone("never", 3);
    driver.commit();
    assert!(driver.records("out").is_empty() && driver.records("app-rows-changelog").is_empty());

    source.pipe_input("k", "v", 4);
    driver.commit();
    source.pipe_tombstone("k", 5);
    driver.commit();
    expect(&texts(&driver, "out"), &[(Some("k"), Some("v"), 4), (Some("k"), None, 5)]);
    let stored = driver.get_key_value_store::<String, String, _, _>("rows", StringSerde, StringSerde);
    assert_eq!(stored.get("k"), None);
}

#[test]
fn headers_and_time_are_those_of_the_last_update() {
    let (builder, rows) = rows("rows");
    rows.to_stream().to("out", produced_nullable());
    let driver = start_with(builder, manual());
    let source = input(&driver, "in");
    source.pipe_record(TestRecord::new("k", "1", 10).with_header("trace", b"first"));
    source.pipe_record(TestRecord::new("k", "2", 7).with_header("trace", b"second").with_header("b", b""));
    source.pipe_input("other", "x", 8);
    driver.commit();
    let records = texts(&driver, "out").read_records_to_list();
    let headers = |index: usize| records[index].headers.view().iter().map(|h| h.key.to_owned()).collect::<Vec<_>>();
    assert_eq!((records[0].value.as_deref(), records[0].timestamp), (Some("2"), 7));
    assert_eq!(records[0].headers.view().last("trace").and_then(|header| header.value), Some(b"second".as_slice()));
    assert_eq!((headers(0), headers(1)), (vec!["trace".to_owned(), "b".to_owned()], vec![]));
}

#[test]
fn what_one_table_forwards_reaches_the_next_table_in_the_same_commit() {
    let (builder, rows) = rows("rows");
    let upper = rows.map_values_materialized(
        |_: &String, value: String| value.to_uppercase(),
        StringSerde,
        StringSerde,
        Materialized::named("upper"),
    );
    let other = builder.table("other", Consumed::with(StringSerde, StringSerde), Materialized::named("others"));
    upper
        .join_materialized(
            &other,
            |left: &String, right: &String| format!("{left}{right}"),
            StringSerde,
            StringSerde,
            Materialized::named("joined"),
        )
        .to_stream()
        .to("out", produced_nullable());
    let driver = start_with(builder, manual());
    let (left, right) = (input(&driver, "in"), input(&driver, "other"));
    left.pipe_input("k", "a", 1);
    right.pipe_input("k", "1", 2);
    left.pipe_input("k", "b", 3);
    driver.commit();
    expect(&texts(&driver, "out"), &[(Some("k"), Some("B1"), 3)]);
    for store in ["rows", "upper", "others", "joined"] {
        assert_eq!(driver.records(&format!("app-{store}-changelog")).len(), 1, "{store}");
    }
}

#[test]
fn a_full_cache_flushes_early_and_changes_no_result() {
    let small = counts(Materialized::named("counts"), manual().cache_max_bytes(4_000));
    let off = counts(Materialized::named("counts"), manual().cache_max_bytes(0));
    let (cached, direct) = (input(&small, "in"), input(&off, "in"));
    let mut seed = 7_u64;
    for time in 0..5_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let key = format!("key-{}", (seed >> 33) % 120);
        cached.pipe_input(key.as_str(), "x", time);
        direct.pipe_input(key.as_str(), "x", time);
    }
    let early = small.records("out").len();
    assert!((120..5_000).contains(&early), "{early} records before the first commit");
    small.commit();
    off.commit();
    assert!(small.records("out").len() < off.records("out").len());
    let newest = |driver: &TopologyTestDriver, topic: &str| {
        plain(driver.records(topic))
            .into_iter()
            .map(|(key, value, time)| (key, (value, time)))
            .collect::<BTreeMap<_, _>>()
    };
    for topic in ["out", "app-counts-changelog"] {
        assert_eq!(newest(&small, topic), newest(&off, topic), "{topic}");
    }
    let all = |driver: &TopologyTestDriver| {
        driver.get_key_value_store::<String, i64, _, _>("counts", StringSerde, I64Serde).all_committed()
    };
    assert_eq!(all(&small), all(&off));
}
