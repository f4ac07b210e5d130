//! A task driven by hand: which record comes next, what is committed, when it waits.
#![allow(clippy::unwrap_used, reason = "tests")]

mod clock_steps;
mod traced;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use thalweg_state::{SharedMemory, TaskState};

use super::*;
use crate::dsl::{Consumed, Grouped, Materialized, Produced, StreamsBuilder};
use crate::serde::{Deserializer, I64Serde, SerdeError, Serializer, StringSerde};
use crate::types::{HeadersView, RecordView};

/// Merges the numbers of `a` and `b` into `out`, and counts them per key.
fn recipes() -> Recipes {
    let builder = StreamsBuilder::new();
    let numbers = |topic| builder.stream::<String, i64, _, _>(topic, Consumed::with(StringSerde, I64Serde));
    let merged = numbers("a").merge(numbers("b")).fan_out();
    merged.clone().to("out", Produced::with(StringSerde, I64Serde));
    merged.group_by_key(Grouped::with(StringSerde, I64Serde)).count(Materialized::named("counts").in_memory());
    builder.build("app").unwrap()
}

fn start(max_task_idle_ms: i64, partition_times: [Option<Timestamp>; 2]) -> Task {
    start_with(&recipes(), DecodePolicy::Skip, max_task_idle_ms, partition_times)
}

fn start_with(
    recipes: &Recipes,
    decode_policy: DecodePolicy,
    max_task_idle_ms: i64,
    partition_times: [Option<Timestamp>; 2],
) -> Task {
    let specs = store_specs(&recipes.topology.sub_topologies()[0], 0);
    let state = TaskState::open(Path::new(""), &specs, &SharedMemory::new(1 << 20).unwrap()).unwrap().state;
    let input =
        |(topic, partition_time)| Input { partition: TopicPartition::new(topic, 0), position: 0, partition_time };
    let inputs = ["a", "b"].into_iter().zip(partition_times).map(input).collect::<Vec<_>>();
    let options = TaskOptions {
        decode_policy,
        dead_letter_topic: Some("app.dlq".to_owned()),
        max_task_idle_ms,
        cache_max_bytes: 0,
        timestamp_ahead_max_ms: i64::MAX,
    };
    let partitions = BTreeMap::from([("out".to_owned(), 1), ("app.dlq".to_owned(), 1)]);
    Task::start(recipes, TaskId::new(0, 0), state, &inputs, &partitions, &options, 0)
}

/// Queues records at these times; the value is the time, a time of 666 has bytes that do not decode.
fn enqueue(task: &mut Task, input: usize, first: Offset, times: &[Timestamp]) {
    let mut batch = task.spare_batch();
    for (offset, time) in (first..).zip(times) {
        let value = time.to_be_bytes();
        batch.push(RecordView {
            offset,
            timestamp: *time,
            leader_epoch: Some(3),
            key: Some(b"k"),
            value: Some(if *time == 666 { &value[..3] } else { &value }),
            headers: HeadersView::default(),
        });
    }
    task.enqueue(input, batch);
}

/// Times of the records sent to `out` since the last call.
fn sent(task: &mut Task) -> Vec<Timestamp> {
    let mut times = Vec::new();
    for step in Step::all(task.stores()) {
        let drained: Result<(), ()> = task.outbox().drain(step, |to, arena| {
            if &*to.topic == "out" {
                times.extend(arena.iter().map(|record| record.timestamp));
            }
            Ok(())
        });
        drained.unwrap();
    }
    times
}

fn process(task: &mut Task, now: Timestamp) -> Progress {
    task.process(100, now).unwrap()
}

#[test]
fn records_of_several_partitions_are_taken_in_the_order_of_their_times() {
    let mut task = start(0, [None; 2]);
    enqueue(&mut task, 0, 0, &[1, 5, 3, 9]);
    enqueue(&mut task, 1, 0, &[2, 5, 8]);
    task.reached_end(0, 4);
    task.reached_end(1, 3);
    assert_eq!(process(&mut task, 0), Progress { records: 7, starved: true });
    // 5 before 3: offsets of one partition keep their order; the tie of the two fives goes to the first partition.
    assert_eq!(sent(&mut task), [1, 2, 5, 3, 5, 8, 9]);
    assert_eq!(task.stream_time(), Some(9));
}

