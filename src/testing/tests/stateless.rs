//! Stateless operators of streams (kafka-streams 2.1.1 to 2.1.12).

use std::sync::{Arc, Mutex};

use super::fixture::*;
use crate::dsl::{Consumed, Produced, Repartitioned, StreamsBuilder};
use crate::serde::{I64Serde, StringSerde};
use crate::testing::{DriverOptions, TestRecord};
use crate::types::Headers;

#[test]
fn filter_and_filter_not_forward_records_unchanged_with_time_and_headers() {
    let builder = StreamsBuilder::new();
    let all = stream(&builder, "in").fan_out();
    all.clone().filter(|key, value| key == "a" && value.len() > 1).to("kept", produced());
    all.filter_not(|key, value| key == "a" && value.len() > 1).to("rest", produced());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_record(TestRecord::new("a", "xx", 7).with_header("h", b"1").with_header("h", b"2"));
    source.pipe_input("a", "x", 3);
    source.pipe_input("b", "xx", 5);
    let kept = texts(&driver, "kept").read_records_to_list();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].key.as_deref(), kept[0].value.as_deref(), kept[0].timestamp), (Some("a"), Some("xx"), 7));
    let mut headers = Headers::new();
    headers.push("h", Some(b"1"));
    headers.push("h", Some(b"2"));
    assert_eq!(kept[0].headers, headers);
    expect(&texts(&driver, "rest"), &[(Some("a"), Some("x"), 3), (Some("b"), Some("xx"), 5)]);
}

#[test]
fn map_and_select_key_change_the_key_and_keep_the_time() {
    let builder = StreamsBuilder::new();
    let all = stream(&builder, "in").fan_out();
    all.clone().map(|key, value| (value, key)).to("swapped", produced());
    all.select_key(|key, value| format!("{key}{value}")).to("selected", produced());
    let driver = start(builder);
    input(&driver, "in").pipe_input("k", "v", 11);
    expect(&texts(&driver, "swapped"), &[(Some("v"), Some("k"), 11)]);
    expect(&texts(&driver, "selected"), &[(Some("kv"), Some("v"), 11)]);
}

#[test]
fn map_values_sees_the_key_and_may_change_the_type() {
    let builder = StreamsBuilder::new();
    stream(&builder, "in")
        .map_values(|key, value| (key.len() + value.len()) as i64)
        .to("out", Produced::with(StringSerde, I64Serde));
    let driver = start(builder);
    input(&driver, "in").pipe_input("ab", "cde", 1);
    expect_numbers(&numbers(&driver, "out"), &[(Some("ab"), Some(5), 1)]);
}

#[test]
fn flat_map_and_flat_map_values_give_any_number_of_records_in_order() {
    let builder = StreamsBuilder::new();
    let all = stream(&builder, "in").fan_out();
    all.clone()
        .flat_map(|key, value| value.split(' ').map(|word| (word.to_owned(), key.clone())).collect::<Vec<_>>())
        .to("words", produced());
    all.flat_map_values(|_, value| value.chars().filter(|c| *c != ' ').map(String::from).collect::<Vec<_>>())
        .to("letters", produced());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_record(TestRecord::new("k", "ab c", 4).with_header("h", b"x"));
    source.pipe_input("none", " ", 5);
    let words = texts(&driver, "words").read_records_to_list();
    assert!(words[..2].iter().all(|word| word.headers.view().last("h").is_some()), "every one has the headers");
    expect(
        &texts(&driver, "words"),
        &[
            (Some("ab"), Some("k"), 4),
            (Some("c"), Some("k"), 4),
            (Some(""), Some("none"), 5),
            (Some(""), Some("none"), 5),
        ],
    );
    expect(
        &texts(&driver, "letters"),
        &[(Some("k"), Some("a"), 4), (Some("k"), Some("b"), 4), (Some("k"), Some("c"), 4)],
    );
}

#[test]
fn peek_and_foreach_see_every_record_once() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let (peeked, ended) = (Arc::clone(&seen), Arc::clone(&seen));
    let builder = StreamsBuilder::new();
    stream(&builder, "in")
        .peek(move |key, value| peeked.lock().unwrap().push(format!("peek {key}{value}")))
        .foreach(move |key, value| ended.lock().unwrap().push(format!("foreach {key}{value}")));
    let driver = start(builder);
    input(&driver, "in").pipe_input("a", "1", 0);
    input(&driver, "in").pipe_input("b", "2", 0);
    assert_eq!(*seen.lock().unwrap(), ["peek a1", "foreach a1", "peek b2", "foreach b2"]);
}

