//! What the kernel says about a process: CPU time and peak memory, for both sides alike.

use std::fs;
use std::io;
use std::time::Duration;

/// Ticks per second in `/proc/<pid>/stat`: `USER_HZ`, which Linux keeps at 100 on all common architectures.
const TICKS_PER_S: u64 = 100;

/// CPU time of all threads of a process, living and ended, user and system.
pub fn cpu(pid: u32) -> io::Result<Duration> {
    parse_cpu(&fs::read_to_string(format!("/proc/{pid}/stat"))?).ok_or_else(|| unreadable("stat"))
}

/// Largest resident memory that a process ever had, in bytes.
pub fn peak_rss(pid: u32) -> io::Result<u64> {
    parse_peak_rss(&fs::read_to_string(format!("/proc/{pid}/status"))?).ok_or_else(|| unreadable("status"))
}

fn unreadable(file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("/proc/<pid>/{file} is not as expected"))
}

/// Fields 14 and 15; the name of the program, field 2, may hold spaces and parentheses.
fn parse_cpu(stat: &str) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 1_000 / TICKS_PER_S))
}

fn parse_peak_rss(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_name_with_parentheses_shifts_nothing() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 1234 66 0 0 20 0 3 0 5 1 2 3";
        assert_eq!(parse_cpu(stat), Some(Duration::from_secs(13)));
        assert_eq!(parse_cpu("42 (a) S 1"), None);
    }

    #[test]
    fn peak_memory_is_in_kibibytes() {
        assert_eq!(parse_peak_rss("Name:\ta\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"), Some(2 << 20));
        assert_eq!(parse_peak_rss("Name:\ta\n"), None);
    }

    #[test]
    fn this_process_has_both() {
        let pid = std::process::id();
        assert!(peak_rss(pid).unwrap() > 1 << 20);
        assert!(cpu(pid).unwrap() < Duration::from_secs(3_600));
    }
}
