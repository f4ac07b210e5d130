//! The demo's command line.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;

/// Runs broker, schema registry, generator and application in one process, and prints what to try.
#[derive(Debug, Clone, Parser)]
#[command(name = "orders demo", disable_help_subcommand = true)]
pub struct Options {
    /// Use these brokers instead of the embedded one.
    #[arg(long, value_name = "HOST:PORT,...")]
    pub bootstrap_servers: Option<String>,

    /// Use this schema registry instead of the embedded one.
    #[arg(long, value_name = "URL")]
    pub schema_registry: Option<String>,

    /// Stop after this time, such as 30s or 5m; without it, at Ctrl-C.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub stop_after: Option<Duration>,

    /// Events per second, orders and payments together.
    #[arg(long, value_name = "EVENTS", default_value_t = 100)]
    pub rate: u32,

    /// Seed of the generated orders; equal seeds give equal orders.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Address of the application's HTTP server; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub http_bind: SocketAddr,
}

/// Reads `30s`, `5m`, `1h` or a number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) => (number, &text[number.len()..]),
        None => (text, "s"),
    };
    let seconds = match unit {
        "m" => 60,
        "h" => 3_600,
        _ => 1,
    };
    let number: u64 = number.parse().map_err(|_| "expected a time such as 30s, 5m or 1h".to_owned())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_minutes_or_hours() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3_600)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        for bad in ["", "s", "5 s", "-1s", "5d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
