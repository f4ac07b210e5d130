//! Time from the broker's acknowledgement of an event to the first read that shows it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use orders::demo::generator::Event;
use orders::topics::ORDER_STATUS_VIEW;
use thalweg_tests::http;

use super::feeder::{Feeder, lives};
use super::figures::{Freshness, percentile};

/// Pause between two reads of a key that is not there yet.
const PAUSE: Duration = Duration::from_micros(500);
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes the first events of `samples` new orders, one after the other, and reads each until it is there.
///
/// The pauses between them are spread over the commit interval, so that no phase of it is preferred.
pub fn measure(url: &str, feeder: &mut Feeder, commit_interval_ms: u64, samples: u64) -> Freshness {
    let mut took = Vec::new();
    for (number, event) in first_events(&format!("fresh{commit_interval_ms}"), samples).into_iter().enumerate() {
        // The golden ratio spreads multiples evenly.
        let phase = (number as f64 * 0.618_034).fract();
        std::thread::sleep(Duration::from_secs_f64(phase * commit_interval_ms as f64 / 1000.0));
        took.push(one(url, feeder, event).as_secs_f64() * 1000.0);
    }
    let (p50_ms, p99_ms) = (percentile(&took, 0.5), percentile(&took, 0.99));
    Freshness { commit_interval_ms, samples: took.len(), p50_ms, p99_ms }
}

fn one(url: &str, feeder: &mut Feeder, event: Event) -> Duration {
    let target = format!("{url}/v1/views/{ORDER_STATUS_VIEW}/{}", event.key);
    feeder.write([event]);
    let acknowledged = Instant::now();
    loop {
        let answer = http::get(&target).unwrap_or_else(|reason| panic!("{target}: {reason}"));
        if answer.status == 200 {
            return acknowledged.elapsed();
        }
        assert!(acknowledged.elapsed() < PATIENCE, "{target} is still {}: {}", answer.status, answer.body);
        std::thread::sleep(PAUSE);
    }
}

fn first_events(prefix: &str, orders: u64) -> Vec<Event> {
    let mut seen = BTreeSet::new();
    lives(2, prefix, orders).filter(|event| seen.insert(event.key.clone())).collect()
}