#[test]
fn without_idle_time_an_empty_partition_holds_the_others_until_its_end_is_known() {
    let mut task = start(0, [None; 2]);
    enqueue(&mut task, 0, 0, &[1, 2]);
    task.reached_end(0, 2);
    assert_eq!(process(&mut task, 1_000_000).records, 0);
    task.reached_end(1, 0);
    assert_eq!(process(&mut task, 1_000_000).records, 2);
}

#[test]
fn idle_time_bounds_how_long_an_empty_partition_is_waited_for() {
    let mut task = start(100, [None; 2]);
    enqueue(&mut task, 0, 0, &[10]);
    task.reached_end(0, 1);
    assert_eq!(process(&mut task, 0).records, 0, "what the broker has is waited for without a limit");
    task.reached_end(1, 0);
    assert_eq!(process(&mut task, 1_000).records, 0, "the wait begins");
    assert_eq!(process(&mut task, 1_099).records, 0);
    assert_eq!(process(&mut task, 1_100).records, 1, "it is over");
    enqueue(&mut task, 0, 1, &[30]);
    assert_eq!(process(&mut task, 1_101).records, 1, "and stays over while that partition stays empty");
    assert_eq!(sent(&mut task), [10, 30]);
}

#[test]
fn a_record_that_arrives_during_the_wait_is_taken_in_its_order() {
    let mut task = start(100, [None; 2]);
    enqueue(&mut task, 0, 0, &[10]);
    task.reached_end(1, 0);
    assert_eq!(process(&mut task, 1_000).records, 0);
    enqueue(&mut task, 1, 0, &[5]);
    task.reached_end(1, 1);
    assert_eq!(process(&mut task, 1_050).records, 1, "the older one; then the other partition is empty again");
    assert_eq!(sent(&mut task), [5]);
    assert_eq!(process(&mut task, 1_149).records, 0, "a new wait began at 1050");
    assert_eq!(process(&mut task, 1_150).records, 1);
}

#[test]
fn the_budget_bounds_one_call() {
    let mut task = start(0, [None; 2]);
    enqueue(&mut task, 0, 0, &[1, 2, 3]);
    task.reached_end(0, 3);
    task.reached_end(1, 0);
    assert_eq!(task.process(2, 0).unwrap(), Progress { records: 2, starved: false });
    assert_eq!(task.process(2, 0).unwrap(), Progress { records: 1, starved: true });
}

#[test]
fn positions_follow_what_was_processed_and_the_state_takes_them_over_with_the_commit() {
    let mut task = start(0, [None; 2]);
    assert!(!task.is_dirty());
    enqueue(&mut task, 0, 7, &[40, 20, 30]);
    task.reached_end(1, 5);
    assert!(task.is_dirty(), "a position that moved without records is worth a commit");
    task.process(2, 0).unwrap();
    let position = |topic, offset, leader_epoch, partition_time| InputPosition {
        partition: TopicPartition::new(topic, 0),
        offset,
        leader_epoch,
        partition_time,
    };
    assert_eq!(task.input_positions(), [position("a", 9, Some(3), Some(40)), position("b", 5, None, None)]);
    assert!(task.outbox().bytes() > task.outbox().sink_bytes(), "results and changelog records");
    sent(&mut task);
    assert_eq!(task.outbox().bytes(), 0);
    let written = [(TopicPartition::new("app-counts-changelog", 0), 12), (TopicPartition::new("out", 0), 99)];
    task.committed(&written).unwrap();
    assert!(!task.is_dirty());
    assert_eq!(task.uncommitted_bytes(), 0);
    let position: Vec<_> = task.state().position().iter().collect();
    assert_eq!(
        position,
        [("a-0", 9), ("app-counts-changelog-0", 12), ("b-0", 5)],
        "a sink's offsets are not the state's"
    );
}

#[test]
fn a_record_that_does_not_decode_moves_the_position_and_no_time() {
    let mut task = start(0, [None; 2]);
    enqueue(&mut task, 0, 0, &[10, 666, -1]);
    task.reached_end(0, 3);
    task.reached_end(1, 0);
    assert_eq!(process(&mut task, 0).records, 3);
    assert_eq!(task.dropped()[DropReason::Skipped as usize], 2);
    assert_eq!(task.stream_time(), Some(10));
    let position = &task.input_positions()[0];
    assert_eq!((position.offset, position.partition_time), (3, Some(10)), "a restart starts from the same stream time");
}

#[test]
fn stream_time_starts_where_the_committed_partition_times_were() {
    assert_eq!(start(0, [Some(70), Some(90)]).stream_time(), Some(90));
    let mut task = start(0, [Some(70), None]);
    enqueue(&mut task, 0, 0, &[5]);
    task.reached_end(0, 1);
    task.reached_end(1, 0);
    process(&mut task, 0);
    assert_eq!((task.stream_time(), task.input_positions()[0].partition_time), (Some(70), Some(70)));
}

