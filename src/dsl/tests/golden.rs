//! `describe()` of streams against the texts in `src/topology/testdata/`, printed by Kafka Streams 4.3.1; the first
//! line of each is the Java DSL behind it, said here in ours.
//!
//! One of the fifty cannot be said: `count(Materialized)` without a name burns a number that `count()` does not.

use crate::dsl::{
    Consumed, FixedKeyContext, FixedKeyProcessor, Grouped, KStream, KTable, Materialized, Processor, ProcessorContext,
    Produced, Repartitioned, Source, Stores, StreamsBuilder,
};
use crate::serde::{I64Serde, OptionalSerde, StringSerde};
use crate::task::{Fault, Record};
use crate::topology::StoreId;

#[track_caller]
pub fn check(file: &str, describe: impl FnOnce(&StreamsBuilder)) {
    let path = format!("{}/src/topology/testdata/{file}.txt", env!("CARGO_MANIFEST_DIR"));
    let golden = std::fs::read_to_string(&path).unwrap();
    let (java, expected) = golden.split_once('\n').unwrap();
    let builder = StreamsBuilder::new();
    describe(&builder);
    assert_eq!(builder.build("app").unwrap().topology.describe(), expected, "{file}: {java}");
}

pub const S: StringSerde = StringSerde;

pub type Texts = KStream<String, String>;

pub fn stream(
    b: &StreamsBuilder,
    topic: &str,
) -> KStream<String, String, Source<String, String, StringSerde, StringSerde>> {
    b.stream(topic, Consumed::with(S, S))
}

/// A stream that may be continued in several ways; adds no node.
pub fn open(b: &StreamsBuilder, topic: &str) -> Texts {
    stream(b, topic).fan_out()
}

pub fn to() -> Produced<StringSerde, StringSerde> {
    Produced::with(S, S)
}

pub fn grouped() -> Grouped<String, String, StringSerde, StringSerde> {
    Grouped::with(S, S)
}

pub fn unnamed<V>() -> Materialized<String, V> {
    Materialized::unnamed()
}

pub fn stored<V>(name: &str) -> Materialized<String, V> {
    Materialized::named(name)
}

pub fn numbers_to(table: KTable<String, i64>, topic: &str) {
    table.to_stream().to(topic, Produced::with(S, OptionalSerde(I64Serde)));
}

pub fn texts_to(table: KTable<String, String>, topic: &str) {
    table.to_stream().to(topic, Produced::with(S, OptionalSerde(S)));
}

pub fn yes(_: &String, _: &String) -> bool {
    true
}

pub fn same(_: &String, value: String) -> String {
    value
}

pub fn key(key: &String, _: &String) -> String {
    key.clone()
}

pub fn look(_: &String, _: &String) {}

pub fn first(left: String, _: String) -> String {
    left
}

struct Pass;

impl Processor<String, String, String, String> for Pass {
    fn process(
        &mut self,
        _: Record<String, String>,
        _: &mut ProcessorContext<'_, String, String>,
    ) -> Result<(), Fault> {
        Ok(())
    }
}

impl FixedKeyProcessor<String, String, String> for Pass {
    fn process(&mut self, _: &String, _: String, _: &mut FixedKeyContext<'_, '_, String, String>) -> Result<(), Fault> {
        Ok(())
    }
}

fn pass(_: &mut Stores<'_, '_>) -> Pass {
    Pass
}

fn store(b: &StreamsBuilder, name: &str) -> StoreId {
    b.add_state_store::<String, String, _, _>(S, S, stored(name)).id()
}

#[test]
fn stateless_operators_and_their_names() {
    check("stateless_chain", |b| {
        stream(b, "in")
            .filter(yes)
            .map_values(same)
            .map(|key, value| (key, value))
            .flat_map(|key, value| [(key, value)])
            .flat_map_values(|_, value| [value])
            .select_key(key)
            .peek(look)
            .to("out", to());
    });
    check("named_chain", |b| {
        b.stream::<String, String, _, _>("in", Consumed::with(S, S).named("source"))
            .named("keep")
            .filter(yes)
            .map_values(same)
            .named("done")
            .foreach(look);
    });
}

