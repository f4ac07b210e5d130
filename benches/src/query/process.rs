//! Another process of this machine, as Linux shows it.

use std::fs;
use std::path::Path;

/// Clock ticks per second of `/proc/PID/stat`: 100 on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The process whose command line names `file` and that is no shell around it.
pub fn find(program: &str, file: &Path) -> Option<u32> {
    let file = file.to_str()?;
    let runs = |pid: u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        words.next().is_some_and(|first| first.ends_with(program)) && words.any(|word| word == file)
    };
    let all = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    all.into_iter().find(|pid| runs(*pid))
}

/// CPU seconds that process `pid` has used, user and system; `None` when it is gone.
pub fn cpu_seconds(pid: u32) -> Option<f64> {
    cpu_of(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `utime` and `stime` of proc(5); the name before them may hold blanks and parentheses.
fn cpu_of(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_any_name() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 1 1 1";
        assert_eq!(cpu_of(stat), Some(3.0));
        assert!(cpu_seconds(std::process::id()).is_some());
    }
}