#[test]
fn a_state_taken_back_has_none_of_the_uncommitted_rows() {
    let mut task = start(0, [None; 2]);
    enqueue(&mut task, 0, 0, &[1]);
    task.reached_end(0, 1);
    task.reached_end(1, 0);
    process(&mut task, 0);
    assert!(task.state().get(0, b"k", &mut |_| {}).unwrap());
    let state = task.into_state();
    assert_eq!((state.get(0, b"k", &mut |_| {}).unwrap(), state.overlay_rows()), (false, 0));
}

#[test]
fn ages_and_latenesses_are_counted_per_record_by_the_clock_of_the_batch() {
    let mut task = start(-1, [None; 2]);
    enqueue(&mut task, 0, 0, &[100, 1_000, 400, 666]);
    assert_eq!(process(&mut task, 1_500).records, 4);
    task.take_spreads(|lateness, latency| {
        assert_eq!(
            (lateness.counts.iter().sum::<u64>(), lateness.sum_ms),
            (3, 600),
            "what does not decode has no time"
        );
        assert_eq!((latency.counts.iter().sum::<u64>(), latency.sum_ms), (3, 1_400 + 500 + 1_100));
    });
    task.take_spreads(|lateness, latency| assert_eq!(lateness.sum_ms + latency.sum_ms, 0, "taken once"));
}

/// Numbers whose schema is in a registry that the test controls.
#[derive(Clone, Default)]
struct Registered(Arc<Mutex<Option<SerdeError>>>);

impl Registered {
    fn says(&self, error: Option<SerdeError>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    fn away(reason: &str) -> Option<SerdeError> {
        Some(SerdeError::Unavailable(reason.to_owned()))
    }

    fn ask(&self) -> Result<(), SerdeError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }
}

impl Serializer<i64> for Registered {
    fn prepare(&self, _: &str) -> Result<(), SerdeError> {
        self.ask()
    }

    fn serialize(&self, topic: &str, value: &i64, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        I64Serde.serialize(topic, value, out)
    }
}

impl Deserializer<i64> for Registered {
    fn deserialize(&self, _: &str, _: Option<&[u8]>) -> Result<i64, SerdeError> {
        panic!("a source does not wait")
    }

    fn try_deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<i64, SerdeError> {
        self.ask()?;
        I64Serde.deserialize(topic, bytes)
    }
}

/// As `recipes`, `a` under a schema of `read` and `out` under one of `written`.
fn registered(read: &Registered, written: &Registered) -> Recipes {
    let builder = StreamsBuilder::new();
    let a = builder.stream::<String, i64, _, _>("a", Consumed::with(StringSerde, read.clone()));
    let b = builder.stream::<String, i64, _, _>("b", Consumed::with(StringSerde, I64Serde));
    a.merge(b).to("out", Produced::with(StringSerde, written.clone()));
    builder.build("app").unwrap()
}

fn waits(task: &Task) -> Vec<(Option<String>, Timestamp, String)> {
    let told = |(at, wait): (Option<&TopicPartition>, &Wait)| {
        (at.map(ToString::to_string), wait.since(), wait.reason().to_owned())
    };
    task.waits().map(told).collect()
}

#[test]
fn a_partition_without_its_schema_waits_alone_and_keeps_its_order() {
    let read = Registered::default();
    read.says(Registered::away("schema id 7: refused"));
    let mut task = start_with(&registered(&read, &Registered::default()), DecodePolicy::DeadLetter, 0, [None; 2]);
    enqueue(&mut task, 0, 0, &[1, 2, 3]);
    enqueue(&mut task, 1, 0, &[10, 20]);
    task.reached_end(0, 3);
    task.reached_end(1, 2);
    for now in [0, 200, 1_999] {
        assert_eq!(process(&mut task, now).records, 0, "{now}: an answer usually comes at once");
        assert!(waits(&task).is_empty(), "{now}: not worth a word");
    }
    assert_eq!(process(&mut task, 2_000), Progress { records: 2, starved: true }, "now the others go on");
    let told = (Some("a-0".to_owned()), 0, "schema registry unavailable: schema id 7: refused".to_owned());
    assert_eq!(waits(&task), [told]);
    enqueue(&mut task, 1, 2, &[30]);
    task.reached_end(1, 3);
    assert_eq!(process(&mut task, 60_000).records, 1, "however long it takes, and without another moment of waiting");
    assert_eq!(sent(&mut task), [10, 20, 30]);
    let offsets = |task: &Task| task.input_positions().iter().map(|input| input.offset).collect::<Vec<_>>();
    assert_eq!(offsets(&task), [0, 3]);

    read.says(None);
    assert_eq!(process(&mut task, 60_001).records, 0, "not before its time");
    assert_eq!(process(&mut task, 61_200).records, 3, "and then by itself");
    assert_eq!((sent(&mut task), offsets(&task)), (vec![1, 2, 3], vec![3, 3]));
    assert!(waits(&task).is_empty());
    assert_eq!(task.stream_time(), Some(30));
    assert!(task.take_undecodable().is_empty(), "nothing was set aside");
}

