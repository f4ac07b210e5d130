//! A wall clock that is set back and forth moves no wait and no interval.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::dsl::{Processor, ProcessorContext, Stores};

const HOUR_MS: i64 = 3_600_000;
const START: Timestamp = 1_800_000_000_000;

/// The moments of a run: ms since the one before, and how far the wall clock is off, in ms.
fn moments() -> impl Strategy<Value = Vec<(i64, i64)>> {
    let off = prop_oneof![Just(0), Just(-HOUR_MS), Just(HOUR_MS), -HOUR_MS..=HOUR_MS];
    prop::collection::vec((0..40_i64, off), 1..40)
}

fn nows(moments: &[(i64, i64)]) -> Vec<Now> {
    let mut steady = 0;
    let now = |(elapsed, off): &(i64, i64)| {
        steady += elapsed;
        Now { steady, wall: START + steady + off }
    };
    moments.iter().map(now).collect()
}

/// How many records of `a` are taken at each moment, while nobody knows whether `b` gets an older one.
fn taken(nows: &[Now]) -> Vec<usize> {
    let mut task = start(100, [None; 2]);
    task.reached_end(1, 0);
    let mut records = Vec::new();
    for (offset, now) in (0..).zip(nows) {
        enqueue(&mut task, 0, offset, &[offset]);
        task.reached_end(0, offset + 1);
        records.push(task.process(100, *now).unwrap().records);
    }
    records
}

/// Remembers what time each punctuation was told.
struct Ticking(Arc<Mutex<Vec<Timestamp>>>);

const INTERVAL_MS: i64 = 30;

impl Processor<String, i64, String, i64> for Ticking {
    fn init(&mut self, context: &mut ProcessorContext<'_, String, i64>) {
        context.schedule(INTERVAL_MS, PunctuationType::WallClockTime);
    }

    fn process(&mut self, _: Record<String, i64>, _: &mut ProcessorContext<'_, String, i64>) -> Result<(), Fault> {
        Ok(())
    }

    fn punctuate(
        &mut self,
        _: ScheduleId,
        timestamp: Timestamp,
        context: &mut ProcessorContext<'_, String, i64>,
    ) -> Result<(), Fault> {
        assert_eq!(timestamp, context.current_system_time_ms());
        self.0.lock().unwrap().push(timestamp);
        Ok(())
    }
}

fn ticked(nows: &[Now]) -> Vec<Timestamp> {
    let ticks = Arc::new(Mutex::new(Vec::new()));
    let builder = StreamsBuilder::new();
    let of_tasks = Arc::clone(&ticks);
    builder
        .stream::<String, i64, _, _>("a", Consumed::with(StringSerde, I64Serde))
        .process(&[], move |_: &mut Stores<'_, '_>| Ticking(Arc::clone(&of_tasks)))
        .to("out", Produced::with(StringSerde, I64Serde));
    let recipes = builder.build("app").unwrap();
    let state = TaskState::open(Path::new(""), &[], &SharedMemory::new(1 << 20).unwrap()).unwrap().state;
    let input = Input { partition: TopicPartition::new("a", 0), position: 0, partition_time: None };
    let options = TaskOptions {
        decode_policy: DecodePolicy::Fail,
        dead_letter_topic: None,
        max_task_idle_ms: 0,
        cache_max_bytes: 0,
        timestamp_ahead_max_ms: i64::MAX,
    };
    let partitions = BTreeMap::from([("out".to_owned(), 1)]);
    let now = Now { steady: 0, wall: START };
    let mut task = Task::start(&recipes, TaskId::new(0, 0), state, &[input], &partitions, &options, now);
    nows.iter().for_each(|now| task.punctuate(*now).unwrap());
    drop(task);
    let ticks = ticks.lock().unwrap();
    ticks.clone()
}

/// One tick at the first moment on or after each multiple of the interval; missed ones are one.
fn expected_ticks(nows: &[Now]) -> Vec<Timestamp> {
    let mut done = 0;
    let mut ticks = Vec::new();
    for now in nows.iter().filter(|now| now.steady / INTERVAL_MS > 0) {
        if now.steady / INTERVAL_MS > done {
            done = now.steady / INTERVAL_MS;
            ticks.push(now.wall);
        }
    }
    ticks
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_empty_partition_is_waited_for_as_long_as_with_a_clock_that_is_never_set(moments in moments()) {
        let honest: Vec<(i64, i64)> = moments.iter().map(|(elapsed, _)| (*elapsed, 0)).collect();
        prop_assert_eq!(taken(&nows(&moments)), taken(&nows(&honest)));
    }

    #[test]
    fn punctuations_keep_their_interval_and_are_told_the_wall_clock(moments in moments()) {
        let nows = nows(&moments);
        prop_assert_eq!(ticked(&nows), expected_ticks(&nows));
    }
}

#[test]
fn a_step_back_in_the_middle_of_a_wait_does_not_lengthen_it_and_one_forth_does_not_end_it() {
    let at = |steady, off| Now { steady, wall: START + steady + off };
    assert_eq!(taken(&[at(0, 0), at(50, -HOUR_MS), at(99, HOUR_MS), at(100, -HOUR_MS)]), [0, 0, 0, 4]);
}
