//! Two instances share the partitions, answer for each other, and take over from each other.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orders::model::{CustomerOrders, OrderStatus, StatusChange};
use orders::oracle::{Expected, settled};
use orders::topics::{CUSTOMER_ORDERS_VIEW, ORDER_STATUS, ORDER_STATUS_VIEW, PARTITIONS};
use thalweg::serde::Deserializer;
use thalweg_tests::http::{self, Answer};
use thalweg_tests::orders::{Application, expected, lives, wait_until_views_equal};
use thalweg_tests::wait::wait_for;
use thalweg_tests::{views, wait_until};

const ORDERS: u64 = 400;
const SEED: u64 = 5;
const READY: Duration = Duration::from_secs(60);
const SETTLED: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(30);
/// A key may be without an answer while its task moves; a killed owner is noticed after its session of 3 s.
const MOVED: Duration = Duration::from_secs(30);
const TASKS: usize = 2 * PARTITIONS as usize;

/// The instances share all tasks evenly, run what they were given, and know of each other.
fn wait_until_shared(urls: [&str; 2]) {
    wait_until(SETTLED, "two instances to share the tasks", || {
        let [Ok(one), Ok(other)] = urls.map(views::tasks) else { return false };
        let runs = |tasks: &BTreeMap<String, serde_json::Value>| {
            tasks.values().all(|task| task["role"] == "active") && tasks.len() == TASKS / 2
        };
        runs(&one) && runs(&other) && urls.iter().all(|url| owners(url).is_some_and(|owners| owners.len() == 2))
    });
    let [one, other] = urls.map(|url| views::tasks(url).unwrap().into_keys().collect::<BTreeSet<_>>());
    assert_eq!(one.intersection(&other).count(), 0, "a task runs twice: {one:?} {other:?}");
    assert_eq!(one.union(&other).count(), TASKS);
    let told = urls.map(|url| owners(url).unwrap());
    assert_eq!(told[0], told[1], "both instances tell the same owners");
    assert_eq!(told[0].values().cloned().collect::<Vec<_>>().concat().len(), TASKS);
    for (url, tasks) in urls.iter().zip([one, other]) {
        let endpoint = url.trim_start_matches("http://");
        assert_eq!(told[0][endpoint].iter().cloned().collect::<BTreeSet<_>>(), tasks, "{endpoint}");
    }
}

/// The active tasks of each instance, as the instance at `url` tells it.
fn owners(url: &str) -> Option<BTreeMap<String, Vec<String>>> {
    let body = http::get(&format!("{url}/v1/instances")).ok()?.json();
    let instances = body["instances"].as_array()?.iter();
    let owner = |instance: &serde_json::Value| {
        let tasks = instance["active"].as_array()?.iter().filter_map(|task| task.as_str().map(str::to_owned));
        Some((instance["id"].as_str()?.to_owned(), tasks.collect()))
    };
    instances.map(owner).collect()
}

/// What the instance at `url` says about `key`; waits while nobody can answer.
fn answer(url: &str, view: &str, key: &str) -> Answer {
    let mut last = Err("not asked".to_owned());
    let answered = wait_for(MOVED, &format!("an answer about {key}"), || {
        last = http::get(&format!("{url}/v1/views/{view}/{key}"));
        last.as_ref().is_ok_and(|answer| answer.status == 200).then_some(())
    });
    match (answered, last) {
        (Ok(()), Ok(answer)) => answer,
        (_, last) => panic!("{url} has no answer about {key} of {view} within {MOVED:?}: {last:?}"),
    }
}

