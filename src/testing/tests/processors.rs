//! Processors, their stores, headers and commits (kafka-streams 2.1.16, 2.1.17, 2.5.1 to 2.5.4, 2.5.9 to 2.5.11).

use std::ops::{Bound, ControlFlow};

use super::fixture::*;
use crate::dsl::{
    FixedKeyContext, FixedKeyProcessor, Materialized, Processor, ProcessorContext, Produced, StoreHandle, Stores,
    StreamsBuilder,
};
use crate::serde::{I64Serde, StringSerde};
use crate::task::{Fault, KeyValueStore, Record};
use crate::testing::{DriverOptions, TestRecord};

type Counts = KeyValueStore<String, i64, StringSerde, I64Serde>;
type CountsHandle = StoreHandle<String, i64, StringSerde, I64Serde>;

fn counts(builder: &StreamsBuilder) -> CountsHandle {
    builder.add_state_store(StringSerde, I64Serde, Materialized::named("counts"))
}

/// Counts per key in its store; forwards the key reversed with the count, a second later, and marks the headers.
struct Counting {
    counts: Counts,
}

impl Processor<String, String, String, i64> for Counting {
    fn process(
        &mut self,
        record: Record<String, String>,
        context: &mut ProcessorContext<'_, String, i64>,
    ) -> Result<(), Fault> {
        let count = self.counts.get(&record.key, context.stores())?.map_or(0, |row| row.value) + 1;
        self.counts.put(&record.key, Some(&count), record.timestamp, context.stores())?;
        let metadata = context.record_metadata().map(|m| format!("{}@{}", m.partition, m.offset)).unwrap_or_default();
        context.headers().push("from", Some(metadata.as_bytes()));
        let key = record.key.chars().rev().collect();
        context.forward(Record { key, value: count, timestamp: record.timestamp + 1000 })
    }
}

/// Forwards every count twice under the same key; asks for a commit at a value of `commit`.
struct Doubling {
    counts: Counts,
}

impl FixedKeyProcessor<String, String, i64> for Doubling {
    fn process(
        &mut self,
        key: &String,
        value: String,
        context: &mut FixedKeyContext<'_, '_, String, i64>,
    ) -> Result<(), Fault> {
        let timestamp = context.timestamp();
        let count = self.counts.get(key, context.stores())?.map_or(0, |row| row.value) + 1;
        self.counts.put(key, Some(&count), timestamp, context.stores())?;
        if value == "commit" {
            context.commit();
        }
        context.forward(count)?;
        context.forward(-count)
    }
}

#[test]
fn process_reads_and_writes_its_store_and_forwards_what_it_likes() {
    let builder = StreamsBuilder::new();
    let handle = counts(&builder);
    let store = handle.clone();
    stream(&builder, "in")
        .process(&[handle.id()], move |stores: &mut Stores<'_, '_>| Counting { counts: stores.open(&store) })
        .to("out", Produced::with(StringSerde, I64Serde));
    let driver = start_with(builder, DriverOptions::default().partitions("in", 4));
    let source = input(&driver, "in");
    source.pipe_input("ab", "x", 10);
    source.pipe_input("ab", "y", 5);
    let out = numbers(&driver, "out");
    let first = out.read_record().unwrap();
    assert_eq!((first.key.as_deref(), first.value, first.timestamp), (Some("ba"), Some(1), 1010));
    let partition = driver.records("in")[0].partition;
    let from = first.headers.view().last("from").unwrap().value.unwrap().to_vec();
    assert_eq!(String::from_utf8(from).unwrap(), format!("in-{partition}@0"), "metadata of the input record");
    expect_numbers(&out, &[(Some("ba"), Some(2), 1005)]);
    let rows = driver.get_key_value_store::<String, i64, _, _>("counts", StringSerde, I64Serde).all();
    assert_eq!((rows.len(), rows[0].partition, rows[0].value, rows[0].timestamp), (1, partition, 2, 5));
    assert_eq!(driver.records("app-counts-changelog").len(), 2);
}

#[test]
fn process_marks_for_repartition_and_process_values_does_not() {
    let sub_topologies = |values: bool| {
        let builder = StreamsBuilder::new();
        let handle = counts(&builder);
        let store = handle.clone();
        let source = stream(&builder, "in");
        let grouped = crate::dsl::Grouped::with(StringSerde, I64Serde);
        if values {
            let doubled = source.process_values(&[handle.id()], move |stores: &mut Stores<'_, '_>| Doubling {
                counts: stores.open(&store),
            });
            doubled.group_by_key(grouped).count(Materialized::unnamed());
        } else {
            let counted = source
                .process(&[handle.id()], move |stores: &mut Stores<'_, '_>| Counting { counts: stores.open(&store) });
            counted.group_by_key(grouped).count(Materialized::unnamed());
        }
        build(builder).topology.sub_topologies().len()
    };
    assert_eq!((sub_topologies(true), sub_topologies(false)), (1, 2));
}

