//! What was measured, as a table and as JSON. Pure.

use serde::Serialize;

/// Everything that one run measured.
#[derive(Debug, Default, Serialize)]
pub struct Figures {
    /// Processors of the machine; services, instances and load share them.
    pub processors: usize,
    /// Orders in the view.
    pub orders: u64,
    /// Connections of the load generator.
    pub connections: u64,
    /// Reads by kind and load.
    pub reads: Vec<Reads>,
    /// What reads cost the processing.
    pub cost: Option<Cost>,
    /// Freshness by commit interval.
    pub freshness: Vec<Freshness>,
}

/// One kind of reads under one load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reads {
    /// `local`, `forwarded` or `range`.
    pub kind: &'static str,
    /// `idle`: as many as go; `paced`: idle, at a rate; `processing`: at a rate while events are processed.
    pub load: &'static str,
    /// Answers per second.
    pub per_second: f64,
    /// Median latency, ms.
    pub p50_ms: f64,
    /// 99th percentile, ms.
    pub p99_ms: f64,
    /// Slowest, ms.
    pub max_ms: f64,
    /// Requests without a good answer.
    pub errors: u64,
    /// Answers per CPU-second of the instance that was asked, all its threads.
    pub per_cpu_second: f64,
    /// Records processed per second meanwhile, repartitioned ones included.
    pub processed_per_second: f64,
}

/// Processing throughput without and with reads, over one backlog.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// Records per second without reads, one per round.
    pub without: Vec<f64>,
    /// Records per second with reads, one per round.
    pub with: Vec<f64>,
    /// Reads per second, the median of the rounds.
    pub reads_per_second: f64,
    /// Share of the throughput that reads cost: median, least and most of the rounds.
    pub share: [f64; 3],
}

/// Time from the acknowledgement of an event to the first read that shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Freshness {
    /// Commit interval, ms.
    pub commit_interval_ms: u64,
    /// Number of events.
    pub samples: usize,
    /// Median, ms.
    pub p50_ms: f64,
    /// 99th percentile, ms.
    pub p99_ms: f64,
}

impl Cost {
    /// The cost from throughputs in rounds: `without[n]` and `with[n]` follow each other.
    pub fn of(without: Vec<f64>, with: Vec<f64>, reads: &[f64]) -> Self {
        let shares: Vec<f64> = without.iter().zip(&with).map(|(without, with)| 1.0 - with / without).collect();
        let share = [percentile(&shares, 0.5), percentile(&shares, 0.0), percentile(&shares, 1.0)];
        Self { reads_per_second: percentile(reads, 0.5), without, with, share }
    }
}

/// The value that a share `part` of `values` does not exceed (nearest rank); NaN of nothing.
pub fn percentile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
}

/// Where the targets of the project apply: what is measured, the figure, whether it is reached.
fn targets(figures: &Figures) -> Vec<(String, bool)> {
    let mut lines = Vec::new();
    let reads = |kind, load| figures.reads.iter().find(move |reads| reads.kind == kind && reads.load == load);
    if let Some(Reads { per_cpu_second, .. }) = reads("local", "idle") {
        let rate = format!("local idle: 20000 reads per second on one core (per CPU-second: {per_cpu_second:.0})");
        lines.push((rate, *per_cpu_second >= 20_000.0));
    }
    if let Some(Reads { per_second, p99_ms, .. }) = reads("local", "paced") {
        lines.push((
            format!("local idle at {per_second:.0} reads per second: p99 under 5 ms ({p99_ms:.2} ms)"),
            *p99_ms < 5.0,
        ));
    }
    if let Some(Reads { p99_ms, .. }) = reads("local", "processing") {
        lines.push((format!("local while processing: p99 under 20 ms ({p99_ms:.2} ms)"), *p99_ms < 20.0));
    }
    if let Some(Cost { share: [median, ..], reads_per_second, .. }) = &figures.cost {
        let share =
            format!("reads cost the processing at most 15 % ({:.1} % at {reads_per_second:.0}/s)", 100.0 * median);
        lines.push((share, *median <= 0.15));
    }
    lines
}

/// The figures for people.
pub fn table(figures: &Figures) -> String {
    let mut lines = vec![format!(
        "{} orders, {} connections, {} processors for services, instances and load",
        figures.orders, figures.connections, figures.processors
    )];
    lines.push(format!(
        "{:<10} {:<11} {:>9} {:>8} {:>8} {:>8} {:>7} {:>12} {:>12}",
        "reads", "load", "reads/s", "p50 ms", "p99 ms", "max ms", "errors", "per CPU-s", "processed/s"
    ));
    for reads in &figures.reads {
        lines.push(format!(
            "{:<10} {:<11} {:>9.0} {:>8.2} {:>8.2} {:>8.1} {:>7} {:>12.0} {:>12.0}",
            reads.kind,
            reads.load,
            reads.per_second,
            reads.p50_ms,
            reads.p99_ms,
            reads.max_ms,
            reads.errors,
            reads.per_cpu_second,
            reads.processed_per_second,
        ));
    }
    if let Some(Cost { without, with, reads_per_second, share: [median, least, most] }) = &figures.cost {
        lines.push(format!(
            "backlog: {:.0} records/s without reads, {:.0} with {reads_per_second:.0} reads/s: {:.1} % less ({:.1} to {:.1})",
            percentile(without, 0.5),
            percentile(with, 0.5),
            100.0 * median,
            100.0 * least,
            100.0 * most,
        ));
    }
    for Freshness { commit_interval_ms, samples, p50_ms, p99_ms } in &figures.freshness {
        lines.push(format!(
            "freshness at a commit interval of {commit_interval_ms} ms: p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms ({samples} events)"
        ));
    }
    let verdict = |reached: bool| if reached { "reached" } else { "missed " };
    lines.extend(targets(figures).into_iter().map(|(target, reached)| format!("{}  {target}", verdict(reached))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|part| percentile(&values, part)), [1.0, 50.0, 99.0, 100.0]);
        assert_eq!(percentile(&[7.0], 0.99), 7.0);
        assert!(percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn the_cost_is_that_of_neighbouring_measurements() {
        let cost = Cost::of(vec![100.0, 200.0, 100.0], vec![90.0, 160.0, 100.0], &[10.0, 30.0, 20.0]);
        let expected = [0.1, 0.0, 0.2];
        assert!(cost.share.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-9), "{cost:?}");
        assert_eq!(cost.reads_per_second, 20.0);
    }

    #[test]
    fn the_table_says_what_was_reached() {
        let reads = |load, p99_ms, per_cpu_second| Reads {
            kind: "local",
            load,
            per_second: 30_000.0,
            p50_ms: 1.0,
            p99_ms,
            max_ms: 9.0,
            errors: 0,
            per_cpu_second,
            processed_per_second: 0.0,
        };
        let figures = Figures {
            reads: vec![reads("idle", 9.0, 25_000.0), reads("paced", 4.0, 1.0), reads("processing", 21.0, 1.0)],
            cost: Some(Cost::of(vec![100.0], vec![84.0], &[5000.0])),
            ..Figures::default()
        };
        let text = table(&figures);
        let verdicts: Vec<&str> = text.lines().rev().take(4).map(|line| line.split(' ').next().unwrap_or("")).collect();
        assert_eq!(verdicts, ["missed", "missed", "reached", "reached"], "{text}");
    }
}
