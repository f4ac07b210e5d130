//! `describe()` of tables and joins, as in [`super::golden`].

use super::golden::{
    S, check, first, grouped, key, numbers_to, open, same, stored, stream, texts_to, to, unnamed, yes,
};
use crate::dsl::{Consumed, Joined, KTable, Materialized, Produced, StreamsBuilder};
use crate::serde::{OptionalSerde, StringSerde};

type Table = KTable<String, String>;

fn table(b: &StreamsBuilder, topic: &str) -> Table {
    b.table(topic, Consumed::with(S, S), unnamed())
}

fn joined() -> Joined<StringSerde, StringSerde> {
    Joined::with(S, S)
}

/// The result of a left join may have null keys.
fn left_to() -> Produced<OptionalSerde<StringSerde>, StringSerde> {
    Produced::with(OptionalSerde(S), S)
}

fn select(key: &String, value: String) -> Option<(String, String)> {
    Some((key.clone(), value))
}

fn both(left: &String, _: &String) -> String {
    left.clone()
}

fn left(left: &String, _: Option<&String>) -> String {
    left.clone()
}

#[test]
fn tables() {
    check("table_unmaterialized", |b| texts_to(table(b, "users"), "out"));
    check("table_materialized", |b| {
        texts_to(b.table("users", Consumed::with(S, S), stored("users-store")), "out");
    });
    check("table_named", |b| {
        let people: Table = b.table("users", Consumed::with(S, S).named("people"), unnamed());
        texts_to(people.named("changes"), "out");
    });
    check("table_operators", |b| {
        let active = table(b, "users").filter(yes).map_values(same).filter_materialized(yes, S, S, stored("active"));
        texts_to(active.map_values_materialized(same, S, S, Materialized::unnamed()), "out");
    });
}

#[test]
fn grouped_tables() {
    check("table_group_by_aggregate", |b| {
        let by_city = table(b, "users").group_by(select, grouped()).aggregate(
            || 0,
            |_: &String, _: String, all: i64| all,
            |_: &String, _: String, all: i64| all,
            crate::serde::I64Serde,
            stored("by-city"),
        );
        numbers_to(by_city, "out");
    });
    check("table_group_by_reduce_count", |b| {
        let g = table(b, "users").map_values(same).group_by(select, grouped());
        g.clone().reduce(first, first, unnamed());
        g.named("tally").count(unnamed());
    });
    check("table_group_by_named_reuse", |b| {
        let g = table(b, "users").group_by(select, grouped().named("g"));
        g.clone().count(unnamed());
        g.reduce(first, first, unnamed());
    });
}

#[test]
fn stream_to_table() {
    check("to_table", |b| {
        texts_to(stream(b, "in").to_table(S, S, unnamed()), "out");
        texts_to(stream(b, "b").select_key(key).to_table(S, S, stored("tab")), "out2");
    });
    check("to_table_named_repartition", |b| {
        let latest: Table = stream(b, "in").select_key(key).named("latest").to_table(S, S, unnamed());
        latest.filter_materialized(yes, S, S, stored("live"));
    });
}

#[test]
fn stream_table_joins() {
    check("stream_table_join", |b| {
        let users = table(b, "users");
        stream(b, "orders").join(&users, |_, left: String, _| left, joined()).to("out", to());
    });
    check("stream_table_left_join_repartition", |b| {
        let users: Table = b.table("users", Consumed::with(S, S), stored("u"));
        let orders = stream(b, "orders").select_key(key);
        orders.left_join(&users, |_, left: String, _| left, joined()).to("out", left_to());
    });
    check("stream_table_join_named", |b| {
        let orders = stream(b, "orders").select_key(key);
        let users = table(b, "users").map_values(same);
        orders.join(&users, |_, left: String, _| left, joined().named("enrich")).to("out", to());
    });
    check("stream_table_join_twice", |b| {
        let orders = stream(b, "orders").select_key(key).fan_out();
        let users = table(b, "users");
        orders.clone().join(&users, |_, left: String, _| left, joined()).to("x", to());
        let shops = table(b, "shops");
        orders.left_join(&shops, |_, left: String, _| left, joined()).to("y", left_to());
    });
    check("stream_aggregate_join", |b| {
        let s = open(b, "in");
        let counts = s.clone().group_by(key, grouped()).count(unnamed());
        s.join(&counts, |_, left: String, _| left, joined()).to("out", to());
    });
}

#[test]
fn table_table_joins() {
    check("table_table_join", |b| {
        let (one, two) = (table(b, "a"), table(b, "b"));
        texts_to(one.join(&two, both), "out");
    });
    check("table_table_left_join_store", |b| {
        let (one, two) = (table(b, "a"), table(b, "b"));
        texts_to(one.left_join_materialized(&two, left, S, S, stored("joined")), "out");
    });
    check("table_table_outer_join_chain", |b| {
        let (one, two) = (table(b, "a"), table(b, "b"));
        let joined = one.named("first").outer_join(&two, |left, _| left.cloned().unwrap_or_default());
        let three = table(b, "c").filter(yes);
        let joined = joined.left_join(&three, left);
        let four: Table = b.table("d", Consumed::with(S, S), stored("d-store"));
        texts_to(joined.join(&four, both), "out");
    });
    check("table_table_join_materialized_unnamed", |b| {
        let (one, two) = (table(b, "a"), table(b, "b"));
        one.join_materialized(&two, both, S, S, unnamed());
    });
    check("table_self_join", |b| {
        let one = table(b, "a");
        one.clone().join(&one, both);
    });
}