#[test]
fn process_values_forwards_any_number_of_values_under_key_time_and_headers_of_its_record() {
    let builder = StreamsBuilder::new();
    let handle = counts(&builder);
    let store = handle.clone();
    stream(&builder, "in")
        .process_values(&[handle.id()], move |stores: &mut Stores<'_, '_>| Doubling { counts: stores.open(&store) })
        .to("out", Produced::with(StringSerde, I64Serde));
    let driver = start(builder);
    input(&driver, "in").pipe_record(TestRecord::new("k", "x", 7).with_header("h", b"1"));
    let records = numbers(&driver, "out").read_records_to_list();
    assert!(records.iter().all(|record| record.headers.view().last("h").is_some()));
    expect_numbers(&numbers(&driver, "out"), &[(Some("k"), Some(1), 7), (Some("k"), Some(-1), 7)]);
}

#[test]
fn two_processors_share_one_store_of_their_task() {
    let builder = StreamsBuilder::new();
    let handle = counts(&builder);
    let (one, two) = (handle.clone(), handle.clone());
    stream(&builder, "a")
        .process(&[handle.id()], move |stores: &mut Stores<'_, '_>| Counting { counts: stores.open(&one) })
        .to("x", Produced::with(StringSerde, I64Serde));
    stream(&builder, "b")
        .process_values(&[handle.id()], move |stores: &mut Stores<'_, '_>| Doubling { counts: stores.open(&two) })
        .to("y", Produced::with(StringSerde, I64Serde));
    let driver = start(builder);
    input(&driver, "a").pipe_input("k", "x", 1);
    input(&driver, "b").pipe_input("k", "x", 2);
    expect_numbers(&numbers(&driver, "y"), &[(Some("k"), Some(2), 2), (Some("k"), Some(-2), 2)]);
}

#[test]
fn a_commit_request_commits_after_the_record_and_without_one_rows_stay_uncommitted() {
    let builder = StreamsBuilder::new();
    let handle = counts(&builder);
    let store = handle.clone();
    stream(&builder, "in")
        .process_values(&[handle.id()], move |stores: &mut Stores<'_, '_>| Doubling { counts: stores.open(&store) })
        .to("out", Produced::with(StringSerde, I64Serde));
    let driver = start_with(builder, DriverOptions::default().manual_commit());
    let source = input(&driver, "in");
    let rows = driver.get_key_value_store::<String, i64, _, _>("counts", StringSerde, I64Serde);
    let committed = || rows.all_committed().first().map(|row| row.value);
    source.pipe_input("k", "x", 1);
    assert_eq!((rows.get("k"), committed()), (Some(1), None), "a task reads its own writes, readers do not");
    assert_eq!(driver.records("app-counts-changelog").len(), 1, "the changelog is written before the commit");
    source.pipe_input("k", "commit", 2);
    assert_eq!((rows.get("k"), committed()), (Some(2), Some(2)));
    source.pipe_input("k", "x", 3);
    assert_eq!((rows.get("k"), committed()), (Some(3), Some(2)));
    driver.commit();
    assert_eq!(committed(), Some(3));
}

/// Puts `key` or scans: a value `scan` forwards the rows of `[b, d)` in order.
struct Scanning {
    rows: KeyValueStore<String, String, StringSerde, StringSerde>,
}

impl FixedKeyProcessor<String, String, String> for Scanning {
    fn process(
        &mut self,
        key: &String,
        value: String,
        context: &mut FixedKeyContext<'_, '_, String, String>,
    ) -> Result<(), Fault> {
        if value != "scan" {
            let value = (value != "delete").then_some(value);
            return self.rows.put(key, value.as_ref(), context.timestamp(), context.stores());
        }
        let (from, to) = ("b".to_owned(), "d".to_owned());
        let mut found = Vec::new();
        self.rows.range((Bound::Included(&from), Bound::Excluded(&to)), context.stores(), |key, row| {
            found.push(format!("{key}={}@{}", row.value, row.timestamp));
            ControlFlow::Continue(())
        })?;
        context.forward(found.join(" "))
    }
}

