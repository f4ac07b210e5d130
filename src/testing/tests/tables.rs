//! Tables and their stateless operators (kafka-streams 2.1.3, 2.1.13, 2.3.1 to 2.3.3, 2.3.15, 2.3.16).

use super::fixture::*;
use crate::dsl::{Consumed, KTable, Materialized, StreamsBuilder};
use crate::serde::StringSerde;
use crate::task::DropReason;
use crate::testing::DriverOptions;

fn named_table(builder: &StreamsBuilder) -> KTable<String, String> {
    builder.table("in", Consumed::with(StringSerde, StringSerde), Materialized::named("rows"))
}

#[test]
fn a_table_forwards_every_update_in_arrival_order_and_overwrites_with_older_times() {
    let builder = StreamsBuilder::new();
    named_table(&builder).to_stream().to("out", produced_nullable());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_input("k", "new", 10);
    source.pipe_input("k", "older", 5);
    source.pipe_input("k", "older", 5);
    expect(
        &texts(&driver, "out"),
        &[(Some("k"), Some("new"), 10), (Some("k"), Some("older"), 5), (Some("k"), Some("older"), 5)],
    );
    let rows = driver.get_key_value_store::<String, String, _, _>("rows", StringSerde, StringSerde);
    let row = rows.get_with_timestamp("k").unwrap();
    assert_eq!((row.value.as_str(), row.timestamp), ("older", 5));
    source.pipe_tombstone("k", 1);
    expect(
        &texts(&driver, "out"),
        &[
            (Some("k"), Some("new"), 10),
            (Some("k"), Some("older"), 5),
            (Some("k"), Some("older"), 5),
            (Some("k"), None, 1),
        ],
    );
    assert_eq!(rows.get("k"), None);
    let last = driver.records("app-rows-changelog").pop().unwrap().record;
    assert_eq!((last.value, last.timestamp), (None, 1));
}

#[test]
fn a_null_key_is_dropped_and_counted() {
    let builder = StreamsBuilder::new();
    named_table(&builder).to_stream().to("out", produced_nullable());
    let driver = start(builder);
    input(&driver, "in").pipe_null_key("v", 1);
    assert!(texts(&driver, "out").is_empty());
    assert_eq!(driver.dropped(DropReason::NullKey), 1);
}

#[test]
fn a_table_is_kept_only_when_named_or_when_rows_are_needed() {
    let stores = |describe: &dyn Fn(&StreamsBuilder)| {
        let builder = StreamsBuilder::new();
        describe(&builder);
        start(builder).store_names()
    };
    assert!(stores(&|b| table(b, "in").to_stream().to("out", produced_nullable())).is_empty());
    assert_eq!(stores(&|b| drop(named_table(b))), ["rows"]);
    let needed = ["in-STATE-STORE-0000000000"];
    assert_eq!(
        stores(&|b| {
            let table = table(b, "in").map_values(|_, value| value);
            stream(b, "s").join(&table, |_, left: String, right| left + &right, joined()).to("out", produced());
        }),
        needed,
        "a join needs rows, through an operator that keeps none"
    );
    assert_eq!(
        stores(&|b| {
            table(b, "in")
                .group_by(|key: &String, value| Some((value, key.clone())), grouped().named("g"))
                .count(Materialized::named("counts"));
        }),
        ["in-STATE-STORE-0000000000", "counts"],
        "a grouping needs old values"
    );
}

#[test]
fn a_filter_sends_a_tombstone_for_every_miss_while_it_knows_no_old_values() {
    let builder = StreamsBuilder::new();
    let all = table(&builder, "in");
    all.clone().filter(|_, value| value.len() > 1).to_stream().to("kept", produced_nullable());
    all.filter_not(|_, value| value.len() > 1).to_stream().to("rest", produced_nullable());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_input("k", "x", 1);
    source.pipe_input("k", "xx", 2);
    source.pipe_input("k", "x", 3);
    source.pipe_tombstone("k", 4);
    expect(
        &texts(&driver, "kept"),
        &[(Some("k"), None, 1), (Some("k"), Some("xx"), 2), (Some("k"), None, 3), (Some("k"), None, 4)],
    );
    expect(
        &texts(&driver, "rest"),
        &[(Some("k"), Some("x"), 1), (Some("k"), None, 2), (Some("k"), Some("x"), 3), (Some("k"), None, 4)],
    );
}

#[test]
fn a_filter_over_a_kept_table_sends_no_needless_tombstones() {
    let builder = StreamsBuilder::new();
    named_table(&builder).filter(|_, value| value.len() > 1).to_stream().to("kept", produced_nullable());
    let driver = start(builder);
    let source = input(&driver, "in");
    for (value, time) in [("x", 1), ("y", 2), ("xx", 3), ("x", 4), ("y", 5)] {
        source.pipe_input("k", value, time);
    }
    source.pipe_tombstone("k", 6);
    expect(&texts(&driver, "kept"), &[(Some("k"), Some("xx"), 3), (Some("k"), None, 4)]);
}

