//! `describe()` against texts printed by Kafka Streams 4.3.1; the first line of each file is the Java DSL behind it.

use super::recorder::Materialized::{As, No, Unnamed};
use super::recorder::Recorder;
use crate::topology::StoreId;

pub fn check(file: &str, record: impl FnOnce(&mut Recorder)) {
    let path = format!("{}/src/topology/testdata/{file}.txt", env!("CARGO_MANIFEST_DIR"));
    let golden = std::fs::read_to_string(&path).unwrap();
    let (java, expected) = golden.split_once('\n').unwrap();
    let mut recorder = Recorder::default();
    record(&mut recorder);
    assert_eq!(recorder.build().describe(), expected, "{file}: {java}");
}

const AGGREGATE: &str = "KSTREAM-AGGREGATE-";

#[test]
fn stateless_operators_and_their_names() {
    check("stateless_chain", |r| {
        let mut s = r.stream(&["in"], None);
        for operator in ["FILTER", "MAPVALUES", "MAP", "FLATMAP", "FLATMAPVALUES", "KEY-SELECT", "PEEK"] {
            s = r.then(&s, &format!("KSTREAM-{operator}-"), None);
        }
        r.to(&s, "out");
    });
    check("named_chain", |r| {
        let s = r.stream(&["in"], Some("source"));
        let s = r.then(&s, "KSTREAM-FILTER-", Some("keep"));
        let s = r.map_values(&s);
        r.then(&s, "KSTREAM-FOREACH-", Some("done"));
    });
}

#[test]
fn sources_of_streams() {
    check("two_sources", |r| {
        let a = r.stream(&["a"], None);
        r.to(&a, "x");
        let b = r.stream(&["b"], None);
        let b = r.filter(&b);
        r.to(&b, "y");
    });
    check("many_topics", |r| {
        let s = r.stream(&["orders", "payments", "refunds", "audit"], None);
        r.to(&s, "all");
    });
    check("same_topic_twice", |r| {
        let s = r.stream(&["in"], None);
        let s = r.filter(&s);
        r.to(&s, "x");
        let s = r.stream(&["in"], None);
        let s = r.map_values(&s);
        r.to(&s, "y");
    });
}

#[test]
fn merge_and_fan_out() {
    check("merge", |r| {
        let a = r.stream(&["a"], None);
        let left = r.filter(&a);
        let b = r.stream(&["b"], None);
        let right = r.map_values(&b);
        let merged = r.merge(&left, &right);
        r.to(&merged, "out");
    });
    check("merge_of_many", |r| {
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|topic| r.stream(&[topic], None));
        let s = r.merge(&a, &b);
        let s = r.merge(&s, &c);
        let s = r.merge(&s, &d);
        let s = r.peek(&s);
        r.to(&s, "out");
        let side = r.filter(&c);
        r.to(&side, "side");
    });
    check("merge_self", |r| {
        let s = r.stream(&["in"], None);
        let s = r.merge(&s, &s);
        r.to(&s, "out");
    });
    check("fan_out", |r| {
        let s = r.stream(&["in"], None);
        r.to(&s, "a");
        let b = r.filter(&s);
        r.to(&b, "b");
        let c = r.map_values(&s);
        let c = r.peek(&c);
        r.to(&c, "c");
        let d = r.peek(&s);
        let d = r.filter(&d);
        let d = r.map_values(&d);
        r.to(&d, "d");
        r.then(&s, "KSTREAM-FOREACH-", None);
    });
}

#[test]
fn wide_and_deep_graphs_keep_javas_set_orders() {
    check("wide", |r| {
        let s = r.stream(&["in"], None);
        let mut merged = None;
        for i in 0..20 {
            let mut branch = r.filter(&s);
            for _ in 0..i * 7 % 5 {
                branch = r.map_values(&branch);
            }
            if i % 3 == 0 {
                merged = Some(match merged {
                    None => branch,
                    Some(merged) => r.merge(&merged, &branch),
                });
            } else {
                r.to(&branch, &format!("out-{i}"));
            }
        }
        r.to(&merged.unwrap(), "merged");
    });
    check("diamonds", |r| {
        let mut s = r.stream(&["in"], None);
        for _ in 0..4 {
            let left = r.filter(&s);
            let right = r.peek(&s);
            let right = r.map_values(&right);
            s = r.merge(&left, &right);
        }
        r.to(&s, "out");
    });
}

#[test]
fn split_and_branch() {
    check("split", |r| {
        let s = r.stream(&["in"], None);
        let splitter = r.then(&s, "KSTREAM-BRANCH-", None);
        let [one, two, rest] = ["1", "2", "0"].map(|index| r.branch(&splitter, index));
        r.to(&one, "a");
        let two = r.map_values(&two);
        r.to(&two, "b");
        r.to(&rest, "c");
    });
    check("split_named", |r| {
        let s = r.stream(&["in"], None);
        let splitter = r.then(&s, "KSTREAM-BRANCH-", Some("by-"));
        let one = r.branch(&splitter, "one");
        r.to(&one, "a");
        let two = r.branch(&splitter, "2");
        let two = r.filter(&two);
        r.to(&two, "b");
    });
}

#[test]
fn counts_without_repartition() {
    for (file, materialized) in [("group_by_key_count", No), ("group_by_key_count_store", As("counts"))] {
        check(file, |r| {
            let s = r.stream(&["in"], None);
            let mut grouped = r.group_by_key(&s, None);
            let table = r.count(&mut grouped, materialized);
            let s = r.table_stream(&table, None);
            r.to(&s, "out");
        });
    }
    check("group_by_key_count_materialized_unnamed", |r| {
        let s = r.stream(&["in"], None);
        let mut grouped = r.group_by_key(&s, None);
        r.count(&mut grouped, Unnamed);
    });
}

