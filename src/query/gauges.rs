//! Gauges that each scrape reads from the published snapshots: nothing to keep up to date, nothing to remove.

use std::collections::BTreeMap;
use std::time::Instant;

use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, IntGaugeVec};

use crate::query::health;
use crate::query::metrics::{Registrar, description as all};
use crate::query::snapshot::{LocalTask, Published, Role, StoreProgress};
use crate::query::status::remaining;
use crate::types::TaskId;

const NO_LABELS: &[&str] = &[];

/// Every gauge, empty.
pub struct Gauges {
    info: IntGaugeVec,
    ready: IntGaugeVec,
    member_state: IntGaugeVec,
    alive_threads: IntGaugeVec,
    role: IntGaugeVec,
    restore_remaining: IntGaugeVec,
    rows: IntGaugeVec,
    bytes: IntGaugeVec,
    stream_time: GaugeVec,
    buffered: IntGaugeVec,
    lag: IntGaugeVec,
    commit_age: GaugeVec,
    memory: IntGaugeVec,
    waits: IntGaugeVec,
}

/// The gauges of this instance and of all its tasks at `now`.
pub fn gather(published: &Published, now: Instant) -> Result<Vec<MetricFamily>, prometheus::Error> {
    let mut registrar = Registrar::default();
    let gauges = Gauges::new(&mut registrar)?;
    gauges.instance(published, now);
    gauges.memory(published);
    for (id, local) in &published.catalog.load().tasks {
        gauges.task(*id, local, now);
        gauges.waits(*id, local);
    }
    Ok(registrar.registry.gather())
}

impl Gauges {
    /// All gauges, registered with `r`.
    pub fn new(r: &mut Registrar) -> Result<Self, prometheus::Error> {
        Ok(Self {
            info: r.gauges(&all::INFO)?,
            ready: r.gauges(&all::READY)?,
            member_state: r.gauges(&all::MEMBER_STATE)?,
            alive_threads: r.gauges(&all::ALIVE_THREADS)?,
            role: r.gauges(&all::TASK_ROLE)?,
            restore_remaining: r.gauges(&all::TASK_RESTORE_REMAINING)?,
            rows: r.gauges(&all::STORE_ROWS)?,
            bytes: r.gauges(&all::STORE_BYTES)?,
            stream_time: r.real_gauges(&all::TASK_STREAM_TIME)?,
            buffered: r.gauges(&all::TASK_BUFFERED)?,
            lag: r.gauges(&all::LAG)?,
            commit_age: r.real_gauges(&all::TASK_COMMIT_AGE)?,
            memory: r.gauges(&all::MEMORY)?,
            waits: r.gauges(&all::TASK_PAUSED_PARTITIONS)?,
        })
    }

    fn instance(&self, published: &Published, now: Instant) {
        let health = published.health.load();
        let application = &published.topology.load().application_id;
        self.info.with_label_values(&[application.as_str(), env!("CARGO_PKG_VERSION")]).set(1);
        self.member_state.with_label_values(&[health.membership.as_str()]).set(1);
        let ready = health::not_ready(&health, &published.routing.load(), &published.catalog.load(), now).is_empty();
        self.ready.with_label_values(NO_LABELS).set(i64::from(ready));
        let turns = health.stream_threads().filter(|thread| thread.stuck_for(now).is_none());
        self.alive_threads.with_label_values(NO_LABELS).set(whole(turns.count() as u64));
    }

    fn memory(&self, published: &Published) {
        let mut owners: BTreeMap<&str, u64> = BTreeMap::new();
        for owner in published.memory.load().iter() {
            *owners.entry(owner.name).or_default() += (owner.bytes)();
        }
        for local in published.catalog.load().tasks.values() {
            for (owner, bytes) in &local.progress.load().memory {
                *owners.entry(owner).or_default() += bytes;
            }
        }
        for (owner, bytes) in owners {
            self.memory.with_label_values(&[owner]).set(whole(bytes));
        }
    }

    fn waits(&self, id: TaskId, local: &LocalTask) {
        if local.role == Role::Active {
            let paused = local.progress.load().waits.iter().filter(|wait| wait.partition.is_some()).count();
            self.waits.with_label_values(&[id.to_string()]).set(i64::try_from(paused).unwrap_or(i64::MAX));
        }
    }

    fn task(&self, id: TaskId, local: &LocalTask, now: Instant) {
        let task = id.to_string();
        let progress = local.progress.load();
        self.role.with_label_values(&[task.as_str(), local.role.as_str()]).set(1);
        for (index, StoreProgress { store, changelog, position, end, bytes }) in progress.stores.iter().enumerate() {
            let labels = [task.as_str(), store.as_str()];
            if let (Some(_), Some(records)) = (changelog, remaining(*position, *end)) {
                self.restore_remaining.with_label_values(&labels).set(records);
            }
            if let Some(bytes) = bytes {
                self.bytes.with_label_values(&labels).set(whole(*bytes));
            }
            // The progress of a running task lists its stores in their order.
            let reader = local.reader.as_ref().filter(|_| progress.thread.is_some());
            if let Some(rows) = reader.and_then(|reader| reader.approximate_rows(index).ok()) {
                self.rows.with_label_values(&labels).set(whole(rows));
            }
        }
        self.buffered.with_label_values(&[&task]).set(whole(progress.buffered_records));
        if let Some(time) = progress.stream_time {
            self.stream_time.with_label_values(&[&task]).set(time as f64 / 1000.0);
        }
        if let Some(commit) = progress.last_commit {
            self.commit_age.with_label_values(&[&task]).set(now.saturating_duration_since(commit).as_secs_f64());
        }
        for input in &progress.inputs {
            if let Some(records) = remaining(input.position, input.end) {
                let partition = input.partition.partition.to_string();
                self.lag.with_label_values(&[&*input.partition.topic, partition.as_str()]).set(records);
            }
        }
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