#[test]
fn a_task_takes_nothing_before_what_it_writes_is_registered() {
    let written = Registered::default();
    written.says(Registered::away("subject 'out-value': refused"));
    let mut task = start_with(&registered(&Registered::default(), &written), DecodePolicy::DeadLetter, 0, [None; 2]);
    enqueue(&mut task, 0, 0, &[1]);
    task.reached_end(0, 1);
    task.reached_end(1, 0);
    assert_eq!(process(&mut task, 0).records, 0);
    assert_eq!(process(&mut task, 70_000).records, 0);
    let told = (None, 0, "schema registry unavailable: subject 'out-value': refused".to_owned());
    assert_eq!(waits(&task), [told]);
    written.says(None);
    assert_eq!(process(&mut task, 72_000).records, 1);
    assert!(waits(&task).is_empty());

    written.says(Some(SerdeError::Malformed("the registry refuses our schema as 'out-value': no".to_owned())));
    let mut task = start_with(&registered(&Registered::default(), &written), DecodePolicy::DeadLetter, 0, [None; 2]);
    let refused = task.process(1, 0).unwrap_err();
    let text = "cannot serialize a record for topic out: the registry refuses our schema as 'out-value': no";
    assert_eq!(refused.to_string(), text);
}

#[test]
fn an_answer_under_way_is_looked_for_soon_and_at_once_when_hurried() {
    let read = Registered::default();
    read.says(Some(SerdeError::Pending("schema id 7".to_owned())));
    let mut task = start_with(&registered(&read, &Registered::default()), DecodePolicy::DeadLetter, 0, [None; 2]);
    enqueue(&mut task, 0, 0, &[1, 2]);
    task.reached_end(0, 2);
    task.reached_end(1, 0);
    assert_eq!(process(&mut task, 0).records, 0);
    read.says(None);
    assert_eq!(process(&mut task, 19).records, 0);
    assert!(task.hurry());
    assert_eq!(process(&mut task, 19).records, 2);
    assert!(!task.hurry());
}

/// The letter leaves with the sinks: it is acknowledged before the offsets are committed.
#[test]
fn what_is_set_aside_is_counted_by_reason_and_its_letter_leaves_before_the_position() {
    let mut task = start_with(&recipes(), DecodePolicy::DeadLetter, 0, [None; 2]);
    enqueue(&mut task, 0, 4, &[666, -1, 666, 10]);
    task.reached_end(0, 8);
    task.reached_end(1, 0);
    assert_eq!(process(&mut task, 1_000).records, 4);
    let mut letters = Vec::new();
    let drained: Result<(), ()> = task.outbox().drain(Step::Sinks, |to, arena| {
        letters.extend(arena.iter().filter(|_| &*to.topic == "app.dlq").map(|letter| letter.timestamp));
        Ok(())
    });
    drained.unwrap();
    assert_eq!(letters, [666, 1_000, 666], "a time that cannot be is replaced by now");
    assert_eq!(task.input_positions()[0].offset, 8);
    let counted = |reason, records| (Arc::from("a"), DropReason::DeadLetter, reason, records);
    assert_eq!(task.take_undecodable(), [counted("invalid_timestamp", 1), counted("malformed", 2)]);
    assert!(task.take_undecodable().is_empty(), "each is told once");

    let mut task = start_with(&recipes(), DecodePolicy::Fail, 0, [None; 2]);
    enqueue(&mut task, 0, 4, &[10, 666]);
    task.reached_end(0, 6);
    task.reached_end(1, 0);
    assert_eq!(task.process(9, 0).unwrap_err().reason(), "malformed");
    assert_eq!(task.input_positions()[0].offset, 5, "the position stays before it");
}
