//! Stream-table joins (kafka-streams 2.1.15, 2.4.5, 2.4.6).

use super::fixture::*;
use crate::dsl::{Joined, KStream, Materialized, Produced, Repartitioned, StreamsBuilder};
use crate::serde::StringSerde;
use crate::task::DropReason;
use crate::testing::{DriverOptions, TestRecord, TopologyTestDriver};

fn inner_joined(builder: &StreamsBuilder) {
    let table = table(builder, "table");
    nullable(builder, "stream")
        .join(&table, |key: &String, left: String, right| format!("{key}:{left}+{right}"), joined())
        .to("out", produced());
}

fn left_value(key: Option<&String>, left: String, right: Option<String>) -> String {
    format!("{}:{left}+{}", key.map_or("none", String::as_str), right.as_deref().unwrap_or("null"))
}

fn left_joined(builder: &StreamsBuilder) {
    let table = table(builder, "table");
    nullable(builder, "stream").left_join(&table, left_value, joined()).to("out", Produced::with(TEXT, StringSerde));
}

#[test]
fn a_join_looks_up_the_row_as_it_is_now_and_keeps_the_stream_records_time_and_headers() {
    let builder = StreamsBuilder::new();
    inner_joined(&builder);
    let driver = start(builder);
    let (rows, records) = (input(&driver, "table"), input(&driver, "stream"));
    let out = texts(&driver, "out");
    records.pipe_input("k", "a", 10);
    rows.pipe_input("k", "x", 100);
    assert!(out.is_empty(), "the table's side triggers nothing, a missing row gives nothing");
    records.pipe_record(TestRecord::new("k", "b", 11).with_header("h", b"1"));
    rows.pipe_input("k", "y", 5);
    records.pipe_input("k", "c", 12);
    rows.pipe_tombstone("k", 101);
    records.pipe_input("k", "d", 13);
    let first = out.read_record().unwrap();
    assert_eq!((first.value.as_deref(), first.timestamp), (Some("k:b+x"), 11), "not the row's time 100");
    assert!(first.headers.view().last("h").is_some());
    expect(&out, &[(Some("k"), Some("k:c+y"), 12)]);
}

#[test]
fn a_join_drops_null_keys_and_null_values_and_counts_them() {
    let builder = StreamsBuilder::new();
    inner_joined(&builder);
    let driver = start(builder);
    let records = input(&driver, "stream");
    records.pipe_null_key("a", 1);
    records.pipe_tombstone("k", 2);
    assert!(texts(&driver, "out").is_empty());
    assert_eq!((driver.dropped(DropReason::NullKey), driver.dropped(DropReason::NullValue)), (1, 1));
}

#[test]
fn a_left_join_joins_missing_rows_and_null_keys_with_none_and_drops_null_values() {
    let builder = StreamsBuilder::new();
    left_joined(&builder);
    let driver = start(builder);
    let (rows, records) = (input(&driver, "table"), input(&driver, "stream"));
    records.pipe_input("k", "a", 10);
    rows.pipe_input("k", "x", 1);
    records.pipe_input("k", "b", 11);
    records.pipe_null_key("c", 12);
    records.pipe_tombstone("k", 13);
    expect(
        &texts(&driver, "out"),
        &[(Some("k"), Some("k:a+null"), 10), (Some("k"), Some("k:b+x"), 11), (None, Some("none:c+null"), 12)],
    );
    assert_eq!((driver.dropped(DropReason::NullKey), driver.dropped(DropReason::NullValue)), (0, 1));
}

#[test]
fn a_join_sees_through_operators_that_keep_no_rows() {
    let builder = StreamsBuilder::new();
    let table =
        table(&builder, "table").filter(|_, value| value != "hidden").map_values(|_, value| value.to_uppercase());
    stream(&builder, "stream")
        .left_join(&table, |_: Option<&String>, left: String, right| format!("{left}{right:?}"), joined())
        .to("out", Produced::with(TEXT, StringSerde));
    let driver = start(builder);
    let (rows, records) = (input(&driver, "table"), input(&driver, "stream"));
    for (row, value) in [("x", "1"), ("hidden", "2"), ("y", "3")] {
        rows.pipe_input("k", row, 0);
        records.pipe_input("k", value, 0);
    }
    let values: Vec<_> =
        texts(&driver, "out").read_key_values_to_list().into_iter().map(|(_, value)| value.unwrap()).collect();
    assert_eq!(values, ["1Some(\"X\")", "2None", "3Some(\"Y\")"]);
}

/// A stream whose key is its value, joined; records with an empty value get a null key.
fn rekeyed(builder: &StreamsBuilder) -> KStream<Option<String>, Option<String>> {
    nullable(builder, "stream").select_key(|_, value| value.clone().filter(|value| !value.is_empty())).fan_out()
}

