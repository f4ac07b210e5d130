//! The command line.

use clap::{Args, Parser, Subcommand};

use crate::bench::Tuning;
use crate::side::SideOptions;
use crate::topology::Topology;
use crate::work::{Skew, Work};

/// Partitions of every topic.
const PARTITIONS: i32 = 4;

/// Measures the product, beside Kafka Streams.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", disable_help_subcommand = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The same topologies over the same topics on both sides, in turn
    Streams(StreamsOptions),
    /// Where the time goes on our side: a flame graph, and the share of each part
    Profile(ProfileOptions),
    /// How our cost grows with keys and threads: a table and a plot in docs/
    Growth(GrowthOptions),
    /// One process under test
    #[command(hide = true)]
    Side(SideOptions),
}

/// The records, and how the sides are configured.
#[derive(Debug, Clone, Copy, Args)]
pub struct WorkOptions {
    /// Records of the input; a first quarter is warm-up
    #[arg(long, default_value_t = 4_000_000)]
    pub records: u64,
    /// Distinct keys
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub keys: u64,
    /// How often each key comes
    #[arg(long, value_enum, default_value_t = Skew::Uniform)]
    pub skew: Skew,
    /// Bytes of a value
    #[arg(long, default_value_t = 100)]
    pub value_bytes: usize,
    /// Stream threads of each side
    #[arg(long, default_value_t = 1)]
    pub threads: u32,
    /// Longest time between commits, in ms
    #[arg(long, default_value_t = 1_000)]
    pub commit_interval_ms: u64,
}

impl WorkOptions {
    /// The records.
    pub const fn work(&self) -> Work {
        let Self { records, keys, skew, value_bytes, .. } = *self;
        Work { records, keys, skew, value_bytes, partitions: PARTITIONS }
    }

    /// The configuration.
    pub const fn tuning(&self) -> Tuning {
        Tuning { threads: self.threads, commit_interval_ms: self.commit_interval_ms }
    }
}

/// Options of `streams`.
#[derive(Debug, Args)]
pub struct StreamsOptions {
    #[command(flatten)]
    pub work: WorkOptions,
    /// What to run, repeatable; all when left out
    #[arg(long, value_enum)]
    pub topology: Vec<Topology>,
    /// How often each side runs each topology
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Size of the record cache in bytes, repeatable; 0 turns it off
    #[arg(long, default_values_t = [10 << 20, 0])]
    pub cache_max_bytes: Vec<u64>,
    /// Run our side alone
    #[arg(long)]
    pub ours_alone: bool,
    /// Write the table into docs/performance.md
    #[arg(long)]
    pub write: bool,
    /// Print one JSON object as the last line
    #[arg(long)]
    pub json: bool,
}

/// Options of `profile`.
#[derive(Debug, Args)]
pub struct ProfileOptions {
    /// What to run
    #[arg(value_enum)]
    pub topology: Topology,
    #[command(flatten)]
    pub work: WorkOptions,
    /// Size of the record cache in bytes; 0 turns it off
    #[arg(long, default_value_t = 10 << 20)]
    pub cache_max_bytes: u64,
    /// Where the flame graph goes; target/profile-TOPOLOGY.svg when left out
    #[arg(long, value_name = "FILE")]
    pub svg: Option<std::path::PathBuf>,
    /// Print one JSON object as the last line
    #[arg(long)]
    pub json: bool,
}

/// Options of `growth`.
#[derive(Debug, Args)]
pub struct GrowthOptions {
    /// How often each point is measured; the median counts
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Few records and few keys, and nothing is written into docs/: only to see that it works
    #[arg(long)]
    pub quick: bool,
    /// Print one JSON object as the last line
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::CommandFactory;

    use super::*;

    fn streams(line: &[&str]) -> StreamsOptions {
        let line = ["bench", "streams"].iter().chain(line);
        match Arguments::try_parse_from(line).unwrap().command {
            Command::Streams(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_default_work_is_four_million_records_of_a_hundred_thousand_keys() {
        let options = streams(&[]);
        let work = Work { records: 4_000_000, keys: 100_000, skew: Skew::Uniform, value_bytes: 100, partitions: 4 };
        assert_eq!(options.work.work(), work);
        assert_eq!((options.work.tuning().threads, options.work.tuning().commit_interval_ms), (1, 1_000));
        assert_eq!((options.rounds, options.cache_max_bytes), (3, vec![10_485_760, 0]));
    }

    #[test]
    fn caches_and_topologies_repeat() {
        let options =
            streams(&["--cache-max-bytes", "7", "--topology", "count", "--topology", "table-join", "--skew", "zipf"]);
        assert_eq!(options.cache_max_bytes, [7]);
        assert_eq!(options.topology, [Topology::Count, Topology::TableJoin]);
        assert_eq!(options.work.skew, Skew::Zipf);
        assert!(Arguments::try_parse_from(["bench", "streams", "--rounds", "0"]).is_err());
    }
}
