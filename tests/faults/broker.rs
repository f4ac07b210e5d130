//! A broker that is away: at the start, in the middle, killed and back with its data. The application keeps trying and
//! says why; nobody restarts it; nothing is lost or repeated in its views.

use std::time::{Duration, Instant};

use serde_json::Value;
use thalweg_tests::{Instance, Kafka, http, wait_until};

use crate::application::{Application, READY, STOP};

const KEYS: usize = 200;
/// Within this an outage is told, at the latest when the session of 6 s is over.
const TOLD: Duration = Duration::from_secs(20);

fn status(app: &Application, probe: &str) -> (u16, Value) {
    let answer = http::get(&format!("{}/{probe}", app.url())).unwrap();
    (answer.status, answer.json())
}

/// Not ready, and says why; alive; its rows are still there to be read.
fn check_outage(app: &Application, instance: &mut Instance, why: &str) {
    wait_until(TOLD, &format!("/readyz to say `{why}`"), || {
        let (code, body) = status(app, "readyz");
        code == 503 && body["reasons"].to_string().contains(why)
    });
    assert_eq!(status(app, "livez").0, 200);
    assert!(instance.exited().is_none(), "{}", instance.log());
}

fn away(pause: Duration, outages: usize) {
    let mut kafka = Kafka::start();
    let mut app = Application::prepare(&kafka, "");
    let unreachable = format!("127.0.0.1:{}", kafka.port(0));
    kafka.stop(0);
    let mut instance = app.spawn("");
    wait_until(READY, "HTTP to be served", || http::get(&format!("{}/livez", app.url())).is_ok());
    check_outage(&app, &mut instance, "the cluster has not answered yet");
    kafka.start_again(0);
    instance.wait_until_ready(READY);
    app.tell(KEYS, 10 * KEYS, 100);
    app.wait_until_told(&mut instance);

    // Killed with records on their way.
    for _ in 0..outages {
        app.tell(KEYS, 20 * KEYS, 100);
        kafka.kill(0);
        let down = Instant::now();
        check_outage(&app, &mut instance, "the group coordinator cannot be reached");
        wait_until(pause * 2, "the end of the outage", || down.elapsed() >= pause);
        kafka.start_again(0);
        instance.wait_until_ready(READY);
        app.tell(KEYS, KEYS, 100);
        app.wait_until_told(&mut instance);
    }
    let log = instance.log();
    let why = log.lines().any(|line| line.contains(&unreachable) && line.contains("onnect"));
    assert!(why, "nothing about {unreachable}:\n{log}");
    assert_eq!(instance.stop(STOP).code(), Some(0));
}

#[test]
fn a_broker_away_for_10_s_costs_nothing() {
    away(Duration::from_secs(10), 1);
}

#[test]
#[ignore = "long: two outages of a minute"]
fn a_broker_away_for_60_s_costs_nothing() {
    away(Duration::from_secs(60), 2);
}
