//! The table of all metrics in Markdown: `docs/metrics.md`.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::description::{Description, LABELS};
use super::{Metrics, Registrar};
use crate::query::gauges::Gauges;

const HEAD: &str = "# Metrics

`GET /metrics` answers in Prometheus' text format. This file is written by the code that registers the metrics:
`UPDATE_DOCS=1 cargo test -p thalweg metrics_document`.

Names are those of Kafka Streams in Prometheus' form: group, name, unit, `_total` for counters. Where Kafka Streams has
a metric of the same meaning its group and name stand in the last column. It keeps rates and averages; here `rate()` of
a counter gives the rate, and `rate(..._sum) / rate(..._count)` of a histogram the average. Times are seconds, sizes
bytes. Counters start at 0 with the process. What belongs to a task leaves with the task; gauges of tasks are as old as
their thread's last word, at most 0.5 s plus one batch.
";

const USES: &str = "
## Questions and answers

| question | expression |
| --- | --- |
| Is processing behind? | `sum by (topic) (thalweg_partition_lag_records)` |
| How long does a record take, as the slowest in a hundred? | `histogram_quantile(0.99, sum by (le) (rate(thalweg_task_record_e2e_latency_seconds_bucket[5m])))` |
| What does a record cost? | `rate(thalweg_task_process_seconds_total[5m]) / rate(thalweg_task_process_total[5m])` |
| What is a thread busy with? | `rate(thalweg_thread_busy_seconds_total[5m])`; what is missing to 1 it waits |
| Does a task restore and get nowhere? | `thalweg_task_restore_remaining_records > 0 and on (task) rate(thalweg_task_restore_total[5m]) == 0` |
| How long until it runs? | `sum by (task) (thalweg_task_restore_remaining_records) / on (task) rate(thalweg_task_restore_total[1m])` |
| Does a task have two owners? | `sum by (task) (thalweg_task_role{role=\"active\"}) > 1` over all instances |
| Does no instance run some task? | `count(thalweg_task_role{role=\"active\"})` below the number of tasks |
| Do commits fail? | `rate(thalweg_thread_commit_failures_total[5m]) > 0` |
| Was a store rebuilt? | `increase(thalweg_task_reopened_total{cause=\"rebuild\"}[1h]) > 0` |
| Are rebalances frequent? | `increase(thalweg_rebalances_total[15m]) > 3` |
| Do reads fail? | `rate(thalweg_view_reads_total{outcome=~\"unavailable\\|failed\"}[5m])` |
| Do clients hold connections up? | `rate(thalweg_http_connections_closed_total{reason=~\"slow_headers\\|slow_reader\"}[5m])` |
| Do bad records come in? | `rate(thalweg_dead_letters_total[5m])` |
| Are spans lost? | `rate(thalweg_spans_total{outcome=~\"dropped\\|failed\"}[5m])` |
";

/// The whole document; an error means that two metrics have one name.
pub fn metrics_document() -> Result<String, prometheus::Error> {
    let mut described = Metrics::new()?.described.clone();
    let mut gauges = Registrar::default();
    Gauges::new(&mut gauges)?;
    described.extend(gauges.described);
    described.sort_by_key(|description| description.name);
    let mut text = String::from(HEAD);
    text.push_str("\n| metric | type | unit | labels | meaning | in Kafka Streams |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for description in &described {
        row(&mut text, description);
    }
    labels(&mut text, &described);
    text.push_str(USES);
    Ok(text)
}

fn row(text: &mut String, description: &Description) {
    let Description { name, kind, unit, labels, meaning, kafka } = description;
    let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
    // Writing into a String cannot fail.
    let _ = writeln!(text, "| `{name}` | {} | {unit} | {} | {meaning} | {kafka} |", kind.as_str(), labels.join(", "));
}

fn labels(text: &mut String, described: &[&Description]) {
    text.push_str("\n## Labels\n\nThe values of every label are bounded.\n\n| label | values |\n| --- | --- |\n");
    let used: BTreeSet<&str> = described.iter().flat_map(|description| description.labels).copied().collect();
    for (label, values) in LABELS.iter().filter(|(label, _)| used.contains(label)) {
        let _ = writeln!(text, "| `{label}` | {values} |");
    }
}