fn keys_in(driver: &TopologyTestDriver, topic: &str) -> Vec<Option<Vec<u8>>> {
    driver.records(topic).into_iter().map(|written| written.record.key).collect()
}

#[test]
fn a_changed_key_is_repartitioned_to_where_the_row_is() {
    let builder = StreamsBuilder::new();
    let users = table(&builder, "table");
    rekeyed(&builder)
        .join(&users, |key: &String, left: String, right| format!("{key}{left}{right}"), joined())
        .to("out", produced());
    let driver = start_with(builder, DriverOptions::default().partitions("stream", 2).partitions("table", 5));
    for key in ["21", "foobar", "abc"] {
        input(&driver, "table").pipe_input(key, "x", 1);
        input(&driver, "stream").pipe_input("other", key, 2);
    }
    input(&driver, "stream").pipe_input("other", "", 3);
    assert_eq!(driver.partitions_of("app-KSTREAM-KEY-SELECT-0000000004-repartition"), Some(5), "that of the table");
    expect(
        &texts(&driver, "out"),
        &[
            (Some("21"), Some("2121x"), 2),
            (Some("foobar"), Some("foobarfoobarx"), 2),
            (Some("abc"), Some("abcabcx"), 2),
        ],
    );
    assert_eq!(keys_in(&driver, "app-KSTREAM-KEY-SELECT-0000000004-repartition").len(), 3, "no null key gets in");
}

#[test]
fn null_keys_cross_the_repartition_of_a_left_join() {
    let builder = StreamsBuilder::new();
    let users = table(&builder, "table");
    rekeyed(&builder)
        .left_join(&users, left_value, joined().named("enrich"))
        .to("out", Produced::with(TEXT, StringSerde));
    let driver = start(builder);
    input(&driver, "stream").pipe_input("k", "", 3);
    assert_eq!(keys_in(&driver, "app-enrich-repartition"), [None]);
    expect(&texts(&driver, "out"), &[(None, Some("none:+null"), 3)]);
}

#[test]
fn null_keys_cross_every_repartition_above_a_left_join_and_no_other() {
    let builder = StreamsBuilder::new();
    let users = table(&builder, "table");
    let through = |name: &str| Repartitioned::with(TEXT, TEXT).named(name);
    let all = rekeyed(&builder);
    let twice = all.clone().repartition(through("first")).map_values(|_, value| value).repartition(through("second"));
    twice.left_join(&users, left_value, joined()).to("out", Produced::with(TEXT, StringSerde));
    all.repartition(through("aside")).to("aside", Produced::with(TEXT, TEXT));
    let driver = start(builder);
    input(&driver, "stream").pipe_input("k", "", 3);
    assert_eq!(keys_in(&driver, "app-first-repartition"), [None]);
    assert_eq!(keys_in(&driver, "app-second-repartition"), [None]);
    assert!(driver.records("app-aside-repartition").is_empty());
    expect(&texts(&driver, "out"), &[(None, Some("none:+null"), 3)]);
}

#[test]
fn a_rekeyed_stream_joined_twice_is_repartitioned_once() {
    let builder = StreamsBuilder::new();
    let (users, shops) = (table(&builder, "users"), table(&builder, "shops"));
    let orders = rekeyed(&builder);
    orders.clone().join(&users, |_: &String, left: String, right| left + &right, joined()).to("x", produced());
    orders.left_join(&shops, left_value, joined()).to("y", Produced::with(TEXT, StringSerde));
    let driver = start(builder);
    input(&driver, "users").pipe_input("k", "U", 1);
    input(&driver, "stream").pipe_input("other", "k", 2);
    input(&driver, "stream").pipe_input("other", "", 3);
    let repartitions: Vec<_> =
        driver.written_topics().into_iter().filter(|topic| topic.ends_with("-repartition")).collect();
    assert_eq!(repartitions.len(), 1);
    assert_eq!(driver.records(&repartitions[0]).len(), 2);
    expect(&texts(&driver, "x"), &[(Some("k"), Some("kU"), 2)]);
    expect(&texts(&driver, "y"), &[(Some("k"), Some("k:k+null"), 2), (None, Some("none:+null"), 3)]);
    assert_eq!(driver.dropped(DropReason::NullKey), 1, "the inner join drops what the left join wants");
}

#[test]
fn a_joined_stream_needs_no_repartition_afterwards() {
    let builder = StreamsBuilder::new();
    let users = table(&builder, "table");
    rekeyed(&builder)
        .join(&users, |_: &String, left: String, right| left + &right, Joined::with(StringSerde, StringSerde))
        .group_by_key(grouped())
        .count(Materialized::named("counts"));
    let described = build(builder).topology.describe();
    assert_eq!(described.matches("Sub-topology").count(), 2, "{described}");
}
