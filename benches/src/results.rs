//! The figures of all rounds, and the table and the JSON made of them.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::bench::Outcome;
use crate::plan::Run;
use crate::statistics::{Spread, ratio, spread};
use crate::topology::{Side, Topology};
use crate::watch::Measured;

/// All rounds of one topology under one cache setting.
#[derive(Debug, Clone, PartialEq)]
struct Case {
    name: String,
    /// `None`: it makes no difference.
    cache_max_bytes: Option<u64>,
    ours: Vec<Measured>,
    theirs: Vec<Measured>,
}

/// What was measured so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Results {
    cases: Vec<Case>,
}

impl Results {
    /// Takes the figures of a run in.
    pub fn add(&mut self, run: &Run, outcome: &Outcome) {
        if run.is_reported {
            self.case(run.topology.name(), run).push(outcome.processed);
        }
        if let Some(restored) = outcome.restored {
            self.case(&format!("restore of {}", run.topology.name()), run).push(restored);
        }
    }

    fn case(&mut self, name: &str, run: &Run) -> &mut Vec<Measured> {
        let cache_max_bytes = run.topology.is_stateful().then_some(run.cache_max_bytes);
        let is_it = |case: &Case| case.name == name && case.cache_max_bytes == cache_max_bytes;
        let at = self.cases.iter().position(is_it).unwrap_or_else(|| {
            let (ours, theirs) = (Vec::new(), Vec::new());
            self.cases.push(Case { name: name.to_owned(), cache_max_bytes, ours, theirs });
            self.cases.len() - 1
        });
        match run.side {
            Side::Ours => &mut self.cases[at].ours,
            Side::Theirs => &mut self.cases[at].theirs,
        }
    }

    /// A Markdown table, one row per topology and cache setting. Figures are medians; ratios are ours/theirs as median
    /// (smallest to largest) over the rounds.
    pub fn table(&self) -> String {
        let mut table = String::from(
            "| topology | cache | records/s | Kafka Streams | CPU µs per record | Kafka Streams | ratio | peak RSS | Kafka Streams | ratio |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for case in &self.cases {
            let cache = case.cache_max_bytes.map_or_else(|| "-".to_owned(), cache_text);
            let rate = |side: &[Measured]| median_text(side, records_per_s, |rate| format!("{:.0} k", rate / 1e3));
            let cpu = |side: &[Measured]| median_text(side, Measured::cpu_per_million, |cpu| format!("{cpu:.2}"));
            let rss = |side: &[Measured]| median_text(side, rss_bytes, |bytes| format!("{:.0} MB", bytes / 1e6));
            let cells = [
                case.name.clone(),
                cache,
                rate(&case.ours),
                rate(&case.theirs),
                cpu(&case.ours),
                cpu(&case.theirs),
                ratio_text(case.ratio(Measured::cpu_per_million)),
                rss(&case.ours),
                rss(&case.theirs),
                ratio_text(case.ratio(rss_bytes)),
            ];
            // Writing to a string cannot fail.
            let _ = writeln!(table, "| {} |", cells.join(" | "));
        }
        table
    }

    /// Everything as JSON: medians, ratios and every round.
    pub fn json(&self) -> Value {
        let side = |rounds: &[Measured]| {
            json!({
                "records_per_s": spread(rounds.iter().map(records_per_s)),
                "cpu_s_per_million_records": spread(rounds.iter().map(Measured::cpu_per_million)),
                "peak_rss_bytes": spread(rounds.iter().map(rss_bytes)),
                "rounds": rounds,
            })
        };
        let case = |case: &Case| {
            json!({
                "topology": case.name,
                "cache_max_bytes": case.cache_max_bytes,
                "ours": side(&case.ours),
                "kafka_streams": side(&case.theirs),
                "ratio": {
                    "records_per_s": case.ratio(records_per_s),
                    "cpu": case.ratio(Measured::cpu_per_million),
                    "rss": case.ratio(rss_bytes),
                },
            })
        };
        self.cases.iter().map(case).collect()
    }
}

impl Case {
    fn ratio(&self, figure: impl Fn(&Measured) -> f64) -> Option<Spread> {
        let of = |side: &[Measured]| side.iter().map(&figure).collect::<Vec<f64>>();
        ratio(&of(&self.ours), &of(&self.theirs))
    }
}

