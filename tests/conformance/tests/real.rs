//! The same application by Kafka Streams and by us on one broker: compared, and each going on where the other stopped.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Value, json};
use thalweg::group::CommitMetadata;
use thalweg::types::TopicPartition;
use thalweg_conformance::case::{Case, InputRecord};
use thalweg_conformance::outcome::{Outcome, Row, hex};
use thalweg_conformance::real::{Arena, Dump, Error, Who, World};
use thalweg_conformance::{ours, side_by_side};
use thalweg_tests::records::Stored;

/// One broker and one compiled original for all tests, one case at a time.
fn arena() -> MutexGuard<'static, Arena> {
    static ARENA: OnceLock<Mutex<Arena>> = OnceLock::new();
    let start = || Mutex::new(Arena::start(PathBuf::from(env!("CARGO_BIN_EXE_thalweg-conformance"))).unwrap());
    ARENA.get_or_init(start).lock().unwrap_or_else(PoisonError::into_inner)
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

fn compare(name: &str) -> Result<Vec<String>, Error> {
    let case = side_by_side::read(&cases().join(format!("{name}.json"))).unwrap();
    let differences = arena().compare(&case)?;
    Ok(differences.iter().map(ToString::to_string).collect())
}

#[test]
fn a_case_over_several_partitions_is_equal_on_a_broker() {
    assert_eq!(compare("real-partitions").unwrap(), Vec::<String>::new());
}

#[test]
fn headers_and_null_keys_are_equal_on_a_broker() {
    assert_eq!(compare("real-headers").unwrap(), Vec::<String>::new());
}

#[test]
fn a_case_that_depends_on_timing_is_refused() {
    let case = json!({
        "name": "c", "topics": {"t": {"key": "string", "value": "string"}}, "inputs": [],
        "nodes": [{"op": "stream", "id": "s", "topics": ["t"]},
                  {"op": "process", "id": "p", "of": "s", "processor": "stream_time"}],
    });
    let error = arena().compare(&serde_json::from_value(case).unwrap()).unwrap_err();
    let expected =
        "the case cannot be compared on a real broker: node 'p': what the processor sees depends on places and times";
    assert_eq!(error.to_string(), expected);
}

