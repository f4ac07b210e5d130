//! Key order over overlay entries, built only when somebody scans.
//!
//! Two sorted runs of entry numbers: a large one and a short one of recent keys. A task that scans between any two puts
//! pays an insertion into the short run, never a sort of everything.

use std::cmp::Ordering;

use crate::recycle::recycle;

/// Longest short run; one insertion moves at most 4 KiB.
const RECENT_MAX: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Order {
    settled: Vec<u32>,
    recent: Vec<u32>,
    spare: Vec<u32>,
    ordered: usize,
}

impl Order {
    /// Both runs, each sorted; an entry is in exactly one.
    pub(super) fn runs(&self) -> [&[u32]; 2] {
        [&self.settled, &self.recent]
    }

    /// How many entries the runs hold: the first ones put.
    pub(super) fn ordered(&self) -> usize {
        self.ordered
    }

    /// Forgets every entry.
    pub(super) fn clear(&mut self) {
        let used = self.settled.len();
        recycle(&mut self.settled, used);
        recycle(&mut self.spare, used);
        self.recent.clear();
        self.ordered = 0;
    }

    /// Takes in the entries up to `count`, with distinct keys that `compare` orders.
    pub(super) fn extend_to(&mut self, count: usize, compare: impl Fn(u32, u32) -> Ordering) {
        let new = self.ordered as u32..count as u32;
        self.ordered = count;
        if self.recent.len() + new.len() <= RECENT_MAX {
            for entry in new {
                let at = self.recent.partition_point(|other| compare(*other, entry).is_lt());
                self.recent.insert(at, entry);
            }
        } else {
            self.recent.extend(new);
            self.recent.sort_unstable_by(|left, right| compare(*left, *right));
            self.settle(compare);
        }
    }

    /// Merges the short run into the large one, copying whole stretches between two recent keys.
    fn settle(&mut self, compare: impl Fn(u32, u32) -> Ordering) {
        self.spare.clear();
        let mut rest = self.settled.as_slice();
        for entry in &self.recent {
            let (before, after) = rest.split_at(rest.partition_point(|other| compare(*other, *entry).is_lt()));
            self.spare.extend_from_slice(before);
            self.spare.push(*entry);
            rest = after;
        }
        self.spare.extend_from_slice(rest);
        std::mem::swap(&mut self.settled, &mut self.spare);
        self.recent.clear();
    }
}
