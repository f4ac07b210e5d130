//! The demo's progress line.

use std::fmt;
use std::time::Duration;

use thalweg::query::RestoreProgress;

/// More rows than this are not counted: counting costs the processing its time.
pub const ROWS_MAX: u64 = 100_000;

/// What the demo knows of itself at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Since the demo started.
    pub elapsed: Duration,
    /// Events generated so far.
    pub events: u64,
    /// Records not processed yet.
    pub lag: u64,
    /// Rows in the views, at most [`ROWS_MAX`].
    pub rows: u64,
    /// The restores that are running, together.
    pub restore: Option<RestoreProgress>,
}

impl Progress {
    /// The line to print, given what was known when the last one was printed.
    pub fn since(self, last: Self) -> Line {
        let millis = self.elapsed.saturating_sub(last.elapsed).as_millis().max(1);
        let events = u128::from(self.events.saturating_sub(last.events));
        let events_per_s = u64::try_from((events * 1000 + millis / 2) / millis).unwrap_or(u64::MAX);
        Line { now: self, events_per_s }
    }
}

/// One printed line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    now: Progress,
    events_per_s: u64,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.now.elapsed.as_secs();
        let Progress { events, lag, rows, .. } = self.now;
        write!(f, "{:02}:{:02}  {} events/s", seconds / 60, seconds % 60, self.events_per_s)?;
        let more = if rows < ROWS_MAX { "" } else { "+" };
        write!(f, "  {events} events  lag {lag}  {rows}{more} rows")?;
        let Some(restore) = &self.now.restore else { return Ok(()) };
        write!(f, "  restoring {:.0} % at {:.0} records/s", restore.percent(), restore.records_per_second())?;
        restore.estimate_seconds().map_or(Ok(()), |seconds| write!(f, ", {seconds:.0} s left"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64, events: u64) -> Progress {
        Progress { elapsed: Duration::from_millis(millis), events, lag: 12, rows: 345, restore: None }
    }

    #[test]
    fn the_line_tells_rate_lag_and_rows() {
        let line = at(65_500, 6_500).since(at(63_500, 6_301));
        assert_eq!(line.to_string(), "01:05  100 events/s  6500 events  lag 12  345 rows");
    }

    #[test]
    fn rows_are_counted_up_to_a_bound() {
        let many = Progress { rows: ROWS_MAX, ..at(1_000, 10) };
        assert_eq!(many.since(at(0, 0)).to_string(), "00:01  10 events/s  10 events  lag 12  100000+ rows");
    }

    #[test]
    fn a_restore_tells_share_rate_and_rest() {
        let elapsed = Duration::from_secs(2);
        let restore = RestoreProgress { restored_records: 43_000, remaining_records: 57_000, elapsed };
        let line = Progress { restore: Some(restore), ..at(1_000, 10) }.since(at(0, 0)).to_string();
        assert!(line.ends_with("345 rows  restoring 43 % at 21500 records/s, 3 s left"), "{line}");
        let begun = RestoreProgress { restored_records: 0, ..restore };
        let line = Progress { restore: Some(begun), ..at(1_000, 10) }.since(at(0, 0)).to_string();
        assert!(line.ends_with("345 rows  restoring 0 % at 0 records/s"), "{line}");
    }

    #[test]
    fn no_time_passed_is_no_division_by_zero() {
        assert_eq!(at(0, 0).since(at(0, 0)).to_string(), "00:00  0 events/s  0 events  lag 12  345 rows");
    }
}
