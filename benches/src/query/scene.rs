//! The services, the instances and the keys that are read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use orders::topics::{ORDER_STATUS_VIEW, PARTITIONS};
use thalweg::types::partition_of;
use thalweg_tests::orders::{Application, Place};
use thalweg_tests::{Instance, http, views, wait_until};

use super::process;

const READY: Duration = Duration::from_secs(120);
const PROCESSED: Duration = Duration::from_secs(1800);
const STOPPED: Duration = Duration::from_secs(60);

/// An instance that runs.
pub struct Running {
    instance: Instance,
    pid: u32,
}

impl Running {
    /// Starts the instance of `place` with this commit interval.
    pub fn start(place: &Place, commit_interval_ms: u64) -> Self {
        let config = format!("{}application.commit_interval_ms = {commit_interval_ms}\n", place.config);
        let instance = Instance::spawn(&place.name, &place.dir, place.port, &config);
        let file = place.dir.join(format!("{}.toml", place.name));
        let mut pid = None;
        wait_until(READY, "the instance's process", || {
            pid = process::find("orders", &file);
            pid.is_some()
        });
        Self { instance, pid: pid.unwrap_or_default() }
    }

    /// Base URL.
    pub fn url(&self) -> &str {
        self.instance.url()
    }

    /// Waits until it is a member and runs what it owns.
    pub fn wait_until_ready(&mut self) {
        self.instance.wait_until_ready(READY);
    }

    /// CPU seconds that it has used.
    pub fn cpu_seconds(&self) -> f64 {
        process::cpu_seconds(self.pid).unwrap_or(f64::NAN)
    }

    /// Records that it has processed, repartitioned ones included.
    pub fn processed(&self) -> f64 {
        views::metric(self.url(), "thalweg_task_process_total", &[])
    }

    /// Stops it in order.
    pub fn stop(mut self) {
        self.instance.stop(STOPPED);
    }
}

/// Partitions of the view that each instance owns, as the instance at `url` tells it; by instance id.
fn owners(url: &str) -> Option<BTreeMap<String, BTreeSet<i32>>> {
    let listed = http::get(&format!("{url}/v1/views")).ok()?.json();
    let view = listed["views"].as_array()?.iter().find(|view| view["name"] == ORDER_STATUS_VIEW)?;
    let prefix = format!("{}_", view["subtopology"].as_u64()?);
    let body = http::get(&format!("{url}/v1/instances")).ok()?.json();
    let owned = |instance: &serde_json::Value| {
        let tasks = instance["active"].as_array()?.iter().filter_map(serde_json::Value::as_str);
        let partitions = tasks.filter_map(|task| task.strip_prefix(&prefix)?.parse().ok()).collect();
        Some((instance["id"].as_str()?.to_owned(), partitions))
    };
    body["instances"].as_array()?.iter().map(owned).collect()
}

/// Waits until these instances share the view: each owns and runs some of it, together all.
pub fn wait_until_shared(running: &[&Running]) {
    let settled = || {
        let Some(owners) = owners(running[0].url()) else { return false };
        let ready = |running: &&Running| {
            http::get(&format!("{}/readyz", running.url())).is_ok_and(|answer| answer.status == 200)
        };
        owners.len() == running.len()
            && owners.values().all(|partitions| !partitions.is_empty())
            && owners.values().map(BTreeSet::len).sum::<usize>() == PARTITIONS as usize
            && running.iter().all(ready)
    };
    wait_until(READY, "the instances to share the view", settled);
}

/// Waits until everything that was written is processed.
pub fn wait_until_processed(app: &Application, running: &[&Running], records: u64) -> Duration {
    let urls: Vec<&str> = running.iter().map(|running| running.url()).collect();
    let started = Instant::now();
    app.wait_until_taken(&urls, usize::try_from(records).expect("a number of records"), PROCESSED);
    started.elapsed()
}

/// Of `keys`, those that the instance at `url` has (`here`), or those that others have.
pub fn keys_of<'a>(url: &str, keys: &'a [String], here: bool) -> Vec<&'a String> {
    let owners = owners(url).expect("owners of the view");
    let id = url.trim_start_matches("http://");
    let own = &owners[id];
    keys.iter().filter(|key| own.contains(&partition_of(key.as_bytes(), PARTITIONS)) == here).collect()
}

/// Paths of point reads.
pub fn points(keys: &[&String]) -> Vec<String> {
    keys.iter().map(|key| format!("/v1/views/{ORDER_STATUS_VIEW}/{key}")).collect()
}

/// Paths of ranges of 100 rows.
pub fn ranges(keys: &[&String]) -> Vec<String> {
    keys.iter().map(|key| format!("/v1/views/{ORDER_STATUS_VIEW}?from={key}&limit=100")).collect()
}
