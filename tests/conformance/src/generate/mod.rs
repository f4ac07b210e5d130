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

use crate::case::{Case, Config, Guarantee, Optimization};
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
    let sketch = topology(&mut draw);
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

fn config(draw: &mut Draw) -> Config {
    let guarantees = [Guarantee::AtLeastOnce, Guarantee::AtLeastOnce, Guarantee::ExactlyOnceV2];
    Config {
        optimization: Optimization::None,
        guarantee: *draw.pick(&guarantees),
        cache_max_bytes: *draw.pick(&[0, 0, 1000, 10 << 20, 10 << 20]),
    }
}

fn topology(draw: &mut Draw) -> Sketch {
    let wanted = NODES.start() + draw.below(NODES.end() - NODES.start() + 1);
    let mut sketch = Sketch::new(*draw.pick(&[1, 1, 2, 3]));
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
    if draw.chance(1, 8) {
        add_source(draw, sketch);
        return true;
    }
    let open: Vec<usize> =
        (0..sketch.handles.len()).filter(|at| Operator::all_on(sketch.handles[*at].shape.kind).next().is_some()).collect();
    let unused: Vec<usize> = open.iter().copied().filter(|at| sketch.handles[*at].used == 0).collect();
    let parent = *if unused.is_empty() || draw.chance(1, 3) { draw.pick(&open) } else { draw.pick(&unused) };
    let operators: Vec<&Operator> = Operator::all_on(sketch.handles[parent].shape.kind).collect();
    let operator = *draw.pick(&operators);
    sketch.continue_with(draw, parent, operator)
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
                Kind::Stream if draw.chance(1, 20) => {}
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
        sketch.continue_with(draw, at, operator);
    }
}