#[test]
fn counts_with_repartition() {
    check("group_by_count", |r| {
        let s = r.stream(&["in"], None);
        let mut grouped = r.group_by(&s, None);
        let table = r.count(&mut grouped, No);
        let s = r.table_stream(&table, None);
        r.to(&s, "out");
    });
    check("group_by_count_store", |r| {
        let s = r.stream(&["in"], None);
        let mut grouped = r.group_by(&s, None);
        r.count(&mut grouped, As("counts"));
    });
    check("group_by_named_repartition", |r| {
        let s = r.stream(&["in"], None);
        let mut grouped = r.group_by(&s, Some("by-value"));
        let table = r.count(&mut grouped, As("counts"));
        let s = r.table_stream(&table, None);
        r.to(&s, "out");
    });
}

#[test]
fn reduce_and_aggregate() {
    check("map_group_by_key", |r| {
        let s = r.stream(&["in"], None);
        let s = r.then(&s, "KSTREAM-MAP-", None);
        let mut grouped = r.group_by_key(&s, None);
        let table = r.reduce(&mut grouped);
        let s = r.table_stream(&table, None);
        r.to(&s, "out");
    });
    check("aggregate_reduce", |r| {
        let s = r.stream(&["in"], None);
        let mut grouped = r.group_by_key(&s, None);
        r.aggregate(&mut grouped, AGGREGATE, As("agg"));
        r.reduce(&mut grouped);
        r.aggregate(&mut grouped, AGGREGATE, No);
    });
}

#[test]
fn one_grouping_aggregated_twice() {
    check("grouped_twice", |r| {
        let s = r.stream(&["in"], None);
        let mut grouped = r.group_by(&s, None);
        r.count(&mut grouped, No);
        r.reduce(&mut grouped);
    });
    check("grouped_twice_reuse", |r| {
        let s = r.stream(&["in"], None);
        let mut grouped = r.group_by(&s, Some("g"));
        let table = r.count(&mut grouped, No);
        let x = r.table_stream(&table, None);
        r.to(&x, "x");
        let other = r.stream(&["other"], None);
        let mut other = r.group_by(&other, None);
        r.count(&mut other, No);
        let table = r.reduce(&mut grouped);
        let y = r.table_stream(&table, None);
        r.to(&y, "y");
    });
    check("grouped_reuse_downstream", |r| {
        let s = r.stream(&["in"], None);
        let mut grouped = r.group_by(&s, Some("g"));
        let table = r.count(&mut grouped, No);
        let s = r.table_stream(&table, None);
        let mut again = r.group_by(&s, None);
        r.count(&mut again, No);
        r.reduce(&mut grouped);
    });
}

#[test]
fn processors_with_stores() {
    check("process_shared_store", |r| {
        let shared = r.store("shared");
        let a = r.stream(&["a"], None);
        let a = r.process(&a, "KSTREAM-PROCESSOR-", None, &[shared]);
        r.to(&a, "x");
        let b = r.stream(&["b"], None);
        let b = r.process(&b, "KSTREAM-PROCESSVALUES-", None, &[shared]);
        r.to(&b, "y");
    });
    check("process_named_many_stores", |r| {
        let mut stores = ["one", "two", "three", "four", "five"].map(|name| r.store(name));
        stores.reverse();
        let s = r.stream(&["in"], None);
        let s = r.process(&s, "KSTREAM-PROCESSOR-", Some("work"), &stores);
        r.to(&s, "out");
    });
    check("process_then_group", |r| {
        let store = r.store("s");
        let s = r.stream(&["in"], None);
        let s = r.process(&s, "KSTREAM-PROCESSOR-", None, &[store]);
        let mut grouped = r.group_by_key(&s, None);
        r.count(&mut grouped, As("n"));
    });
    check("process_thirty_stores", |r| {
        let stores: Vec<StoreId> = (0..30).map(|i| r.store(&format!("store-{i}"))).collect();
        let s = r.stream(&["in"], None);
        r.process(&s, "KSTREAM-PROCESSVALUES-", None, &stores);
    });
}

#[test]
fn explicit_repartitions() {
    check("repartition", |r| {
        let s = r.stream(&["in"], None);
        let s = r.repartition(&s, None, None);
        r.to(&s, "x");
        let s = r.stream(&["b"], None);
        let s = r.repartition(&s, Some("fixed"), Some(7));
        r.to(&s, "y");
    });
    check("repartition_suffix", |r| {
        let s = r.stream(&["in"], None);
        let s = r.repartition(&s, Some("by-shop-repartition"), None);
        let mut grouped = r.group_by_key(&s, None);
        r.count(&mut grouped, No);
    });
}

#[test]
fn several_sub_topologies() {
    check("several_sub_topologies", |r| {
        let orders = r.stream(&["orders"], None);
        let mut by_customer = r.group_by(&orders, Some("by-customer"));
        let customers = r.count(&mut by_customer, As("per-customer"));
        let clicks = r.stream(&["clicks"], None);
        let clicks = r.filter(&clicks);
        r.to(&clicks, "clicks-out");
        let by_shop = r.select_key(&orders);
        let mut by_shop = r.group_by_key(&by_shop, None);
        let shops = r.aggregate(&mut by_shop, AGGREGATE, As("per-shop"));
        let counts = r.table_stream(&customers, None);
        let mut counts = r.group_by(&counts, None);
        r.count(&mut counts, As("counts-of-counts"));
        let joined = r.join_tables(&customers, &shops, None, No);
        let joined = r.table_stream(&joined, None);
        r.to(&joined, "joined");
    });
}
