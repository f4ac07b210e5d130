//! Histograms per task that are fed by whole batches: Prometheus' own take one observation at a time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::core::{Atomic as _, AtomicF64};
use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use super::description::Description;
use crate::types::{Spread, TaskId};

/// The histogram of one task.
pub struct SpreadHistogram {
    counts: [AtomicU64; Spread::BUCKETS],
    sum_seconds: AtomicF64,
}

impl Default for SpreadHistogram {
    fn default() -> Self {
        Self { counts: Default::default(), sum_seconds: AtomicF64::new(0.0) }
    }
}

impl SpreadHistogram {
    /// Adds the times of one batch.
    pub fn add(&self, spread: &Spread) {
        for (total, news) in self.counts.iter().zip(spread.counts).filter(|(_, news)| *news > 0) {
            total.fetch_add(news, Ordering::Relaxed);
        }
        self.sum_seconds.inc_by(spread.sum_ms as f64 / 1000.0);
    }

    fn gather(&self) -> Histogram {
        let mut cumulative = 0;
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let counts: Vec<u64> = counts
            .map(|count| {
                cumulative += count;
                cumulative
            })
            .collect();
        let bucket = |(bound, count): (u64, &u64)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound as f64 / 1000.0);
            bucket.set_cumulative_count(*count);
            bucket
        };
        let mut histogram = Histogram::default();
        histogram.set_bucket(Spread::bounds_ms().zip(&counts).map(bucket).collect());
        histogram.set_sample_count(cumulative);
        histogram.set_sample_sum(self.sum_seconds.get());
        histogram
    }
}

/// The histograms of all tasks of this instance.
pub struct SpreadHistograms {
    description: &'static Description,
    tasks: Mutex<BTreeMap<TaskId, Arc<SpreadHistogram>>>,
}

impl SpreadHistograms {
    pub fn new(description: &'static Description) -> Self {
        Self { description, tasks: Mutex::default() }
    }

    /// The histogram of `task`; the same one when called again.
    pub fn of(&self, task: TaskId) -> Arc<SpreadHistogram> {
        Arc::clone(self.tasks().entry(task).or_default())
    }

    /// Forgets a task that has left this instance.
    pub fn remove(&self, task: TaskId) {
        self.tasks().remove(&task);
    }

    /// Everything for a scrape; `None` while there is no task.
    pub fn gather(&self) -> Option<MetricFamily> {
        let series = |(task, histogram): (&TaskId, &Arc<SpreadHistogram>)| {
            let mut label = LabelPair::default();
            label.set_name("task".to_owned());
            label.set_value(task.to_string());
            let mut metric = Metric::from_label(vec![label]);
            metric.set_histogram(histogram.gather());
            metric
        };
        let series: Vec<Metric> = self.tasks().iter().map(series).collect();
        let mut family = MetricFamily::default();
        family.set_name(self.description.name.to_owned());
        family.set_help(self.description.meaning.to_owned());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(series);
        (!family.get_metric().is_empty()).then_some(family)
    }

    fn tasks(&self) -> MutexGuard<'_, BTreeMap<TaskId, Arc<SpreadHistogram>>> {
        // Nothing that runs under the lock leaves the map half changed.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
