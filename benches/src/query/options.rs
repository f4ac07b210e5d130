//! What the command line asks for.

use clap::Parser;

/// The defaults are the sizes that the targets are stated for.
#[derive(Debug, Clone, Parser)]
#[command(bin_name = "cargo xtask bench query", about = "Reads over HTTP: rate, latency, cost, freshness")]
pub struct Options {
    /// Orders in the view that is read
    #[arg(long, default_value_t = 200_000)]
    pub orders: u64,
    /// Seconds of each measurement; half as many run before, uncounted
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// Connections of the load generator
    #[arg(long, default_value_t = 64)]
    pub connections: u64,
    /// Events written per second while reads under processing are measured
    #[arg(long, default_value_t = 50_000)]
    pub events_per_second: u32,
    /// Local reads per second whose latency is measured while idle, beside as many as go
    #[arg(long, default_value_t = 20_000)]
    pub idle_reads: u64,
    /// Point reads per second while processing; ranges get a tenth
    #[arg(long, default_value_t = 5_000)]
    pub paced_reads: u64,
    /// Events in the backlog that is processed with and without reads, to tell what reads cost
    #[arg(long, default_value_t = 6_000_000)]
    pub backlog: u64,
    /// Pairs of measurements over the backlog, without and with reads, each half as long as others
    #[arg(long, default_value_t = 3)]
    pub rounds: u64,
    /// Events whose time to the first read is taken, per commit interval
    #[arg(long, default_value_t = 100)]
    pub samples: u64,
    /// Print one JSON object as the last line
    #[arg(long)]
    pub json: bool,
}
