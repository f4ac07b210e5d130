//! The whole application against a real broker and a real registry: one instance that has processed everything, seen
//! from all sides.
#![allow(clippy::unwrap_used)]

mod derived;
mod http;
mod interchange;
mod operator;
mod poison;
mod views;

use std::sync::LazyLock;
use std::time::Duration;

use orders::demo::generator::Event;
use orders::oracle::Expected;
use orders::topics::{ORDER_EVENTS, PAYMENT_ORDER};
use thalweg_tests::orders::{Application, Place, expected, lives};
use thalweg_tests::poison::Poison;
use thalweg_tests::{Instance, records};

const ORDERS: u64 = 1_500;
const SEED: u64 = 7;
/// The registry is asked for eight ids within this, and the instance joins its group.
const READY: Duration = Duration::from_secs(60);
const PROCESSED: Duration = Duration::from_secs(90);

/// Everything was processed; nothing moves any more.
struct Scene {
    app: Application,
    place: Place,
    /// Kept so that it runs on: it ends with the test binary.
    instance: Instance,
    events: Vec<Event>,
    expected: Expected,
    poison: Vec<Poison>,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let app = Application::prepare();
    let events = lives(SEED, "o", ORDERS);
    let poison = poison::all(&events, &app.serdes);
    // Among the good records: a third before, the rest behind.
    let (before, after) = events.split_at(events.len() / 3);
    app.write(0, before);
    for topic in [ORDER_EVENTS, PAYMENT_ORDER] {
        let bad = poison.iter().filter(|poison| poison.topic == topic);
        records::write(&app.clients, topic, bad.map(|poison| (poison.partition, &poison.record)));
    }
    app.write(before.len(), after);
    // The most that is ever logged: a phone number must not be there either.
    let place = app.place("only", "log.filter = \"debug\"");
    let mut instance = place.start();
    instance.wait_until_ready(READY);
    app.wait_until_taken(&[instance.url()], events.len() + poison.len(), PROCESSED);
    let expected = expected(&events);
    thalweg_tests::orders::wait_until_views_equal(&[instance.url()], PROCESSED, &expected);
    Scene { app, place, instance, events, expected, poison }
});

impl Scene {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.instance.url())
    }
}
