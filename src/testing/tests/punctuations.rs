//! Schedules on both clocks, and stream time (kafka-streams 2.5.5, 2.5.6, 2.5.8 to 2.5.10, 2.12.2).

use super::fixture::*;
use crate::dsl::{Processor, ProcessorContext, Stores, StreamsBuilder};
use crate::task::{Fault, PunctuationType, Record, ScheduleId};
use crate::testing::{DriverOptions, TopologyTestDriver};
use crate::types::Timestamp;

/// Says what happens to it: `<what> <stream time> <wall clock>`, as key and value.
struct Clocked {
    kind: PunctuationType,
    schedule: Option<ScheduleId>,
}

impl Processor<String, String, String, String> for Clocked {
    fn init(&mut self, context: &mut ProcessorContext<'_, String, String>) {
        self.schedule = Some(context.schedule(10, self.kind));
    }

    fn process(
        &mut self,
        record: Record<String, String>,
        context: &mut ProcessorContext<'_, String, String>,
    ) -> Result<(), Fault> {
        if let ("stop", Some(schedule)) = (record.value.as_str(), self.schedule) {
            context.cancel(schedule);
        }
        say(context, "record", record.timestamp)
    }

    fn punctuate(
        &mut self,
        schedule: ScheduleId,
        timestamp: Timestamp,
        context: &mut ProcessorContext<'_, String, String>,
    ) -> Result<(), Fault> {
        assert_eq!(Some(schedule), self.schedule);
        assert!(context.record_metadata().is_none(), "there is no record in hand");
        assert!(context.headers().view().is_empty());
        say(context, "tick", timestamp)
    }
}

fn say(context: &mut ProcessorContext<'_, String, String>, what: &str, timestamp: Timestamp) -> Result<(), Fault> {
    let value = format!("{:?} {}", context.current_stream_time_ms(), context.current_system_time_ms());
    context.forward(Record { key: what.to_owned(), value, timestamp })
}

fn clocked(kind: PunctuationType) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    stream(&builder, "in")
        .process(&[], move |_: &mut Stores<'_, '_>| Clocked { kind, schedule: None })
        .to("out", produced());
    start_with(builder, DriverOptions::default().wall_clock(1_000))
}

#[test]
fn stream_time_ticks_with_the_first_record_then_once_per_crossed_multiple() {
    let driver = clocked(PunctuationType::StreamTime);
    let source = input(&driver, "in");
    for time in [23, 29, 30, 25, 95, 99, 100] {
        source.pipe_input("k", "x", time);
    }
    driver.advance_wall_clock(1_000);
    let out = texts(&driver, "out").read_records_to_list();
    let ticks: Vec<_> = out.iter().filter(|r| r.key.as_deref() == Some("tick")).map(|r| r.timestamp).collect();
    assert_eq!(ticks, [23, 30, 95, 100]);
    assert_eq!(out[0].key.as_deref(), Some("record"), "the record comes before the tick that it causes");
}

#[test]
fn stream_time_is_the_highest_time_seen() {
    let driver = clocked(PunctuationType::WallClockTime);
    let source = input(&driver, "in");
    for time in [5, 3, 8] {
        source.pipe_input("k", "x", time);
    }
    let values: Vec<_> =
        texts(&driver, "out").read_records_to_list().into_iter().map(|record| record.value.unwrap()).collect();
    assert_eq!(values, ["Some(5) 1000", "Some(5) 1000", "Some(8) 1000"]);
}

#[test]
fn the_wall_clock_ticks_first_after_one_interval_without_any_record_and_missed_ticks_are_one() {
    let driver = clocked(PunctuationType::WallClockTime);
    let out = texts(&driver, "out");
    driver.advance_wall_clock(9);
    assert!(out.is_empty());
    driver.advance_wall_clock(1);
    expect(&out, &[(Some("tick"), Some("None 1010"), 1010)]);
    driver.advance_wall_clock(35);
    expect(&out, &[(Some("tick"), Some("None 1045"), 1045)]);
    driver.advance_wall_clock(5);
    expect(&out, &[(Some("tick"), Some("None 1050"), 1050)]);
    input(&driver, "in").pipe_input("k", "x", 77);
    expect(&out, &[(Some("record"), Some("Some(77) 1050"), 77)]);
    assert_eq!(driver.wall_clock(), 1_050);
}

#[test]
fn a_cancelled_schedule_ticks_no_more() {
    let driver = clocked(PunctuationType::WallClockTime);
    let out = texts(&driver, "out");
    driver.advance_wall_clock(10);
    assert_eq!(out.read_records_to_list().len(), 1);
    input(&driver, "in").pipe_input("k", "stop", 1);
    out.read_record();
    driver.advance_wall_clock(100);
    assert!(out.is_empty());
}

/// Ticks once, 10 ms after a record, then ends its own schedule from inside.
struct Once;

impl Processor<String, String, String, String> for Once {
    fn process(
        &mut self,
        _: Record<String, String>,
        context: &mut ProcessorContext<'_, String, String>,
    ) -> Result<(), Fault> {
        context.schedule(10, PunctuationType::WallClockTime);
        Ok(())
    }

    fn punctuate(
        &mut self,
        schedule: ScheduleId,
        timestamp: Timestamp,
        context: &mut ProcessorContext<'_, String, String>,
    ) -> Result<(), Fault> {
        context.cancel(schedule);
        say(context, "once", timestamp)
    }
}

#[test]
fn a_schedule_may_be_made_while_processing_and_end_itself() {
    let builder = StreamsBuilder::new();
    stream(&builder, "in").process(&[], |_: &mut Stores<'_, '_>| Once).to("out", produced());
    let driver = start(builder);
    input(&driver, "in").pipe_input("k", "x", 0);
    driver.advance_wall_clock(5);
    input(&driver, "in").pipe_input("k", "x", 0);
    for _ in 0..10 {
        driver.advance_wall_clock(5);
    }
    let ticks: Vec<_> = texts(&driver, "out").read_records_to_list().iter().map(|record| record.timestamp).collect();
    assert_eq!(ticks, [10, 15]);
}

#[test]
fn every_task_has_its_own_stream_time_and_schedules() {
    let builder = StreamsBuilder::new();
    stream(&builder, "in")
        .process(&[], |_: &mut Stores<'_, '_>| Clocked { kind: PunctuationType::StreamTime, schedule: None })
        .to("out", produced());
    let driver = start_with(builder, DriverOptions::default().partitions("in", 2));
    for (partition, time) in [(0, 50), (1, 7)] {
        let record = crate::testing::RawRecord::new(b"k".to_vec(), b"x".to_vec(), time);
        driver.pipe_raw_to("in", partition, record).unwrap();
    }
    let ticks: Vec<_> = texts(&driver, "out")
        .read_records_to_list()
        .into_iter()
        .filter(|record| record.key.as_deref() == Some("tick"))
        .map(|record| (record.value.unwrap(), record.timestamp))
        .collect();
    assert_eq!(ticks, [("Some(50) 0".to_owned(), 50), ("Some(7) 0".to_owned(), 7)]);
}