/// What tells a run from the others, for a person who waits.
pub fn name(run: &Run) -> String {
    let cache = if run.topology.is_stateful() { cache_text(run.cache_max_bytes) } else { "-".to_owned() };
    format!("{} (cache {cache}) round {}, {}", run.topology.name(), run.round + 1, run.side.name())
}

/// One line about one run.
pub fn line(run: &Run, outcome: &Outcome) -> String {
    let tell = |measured: &Measured| {
        format!(
            "{:.0} k records/s, {:.2} µs CPU per record, {:.0} MB",
            measured.records_per_s / 1e3,
            measured.cpu_per_million(),
            rss_bytes(measured) / 1e6
        )
    };
    let restored = outcome.restored.map_or_else(String::new, |restored| {
        format!("; restored {} records in {:.1} s: {}", restored.records, restored.seconds, tell(&restored))
    });
    format!("{}: {}{restored}", name(run), tell(&outcome.processed))
}

/// The topologies that were asked for, or all.
pub fn asked(topologies: &[Topology]) -> Vec<Topology> {
    if topologies.is_empty() { Topology::ALL.to_vec() } else { topologies.to_vec() }
}

fn records_per_s(measured: &Measured) -> f64 {
    measured.records_per_s
}

fn rss_bytes(measured: &Measured) -> f64 {
    measured.rss_bytes as f64
}

fn cache_text(bytes: u64) -> String {
    if bytes == 0 { "off".to_owned() } else { format!("{:.0} MB", bytes as f64 / f64::from(1 << 20)) }
}

fn median_text(side: &[Measured], figure: impl Fn(&Measured) -> f64, text: impl Fn(f64) -> String) -> String {
    spread(side.iter().map(figure)).map_or_else(|| "-".to_owned(), |spread| text(spread.median))
}

fn ratio_text(ratio: Option<Spread>) -> String {
    let text = |it: Spread| format!("{:.2} ({:.2} to {:.2})", it.median, it.min, it.max);
    ratio.map_or_else(|| "-".to_owned(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(seconds: f64, cpu_seconds: f64, rss_mb: u64) -> Measured {
        let records_per_s = 1e6 / seconds;
        Measured { records: 1_000_000, seconds, cpu_seconds, records_per_s, rss_bytes: rss_mb * 1_000_000 }
    }

    fn results() -> Results {
        let run = Run {
            topology: Topology::Count,
            is_reported: true,
            restores: true,
            cache_max_bytes: 10 << 20,
            round: 0,
            side: Side::Ours,
        };
        let mut results = Results::default();
        let mut add = |side, processed, restored| {
            let outcome = Outcome { processed, restored: Some(restored), wrong: Vec::new() };
            results.add(&Run { side, ..run }, &outcome);
        };
        add(Side::Ours, measured(2.0, 4.0, 100), measured(1.0, 1.0, 90));
        add(Side::Theirs, measured(8.0, 16.0, 1_000), measured(10.0, 5.0, 900));
        add(Side::Ours, measured(4.0, 6.0, 100), measured(1.0, 1.0, 90));
        add(Side::Theirs, measured(8.0, 12.0, 1_000), measured(10.0, 5.0, 900));
        results
    }

    #[test]
    fn the_table_has_medians_and_ratios() {
        let table = results().table();
        let rows: Vec<&str> = table.lines().skip(2).collect();
        let expected = [
            "| count | 10 MB | 375 k | 125 k | 5.00 | 14.00 | 0.38 (0.25 to 0.50) | 100 MB | 1000 MB | 0.10 (0.10 to 0.10) |",
            "| restore of count | 10 MB | 1000 k | 100 k | 1.00 | 5.00 | 0.20 (0.20 to 0.20) | 90 MB | 900 MB | 0.10 (0.10 to 0.10) |",
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn one_side_alone_has_no_ratio() {
        let mut results = results();
        results.cases[0].theirs.clear();
        let table = results.table();
        assert_eq!(table.lines().nth(2), Some("| count | 10 MB | 375 k | - | 5.00 | - | - | 100 MB | - | - |"));
    }

    #[test]
    fn the_json_has_every_round() {
        let json = results().json();
        assert_eq!(json[0]["topology"], "count");
        assert_eq!(json[0]["ours"]["rounds"].as_array().map(Vec::len), Some(2));
        assert_eq!(json[0]["ratio"]["cpu"]["median"], 0.375);
        assert_eq!(json[1]["kafka_streams"]["records_per_s"]["median"], 100_000.0);
    }
}
