//! The golden texts of tables and joins.

use super::golden::check;
use super::recorder::Materialized::{As, No, Unnamed};

const FILTER: &str = "KTABLE-FILTER-";
const MAP_VALUES: &str = "KTABLE-MAPVALUES-";
const JOIN: &str = "KSTREAM-JOIN-";
const LEFT_JOIN: &str = "KSTREAM-LEFTJOIN-";

#[test]
fn tables() {
    check("table_unmaterialized", |r| {
        let table = r.table("users", None, No);
        let s = r.table_stream(&table, None);
        r.to(&s, "out");
    });
    check("table_materialized", |r| {
        let table = r.table("users", None, As("users-store"));
        let s = r.table_stream(&table, None);
        r.to(&s, "out");
    });
    check("table_named", |r| {
        let table = r.table("users", Some("people"), No);
        let s = r.table_stream(&table, Some("changes"));
        r.to(&s, "out");
    });
    check("table_operators", |r| {
        let mut table = r.table("users", None, No);
        for (prefix, materialized) in [(FILTER, No), (MAP_VALUES, No), (FILTER, As("active")), (MAP_VALUES, Unnamed)] {
            table = r.table_then(&table, prefix, materialized);
        }
        let s = r.table_stream(&table, None);
        r.to(&s, "out");
    });
}

#[test]
fn grouped_tables() {
    const AGGREGATE: &str = "KTABLE-AGGREGATE-";
    const REDUCE: &str = "KTABLE-REDUCE-";
    check("table_group_by_aggregate", |r| {
        let table = r.table("users", None, No);
        let mut grouped = r.group_table(&table, None);
        let table = r.aggregate_table(&mut grouped, AGGREGATE, None, As("by-city"));
        let s = r.table_stream(&table, None);
        r.to(&s, "out");
    });
    check("table_group_by_reduce_count", |r| {
        let table = r.table("users", None, No);
        let table = r.table_then(&table, MAP_VALUES, No);
        let mut grouped = r.group_table(&table, None);
        r.aggregate_table(&mut grouped, REDUCE, None, No);
        r.aggregate_table(&mut grouped, AGGREGATE, Some("tally"), No);
    });
    check("table_group_by_named_reuse", |r| {
        let table = r.table("users", None, No);
        let mut grouped = r.group_table(&table, Some("g"));
        r.aggregate_table(&mut grouped, AGGREGATE, None, No);
        r.aggregate_table(&mut grouped, REDUCE, None, No);
    });
}

#[test]
fn stream_to_table() {
    check("to_table", |r| {
        let s = r.stream(&["in"], None);
        let table = r.stream_table(&s, None, No);
        let s = r.table_stream(&table, None);
        r.to(&s, "out");
        let s = r.stream(&["b"], None);
        let s = r.select_key(&s);
        let table = r.stream_table(&s, None, As("tab"));
        let s = r.table_stream(&table, None);
        r.to(&s, "out2");
    });
    check("to_table_named_repartition", |r| {
        let s = r.stream(&["in"], None);
        let s = r.select_key(&s);
        let table = r.stream_table(&s, Some("latest"), No);
        r.table_then(&table, FILTER, As("live"));
    });
}

#[test]
fn stream_table_joins() {
    check("stream_table_join", |r| {
        let table = r.table("users", None, No);
        let mut s = r.stream(&["orders"], None);
        let joined = r.join_table(&mut s, &table, JOIN, None);
        r.to(&joined, "out");
    });
    check("stream_table_left_join_repartition", |r| {
        let table = r.table("users", None, As("u"));
        let s = r.stream(&["orders"], None);
        let mut s = r.select_key(&s);
        let joined = r.join_table(&mut s, &table, LEFT_JOIN, None);
        r.to(&joined, "out");
    });
    check("stream_table_join_named", |r| {
        let s = r.stream(&["orders"], None);
        let mut s = r.select_key(&s);
        let table = r.table("users", None, No);
        let table = r.table_then(&table, MAP_VALUES, No);
        let joined = r.join_table(&mut s, &table, JOIN, Some("enrich"));
        r.to(&joined, "out");
    });
    check("stream_table_join_twice", |r| {
        let s = r.stream(&["orders"], None);
        let mut s = r.select_key(&s);
        let users = r.table("users", None, No);
        let joined = r.join_table(&mut s, &users, JOIN, None);
        r.to(&joined, "x");
        let shops = r.table("shops", None, No);
        let joined = r.join_table(&mut s, &shops, LEFT_JOIN, None);
        r.to(&joined, "y");
    });
    check("stream_aggregate_join", |r| {
        let mut s = r.stream(&["in"], None);
        let mut grouped = r.group_by(&s, None);
        let table = r.count(&mut grouped, No);
        let joined = r.join_table(&mut s, &table, JOIN, None);
        r.to(&joined, "out");
    });
}

#[test]
fn table_table_joins() {
    for (file, materialized) in [("table_table_join", No), ("table_table_left_join_store", As("joined"))] {
        check(file, |r| {
            let (a, b) = (r.table("a", None, No), r.table("b", None, No));
            let joined = r.join_tables(&a, &b, None, materialized);
            let s = r.table_stream(&joined, None);
            r.to(&s, "out");
        });
    }
    check("table_table_outer_join_chain", |r| {
        let (a, b) = (r.table("a", None, No), r.table("b", None, No));
        let joined = r.join_tables(&a, &b, Some("first"), No);
        let c = r.table("c", None, No);
        let c = r.table_then(&c, FILTER, No);
        let joined = r.join_tables(&joined, &c, None, No);
        let d = r.table("d", None, As("d-store"));
        let joined = r.join_tables(&joined, &d, None, No);
        let s = r.table_stream(&joined, None);
        r.to(&s, "out");
    });
    check("table_table_join_materialized_unnamed", |r| {
        let (a, b) = (r.table("a", None, No), r.table("b", None, No));
        r.join_tables(&a, &b, None, Unnamed);
    });
    check("table_self_join", |r| {
        let a = r.table("a", None, No);
        r.join_tables(&a, &a, None, No);
    });
}
