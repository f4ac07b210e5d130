//! Gauges that each scrape reads from the published snapshots: nothing to keep up to date, nothing to remove.

use std::time::Instant;

use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry};

use crate::query::snapshot::{LocalTask, Published, Role, StoreProgress, ViewSpec};
use crate::query::status::remaining;
use crate::types::TaskId;

struct Gauges {
    registry: Registry,
    active: IntGaugeVec,
    restore_remaining: IntGaugeVec,
    rows: IntGaugeVec,
    bytes: IntGaugeVec,
    stream_time: GaugeVec,
    lag: IntGaugeVec,
    commit_age: GaugeVec,
    waits: IntGaugeVec,
}

/// The gauges of all tasks of this instance at `now`.
pub fn gather(published: &Published, now: Instant) -> Result<Vec<MetricFamily>, prometheus::Error> {
    let gauges = Gauges::new()?;
    let (topology, catalog) = (published.topology.load(), published.catalog.load());
    for (id, local) in &catalog.tasks {
        gauges.task(*id, local, now);
        gauges.waits(*id, local);
        let views = topology.views.values().filter(|view| view.subtopology == id.subtopology);
        views.for_each(|view| gauges.rows(*id, local, view));
    }
    Ok(gauges.registry.gather())
}

impl Gauges {
    fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let whole = |name: &str, help: &str, labels: &[&str]| {
            let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let real = |name: &str, help: &str, labels: &[&str]| {
            let gauge = GaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        Ok(Self {
            active: whole("thalweg_task_role", "1 for the role of each task here", &["task", "role"])?,
            restore_remaining: whole(
                "thalweg_task_restore_remaining_records",
                "Changelog records that the store has not replayed yet",
                &["task", "store"],
            )?,
            rows: whole("thalweg_store_rows", "Rows of a view's store, estimated", &["task", "store"])?,
            bytes: whole("thalweg_store_bytes", "Bytes of a store", &["task", "store"])?,
            stream_time: real("thalweg_task_stream_time_seconds", "Highest record timestamp seen", &["task"])?,
            lag: whole("thalweg_partition_lag_records", "Input records not processed yet", &["topic", "partition"])?,
            commit_age: real(
                "thalweg_task_last_commit_age_seconds",
                "Time since the last commit that succeeded",
                &["task"],
            )?,
            waits: whole(
                "thalweg_task_paused_partitions",
                "Input partitions whose next record waits for the schema registry",
                &["task"],
            )?,
            registry,
        })
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
        self.active.with_label_values(&[task.as_str(), local.role.as_str()]).set(1);
        for StoreProgress { store, changelog, position, end, bytes } in &progress.stores {
            let labels = [task.as_str(), store.as_str()];
            if let (Some(_), Some(records)) = (changelog, remaining(*position, *end)) {
                self.restore_remaining.with_label_values(&labels).set(records);
            }
            if let Some(bytes) = bytes {
                self.bytes.with_label_values(&labels).set(i64::try_from(*bytes).unwrap_or(i64::MAX));
            }
        }
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

    fn rows(&self, id: TaskId, local: &LocalTask, view: &ViewSpec) {
        let rows = local.reader.as_ref().and_then(|reader| reader.approximate_rows(view.store_index).ok());
        if let Some(rows) = rows {
            let labels = [id.to_string(), view.store.clone()];
            self.rows.with_label_values(&labels).set(i64::try_from(rows).unwrap_or(i64::MAX));
        }
    }
}
