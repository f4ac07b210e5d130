//! Things that break: disks, processes in the middle of a commit, topics, brokers, memory. One file per kind, one broker.
#![allow(clippy::unwrap_used)]

mod application;
mod backlog;
mod broker;
mod commit;
mod disk;
mod start;
mod topics;
mod topology;

use thalweg_state::fault_point;

/// Names the configuration of the process that this binary plays.
const CONFIG: &str = "THALWEG_FAULTS_CONFIG";
/// Where that process stops: `<name of the point>=<how often it is passed before>`.
const POINT: &str = "THALWEG_FAULTS_POINT";
/// What it prints then.
const STOPPED: &str = "stopped at the point";

/// Not a test by itself: the application as a process of its own. Does nothing unless it is told a configuration.
#[test]
fn child() {
    let Ok(config) = std::env::var(CONFIG) else { return };
    let point = std::env::var(POINT).unwrap_or_default();
    if let Some((name, passes)) = point.split_once('=') {
        fault_point::stop_at(name, passes.parse().unwrap(), stop);
    }
    let arguments = ["faults", "serve", "--config", &config].map(str::to_owned);
    std::process::exit(i32::from(thalweg::cli::run(topology::APP, &arguments)));
}

/// Waits for the kill.
fn stop(name: &str) -> ! {
    println!("{STOPPED} `{name}`");
    loop {
        std::thread::park();
    }
}
