//! How far a state has come.

use std::collections::BTreeMap;

/// The offsets a state reflects: `<topic>-<partition>` to the *next* offset, for changelogs and inputs alike.
///
/// Stored in the same atomic write as the data, so that data and position cannot part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    offsets: BTreeMap<String, i64>,
}

impl Position {
    /// Next offset of `partition` (`<topic>-<partition>`).
    pub fn get(&self, partition: &str) -> Option<i64> {
        self.offsets.get(partition).copied()
    }

    /// Records that the state reflects `partition` up to `next_offset`.
    pub fn set(&mut self, partition: &str, next_offset: i64) {
        match self.offsets.get_mut(partition) {
            Some(offset) => *offset = next_offset,
            None => {
                self.offsets.insert(partition.to_owned(), next_offset);
            }
        }
    }

    /// Takes over every offset of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (partition, offset) in &other.offsets {
            self.set(partition, *offset);
        }
    }

    /// All offsets in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.offsets.iter().map(|(partition, offset)| (partition.as_str(), *offset))
    }
}
