//! `split`: the first branch that wants a record gets it (kafka-streams 2.1.9).

use super::fixture::*;
use crate::dsl::StreamsBuilder;
use crate::testing::TestRecord;

#[test]
fn a_record_goes_to_the_first_matching_branch_only_and_the_rest_to_the_default() {
    let builder = StreamsBuilder::new();
    let mut split = stream(&builder, "in").split();
    let long = split.branch(|_, value| value.len() > 2);
    let a = split.branch(|key, _| key == "a");
    let rest = split.default_branch();
    long.to("long", produced());
    a.map_values(|_, value| value + "!").to("a", produced());
    rest.to("rest", produced());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_input("a", "xxx", 1);
    source.pipe_input("a", "x", 2);
    source.pipe_record(TestRecord::new("b", "x", 3).with_header("h", b"1"));
    expect(&texts(&driver, "long"), &[(Some("a"), Some("xxx"), 1)]);
    expect(&texts(&driver, "a"), &[(Some("a"), Some("x!"), 2)]);
    let record = texts(&driver, "rest").read_record().unwrap();
    assert_eq!((record.value.as_deref(), record.timestamp), (Some("x"), 3));
    assert!(record.headers.view().last("h").is_some());
}

#[test]
fn without_a_default_branch_the_rest_is_dropped_and_not_counted() {
    let builder = StreamsBuilder::new();
    stream(&builder, "in").split().branch(|_, value| value == "x").to("out", produced());
    let driver = start(builder);
    let source = input(&driver, "in");
    source.pipe_input("k", "y", 1);
    source.pipe_input("k", "x", 2);
    expect(&texts(&driver, "out"), &[(Some("k"), Some("x"), 2)]);
    assert!(crate::task::DropReason::ALL.iter().all(|reason| driver.dropped(*reason) == 0));
}

#[test]
fn a_branch_takes_its_records_even_when_nobody_continues_it() {
    let builder = StreamsBuilder::new();
    let mut split = stream(&builder, "in").split();
    drop(split.branch(|_, value| value == "x"));
    split.default_branch().to("rest", produced());
    let driver = start(builder);
    input(&driver, "in").pipe_input("k", "x", 1);
    input(&driver, "in").pipe_input("k", "y", 2);
    expect(&texts(&driver, "rest"), &[(Some("k"), Some("y"), 2)]);
}

#[test]
fn branches_meet_again_and_may_be_continued_twice() {
    let builder = StreamsBuilder::new();
    let mut split = stream(&builder, "in").split();
    let left = split.branch(|key, _| key == "l");
    let right = split.default_branch();
    left.clone().to("left", produced());
    left.map_values(|_, value| format!("l{value}"))
        .merge(right.map_values(|_, value| format!("r{value}")))
        .to("out", produced());
    let driver = start(builder);
    input(&driver, "in").pipe_input("l", "1", 1);
    input(&driver, "in").pipe_input("r", "2", 2);
    expect(&texts(&driver, "left"), &[(Some("l"), Some("1"), 1)]);
    expect(&texts(&driver, "out"), &[(Some("l"), Some("l1"), 1), (Some("r"), Some("r2"), 2)]);
}
