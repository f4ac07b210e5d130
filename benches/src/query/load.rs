//! Load by `wrk`: many connections, one thread, a closed loop. Paced load pauses between the requests of a connection.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Asks random paths of the file that it is given; with a pace, pauses of 0 to twice that many ms. `wrk` takes the time
/// of an answer from its request on, without the pause.
const SCRIPT: &str = r#"
local requests, pace = {}, 0
function setup(thread)
  thread:set("seed", os.time())
end
function init(arguments)
  math.randomseed(seed)
  pace = tonumber(arguments[2])
  for path in io.lines(arguments[1]) do requests[#requests + 1] = wrk.format("GET", path) end
end
function request()
  return requests[math.random(#requests)]
end
function delay()
  if pace == 0 then return 0 end
  return math.random(0, 2 * pace)
end
function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format("RESULT %d %d %d %d %d %d", summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99), latency.max))
end
"#;

/// What a load got.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Answers per second.
    pub per_second: f64,
    /// Requests without a good answer.
    pub errors: u64,
    /// Median latency, ms.
    pub p50_ms: f64,
    /// 99th percentile, ms.
    pub p99_ms: f64,
    /// Slowest, ms.
    pub max_ms: f64,
}

/// Paths to ask one instance for.
pub struct Load {
    url: String,
    script: PathBuf,
    paths: PathBuf,
    connections: u64,
}

impl Load {
    /// Writes what `wrk` needs into `dir`, under `name`.
    pub fn new(dir: &Path, name: &str, url: &str, connections: u64, paths: &[String]) -> std::io::Result<Self> {
        let (script, file) = (dir.join(format!("{name}.lua")), dir.join(format!("{name}.paths")));
        let mut text = String::new();
        for path in paths {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{path}");
        }
        fs::write(&script, SCRIPT)?;
        fs::write(&file, text)?;
        Ok(Self { url: url.to_owned(), script, paths: file, connections })
    }

    /// Asks for `seconds`; `per_second` paces it, otherwise it asks as fast as answers come.
    pub fn run(&self, seconds: u64, per_second: Option<u64>) -> Result<Outcome, String> {
        let pace = per_second.map_or(0, |rate| self.connections * 1000 / rate.max(1));
        let mut wrk = Command::new("wrk");
        wrk.args(["-t", "1", "--timeout", "10s", "-c"]).arg(self.connections.to_string());
        wrk.arg("-d").arg(format!("{seconds}s")).arg("-s").arg(&self.script).arg(&self.url);
        wrk.arg("--").arg(&self.paths).arg(pace.to_string());
        let output = wrk.output().map_err(|error| format!("cannot start wrk: {error}"))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        parse(&printed).ok_or_else(|| format!("wrk: {printed}{}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// The line that the script prints: requests, microseconds, failures, then latencies in microseconds.
fn parse(printed: &str) -> Option<Outcome> {
    let line = printed.lines().find_map(|line| line.strip_prefix("RESULT "))?;
    let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [requests, micros, errors, p50, p99, max] = numbers.try_into().ok()?;
    let ms = |micros: u64| micros as f64 / 1000.0;
    Some(Outcome {
        per_second: requests as f64 * 1e6 / micros.max(1) as f64,
        errors,
        p50_ms: ms(p50),
        p99_ms: ms(p99),
        max_ms: ms(max),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_is_found_among_the_chatter() {
        let printed = "Running 10s test\n  1 threads\nRESULT 50000 10000000 3 1500 9000 12345\nRequests/sec: 5000\n";
        let expected = Outcome { per_second: 5000.0, errors: 3, p50_ms: 1.5, p99_ms: 9.0, max_ms: 12.345 };
        assert_eq!(parse(printed), Some(expected));
        assert_eq!(parse("unable to connect"), None);
        assert_eq!(parse("RESULT 1 2 3"), None);
    }
}