#[test]
fn a_stream_that_nobody_continues_still_runs() {
    let seen: Arc<Mutex<u32>> = Arc::default();
    let counter = Arc::clone(&seen);
    let builder = StreamsBuilder::new();
    drop(stream(&builder, "in").peek(move |_, _| *counter.lock().unwrap() += 1));
    let driver = start(builder);
    input(&driver, "in").pipe_input("a", "1", 0);
    assert_eq!(*seen.lock().unwrap(), 1);
}

#[test]
fn fan_out_runs_depth_first_in_the_order_of_declaration() {
    let order: Arc<Mutex<Vec<&str>>> = Arc::default();
    let note = |name: &'static str| {
        let order = Arc::clone(&order);
        move |_: &String, _: &String| order.lock().unwrap().push(name)
    };
    let builder = StreamsBuilder::new();
    let all = stream(&builder, "in").peek(note("before")).fan_out();
    let first = all.clone().peek(note("first")).fan_out();
    all.clone().peek(note("second")).foreach(note("second end"));
    first.clone().foreach(note("first of first"));
    first.foreach(note("second of first"));
    all.foreach(note("third"));
    let driver = start(builder);
    input(&driver, "in").pipe_input("a", "1", 0);
    assert_eq!(
        *order.lock().unwrap(),
        ["before", "first", "first of first", "second of first", "second", "second end", "third"]
    );
}

#[test]
fn merge_passes_both_sides_on_and_itself_once() {
    let builder = StreamsBuilder::new();
    stream(&builder, "a")
        .merge(stream(&builder, "b").map_values(|_, value| value.to_uppercase()))
        .to("out", produced());
    let itself = stream(&builder, "c").fan_out();
    itself.clone().merge(itself).to("once", produced());
    let driver = start(builder);
    input(&driver, "a").pipe_input("k", "x", 1);
    input(&driver, "b").pipe_input("k", "y", 2);
    input(&driver, "c").pipe_input("k", "z", 3);
    expect(&texts(&driver, "out"), &[(Some("k"), Some("x"), 1), (Some("k"), Some("Y"), 2)]);
    expect(&texts(&driver, "once"), &[(Some("k"), Some("z"), 3)]);
}

/// The order of the operators, not that of where the streams end.
#[test]
fn a_record_goes_to_the_operators_of_a_stream_in_the_order_in_which_they_were_called() {
    let builder = StreamsBuilder::new();
    let all = stream(&builder, "in").fan_out();
    let first = all.clone().map_values(|_, value| format!("first {value}"));
    let second = all.map_values(|_, value| format!("second {value}"));
    second.to("out", produced());
    first.to("out", produced());
    let (third, fourth) = (stream(&builder, "c").filter(|_, _| true), stream(&builder, "c"));
    fourth.map_values(|_, value| format!("fourth {value}")).to("out", produced());
    third.to("out", produced());
    let driver = start(builder);
    input(&driver, "in").pipe_input("k", "x", 1);
    input(&driver, "c").pipe_input("k", "y", 2);
    let out = ["first x", "second x", "y", "fourth y"];
    let values = texts(&driver, "out").read_records_to_list().into_iter().map(|record| record.value);
    assert_eq!(values.collect::<Vec<_>>(), out.map(|value| Some(value.to_owned())));
}

#[test]
fn one_stream_reads_several_topics_and_one_topic_feeds_several_streams() {
    let builder = StreamsBuilder::new();
    builder
        .stream_of::<String, String, _, _>(&["a", "b"], Consumed::with(StringSerde, StringSerde))
        .to("both", produced());
    stream(&builder, "c").to("first", produced());
    builder
        .stream::<String, i64, _, _>("c", Consumed::with(StringSerde, I64Serde))
        .to("second", Produced::with(StringSerde, I64Serde));
    let driver = start(builder);
    input(&driver, "a").pipe_input("k", "x", 1);
    input(&driver, "b").pipe_input("k", "y", 2);
    input(&driver, "c").pipe_input("k", "12345678", 3);
    expect(&texts(&driver, "both"), &[(Some("k"), Some("x"), 1), (Some("k"), Some("y"), 2)]);
    expect(&texts(&driver, "first"), &[(Some("k"), Some("12345678"), 3)]);
    expect_numbers(&numbers(&driver, "second"), &[(Some("k"), Some(i64::from_be_bytes(*b"12345678")), 3)]);
}

