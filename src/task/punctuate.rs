//! Schedules on stream time and wall clock, as Kafka Streams' `PunctuationQueue` (pure).

use crate::types::{TimeQueue, Timestamp};

/// Which clock drives a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PunctuationType {
    /// The highest record timestamp the task has seen; moves only with records.
    StreamTime,
    /// The machine's time; best effort between records. Its intervals go on when that time is set.
    WallClockTime,
}

/// Names one schedule of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleId(u32);

#[derive(Debug, Clone)]
struct Schedule {
    id: ScheduleId,
    node: usize,
    interval: i64,
    next: Timestamp,
}

/// A schedule that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Which schedule.
    pub id: ScheduleId,
    /// Index of the processor in the task's chain.
    pub node: usize,
    /// The current time of the schedule's clock, in ms.
    pub timestamp: Timestamp,
}

/// All schedules of a task.
#[derive(Debug, Default)]
pub struct Schedules {
    stream: TimeQueue<Schedule>,
    wall: TimeQueue<Schedule>,
    created: u32,
}

impl Schedules {
    /// Adds a schedule of `interval` ms for processor `node`; `now` in ms is the steady clock that drives wall clock schedules.
    ///
    /// Stream time fires on a grid anchored at 0, first with the first record; wall clock first after one interval.
    pub fn add(&mut self, node: usize, interval: i64, kind: PunctuationType, now: Timestamp) -> ScheduleId {
        let id = ScheduleId(self.created);
        self.created += 1;
        let interval = interval.max(1);
        let next = match kind {
            PunctuationType::StreamTime => 0,
            PunctuationType::WallClockTime => now + interval,
        };
        self.queue_mut(kind).offer(Schedule { id, node, interval, next }, |schedule| schedule.next);
        id
    }

    /// Removes a schedule; unknown ones are ignored.
    pub fn cancel(&mut self, id: ScheduleId) {
        for queue in [&mut self.stream, &mut self.wall] {
            for schedule in queue.take_all().into_iter().filter(|schedule| schedule.id != id) {
                queue.offer(schedule, |schedule| schedule.next);
            }
        }
    }

    /// Whether [`Schedules::due`] would answer something: two comparisons, for the hot path.
    #[inline]
    pub fn is_due(&self, kind: PunctuationType, now: Timestamp) -> bool {
        let queue = match kind {
            PunctuationType::StreamTime => &self.stream,
            PunctuationType::WallClockTime => &self.wall,
        };
        queue.first().is_some_and(|schedule| schedule.next <= now)
    }

    /// The next schedule of `kind` that is due at `now`, moved on by its grid: missed intervals fire once. Of equal times
    /// the order is that of Kafka Streams' `PunctuationQueue`.
    pub fn due(&mut self, kind: PunctuationType, now: Timestamp) -> Option<Due> {
        let queue = self.queue_mut(kind);
        queue.first().filter(|schedule| schedule.next <= now)?;
        let mut schedule = queue.poll(|schedule| schedule.next)?;
        let due = Due { id: schedule.id, node: schedule.node, timestamp: now };
        let missed = (now - schedule.next) / schedule.interval;
        schedule.next += (missed + 1) * schedule.interval;
        queue.offer(schedule, |schedule| schedule.next);
        Some(due)
    }

    fn queue_mut(&mut self, kind: PunctuationType) -> &mut TimeQueue<Schedule> {
        match kind {
            PunctuationType::StreamTime => &mut self.stream,
            PunctuationType::WallClockTime => &mut self.wall,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PunctuationType::{StreamTime, WallClockTime};
    use super::*;

    fn fires(schedules: &mut Schedules, kind: PunctuationType, now: Timestamp) -> Vec<Timestamp> {
        std::iter::from_fn(|| schedules.due(kind, now)).map(|due| due.timestamp).collect()
    }

    #[test]
    fn stream_time_fires_first_with_the_first_record_then_on_a_grid_from_zero() {
        let mut schedules = Schedules::default();
        schedules.add(0, 10, StreamTime, 0);
        assert_eq!(fires(&mut schedules, StreamTime, 23), [23]);
        assert!(fires(&mut schedules, StreamTime, 29).is_empty());
        assert_eq!(fires(&mut schedules, StreamTime, 30), [30]);
        assert_eq!(fires(&mut schedules, StreamTime, 95), [95], "missed intervals fire once");
        assert!(fires(&mut schedules, StreamTime, 99).is_empty());
        assert_eq!(fires(&mut schedules, StreamTime, 100), [100]);
    }

    #[test]
    fn wall_clock_fires_first_after_one_interval() {
        let mut schedules = Schedules::default();
        let id = schedules.add(0, 10, WallClockTime, 1_000);
        assert!(!schedules.is_due(WallClockTime, 1_009));
        assert_eq!(fires(&mut schedules, WallClockTime, 1_010), [1_010]);
        schedules.cancel(id);
        assert!(fires(&mut schedules, WallClockTime, 9_999).is_empty());
    }
}