/// Asks every key of both views at `url`; returns by how many instances it was answered, and how many each.
fn ask_every_key(url: &str, expected: &Expected) -> BTreeMap<String, usize> {
    let mut served = BTreeMap::new();
    let mut note = |answer: &Answer| {
        *served.entry(answer.header("thalweg-served-by").unwrap().to_owned()).or_insert(0) += 1;
    };
    for (key, status) in &expected.statuses {
        let answer = answer(url, ORDER_STATUS_VIEW, key);
        note(&answer);
        let found: OrderStatus = serde_json::from_value(answer.json()["value"].take()).unwrap();
        assert_eq!(settled(found), settled(status.clone()), "{key} at {url}");
    }
    for (key, page) in &expected.customers {
        let answer = answer(url, CUSTOMER_ORDERS_VIEW, key);
        note(&answer);
        let found: CustomerOrders = serde_json::from_value(answer.json()["value"].take()).unwrap();
        assert_eq!(&found, page, "{key} at {url}");
    }
    served
}

/// Number of records of `order.status` by order.
fn told(app: &Application) -> BTreeMap<String, Vec<i64>> {
    let serde = &app.serdes.status_change;
    let revisions = |stored: Vec<thalweg_tests::records::Stored>| {
        let revision = |value: Option<&[u8]>| {
            let change: StatusChange = serde.deserialize(ORDER_STATUS, value).unwrap();
            change.revision
        };
        stored.iter().map(|stored| revision(stored.record.value.as_deref())).collect()
    };
    app.by_key(ORDER_STATUS).into_iter().map(|(key, stored)| (key, revisions(stored))).collect()
}

#[test]
fn two_instances_share_the_partitions_and_take_over_from_each_other() {
    let app = Application::prepare();
    let mut events = lives(SEED, "first", ORDERS);
    app.write(0, &events);
    let (places, model) = (["a", "b"].map(|name| app.place(name, "")), expected(&events));
    let urls = places.each_ref().map(|place| format!("http://127.0.0.1:{}", place.port));
    let both = [urls[0].as_str(), urls[1].as_str()];
    let [mut a, mut b] = places.each_ref().map(|place| place.start());
    a.wait_until_ready(READY);
    b.wait_until_ready(READY);
    wait_until_shared(both);
    app.wait_until_taken(&both, events.len(), SETTLED);
    wait_until_views_equal(&both, SETTLED, &model);

    // Every key asked of both: one hop at most, equal answers, each served by its owner.
    let [by_a, by_b] = both.map(|url| ask_every_key(url, &model));
    assert_eq!(by_a, by_b, "both ask the same owners");
    assert_eq!(by_a.len(), 2, "each instance owns keys: {by_a:?}");
    let hops = |url| views::metric(url, "thalweg_http_forwarded_total", &["outcome=\"answered\""]) as usize;
    assert_eq!(both.map(hops), [by_a[&both[1][7..]], by_a[&both[0][7..]]], "one hop for each key of the other");

    // One stops in order while more comes in; the other answers for all.
    let second = lives(SEED + 1, "second", ORDERS);
    app.write(events.len(), &second);
    events.extend(second);
    let model = expected(&events);
    assert_eq!(b.stop(STOP).code(), Some(0));
    app.wait_until_taken(&both[..1], events.len(), SETTLED);
    wait_until_views_equal(&both[..1], SETTLED, &model);
    let alone = ask_every_key(both[0], &model);
    assert_eq!(alone.into_keys().collect::<Vec<_>>(), [&both[0][7..]]);
    let told = told(&app);
    for (key, changes) in &model.changes {
        let all: Vec<i64> = changes.iter().map(|change| change.revision).collect();
        assert_eq!(told[key], all, "{key}: a stop in order repeats nothing");
    }

    // It comes back and shares again, then dies; the other answers for all.
    let mut b = places[1].start();
    b.wait_until_ready(READY);
    wait_until_shared(both);
    wait_until_views_equal(&both, SETTLED, &model);
    b.kill();
    let alone = ask_every_key(both[0], &model);
    assert_eq!(alone.into_keys().collect::<Vec<_>>(), [&both[0][7..]]);
    assert_eq!(a.stop(STOP).code(), Some(0));
}
