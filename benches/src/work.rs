//! The records of a benchmark: keys, values and times from a seed.
//!
//! Pure: equal work gives equal records, on every machine and for both sides.

use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

const SEED: u64 = 7;
/// Exponent of the Zipf distribution, as in YCSB.
const ZIPF_EXPONENT: f64 = 0.99;
/// A prime, so that hot keys do not lie side by side in a store.
const SCATTER: u64 = 2_654_435_761;
/// Time of the first row of the table, in ms. All of its rows are older than the input's first record.
const TABLE_START_MS: i64 = 1_700_000_000_000;
const INPUT_START_MS: i64 = TABLE_START_MS + 3_600_000;
/// Records with one timestamp.
const RECORDS_PER_MS: u64 = 100;
/// Rows of the table topic for each key of the input.
const TABLE_ROWS_PER_KEY: u64 = 4;

/// How often each key comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Skew {
    /// All alike.
    Uniform,
    /// A few very often (Zipf, exponent 0.99).
    Zipf,
}

/// What the topics of a benchmark hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Work {
    /// Records of the input topic.
    pub records: u64,
    /// Distinct keys of the input topic.
    pub keys: u64,
    /// How often each key comes.
    pub skew: Skew,
    /// Bytes of a value: hexadecimal digits of random numbers, so half of their bits are entropy.
    pub value_bytes: usize,
    /// Partitions of every topic.
    pub partitions: i32,
}

/// One record, borrowed from its [`Records`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generated<'a> {
    /// Record time in ms.
    pub timestamp: i64,
    /// 14 bytes.
    pub key: &'a [u8],
    /// As many bytes as the work says.
    pub value: &'a [u8],
}

/// Makes records one after the other in memory of its own.
pub struct Records {
    random: StdRng,
    keys: Keys,
    left: u64,
    made: u64,
    start_ms: i64,
    key: String,
    value: Vec<u8>,
}

enum Keys {
    InOrder,
    Uniform(u64),
    /// For each rank the sum of the weights up to it.
    Zipf(Vec<f64>),
}

impl Work {
    /// The records of the input topic.
    pub fn input(&self) -> Records {
        let keys = match self.skew {
            Skew::Uniform => Keys::Uniform(self.keys),
            Skew::Zipf => Keys::Zipf(cumulative_weights(self.keys)),
        };
        self.generate(SEED, keys, self.records, INPUT_START_MS)
    }

    /// The rows of the table topic: every key of the input once, and keys that the input does not have.
    pub fn table(&self) -> Records {
        self.generate(SEED + 1, Keys::InOrder, self.table_rows(), TABLE_START_MS)
    }

    /// How many rows the table topic has.
    pub fn table_rows(&self) -> u64 {
        self.keys * TABLE_ROWS_PER_KEY
    }

    fn generate(&self, seed: u64, keys: Keys, count: u64, start_ms: i64) -> Records {
        let random = StdRng::seed_from_u64(seed);
        Records { random, keys, left: count, made: 0, start_ms, key: String::new(), value: vec![0; self.value_bytes] }
    }
}

impl Records {
    /// The next record.
    pub fn next_record(&mut self) -> Option<Generated<'_>> {
        use std::fmt::Write;
        self.left = self.left.checked_sub(1)?;
        let number = match &self.keys {
            Keys::InOrder => self.made,
            Keys::Uniform(keys) => self.random.random_range(0..*keys),
            Keys::Zipf(sums) => {
                let drawn = self.random.random::<f64>() * sums.last().copied().unwrap_or_default();
                let rank = sums.partition_point(|sum| *sum < drawn) as u64;
                rank.wrapping_mul(SCATTER) % sums.len() as u64
            }
        };
        let timestamp = self.start_ms + (self.made / RECORDS_PER_MS).cast_signed();
        self.made += 1;
        self.key.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.key, "key-{number:010}");
        for digits in self.value.chunks_mut(16) {
            let mut rest: u64 = self.random.random();
            for digit in digits {
                *digit = b"0123456789abcdef"[(rest & 15) as usize];
                rest >>= 4;
            }
        }
        Some(Generated { timestamp, key: self.key.as_bytes(), value: &self.value })
    }
}

/// Rank `r`, from 1, weighs `1 / r^exponent`.
fn cumulative_weights(ranks: u64) -> Vec<f64> {
    let mut sum = 0.0;
    let add = |rank: u64| {
        sum += (rank as f64).powf(-ZIPF_EXPONENT);
        sum
    };
    (1..=ranks).map(add).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use super::*;

    const WORK: Work = Work { records: 20_000, keys: 100, skew: Skew::Uniform, value_bytes: 100, partitions: 4 };

    fn counts(mut records: Records) -> BTreeMap<Vec<u8>, u64> {
        let mut counts = BTreeMap::new();
        while let Some(record) = records.next_record() {
            *counts.entry(record.key.to_vec()).or_default() += 1;
        }
        counts
    }

    #[test]
    fn equal_work_gives_equal_records() {
        let (mut one, mut other) = (WORK.input(), WORK.input());
        for _ in 0..1_000 {
            assert_eq!(one.next_record(), other.next_record());
        }
        let first = WORK.input().next_record().unwrap().value.to_vec();
        assert_eq!(first.len(), 100);
        assert!(first.iter().all(u8::is_ascii_hexdigit), "{first:?}");
    }

    #[test]
    fn uniform_keys_come_about_equally_often() {
        let counts = counts(WORK.input());
        assert_eq!(counts.values().sum::<u64>(), 20_000);
        assert_eq!(counts.len(), 100);
        assert!(counts.keys().all(|key| key.len() == 14));
        assert!(counts.values().all(|count| (130..=280).contains(count)), "{counts:?}");
    }

    #[test]
    fn skewed_keys_do_not() {
        let counts = counts(Work { skew: Skew::Zipf, ..WORK }.input());
        let most = *counts.values().max().unwrap();
        assert!(most > 20_000 / 8, "{most} of the hottest of 100 keys");
        assert!(counts.len() > 90, "{} keys", counts.len());
    }

    #[test]
    fn the_table_has_each_key_once_and_is_older() {
        let counts = counts(WORK.table());
        assert_eq!(counts.len() as u64, WORK.table_rows());
        assert!(counts.values().all(|count| *count == 1));
        let mut table = WORK.table();
        let mut last = 0;
        while let Some(row) = table.next_record() {
            last = row.timestamp;
        }
        assert!(last < WORK.input().next_record().unwrap().timestamp);
    }
}