#[test]
fn sources_of_streams() {
    check("two_sources", |b| {
        stream(b, "a").to("x", to());
        stream(b, "b").filter_not(yes).to("y", to());
    });
    check("many_topics", |b| {
        let topics = ["orders", "payments", "refunds", "audit"];
        b.stream_of::<String, String, _, _>(&topics, Consumed::with(S, S)).to("all", to());
    });
    check("same_topic_twice", |b| {
        stream(b, "in").filter(yes).to("x", to());
        stream(b, "in").map_values(same).to("y", to());
    });
}

#[test]
fn merge_and_fan_out() {
    check("merge", |b| {
        let left = stream(b, "a").filter(yes);
        left.merge(stream(b, "b").map_values(same)).to("out", to());
    });
    check("merge_of_many", |b| {
        let [one, two, three, four] = ["a", "b", "c", "d"].map(|topic| open(b, topic));
        one.merge(two).merge(three.clone()).merge(four).peek(look).to("out", to());
        three.filter(yes).to("side", to());
    });
    check("merge_self", |b| {
        let s = open(b, "in");
        s.clone().merge(s).to("out", to());
    });
    check("fan_out", |b| {
        let s = open(b, "in");
        s.clone().to("a", to());
        s.clone().filter(yes).to("b", to());
        s.clone().map_values(same).peek(look).to("c", to());
        s.clone().peek(look).filter(yes).map_values(same).to("d", to());
        s.foreach(look);
    });
}

#[test]
fn wide_and_deep_graphs_keep_javas_set_orders() {
    check("wide", |b| {
        let s = open(b, "in");
        let mut merged: Option<Texts> = None;
        for i in 0..20 {
            let mut branch = s.clone().filter(yes).fan_out();
            for _ in 0..i * 7 % 5 {
                branch = branch.map_values(same).fan_out();
            }
            if i % 3 == 0 {
                merged = Some(match merged {
                    None => branch,
                    Some(merged) => merged.merge(branch).fan_out(),
                });
            } else {
                branch.to(&format!("out-{i}"), to());
            }
        }
        merged.unwrap().to("merged", to());
    });
    check("diamonds", |b| {
        let mut s = open(b, "in");
        for _ in 0..4 {
            let left = s.clone().filter(yes);
            s = left.merge(s.peek(look).map_values(same)).fan_out();
        }
        s.to("out", to());
    });
}

#[test]
fn split_and_branch() {
    check("split", |b| {
        let mut split = stream(b, "in").split();
        let (one, two) = (split.branch(yes), split.branch(yes));
        let rest = split.default_branch();
        one.to("a", to());
        two.map_values(same).to("b", to());
        rest.to("c", to());
    });
    check("split_named", |b| {
        let mut split = stream(b, "in").named("by-").split().named("one");
        split.branch(yes).to("a", to());
        split.branch(yes).filter(yes).to("b", to());
    });
}

#[test]
fn counts_with_and_without_repartition() {
    check("group_by_key_count", |b| numbers_to(stream(b, "in").group_by_key(grouped()).count(unnamed()), "out"));
    check("group_by_key_count_store", |b| {
        numbers_to(stream(b, "in").group_by_key(grouped()).count(stored("counts")), "out");
    });
    check("group_by_count", |b| numbers_to(stream(b, "in").group_by(key, grouped()).count(unnamed()), "out"));
    check("group_by_count_store", |b| {
        stream(b, "in").group_by(key, grouped()).count(stored("counts"));
    });
    check("group_by_named_repartition", |b| {
        numbers_to(stream(b, "in").group_by(key, grouped().named("by-value")).count(stored("counts")), "out");
    });
}

