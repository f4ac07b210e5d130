//! `growth`: what a record costs with ever more keys, and what threads bring.

use std::path::Path;

use serde::Serialize;
use serde_json::json;

use crate::bench::{Bench, Tuning};
use crate::document;
use crate::failure::Failure;
use crate::options::GrowthOptions;
use crate::plan::Run;
use crate::plot;
use crate::say;
use crate::statistics::spread;
use crate::topology::{Side, Topology};
use crate::watch::Measured;
use crate::work::{Skew, Work};

const CACHE_MAX_BYTES: u64 = 10 << 20;
const VALUE_BYTES: usize = 16;
const PARTITIONS: i32 = 4;
const COMMIT_INTERVAL_MS: u64 = 1_000;
/// Where threads are varied.
const KEYS_OF_THREADS: u64 = 100_000;

/// One place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Records of the input.
    pub records: u64,
    /// Distinct keys.
    pub keys: u64,
    /// Stream threads.
    pub threads: u32,
}

/// What was measured at a place; medians of the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    #[serde(flatten)]
    pub place: Place,
    /// Records per second.
    pub records_per_s: f64,
    /// CPU time per record in µs.
    pub cpu_us: f64,
    /// Peak memory of the process in MB.
    pub rss_mb: f64,
}

/// The places of a table: keys with one thread, then threads with a middling number of keys.
pub fn places(is_quick: bool) -> Vec<Place> {
    let (keys, threads, records_min): (&[u64], &[u32], u64) = if is_quick {
        (&[1_000, 10_000], &[2], 50_000)
    } else {
        (&[10_000, 100_000, 1_000_000, 10_000_000], &[2, 4], 4_000_000)
    };
    // Every key comes about twice at least, so that rows are found as well as made.
    let place = |keys: u64, threads| Place { records: records_min.max(2 * keys), keys, threads };
    let of_threads = if is_quick { 10_000 } else { KEYS_OF_THREADS };
    let by_keys = keys.iter().map(|keys| place(*keys, 1));
    by_keys.chain(threads.iter().map(|threads| place(of_threads, *threads))).collect()
}

/// Measures all places, prints the table, and writes table and plot into `docs/` unless it is only a quick look.
pub fn run(options: &GrowthOptions, root: &Path) -> Result<(), Failure> {
    let places = places(options.quick);
    let mut points = Vec::new();
    let mut bench: Option<Bench> = None;
    for place in places {
        let work = Work {
            records: place.records,
            keys: place.keys,
            skew: Skew::Uniform,
            value_bytes: VALUE_BYTES,
            partitions: PARTITIONS,
        };
        let tuning = Tuning { threads: place.threads, commit_interval_ms: COMMIT_INTERVAL_MS };
        let bench = match &mut bench {
            Some(bench) => {
                bench.change(work, tuning);
                bench
            }
            None => bench.insert(Bench::start(work, tuning)?),
        };
        let point = measure(bench, place, options.rounds)?;
        say(&row(&point));
        points.push(point);
    }
    let text = format!(
        "{}. `aggregate`, values of {VALUE_BYTES} bytes, {PARTITIONS} partitions, record cache of 10 MB, commit every second.\n\n{}",
        document::conditions(),
        table(&points)
    );
    say(&format!("\n{text}"));
    let svg = if options.quick {
        root.join("target/performance-growth.svg")
    } else {
        root.join("docs/performance-growth.svg")
    };
    plot::draw(&points, &svg)?;
    if !options.quick {
        document::write(&root.join("docs/performance.md"), "growth", &text)?;
    }
    if options.json {
        say(&json!({"points": points, "svg": svg}).to_string());
    }
    Ok(())
}

fn measure(bench: &mut Bench, place: Place, rounds: u32) -> Result<Point, Failure> {
    let mut all = Vec::new();
    for round in 0..rounds {
        let topology = Topology::Aggregate;
        let run = Run {
            topology,
            is_reported: true,
            restores: false,
            cache_max_bytes: CACHE_MAX_BYTES,
            round,
            side: Side::Ours,
        };
        let outcome = bench.run(&run, &mut |_| Ok(()))?;
        if !outcome.wrong.is_empty() {
            return Err(Failure::Wrong(outcome.wrong));
        }
        all.push(outcome.processed);
    }
    let median =
        |figure: &dyn Fn(&Measured) -> f64| spread(all.iter().map(figure)).map_or(f64::NAN, |spread| spread.median);
    Ok(Point {
        place,
        records_per_s: median(&|measured| measured.records_per_s),
        cpu_us: median(&Measured::cpu_per_million),
        rss_mb: median(&|measured| measured.rss_bytes as f64 / 1e6),
    })
}

fn table(points: &[Point]) -> String {
    let head = "| keys | threads | records | records/s | CPU µs per record | peak RSS |\n| --- | --- | --- | --- | --- | --- |\n";
    let rows: Vec<String> = points.iter().map(row).collect();
    format!("{head}{}\n", rows.join("\n"))
}

fn row(point: &Point) -> String {
    let Point { place: Place { records, keys, threads }, records_per_s, cpu_us, rss_mb } = point;
    let (records, rate) = (*records as f64 / 1e6, records_per_s / 1e3);
    format!("| {} | {threads} | {records} M | {rate:.0} k | {cpu_us:.2} | {rss_mb:.0} MB |", plot::keys_text(*keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_vary_one_thing_at_a_time() {
        let places: Vec<(u64, u32, u64)> = places(false).iter().map(|it| (it.keys, it.threads, it.records)).collect();
        let expected = [
            (10_000, 1, 4_000_000),
            (100_000, 1, 4_000_000),
            (1_000_000, 1, 4_000_000),
            (10_000_000, 1, 20_000_000),
            (100_000, 2, 4_000_000),
            (100_000, 4, 4_000_000),
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn a_row_says_what_was_measured() {
        let place = Place { records: 20_000_000, keys: 10_000_000, threads: 1 };
        let point = Point { place, records_per_s: 123_456.0, cpu_us: 4.567, rss_mb: 512.3 };
        assert_eq!(row(&point), "| 10 M | 1 | 20 M | 123 k | 4.57 | 512 MB |");
    }
}
