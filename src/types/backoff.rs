//! Waiting times between attempts: exponential with jitter, from a seed.

/// Shortest wait in ms, Kafka's `retry.backoff.ms`.
const FIRST_MS: u64 = 100;
/// Longest wait in ms before jitter, Kafka's `retry.backoff.max.ms`.
const MAX_MS: u64 = 1_000;

/// Doubles from 100 ms to 1 s, each plus or minus 20 % (Kafka's `ExponentialBackoff`). Equal seeds wait equally.
#[derive(Debug, Clone)]
pub struct Backoff {
    attempts: u32,
    seed: u64,
}

impl Backoff {
    /// Starts at the shortest wait.
    pub const fn new(seed: u64) -> Self {
        Self { attempts: 0, seed }
    }

    /// The next wait in ms.
    pub fn next_ms(&mut self) -> u64 {
        let base = (FIRST_MS << self.attempts.min(8)).min(MAX_MS);
        self.attempts = self.attempts.saturating_add(1);
        base * 4 / 5 + self.random() % (base * 2 / 5 + 1)
    }

    /// Something succeeded: the next wait is the shortest again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_second_within_a_fifth_and_repeat_for_a_seed() {
        for seed in 0..200 {
            let (mut one, mut two) = (Backoff::new(seed), Backoff::new(seed));
            for base in [100, 200, 400, 800, 1_000, 1_000] {
                let wait = one.next_ms();
                assert!((base * 4 / 5..=base * 6 / 5).contains(&wait), "{wait} for {base}");
                assert_eq!(two.next_ms(), wait);
            }
            one.reset();
            assert!(one.next_ms() <= 120);
        }
    }
}
