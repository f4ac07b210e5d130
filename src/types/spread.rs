//! How long things took or how old they were, as counts per span: filled per record, added to metrics per batch.

/// Counts of times in ms; bucket `i` ends at `2^i` ms, the last one takes the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    /// Times per bucket.
    pub counts: [u64; Spread::BUCKETS],
    /// Sum of all times, ms; stays at the most that fits.
    pub sum_ms: u64,
}

impl Spread {
    /// Number of buckets: up to 1 ms, 2 ms, 4 ms, and so on to 262 s, and more.
    pub const BUCKETS: usize = 20;

    /// Upper bound of every bucket but the last, ms.
    pub fn bounds_ms() -> impl Iterator<Item = u64> {
        (0..Self::BUCKETS - 1).map(|bucket| 1 << bucket)
    }

    /// Counts a time; a negative one (a clock that went back, a record from the future) counts as 0.
    #[inline]
    pub fn count(&mut self, ms: i64) {
        let ms = ms.max(0).unsigned_abs();
        let bucket = (u64::BITS - ms.saturating_sub(1).leading_zeros()) as usize;
        self.counts[bucket.min(Self::BUCKETS - 1)] += 1;
        self.sum_ms = self.sum_ms.saturating_add(ms);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Default for Spread {
    fn default() -> Self {
        Self { counts: [0; Self::BUCKETS], sum_ms: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_within_the_bounds_of_its_bucket() {
        let bounds: Vec<u64> = Spread::bounds_ms().collect();
        assert_eq!((bounds[0], bounds[10], bounds[18]), (1, 1024, 262_144));
        for ms in (0..5_000).chain([262_143, 262_144, 262_145, i64::MAX]) {
            let mut spread = Spread::default();
            spread.count(ms);
            let expected = bounds.iter().position(|bound| ms.unsigned_abs() <= *bound).unwrap_or(bounds.len());
            assert_eq!(spread.counts.iter().position(|count| *count == 1), Some(expected), "{ms} ms");
            assert_eq!(spread.sum_ms, ms.unsigned_abs());
        }
    }

    #[test]
    fn a_negative_time_is_no_time_and_the_sum_never_wraps() {
        let mut spread = Spread::default();
        spread.count(-3_600_000);
        assert_eq!((spread.counts[0], spread.sum_ms), (1, 0));
        (0..3).for_each(|_| spread.count(i64::MAX));
        assert_eq!(spread.sum_ms, u64::MAX);
        spread.clear();
        assert_eq!(spread, Spread::default());
    }
}