#[test]
#[ignore = "long: two processes for each of many cases"]
fn every_case_that_does_not_depend_on_timing_is_equal_on_a_broker() {
    let (mut equal, mut left_out, mut different) = (0, 0, Vec::new());
    for file in side_by_side::files(&cases()).unwrap() {
        let case = side_by_side::read(&file).unwrap();
        match arena().compare(&case) {
            Ok(differences) if differences.is_empty() => equal += 1,
            Ok(differences) => {
                different.extend(differences.iter().map(|difference| format!("{}: {difference}", case.name)))
            }
            Err(error) if error.is_of_the_case() => left_out += 1,
            Err(error) => different.push(format!("{}: {error}", case.name)),
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    println!("{equal} cases are equal, {left_out} were not compared");
    assert!(3 * equal > left_out, "{equal} compared, {left_out} not");
}

/// Every kind of store: of tables, aggregates and processors, in RocksDB and in memory, cached and not.
fn every_store(cache_max_bytes: u64) -> Case {
    let topic = |value: &str| json!({"key": "string", "value": value, "partitions": 2});
    let store = |id: &str, value: &str, in_memory: bool| json!({"op": "store", "id": id, "name": id, "key": "string", "value": value, "in_memory": in_memory});
    let inputs: Vec<Value> = (0..60_i64)
        .map(|n| {
            // Every third record of the stream is behind the others, and tables forget keys.
            let time = 1_000 + 10 * n - if n % 3 == 0 { 905 } else { 0 };
            let key = format!("key-{}", n * 7 % 11);
            let value = if n % 13 == 5 { Value::Null } else { format!("v{}", n % 5).into() };
            json!({"topic": if n % 4 == 1 { "rows" } else { "in" }, "key": key, "value": value, "timestamp": time})
        })
        .collect();
    let case = json!({
        "name": "every-store",
        "config": {"cache_max_bytes": cache_max_bytes},
        "topics": {"in": topic("string"), "rows": topic("string"), "times": topic("int64")},
        "nodes": [
            {"op": "stream", "id": "s", "topics": ["in"]},
            {"op": "group_by_key", "id": "g", "of": "s"},
            {"op": "count", "id": "c", "of": "g", "materialized": {"name": "count"}},
            {"op": "aggregate", "id": "a", "of": "g", "aggregator": "text", "materialized": {"name": "aggregate", "in_memory": true}},
            {"op": "reduce", "id": "r", "of": "g", "reducer": "sum", "materialized": {"name": "reduce", "caching": false}},
            {"op": "to_table", "id": "l", "of": "s", "materialized": {"name": "last", "in_memory": true, "caching": false}},
            {"op": "group_by", "id": "h", "of": "s", "key": "text"},
            {"op": "count", "id": "d", "of": "h", "materialized": {"name": "texts"}},
            {"op": "table", "id": "t", "topic": "rows", "materialized": {"name": "table"}},
            {"op": "map_values", "id": "m", "of": "t", "mapper": "record", "materialized": {"name": "records"}},
            store("visits", "int64", false),
            store("memory-visits", "int64", true),
            store("values", "string", false),
            {"op": "process", "id": "p", "of": "s", "processor": "count", "stores": ["visits"]},
            {"op": "process", "id": "q", "of": "s", "processor": "count", "stores": ["memory-visits"]},
            {"op": "process_values", "id": "v", "of": "s", "processor": "dedup", "stores": ["values"]},
            {"op": "process_values", "id": "x", "of": "s", "processor": "stream_time"},
            {"op": "to", "of": "x", "topic": "times"},
        ],
        "inputs": inputs,
        "dump": ["count", "aggregate", "reduce", "last", "texts", "table", "records", "visits", "memory-visits", "values"],
    });
    serde_json::from_value(case).unwrap()
}

/// What the driver keeps after the first `count` inputs.
fn driver(case: &Case, count: usize) -> Dump {
    let case = Case { inputs: case.inputs[..count].to_vec(), ..case.clone() };
    match ours::run(&case) {
        Outcome::Ran(ran) => ran.stores,
        other => panic!("the driver: {other:?}"),
    }
}

/// Each of `turns` is started with an empty state directory, where the one before stopped.
fn hand_over(turns: &[Who], cache_max_bytes: u64) {
    let case = every_store(cache_max_bytes);
    let mut arena = arena();
    let world = arena.world(&case).unwrap();
    let inputs: Vec<InputRecord> = world.records().cloned().collect();
    let mut before = None;
    for (turn, who) in turns.iter().enumerate() {
        let (from, until) = (inputs.len() * turn / turns.len(), inputs.len() * (turn + 1) / turns.len());
        let at = format!("turn {turn}, {who}");
        if turn == 0 {
            arena.write(&world, &inputs[from..until]);
        }
        let mut running = arena.start_side(&world, *who).unwrap();
        if let Some((stores, committed)) = &before {
            assert_eq!(&arena.settled(&world, &mut running).unwrap(), stores, "{at}: restored");
            assert_eq!(&metadata(&mut arena, &world), committed, "{at}: nothing is committed anew");
            arena.write(&world, &inputs[from..until]);
        }
        let stores = arena.settle_and_stop(&world, running).unwrap();
        assert_eq!(stores, driver(&case, until), "{at}: processed");
        let committed = metadata(&mut arena, &world);
        assert_eq!(committed.len(), world.inputs().len(), "{at}: every input has an offset");
        for (input, (count, partition_time)) in progress(&world, &inputs[..until]) {
            let metadata = CommitMetadata { partition_time, processors: BTreeMap::new() };
            assert_eq!(committed[&input], (count, metadata.encode()), "{at}: {input}");
        }
        before = Some((stores, committed));
    }
    let written = arena.written(&world);
    assert_eq!(
        stream_times(&written["times"]),
        expected_stream_times(&world),
        "stream time goes on, nothing comes twice"
    );
    let (stores, _) = before.unwrap();
    for (store, rows) in &stores {
        assert_eq!(&last_rows(&written[&format!("app-{store}-changelog")]), rows, "changelog of {store}");
    }
}

/// The metadata of every committed offset.
fn metadata(arena: &mut Arena, world: &World) -> BTreeMap<TopicPartition, (i64, String)> {
    let committed = arena.committed(world).unwrap();
    committed.into_iter().map(|(input, committed)| (input, (committed.offset, committed.metadata))).collect()
}

/// Of every partition of a user topic how many of the inputs it has, and the highest of their times.
fn progress(world: &World, inputs: &[InputRecord]) -> BTreeMap<TopicPartition, (i64, i64)> {
    let mut all = BTreeMap::new();
    for input in inputs {
        let (count, time) = all.entry(world.place(input)).or_insert((0, -1));
        *count += 1;
        *time = input.timestamp.max(*time);
    }
    all
}

/// Of every partition of `in` the highest time so far, after each record.
fn expected_stream_times(world: &World) -> BTreeMap<i32, Vec<i64>> {
    let mut all: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for input in world.records().filter(|input| input.topic == world.topic("in")) {
        let times = all.entry(world.place(input).partition).or_default();
        times.push(times.last().map_or(input.timestamp, |last| input.timestamp.max(*last)));
    }
    all
}

fn stream_times(records: &[Stored]) -> BTreeMap<i32, Vec<i64>> {
    let mut all: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for stored in records {
        let value = stored.record.value.clone().unwrap().try_into().unwrap();
        all.entry(stored.partition).or_default().push(i64::from_be_bytes(value));
    }
    all
}

/// The rows that a changelog leads to.
fn last_rows(changelog: &[Stored]) -> Vec<Row> {
    let mut rows = BTreeMap::new();
    for Stored { record, .. } in changelog {
        let key = record.key.clone().unwrap();
        match &record.value {
            Some(value) => {
                let row = Row { key: hex(&key), value: hex(value), timestamp: record.timestamp };
                rows.insert(key, row);
            }
            None => drop(rows.remove(&key)),
        }
    }
    rows.into_values().collect()
}

#[test]
fn the_original_and_we_go_on_from_each_other_with_caches() {
    hand_over(&[Who::Original, Who::Ours, Who::Original], 10 << 20);
}

#[test]
#[ignore = "long: the same as the quick one, without caches and the other way round"]
fn we_and_the_original_go_on_from_each_other_without_caches() {
    hand_over(&[Who::Ours, Who::Original, Who::Ours, Who::Original], 0);
}
