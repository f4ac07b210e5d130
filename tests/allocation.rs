//! Per record: no allocation, from the queue to the outbox, within a commit interval.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Instant;

use tempfile::TempDir;
use thalweg::dsl::{Consumed, Grouped, Materialized, Produced, StreamsBuilder};
use thalweg::serde::{I64Serde, OptionalSerde};
use thalweg::task::{DecodePolicy, Input, Progress, Recipes, Step, Task, TaskOptions, store_specs};
use thalweg::types::{HeadersView, Offset, RecordView, TaskId, TopicPartition};
use thalweg_state::{SharedMemory, TaskState};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts per thread, so that the test harness does not disturb.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call goes to the system allocator unchanged; counting touches a thread local without a destructor.
#[allow(unsafe_code, reason = "a counting allocator has no safe form")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(block, layout, new_size) }
    }
}

const RECORDS: usize = 20_000;
const BATCH: usize = 500;
const KEYS: usize = 1_000;

/// filter, map_values, aggregate, to. The filter drops one record in ten.
fn recipes(in_memory: bool) -> Recipes {
    let builder = StreamsBuilder::new();
    let materialized = Materialized::named("sums");
    builder
        .stream::<i64, i64, _, _>("in", Consumed::with(I64Serde, I64Serde))
        .filter(|_, value| value % 10 != 0)
        .map_values(|key, value| value - key)
        .group_by_key(Grouped::with(I64Serde, I64Serde))
        .aggregate(
            || 0,
            |_: &i64, value: i64, sum: i64| sum + value,
            I64Serde,
            if in_memory { materialized.in_memory() } else { materialized },
        )
        .to_stream()
        .to("out", Produced::with(I64Serde, OptionalSerde(I64Serde)));
    builder.build("app").unwrap()
}

fn task(recipes: &Recipes, directory: &TempDir, cache_max_bytes: usize) -> Task {
    let id = TaskId::new(0, 0);
    let specs = store_specs(&recipes.topology.sub_topologies()[0], 0);
    let state = TaskState::open(directory.path(), &specs, &SharedMemory::new(8 << 20).unwrap()).unwrap().state;
    let inputs = [Input { partition: TopicPartition::new("in", 0), position: 0, partition_time: None }];
    let partitions = BTreeMap::from([("out".to_owned(), 4)]);
    let options = TaskOptions {
        decode_policy: DecodePolicy::Fail,
        dead_letter_topic: None,
        max_task_idle_ms: 0,
        cache_max_bytes,
        timestamp_ahead_max_ms: 3_600_000,
    };
    Task::start(recipes, id, state, &inputs, &partitions, &options, 0)
}

/// Queues the records of one commit interval, from `offset` on, in batches.
fn enqueue(task: &mut Task, mut offset: Offset) {
    for _ in 0..RECORDS / BATCH {
        let mut batch = task.spare_batch();
        for _ in 0..BATCH {
            let key = (offset as usize * 7919 % KEYS) as i64;
            batch.push(RecordView {
                offset,
                timestamp: offset,
                leader_epoch: Some(1),
                key: Some(&key.to_be_bytes()),
                value: Some(&offset.to_be_bytes()),
                headers: HeadersView::default(),
            });
            offset += 1;
        }
        task.enqueue(0, batch);
    }
}

/// Processes one commit interval, which must produce `expected` records, then commits; returns allocations and
/// nanoseconds of the processing and the flush of the record cache alone.
fn interval(task: &mut Task, number: usize, expected: usize) -> (u64, u128) {
    enqueue(task, (number * RECORDS) as Offset);
    let (before, started) = (ALLOCATIONS.get(), Instant::now());
    let progress = task.process(RECORDS, 0);
    task.flush_caches().unwrap();
    let (elapsed, allocations) = (started.elapsed().as_nanos(), ALLOCATIONS.get() - before);
    assert_eq!(progress.unwrap(), Progress { records: RECORDS, starved: false });
    let mut written = 0;
    for step in Step::all(task.stores()) {
        let drained: Result<(), ()> = task.outbox().drain(step, |_, arena| {
            written += arena.len();
            Ok(())
        });
        drained.unwrap();
    }
    assert_eq!(written, expected);
    task.committed(&[]).unwrap();
    (allocations, elapsed)
}

#[test]
fn filter_map_values_aggregate_and_to_allocate_nothing_per_record() {
    // Each kept record is sent and logged; with the cache each of their keys is.
    let (every_record, every_key) = (2 * RECORDS * 9 / 10, 2 * KEYS * 9 / 10);
    for (in_memory, cache_max_bytes, written) in
        [(true, 0, every_record), (false, 0, every_record), (true, 10 << 20, every_key), (false, 10 << 20, every_key)]
    {
        let directory = TempDir::new().unwrap();
        let recipes = recipes(in_memory);
        let mut task = task(&recipes, &directory, cache_max_bytes);
        assert!(interval(&mut task, 0, written).0 > 0, "buffers grow in the first interval, and the counter counts");
        interval(&mut task, 1, written);
        let steady: Vec<(u64, u128)> = (2..8).map(|number| interval(&mut task, number, written)).collect();
        let fastest = steady.iter().map(|(_, nanos)| *nanos).min().unwrap() as f64 / RECORDS as f64;
        let what = format!("memory store: {in_memory}, record cache: {cache_max_bytes} bytes");
        println!("{what}: {fastest:.0} ns per record");
        assert!(steady.iter().all(|(allocations, _)| *allocations == 0), "{what}: {steady:?}");
    }
}
