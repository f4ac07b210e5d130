//! Random input: few keys, so that they collide; times that stand still, jump and go back; nulls; headers.

use super::draw::Draw;
use super::sketch::Sketch;
use crate::case::{Advance, Datum, Input, InputRecord, Topic, Type};
use crate::node::Node;

/// Fewest and most records of a case.
pub const RECORDS: std::ops::RangeInclusive<usize> = 5..=40;

const TEXTS: [&str; 7] = ["", "x", "yy", "abc", "word", "Z-9", "x"];
const NUMBERS: [i64; 8] = [0, 1, 2, 3, -1, -4, 7, 10];

/// Records for every topic that the sketch only reads, and steps of the wall clock between them.
pub(super) fn inputs(draw: &mut Draw, sketch: &Sketch) -> Vec<Input> {
    let topics = sketch.inputs();
    let tables: Vec<&str> = sketch.nodes.iter().filter_map(topic_of_table).collect();
    let steps = if sketch.nodes.iter().any(runs_on_wall_clock) { 4 } else { 30 };
    let count = RECORDS.start() + draw.below(RECORDS.end() - RECORDS.start() + 1);
    let keys = 1 + draw.below(4);
    let mut timestamp = 0;
    let mut inputs = Vec::new();
    for _ in 0..count {
        if draw.chance(1, steps) {
            inputs.push(Input::Advance(Advance { advance_wall_clock: *draw.pick(&[1, 10, 99, 1000, 2500]) }));
        }
        let (topic, types) = draw.pick(&topics);
        let tombstones = if tables.contains(&topic.as_str()) { 4 } else { 8 };
        timestamp = next_timestamp(draw, timestamp);
        inputs.push(Input::Record(InputRecord {
            topic: topic.clone(),
            partition: None,
            key: (!draw.chance(1, 12)).then(|| key(draw, types, keys)),
            value: (!draw.chance(1, tombstones)).then(|| value(draw, types.value)),
            timestamp,
            headers: headers(draw),
        }));
    }
    inputs
}

fn topic_of_table(node: &Node) -> Option<&str> {
    match node {
        Node::Table { topic, .. } => Some(topic),
        _ => None,
    }
}

fn runs_on_wall_clock(node: &Node) -> bool {
    matches!(node, Node::Process { processor, .. } if processor.starts_with("on_wall_clock"))
}

fn next_timestamp(draw: &mut Draw, last: i64) -> i64 {
    match draw.below(20) {
        0..5 => last,
        5..14 => last + draw.between(1, 30),
        14..19 => (last - draw.between(1, 60)).max(0),
        _ => last + 1000,
    }
}

fn key(draw: &mut Draw, types: &Topic, keys: usize) -> Datum {
    match types.key {
        Type::Int64 => Datum::Int64([1, 2, -3, 4][draw.below(keys)]),
        Type::String | Type::Record => Datum::String(["a", "bb", "c", ""][draw.below(keys)].to_owned()),
    }
}

fn value(draw: &mut Draw, kind: Type) -> Datum {
    match kind {
        Type::String => Datum::String(text(draw)),
        Type::Int64 => Datum::Int64(number(draw)),
        Type::Record => Datum::Record { n: number(draw), s: text(draw) },
    }
}

fn text(draw: &mut Draw) -> String {
    (*draw.pick(&TEXTS)).to_owned()
}

fn number(draw: &mut Draw) -> i64 {
    match draw.below(40) {
        0 => i64::MAX,
        1 => i64::MIN,
        _ => *draw.pick(&NUMBERS),
    }
}

fn headers(draw: &mut Draw) -> Vec<(String, Option<String>)> {
    if !draw.chance(1, 3) {
        return Vec::new();
    }
    let mut headers = Vec::new();
    for _ in 0..=draw.below(3) {
        let value = (!draw.chance(1, 4)).then(|| text(draw));
        headers.push(((*draw.pick(&["trace", "h", "X-1"])).to_owned(), value));
    }
    headers
}
