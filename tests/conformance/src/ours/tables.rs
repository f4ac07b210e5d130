//! The operators of tables.

use super::build::{Description, Table, materialized, parsed};
use crate::case::Datum;
use crate::function::{Joiner, Mapper, Predicate};
use crate::node::{Materialized, Node};

/// Why a function of a table always has a result.
const NO_NULL: &str = "no function of a table makes null: the case was checked";

impl Description<'_> {
    pub(super) fn table_operator(&self, node: &Node) -> Table {
        match node {
            Node::Filter { id, of, predicate, named, materialized } => {
                let predicate: Predicate = parsed(predicate);
                let keep = move |key: &Datum, value: &Datum| predicate.holds(Some(key), Some(value));
                self.filter(id, self.table(of, named.as_ref()), keep, materialized.as_ref())
            }
            Node::FilterNot { id, of, predicate, named, materialized } => {
                let predicate: Predicate = parsed(predicate);
                let drop = move |key: &Datum, value: &Datum| predicate.holds(Some(key), Some(value));
                self.filter_not(id, self.table(of, named.as_ref()), drop, materialized.as_ref())
            }
            Node::MapValues { id, of, mapper, named, materialized: kept } => {
                let mapper: Mapper = parsed(mapper);
                let map = move |key: &Datum, value: Datum| mapper.apply(Some(key), Some(&value)).expect(NO_NULL);
                let (table, (keys, values)) = (self.table(of, named.as_ref()), self.serdes(id));
                match kept {
                    None => table.map_values(map),
                    Some(kept) => table.map_values_materialized(map, keys, values, materialized(Some(kept))),
                }
            }
            Node::Join { id, of, with, joiner, named, materialized: kept } => {
                let joiner: Joiner = parsed(joiner);
                let join = move |left: &Datum, right: &Datum| joiner.apply(Some(left), Some(right)).expect(NO_NULL);
                let (left, right) = (self.table(of, named.as_ref()), self.table(with, None));
                let (keys, values) = self.serdes(id);
                match kept {
                    None => left.join(&right, join),
                    Some(kept) => left.join_materialized(&right, join, keys, values, materialized(Some(kept))),
                }
            }
            Node::LeftJoin { id, of, with, joiner, named, materialized: kept } => {
                let joiner: Joiner = parsed(joiner);
                let join = move |left: &Datum, right: Option<&Datum>| joiner.apply(Some(left), right).expect(NO_NULL);
                let (left, right) = (self.table(of, named.as_ref()), self.table(with, None));
                let (keys, values) = self.serdes(id);
                match kept {
                    None => left.left_join(&right, join),
                    Some(kept) => left.left_join_materialized(&right, join, keys, values, materialized(Some(kept))),
                }
            }
            Node::OuterJoin { id, of, with, joiner, named, materialized: kept } => {
                let joiner: Joiner = parsed(joiner);
                let join = move |left: Option<&Datum>, right: Option<&Datum>| joiner.apply(left, right).expect(NO_NULL);
                let (left, right) = (self.table(of, named.as_ref()), self.table(with, None));
                let (keys, values) = self.serdes(id);
                match kept {
                    None => left.outer_join(&right, join),
                    Some(kept) => left.outer_join_materialized(&right, join, keys, values, materialized(Some(kept))),
                }
            }
            _ => unreachable!("only operators of tables come here"),
        }
    }

    fn filter(
        &self,
        id: &str,
        table: Table,
        keep: impl Fn(&Datum, &Datum) -> bool + Clone + Send + Sync + 'static,
        kept: Option<&Materialized>,
    ) -> Table {
        let (keys, values) = self.serdes(id);
        match kept {
            None => table.filter(keep),
            Some(kept) => table.filter_materialized(keep, keys, values, materialized(Some(kept))),
        }
    }

    fn filter_not(
        &self,
        id: &str,
        table: Table,
        drop: impl Fn(&Datum, &Datum) -> bool + Clone + Send + Sync + 'static,
        kept: Option<&Materialized>,
    ) -> Table {
        let (keys, values) = self.serdes(id);
        match kept {
            None => table.filter_not(drop),
            // Our DSL keeps a table of what a predicate keeps; the opposite of a predicate is one.
            Some(kept) => {
                let keep = move |key: &Datum, value: &Datum| !drop(key, value);
                table.filter_materialized(keep, keys, values, materialized(Some(kept)))
            }
        }
    }
}
