//! Random draws that are the same on every platform and in every release: xoshiro256++ with a fixed seeding.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

/// The random choices of one case.
pub(super) struct Draw(Xoshiro256PlusPlus);

impl Draw {
    /// The choices of case `index` of `seed`.
    pub(super) fn new(seed: u64, index: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&index.to_le_bytes());
        bytes[16..].copy_from_slice(b"thalweg case 001");
        let mut source = Xoshiro256PlusPlus::from_seed(bytes);
        // The seed's bits are few and alike; the first outputs still show it.
        for _ in 0..16 {
            source.next_u64();
        }
        Self(source)
    }

    /// A number from 0 to `bound` - 1: the upper half of a product, so that no library's sampling counts.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as usize) as i64
    }

    /// True in `wanted` of `all` draws.
    pub(super) fn chance(&mut self, wanted: usize, all: usize) -> bool {
        self.below(all) < wanted
    }

    /// One of them.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A position, as often as its weight says; not all weights are 0.
    pub(super) fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut at = self.below(weights.iter().sum());
        for (position, weight) in weights.iter().enumerate() {
            match at.checked_sub(*weight) {
                Some(rest) => at = rest,
                None => return position,
            }
        }
        unreachable!("a number below the sum of the weights")
    }
}
