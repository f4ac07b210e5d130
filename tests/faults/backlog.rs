//! A backlog larger than memory: what the process uses stays below its caps and a constant, and how far it is can be seen.

use std::time::Duration;

use thalweg_tests::wait::wait_for;
use thalweg_tests::{Kafka, http, wait_until};

use crate::application::{Application, PARTITIONS, STOP};
use crate::topology::SEEN_ONLY;

const CAP: u64 = 64 << 20;
/// Everything else: code, threads, the outgoing queue, uncommitted rows, what the allocator keeps.
const CONSTANT: u64 = 96 << 20;
const PADDING: usize = 100;
const CHUNK: usize = 50_000;

/// Records that wait for the application, as it tells.
fn lag(app: &Application) -> Option<i64> {
    let body = http::get(&format!("{}/v1/tasks", app.url())).ok()?.json();
    let tasks = body["tasks"].as_array()?;
    let lags: Option<Vec<i64>> = tasks.iter().map(|task| task["inputs"][0]["lag"].as_i64()).collect();
    lags.filter(|lags| lags.len() == PARTITIONS as usize).map(|lags| lags.iter().sum())
}

/// Most bytes of memory that the process had.
fn peak(app: &Application) -> Option<u64> {
    let holder = std::fs::read_to_string(app.state().join(".lock")).ok()?;
    let process = holder.trim().strip_prefix("process ")?;
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

fn work_off(events: usize, keys: usize, deadline: Duration) {
    let caps = format!("application.state_memory_bytes = {CAP}\napplication.input_buffer_max_bytes = {CAP}");
    let mut app = Application::shaped(Kafka::shared(), SEEN_ONLY, PARTITIONS, &caps);
    while app.told() < events {
        app.tell(keys, CHUNK.min(events - app.told()), PADDING);
    }
    let all = i64::try_from(events).unwrap();
    let mut instance = app.spawn("");
    let mut lags: Vec<i64> = Vec::new();
    wait_until(deadline, "the backlog to be worked off", || {
        assert!(instance.exited().is_none(), "{}", instance.log());
        lags.extend(lag(&app).filter(|lag| lags.last() != Some(lag)));
        lags.last() == Some(&0)
    });
    let peak = wait_for(STOP, "the peak", || peak(&app)).unwrap();
    println!("{events} events: at most {} MiB; {} steps of progress", peak >> 20, lags.len());
    assert!(lags.is_sorted_by(|before, after| before > after) && lags[0] <= all, "progress: {lags:?}");
    assert!(lags.len() >= 3, "progress is shown: {lags:?}");
    assert!(peak <= 2 * CAP + CONSTANT, "{} MiB, more than {} MiB", peak >> 20, (2 * CAP + CONSTANT) >> 20);
    let rows = thalweg_tests::views::metric(&app.url(), "thalweg_task_process_total", &[]);
    assert!(rows >= events as f64, "{rows} of {events} processed");
    assert_eq!(instance.stop(STOP).code(), Some(0));
}

#[test]
fn a_backlog_of_300_k_records_stays_below_the_caps() {
    work_off(300_000, 100_000, Duration::from_secs(120));
}

#[test]
#[ignore = "long: 5 M records"]
fn a_backlog_of_5_m_records_stays_below_the_caps() {
    work_off(5_000_000, 1_000_000, Duration::from_secs(1_200));
}