#[test]
fn reduce_and_aggregate() {
    check("map_group_by_key", |b| {
        let mapped = stream(b, "in").map(|key, value| (key, value));
        texts_to(mapped.group_by_key(grouped()).reduce(first, unnamed()), "out");
    });
    check("aggregate_reduce", |b| {
        let g = open(b, "in").group_by_key(grouped());
        g.clone().aggregate(String::new, |_: &String, _: String, all: String| all, S, stored("agg"));
        g.clone().reduce(first, unnamed());
        g.aggregate(String::new, |_: &String, _: String, all: String| all, S, unnamed());
    });
}

#[test]
fn one_grouping_aggregated_twice() {
    check("grouped_twice", |b| {
        let g = stream(b, "in").select_key(key).fan_out().group_by_key(grouped());
        g.clone().count(unnamed());
        g.reduce(first, unnamed());
    });
    check("grouped_twice_reuse", |b| {
        let g = stream(b, "in").named("g").select_key(key).fan_out().group_by_key(grouped().named("g"));
        numbers_to(g.clone().count(unnamed()), "x");
        stream(b, "other").group_by(key, grouped()).count(unnamed());
        texts_to(g.reduce(first, unnamed()), "y");
    });
    check("grouped_reuse_downstream", |b| {
        let g = stream(b, "in").named("g").select_key(key).fan_out().group_by_key(grouped().named("g"));
        let counts = g.clone().count(unnamed()).to_stream();
        counts.group_by(|key, _| key.clone(), Grouped::<String, i64, _, _>::with(S, I64Serde)).count(unnamed());
        g.reduce(first, unnamed());
    });
}

#[test]
fn processors_with_stores() {
    check("process_shared_store", |b| {
        let shared = store(b, "shared");
        stream(b, "a").process::<String, String, _, _>(&[shared], pass).to("x", to());
        stream(b, "b").process_values::<String, _, _>(&[shared], pass).to("y", to());
    });
    check("process_named_many_stores", |b| {
        let mut stores = ["one", "two", "three", "four", "five"].map(|name| store(b, name));
        stores.reverse();
        stream(b, "in").named("work").process::<String, String, _, _>(&stores, pass).to("out", to());
    });
    check("process_then_group", |b| {
        let s = store(b, "s");
        let processed = stream(b, "in").process::<String, String, _, _>(&[s], pass);
        processed.group_by_key(grouped()).count(stored("n"));
    });
    check("process_thirty_stores", |b| {
        let stores: Vec<StoreId> = (0..30).map(|i| store(b, &format!("store-{i}"))).collect();
        drop(stream(b, "in").process_values::<String, _, _>(&stores, pass));
    });
}

#[test]
fn explicit_repartitions() {
    check("repartition", |b| {
        stream(b, "in").repartition(Repartitioned::with(S, S)).to("x", to());
        stream(b, "b").repartition(Repartitioned::with(S, S).named("fixed").partitions(7)).to("y", to());
    });
    check("repartition_suffix", |b| {
        let s = stream(b, "in").repartition(Repartitioned::with(S, S).named("by-shop-repartition"));
        s.group_by_key(grouped()).count(unnamed());
    });
}

#[test]
fn several_sub_topologies() {
    check("several_sub_topologies", |b| {
        let orders = open(b, "orders");
        let customers = orders.clone().group_by(key, grouped().named("by-customer")).count(stored("per-customer"));
        stream(b, "clicks").filter(yes).to("clicks-out", to());
        let by_shop = orders.select_key(key).group_by_key(grouped());
        let shops = by_shop.aggregate(|| 0, |_: &String, _: String, all: i64| all, I64Serde, stored("per-shop"));
        let counts = customers.clone().to_stream();
        let by_count = counts.group_by(|key, _| key.clone(), Grouped::<String, i64, _, _>::with(S, I64Serde));
        by_count.count(stored("counts-of-counts"));
        numbers_to(customers.join(&shops, |left, right| left + right), "joined");
    });
}