#[test]
fn null_keys_and_null_values_pass_where_the_types_have_them() {
    let builder = StreamsBuilder::new();
    nullable(&builder, "in")
        .map_values(|key, value| Some(format!("{key:?} {value:?}")))
        .to("out", Produced::with(TEXT, TEXT));
    nullable(&builder, "same").to("copy", Produced::with(TEXT, TEXT));
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_tombstone("k", 1);
    source.pipe_null_key("v", 2);
    input(&driver, "same").pipe_tombstone("k", 3);
    expect(&texts(&driver, "out"), &[(Some("k"), Some("Some(\"k\") None"), 1), (None, Some("None Some(\"v\")"), 2)]);
    expect(&texts(&driver, "copy"), &[(Some("k"), None, 3)]);
}

#[test]
fn repartition_goes_through_its_topic_with_the_fixed_count_and_drops_null_keys() {
    let builder = StreamsBuilder::new();
    nullable(&builder, "in")
        .select_key(|_, value| value.clone())
        .repartition(Repartitioned::with(TEXT, TEXT).named("by-value").partitions(3))
        .to("out", Produced::with(TEXT, TEXT));
    let driver = start_with(builder, DriverOptions::default().partitions("in", 2));
    let source = input(&driver, "in");
    source.pipe_record(TestRecord::new("k", "21", 5).with_header("h", b"x"));
    source.pipe_tombstone("k", 6);
    let through = driver.records("app-by-value-repartition");
    assert_eq!(driver.partitions_of("app-by-value-repartition"), Some(3));
    assert_eq!(through.len(), 1, "a record with a null key is dropped before the topic");
    // murmur2("21") is -973932308; (-973932308 & 0x7fffffff) % 3 = 1173551340 % 3 = 0.
    assert_eq!((through[0].partition, through[0].record.timestamp), (0, 5));
    assert_eq!(through[0].record.key.as_deref(), Some(&b"21"[..]));
    assert_eq!(through[0].record.headers.view().last("h").and_then(|h| h.value), Some(&b"x"[..]));
    let out = texts(&driver, "out").read_records_to_list();
    assert_eq!(out.len(), 1);
    assert!(out[0].headers.view().last("h").is_some(), "headers cross the repartition topic");
}

#[test]
fn an_unnamed_repartition_has_a_generated_name_and_as_many_partitions_as_its_input() {
    let builder = StreamsBuilder::new();
    stream(&builder, "in").repartition(Repartitioned::with(StringSerde, StringSerde)).to("out", produced());
    let driver = start_with(builder, DriverOptions::default().partitions("in", 4));
    input(&driver, "in").pipe_input("21", "x", 5);
    let topic = "app-KSTREAM-REPARTITION-0000000001-repartition";
    assert_eq!(driver.partitions_of(topic), Some(4));
    assert_eq!(driver.records(topic)[0].partition, 1_173_551_340 % 4);
    expect(&texts(&driver, "out"), &[(Some("21"), Some("x"), 5)]);
}

#[test]
fn a_sink_spreads_keys_by_murmur2_and_null_keys_in_turn() {
    let builder = StreamsBuilder::new();
    nullable(&builder, "in").to("out", Produced::with(TEXT, TEXT));
    let driver = start_with(builder, DriverOptions::default().partitions("out", 12));
    let source = input(&driver, "in");
    for key in ["21", "foobar", "abc"] {
        source.pipe_input(key, "x", 0);
    }
    // Kafka's own table of murmur2 (UtilsTest), made positive, modulo 12.
    let expected = [-973_932_308_i32, -790_332_482, 479_470_107].map(|hash| (hash & 0x7fff_ffff) % 12);
    let partitions: Vec<i32> = driver.records("out").iter().map(|written| written.partition).collect();
    assert_eq!(partitions, expected);
    for _ in 0..12 {
        source.pipe_null_key("x", 0);
    }
    let mut turns: Vec<i32> = driver.records("out")[3..].iter().map(|written| written.partition).collect();
    turns.sort_unstable();
    assert_eq!(turns, (0..12).collect::<Vec<_>>());
}

#[test]
fn a_sink_into_a_source_topic_flows_on() {
    let builder = StreamsBuilder::new();
    stream(&builder, "in").to("middle", produced());
    stream(&builder, "middle").map_values(|_, value| format!("{value}!")).to("out", produced());
    let driver = start(builder);
    input(&driver, "in").pipe_input("k", "x", 9);
    expect(&texts(&driver, "out"), &[(Some("k"), Some("x!"), 9)]);
}
