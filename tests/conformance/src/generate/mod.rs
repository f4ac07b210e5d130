//! Random cases: a topology of 2 to 12 nodes in which every operator and option may occur, and input that collides.
//!
//! A case is a function of its seed and its number alone. It is well-typed, because each node is checked as it is
//! drawn, and it avoids what the DSL refuses: names given twice, a topic as stream and as table, lists of topics that
//! overlap, joined topics of different partition counts, and topologies that feed themselves.

mod draw;
mod functions;
mod inputs;
mod sketch;

pub use functions::all as all_functions;

use crate::case::{Case, Config};
use crate::check::Kind;
use crate::operators::Operator;
use draw::Draw;
use sketch::Sketch;

/// Fewest and most nodes of a case.
pub const NODES: std::ops::RangeInclusive<usize> = 2..=12;

/// Case number `index` of `seed`.
pub fn case(seed: u64, index: u64) -> Case {
    let mut draw = Draw::new(seed, index);
    let config = config(&mut draw);
    let sketch = topology(&mut draw, config.cache_max_bytes > 0);
    let inputs = inputs::inputs(&mut draw, &sketch);
    Case {
        name: format!("random-{seed}-{index}"),
        about: format!("Case {index} of seed {seed}"),
        config,
        dump: sketch.stores(),
        topics: sketch.topics,
        nodes: sketch.nodes,
        inputs,
    }
}

/// Our test driver knows neither optimisation nor transactions.
fn config(draw: &mut Draw) -> Config {
    Config { cache_max_bytes: *draw.pick(&[0, 0, 20_000, 10 << 20, 10 << 20]), ..Config::default() }
}

fn topology(draw: &mut Draw, cached: bool) -> Sketch {
    // Rather more than fewer: what is behind something is seen only then.
    let more = NODES.end() - NODES.start() + 1;
    let wanted = NODES.start() + draw.below(more).max(draw.below(more)).max(draw.below(more));
    let mut sketch = Sketch::new(*draw.pick(&[1, 1, 2, 3]), cached);
    add_source(draw, &mut sketch);
    // Few attempts fail; the bound is for topologies that nothing fits any more.
    for _ in 0..20 * NODES.end() {
        if sketch.nodes.len() + nodes_to_close(&sketch) >= wanted {
            break;
        }
        let mut grown = sketch.clone();
        if grow(draw, &mut grown) && grown.nodes.len() + nodes_to_close(&grown) <= *NODES.end() {
            sketch = grown;
        }
    }
    close(draw, &mut sketch);
    sketch
}

fn add_source(draw: &mut Draw, sketch: &mut Sketch) {
    let op = *draw.pick(&["stream", "stream", "table"]);
    sketch.add_source(draw, op, None);
}

/// Adds a source or continues something, rather what nobody continues yet.
fn grow(draw: &mut Draw, sketch: &mut Sketch) -> bool {
    if draw.chance(1, 12) {
        add_source(draw, sketch);
        return true;
    }
    let weights = sketch.handles.iter().map(|handle| match (handle.shape.kind, handle.used) {
        (Kind::Store | Kind::End, _) => 0,
        (Kind::Split, _) => 10,
        (Kind::GroupedStream | Kind::GroupedTable, _) => 4,
        (Kind::Stream | Kind::Table, 0) => 4,
        (Kind::Stream | Kind::Table, _) => 1,
    });
    let parent = draw.weighted(&weights.collect::<Vec<_>>());
    let kind = sketch.handles[parent].shape.kind;
    if kind == Kind::Table && draw.chance(1, 5) {
        return join_from_stream(draw, sketch, parent);
    }
    let operators: Vec<&Operator> = Operator::all_on(kind).collect();
    let weights = operators.iter().map(|operator| match operator.op {
        "to" | "foreach" | "default_branch" => 1,
        // They need two that fit, which fails often.
        "join" | "left_join" if kind == Kind::Stream => 9,
        "join" | "left_join" | "outer_join" | "merge" => 5,
        "process" | "process_values" | "split" => 5,
        _ => 3,
    });
    let operator = operators[draw.weighted(&weights.collect::<Vec<_>>())];
    sketch.continue_with(draw, parent, operator, None)
}

/// Joins some stream with the table.
fn join_from_stream(draw: &mut Draw, sketch: &mut Sketch, table: usize) -> bool {
    let joins: Vec<&Operator> = Operator::all_on(Kind::Stream).filter(|join| join.with == Some(Kind::Table)).collect();
    let streams: Vec<usize> =
        (0..sketch.handles.len()).filter(|at| sketch.handles[*at].shape.kind == Kind::Stream).collect();
    if streams.is_empty() {
        return false;
    }
    let (stream, join) = (*draw.pick(&streams), *draw.pick(&joins));
    sketch.continue_with(draw, stream, join, Some(table))
}

/// How many nodes it takes until every result shows.
fn nodes_to_close(sketch: &Sketch) -> usize {
    let nodes = |kind| match kind {
        Kind::Stream | Kind::GroupedStream | Kind::GroupedTable => 1,
        Kind::Split => 2,
        // A table's store is dumped.
        Kind::Table | Kind::Store | Kind::End => 0,
    };
    sketch.handles.iter().filter(|handle| handle.used == 0).map(|handle| nodes(handle.shape.kind)).sum()
}

/// Ends what nobody continues: streams in topics, tables in topics or in stores that are dumped.
fn close(draw: &mut Draw, sketch: &mut Sketch) {
    let mut at = 0;
    while at < sketch.handles.len() {
        let handle = sketch.handles[at].clone();
        let room = NODES.end().saturating_sub(sketch.nodes.len() + nodes_to_close(sketch));
        if handle.used == 0 {
            match handle.shape.kind {
                Kind::Stream if sketch.nodes.len() >= *NODES.start() && draw.chance(1, 20) => {}
                Kind::Stream if draw.chance(1, 20) => end_in(draw, sketch, at, &["foreach"]),
                Kind::Stream => end_in(draw, sketch, at, &["to"]),
                Kind::GroupedStream | Kind::GroupedTable => end_in(draw, sketch, at, &["count", "reduce", "aggregate"]),
                Kind::Split => end_in(draw, sketch, at, &["default_branch"]),
                Kind::Table if room >= 2 && draw.chance(2, 3) => end_in(draw, sketch, at, &["to_stream"]),
                Kind::Table => sketch.keep(&handle),
                Kind::Store | Kind::End => {}
            }
        }
        at += 1;
    }
}

fn end_in(draw: &mut Draw, sketch: &mut Sketch, at: usize, ops: &[&str]) {
    let op = draw.pick(ops);
    if let Some(operator) = Operator::find(Some(sketch.handles[at].shape.kind), op) {
        sketch.continue_with(draw, at, operator, None);
    }
}

#[cfg(test)]
mod tests;
