use proptest::prelude::*;

use super::*;

/// All rows of a walk with its pages' sizes.
async fn walk(world: &World, parameters: &str) -> (Vec<(i64, String)>, Vec<usize>) {
    let (mut rows, mut sizes, mut cursor) = (vec![], vec![], String::new());
    loop {
        let answer = world.get(&format!("/v1/views/orders?{parameters}{cursor}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let body = answer.json();
        let page = body["rows"].as_array().unwrap();
        sizes.push(page.len());
        for row in page {
            rows.push((row["partition"].as_i64().unwrap(), row["key"].as_str().unwrap().to_owned()));
        }
        match body["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (rows, sizes),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn pages_together_are_the_sorted_rows(
        keys in prop::collection::btree_set("[a-c]{1,4}", 0..40),
        bounds in ("[a-c]{1,2}", "[a-c]{1,2}"),
        prefix in "[a-c]{1,2}",
        shape in 0..4,
        limit in 1..12_usize,
    ) {
        let (from, to) = if bounds.0 <= bounds.1 { bounds } else { (bounds.1, bounds.0) };
        type Inside = Box<dyn Fn(&str) -> bool>;
        let (parameters, inside): (String, Inside) = match shape {
            0 => (String::new(), Box::new(|_| true)),
            1 => (format!("from={from}&to={to}&"), Box::new(move |key| *from <= *key && *key <= *to)),
            2 => (format!("prefix={prefix}&"), Box::new(move |key| key.starts_with(&prefix))),
            _ => (format!("from={from}&"), Box::new(move |key| *from <= *key)),
        };
        let rows: Vec<_> = keys.iter().map(|key| (key.as_str(), json!(key))).collect();
        let world = World::new().with_orders(&rows);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (walked, sizes) = runtime.block_on(walk(&world, &format!("{parameters}limit={limit}")));
        let mut model: Vec<(i64, String)> = keys
            .into_iter()
            .filter(|key| inside(key))
            .map(|key| (partition_of(key.as_bytes(), PARTITIONS).into(), key))
            .collect();
        model.sort();
        prop_assert_eq!(walked.len().div_ceil(limit).max(1), sizes.len(), "no empty last page");
        prop_assert_eq!(walked, model);
    }
}

#[tokio::test]
async fn a_page_says_that_it_is_local_and_what_it_covers() {
    let world = World::new().with_orders(&[(&key_in(0), json!(0)), (&key_in(2), json!(2)), (&key_in(3), json!(3))]);
    world.table(|table| table.instances.push(instance("b", None)));
    world.owned_by(TaskId::new(0, 1), 1).owned_by(TaskId::new(0, 2), 1);
    let answer = world.get("/v1/views/orders").await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(body["scope"], "local");
    assert_eq!(body["partitions"], json!([0, 3]));
    assert_eq!(body["partitions_total"], 4);
    assert_eq!(body["cursor"], Value::Null);
    let keys: Vec<_> = body["rows"].as_array().unwrap().iter().map(|row| row["key"].clone()).collect();
    assert_eq!(keys, [json!(key_in(0)), json!(key_in(3))], "no row of a partition that another instance owns");
    assert_eq!(answer.header("thalweg-scope"), Some("local"));
    assert_eq!(answer.header("thalweg-partitions"), Some("0,3"));
    assert_eq!(answer.header("thalweg-role"), Some("active"));
    assert_eq!(answer.header("thalweg-position"), Some("order.events-0:10,order.events-3:10"));
    assert_eq!(answer.header("thalweg-lag"), Some("6"));
}

#[tokio::test]
async fn an_instance_without_partitions_does_not_pretend_that_there_are_no_rows() {
    let world = World::new();
    assert_eq!(world.get("/v1/views/orders").await.problem(), (503, "unavailable".into()));
    world.table(|_| {});
    assert_eq!(world.get("/v1/views/orders").await.problem(), (503, "no-local-partitions".into()));
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_walk_only() {
    let world = World::new().with_orders(&[("a", json!(1)), ("ab", json!(2)), ("b", json!(3)), ("c", json!(4))]);
    for partition in 0..PARTITIONS {
        let task = TaskId::new(1, partition);
        world.owned_by(task, 0).with(task, Role::Active, reader_at(partition));
    }
    let cursor = world.get("/v1/views/orders?from=a&limit=1").await.json()["cursor"].as_str().unwrap().to_owned();
    let next = async |world: &World, target: &str| world.get(&format!("{target}&cursor={cursor}")).await;
    assert_eq!(next(&world, "/v1/views/orders?from=a&limit=2").await.status, 200, "the limit may change");
    for other in [
        "/v1/views/numbers?from=1",
        "/v1/views/orders?from=b",
        "/v1/views/orders?prefix=a",
        "/v1/views/orders?limit=1",
        "/v1/views/orders?from=a&to=b",
        "/v1/views/orders?to=b",
    ] {
        assert_eq!(next(&world, other).await.problem(), (400, "bad-cursor".into()), "{other}");
    }
    let elsewhere = World::named("b").with_orders(&[("a", json!(1))]);
    assert_eq!(next(&elsewhere, "/v1/views/orders?from=a").await.problem(), (410, "cursor-expired".into()));
    world.table(|table| table.active.retain(|task, _| task.partition != 3));
    assert_eq!(next(&world, "/v1/views/orders?from=a").await.problem(), (410, "cursor-expired".into()));
}

#[tokio::test]
async fn a_page_ends_early_when_its_rows_are_large() {
    let large = json!("x".repeat(700_000));
    let keys: Vec<String> =
        (0..200).map(|n| format!("k{n}")).filter(|key| partition_of(key.as_bytes(), PARTITIONS) == 0).take(5).collect();
    let rows: Vec<_> = keys.iter().map(|key| (key.as_str(), large.clone())).collect();
    let world = World::new().with_orders(&rows);
    let (walked, sizes) = walk(&world, "limit=1000").await;
    assert_eq!(sizes, [2, 2, 1]);
    assert_eq!(walked.len(), 5);
}

#[tokio::test]
async fn number_ranges_follow_number_order() {
    let world = World::new();
    for partition in 0..PARTITIONS {
        let mut reader = reader_at(partition);
        let here = (0..500_u64).map(u64::to_be_bytes).filter(|key| partition_of(key, PARTITIONS) == partition);
        reader.rows.extend(here.map(|key| (key.to_vec(), stored(1, &json!(null)))));
        world.owned_by(TaskId::new(1, partition), 0).with(TaskId::new(1, partition), Role::Active, reader);
    }
    let body = world.get("/v1/views/numbers?from=250&to=260").await.json();
    let mut keys: Vec<u64> =
        body["rows"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap().parse().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys, (250..=260).collect::<Vec<_>>());
    assert_eq!(world.get("/v1/views/numbers?prefix=25").await.problem(), (400, "bad-parameter".into()));
}
