//! Aggregations of grouped streams and tables.

use thalweg::dsl::{KGroupedStream, KGroupedTable, Seam};

use super::build::{Maybe, Table, materialized, parsed};
use crate::case::{Datum, Type};
use crate::datum::DatumSerde;
use crate::function::{Aggregator, Reducer};
use crate::node::Node;

/// Every grouped stream.
pub(super) type GroupedStream = KGroupedStream<Maybe, Maybe, Seam<Maybe, Maybe>, Datum, Datum, DatumSerde, DatumSerde>;

/// A grouped table: the type of its selector has no name.
pub(super) trait GroupedTable {
    /// The aggregation that `node` says.
    fn fold(&self, node: &Node) -> Table;
}

fn named(node: &Node) -> Option<&String> {
    match node {
        Node::Count { named, .. } | Node::Reduce { named, .. } | Node::Aggregate { named, .. } => named.as_ref(),
        _ => None,
    }
}

const COUNTS: DatumSerde = DatumSerde { kind: Type::Int64 };

/// The aggregation of a stream that `node` says.
pub(super) fn of_stream(mut grouped: GroupedStream, node: &Node) -> Table {
    if let Some(name) = named(node) {
        grouped = grouped.named(name);
    }
    let kept = materialized(node.materialized());
    if let Node::Reduce { reducer, .. } = node {
        let reducer: Reducer = parsed(reducer);
        return grouped.reduce(move |aggregate, value| reducer.add(aggregate, value), kept);
    }
    let Node::Aggregate { aggregator, .. } = node else { return grouped.count_as(COUNTS, kept) };
    let adder: Aggregator = parsed(aggregator);
    let (values, initial) = (DatumSerde { kind: adder.result() }, adder.initial());
    let add = move |key: &Datum, value: Datum, aggregate| adder.add(key, &value, aggregate);
    grouped.aggregate(move || initial.clone(), add, values, kept)
}

impl<F> GroupedTable for KGroupedTable<Datum, Datum, Datum, Datum, F, DatumSerde, DatumSerde>
where
    F: Fn(&Datum, Datum) -> Option<(Datum, Datum)> + Clone + Send + Sync + 'static,
{
    fn fold(&self, node: &Node) -> Table {
        let mut grouped = self.clone();
        if let Some(name) = named(node) {
            grouped = grouped.named(name);
        }
        let kept = materialized(node.materialized());
        if let Node::Reduce { reducer, .. } = node {
            let reducer: Reducer = parsed(reducer);
            let adder = reducer.clone();
            return grouped.reduce(
                move |aggregate, value| adder.add(aggregate, value),
                move |aggregate, value| reducer.subtract(aggregate, &value),
                kept,
            );
        }
        let Node::Aggregate { aggregator, .. } = node else { return grouped.count_as(COUNTS, kept) };
        let adder: Aggregator = parsed(aggregator);
        let (values, initial, subtractor) = (DatumSerde { kind: adder.result() }, adder.initial(), adder.clone());
        grouped.aggregate(
            move || initial.clone(),
            move |key: &Datum, value: Datum, aggregate| adder.add(key, &value, aggregate),
            move |_: &Datum, value: Datum, aggregate| subtractor.subtract(&value, aggregate),
            values,
            kept,
        )
    }
}