#[test]
fn a_range_merges_uncommitted_rows_over_committed_ones_in_key_order() {
    for options in [DriverOptions::default(), DriverOptions::default().on_disk()] {
        let builder = StreamsBuilder::new();
        let handle = builder.add_state_store(StringSerde, StringSerde, Materialized::named("rows"));
        let store = handle.clone();
        stream(&builder, "in")
            .process_values(&[handle.id()], move |stores: &mut Stores<'_, '_>| Scanning { rows: stores.open(&store) })
            .to("out", produced());
        let driver = start_with(builder, options.manual_commit());
        let source = input(&driver, "in");
        for (key, value) in [("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")] {
            source.pipe_input(key, value, 1);
        }
        driver.commit();
        for (key, value) in [("bb", "2"), ("c", "2"), ("b", "delete"), ("ca", "2")] {
            source.pipe_input(key, value, 2);
        }
        source.pipe_input("x", "scan", 3);
        expect(&texts(&driver, "out"), &[(Some("x"), Some("bb=2@2 c=2@2 ca=2@2"), 3)]);
    }
}

/// Refuses a value of `bad`.
struct Refusing;

impl FixedKeyProcessor<String, String, String> for Refusing {
    fn process(
        &mut self,
        _: &String,
        value: String,
        context: &mut FixedKeyContext<'_, '_, String, String>,
    ) -> Result<(), Fault> {
        if value == "bad" {
            return Err(Fault::User { processor: "refusing".to_owned(), reason: "it is bad".to_owned() });
        }
        context.forward(value)
    }
}

#[test]
fn a_processor_that_gives_up_fails_the_task_and_nothing_of_the_record_goes_out() {
    let builder = StreamsBuilder::new();
    let all = stream(&builder, "in").fan_out();
    all.clone().to("before", produced());
    all.process_values(&[], |_: &mut Stores<'_, '_>| Refusing).to("out", produced());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_input("k", "good", 1);
    let fault = source.try_pipe(TestRecord::new("k", "bad", 2)).unwrap_err();
    assert_eq!(fault.to_string(), "processor refusing: it is bad");
    expect(&texts(&driver, "before"), &[(Some("k"), Some("good"), 1)]);
    expect(&texts(&driver, "out"), &[(Some("k"), Some("good"), 1)]);
}

/// Removes and adds headers.
struct Marking;

impl FixedKeyProcessor<String, String, String> for Marking {
    fn process(
        &mut self,
        _: &String,
        value: String,
        context: &mut FixedKeyContext<'_, '_, String, String>,
    ) -> Result<(), Fault> {
        context.headers().remove("secret");
        context.headers().push("seen", None);
        context.forward(value)
    }
}

impl Processor<String, String, String, String> for Marking {
    fn process(
        &mut self,
        record: Record<String, String>,
        context: &mut ProcessorContext<'_, String, String>,
    ) -> Result<(), Fault> {
        context.headers().remove("secret");
        context.headers().push("seen", None);
        context.forward(record)
    }
}

/// As in Java, where only records that an operator makes have headers of their own.
#[test]
fn changed_headers_are_seen_by_what_shares_the_record_and_by_what_follows_only() {
    let builder = StreamsBuilder::new();
    let all = stream(&builder, "in").fan_out();
    all.clone().to("before", produced());
    all.clone().process_values(&[], |_: &mut Stores<'_, '_>| Marking).to("out", produced());
    all.clone().to("after", produced());
    all.clone().map_values(|_, value| value).process(&[], |_: &mut Stores<'_, '_>| Marking).to("copied", produced());
    all.clone().to("after-copy", produced());
    all.clone().process(&[], |_: &mut Stores<'_, '_>| Marking).to("shared", produced());
    all.to("after-shared", produced());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_record(TestRecord::new("k", "x", 1).with_header("secret", b"1"));
    source.pipe_record(TestRecord::new("k", "y", 2).with_header("other", b"2"));
    let names = |topic: &str| -> Vec<Vec<String>> {
        let records = texts(&driver, topic).read_records_to_list();
        records.iter().map(|record| record.headers.view().iter().map(|h| h.key.to_owned()).collect()).collect()
    };
    for topic in ["before", "after", "after-copy"] {
        assert_eq!(names(topic), [["secret"], ["other"]], "{topic}");
    }
    for topic in ["out", "copied", "shared", "after-shared"] {
        assert_eq!(names(topic), [vec!["seen"], vec!["other", "seen"]], "{topic}");
    }
}
