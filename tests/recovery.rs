//! An instance that dies loses nothing: killed again and again, stopped, and with its state directory wiped.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use orders::demo::generator::Event;
use orders::model::{Anomaly, SmsRequest, StatusChange};
use orders::oracle::Expected;
use orders::topics::{NOTIFICATION_SMS, ORDER_ANOMALIES, ORDER_EVENTS, ORDER_STATUS, PAYMENT_ORDER};
use thalweg::serde::Deserializer;
use thalweg_tests::orders::{Application, Place, assert_same, expected, lives, wait_until_views_equal};
use thalweg_tests::{Instance, views, wait_until};

/// A little more than 200 000 events.
const ORDERS: u64 = 23_500;
const EVENTS_MIN: usize = 200_000;
const SEED: u64 = 11;
const READY: Duration = Duration::from_secs(60);
const PROCESSED: Duration = Duration::from_secs(120);
const STOP: Duration = Duration::from_secs(30);

struct Scene {
    app: Application,
    place: Place,
    events: Vec<Event>,
    expected: Expected,
}

impl Scene {
    /// 200 k events wait in the source topics.
    fn prepare() -> Self {
        let app = Application::prepare();
        let events = lives(SEED, "o", ORDERS);
        assert!(events.len() >= EVENTS_MIN, "{} events", events.len());
        app.write(0, &events);
        let place = app.place("only", "");
        let expected = expected(&events);
        Self { app, place, events, expected }
    }

    fn start(&self) -> Instance {
        let mut instance = self.place.start();
        instance.wait_until_ready(READY);
        instance
    }

    fn written(&self) -> Vec<i64> {
        let changelogs = ["order-status", "order-contact", "customer-orders"].map(|store| self.app.changelog(store));
        let derived = [ORDER_STATUS, ORDER_ANOMALIES, NOTIFICATION_SMS].map(str::to_owned);
        let repartition = [self.app.repartition_topic()];
        let topics = changelogs.iter().chain(&derived).chain(&repartition);
        topics.map(|topic| self.app.written(topic)).collect()
    }

    /// Starts, waits until `share` percent of all events are taken, kills: there is always something written and not
    /// committed then.
    fn kill_at(&self, share: i64) {
        let mut instance = self.place.start();
        let (all, url) = (i64::try_from(self.events.len()).unwrap(), instance.url().to_owned());
        let taken = || views::taken(&[&url], ORDER_EVENTS) + views::taken(&[&url], PAYMENT_ORDER);
        let mut last = 0;
        wait_until(PROCESSED, &format!("{share} % of the events"), || {
            last = taken();
            last * 100 >= all * share
        });
        instance.kill();
        println!("killed at {last} of {all}, {} records of {ORDER_STATUS}", self.app.written(ORDER_STATUS));
        assert!(last < all, "killed when everything was done");
    }

    /// All values of a derived topic by key, in order.
    fn derived<T>(&self, topic: &str, serde: &impl Deserializer<T>) -> BTreeMap<String, Vec<T>> {
        let by_key = self.app.by_key(topic).into_iter();
        let value =
            |stored: &thalweg_tests::records::Stored| serde.deserialize(topic, stored.record.value.as_deref()).unwrap();
        by_key.map(|(key, all)| (key, all.iter().map(value).collect())).collect()
    }

    fn check_views(&self, instance: &Instance) {
        wait_until_views_equal(&[instance.url()], PROCESSED, &self.expected);
    }

    /// At-least-once: repeats are allowed, but the first of each must be there, and in order.
    fn check_derived(&self) {
        let serdes = &self.app.serdes;
        let all = self.derived::<StatusChange>(ORDER_STATUS, &serdes.status_change);
        let changes = first_of_each(all, |change| change.revision);
        assert_same(ORDER_STATUS, &changes, &self.expected.changes);
        let all = self.derived::<SmsRequest>(NOTIFICATION_SMS, &serdes.sms_request);
        let messages = first_of_each(all, |sms| sms.notification_id.clone());
        let ids = messages
            .into_iter()
            .map(|(key, all)| (key, all.into_iter().map(|sms| sms.notification_id.into()).collect()));
        assert_same(NOTIFICATION_SMS, &ids.collect(), &self.expected.notifications);
        let all = self.derived::<Anomaly>(ORDER_ANOMALIES, &serdes.anomaly);
        let anomalies = first_of_each(all, |anomaly| (anomaly.subject, anomaly.event.clone(), anomaly.occurred_at));
        let facts = |anomaly: Anomaly| (anomaly.subject, anomaly.event);
        let found = anomalies.into_iter().map(|(key, all)| (key, all.into_iter().map(facts).collect::<Vec<_>>()));
        let expected =
            self.expected.anomalies.iter().map(|(key, all)| {
                (key.clone(), all.iter().map(|(subject, event, _)| (*subject, event.clone())).collect())
            });
        assert_same(ORDER_ANOMALIES, &found.collect(), &expected.collect());
    }
}

/// Drops from the records of each key those whose `id` was there before.
fn first_of_each<T, I: Ord>(records: BTreeMap<String, Vec<T>>, id: impl Fn(&T) -> I) -> BTreeMap<String, Vec<T>> {
    let first = |all: Vec<T>| {
        let mut known = std::collections::BTreeSet::new();
        all.into_iter().filter(|record| known.insert(id(record))).collect()
    };
    records.into_iter().map(|(key, all)| (key, first(all))).collect()
}

#[test]
fn an_instance_killed_in_the_middle_of_200_k_events_loses_nothing() {
    let scene = Scene::prepare();
    for share in [20, 45] {
        scene.kill_at(share);
    }
    // What was written and not committed must not come back through the changelogs either.
    fs::remove_dir_all(scene.place.state_dir()).unwrap();
    scene.kill_at(70);
    let mut instance = scene.start();
    scene.app.wait_until_taken(&[instance.url()], scene.events.len(), PROCESSED);
    scene.check_views(&instance);
    assert_eq!(instance.stop(STOP).code(), Some(0));
    scene.check_derived();
    let written = scene.written();

    // After a stop in order nothing is left to restore and nothing to process again.
    let mut instance = scene.start();
    scene.check_views(&instance);
    assert_eq!(views::metric(instance.url(), "thalweg_task_process_total", &[]), 0.0, "records processed again");
    assert_eq!(instance.stop(STOP).code(), Some(0));
    assert_eq!(scene.written(), written, "records written again");

    // Without its directory everything comes back from the changelogs, and from nothing else.
    fs::remove_dir_all(scene.place.state_dir()).unwrap();
    let mut instance = scene.start();
    scene.check_views(&instance);
    assert_eq!(views::metric(instance.url(), "thalweg_task_process_total", &[]), 0.0, "records processed again");
    assert_eq!(instance.stop(STOP).code(), Some(0));
    assert_eq!(scene.written(), written, "records written again");
}