#[test]
fn a_kept_filter_stores_what_it_lets_through_and_deletes_the_rest() {
    let builder = StreamsBuilder::new();
    table(&builder, "in")
        .filter_materialized(|_, value| value.len() > 1, StringSerde, StringSerde, Materialized::named("long"))
        .to_stream()
        .to("kept", produced_nullable());
    let driver = start_uncached(builder);
    let source = input(&driver, "in");
    let long = driver.get_key_value_store::<String, String, _, _>("long", StringSerde, StringSerde);
    source.pipe_input("k", "xx", 1);
    assert_eq!(long.get("k").as_deref(), Some("xx"));
    source.pipe_input("k", "x", 2);
    assert_eq!(long.get("k"), None);
    source.pipe_input("k", "y", 3);
    // Nobody downstream asked for old values and the source is not kept, so misses are tombstones.
    expect(&texts(&driver, "kept"), &[(Some("k"), Some("xx"), 1), (Some("k"), None, 2), (Some("k"), None, 3)]);
    assert_eq!(driver.store_names(), ["long"]);
    let log: Vec<_> = driver.records("app-long-changelog").into_iter().map(|written| written.record.value).collect();
    assert_eq!(log, [Some(b"xx".to_vec()), None, None]);
}

#[test]
fn map_values_maps_updates_and_passes_deletes_on_without_calling_the_mapper() {
    let builder = StreamsBuilder::new();
    table(&builder, "in")
        .map_values(|key, value| {
            assert_ne!(value, "never");
            format!("{key}{value}")
        })
        .to_stream()
        .to("out", produced_nullable());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_input("k", "v", 1);
    source.pipe_tombstone("k", 2);
    source.pipe_tombstone("unknown", 3);
    expect(&texts(&driver, "out"), &[(Some("k"), Some("kv"), 1), (Some("k"), None, 2), (Some("unknown"), None, 3)]);
}

#[test]
fn kept_map_values_stores_the_mapped_value_under_the_updates_time() {
    let builder = StreamsBuilder::new();
    let mapped = table(&builder, "in").map_values_materialized(
        |_, value| value.to_uppercase(),
        StringSerde,
        StringSerde,
        Materialized::named("upper"),
    );
    mapped.to_stream().to("out", produced_nullable());
    let driver = start(builder);
    input(&driver, "in").pipe_input("k", "v", 7);
    let upper = driver.get_key_value_store::<String, String, _, _>("upper", StringSerde, StringSerde);
    let row = upper.get_with_timestamp("k").unwrap();
    assert_eq!((row.value.as_str(), row.timestamp), ("V", 7));
    input(&driver, "in").pipe_tombstone("k", 8);
    assert_eq!(upper.get("k"), None);
}

#[test]
fn operators_hand_mapped_old_values_on_to_a_grouping() {
    let builder = StreamsBuilder::new();
    table(&builder, "in")
        .map_values(|_, value| value.to_uppercase())
        .filter(|_, value| value != "HIDDEN")
        .group_by(|_: &String, value: String| Some(("g".to_owned(), value)), grouped().named("g"))
        .count(Materialized::unnamed());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_input("k", "a", 1);
    source.pipe_input("k", "b", 2);
    source.pipe_input("k", "hidden", 3);
    source.pipe_input("k", "hidden", 4);
    let sent: Vec<_> =
        driver.records("app-g-repartition").into_iter().map(|written| written.record.value.unwrap()).collect();
    assert_eq!(sent, [b"A\x01".to_vec(), b"\x02BA\x02".to_vec(), b"B\x00".to_vec()]);
}

#[test]
fn to_table_keeps_the_newest_value_per_key_and_repartitions_a_changed_key() {
    let builder = StreamsBuilder::new();
    nullable(&builder, "in")
        .map(|key, value| (value, key))
        .to_table(StringSerde, StringSerde, Materialized::named("rows"))
        .to_stream()
        .to("out", produced_nullable());
    let driver = start_with(builder, DriverOptions::default().partitions("in", 3));
    let source = input(&driver, "in");
    source.pipe_input("v1", "21", 1);
    source.pipe_input("v2", "21", 5);
    source.pipe_input("v3", "21", 3);
    source.pipe_tombstone("lost", 4);
    source.pipe_null_key("21", 6);
    let through = driver.records("app-KSTREAM-TOTABLE-0000000002-repartition");
    assert_eq!(through.len(), 4);
    assert!(through.iter().all(|written| written.partition == 0), "1173551340 % 3 = 0");
    assert_eq!(through[3].record.value, None, "a delete crosses the topic as null");
    expect(
        &texts(&driver, "out"),
        &[(Some("21"), Some("v1"), 1), (Some("21"), Some("v2"), 5), (Some("21"), Some("v3"), 3), (Some("21"), None, 6)],
    );
}

#[test]
fn to_table_without_a_changed_key_reads_nulls_as_deletes_and_drops_null_keys() {
    let builder = StreamsBuilder::new();
    nullable(&builder, "in")
        .to_table(StringSerde, StringSerde, Materialized::named("rows"))
        .to_stream()
        .to("out", produced_nullable());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_input("k", "v", 1);
    source.pipe_tombstone("k", 2);
    source.pipe_null_key("v", 3);
    assert_eq!(driver.dropped(DropReason::NullKey), 1);
    expect(&texts(&driver, "out"), &[(Some("k"), Some("v"), 1), (Some("k"), None, 2)]);
    assert_eq!(driver.written_topics(), ["app-rows-changelog", "in", "out"], "no repartition topic");
}
