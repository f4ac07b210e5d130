//! Overlay rows in key order, alone or merged over committed rows.

use std::cell::Ref;
use std::ops::{Bound, ControlFlow, Range};

use super::Overlay;
use super::order::Order;
use crate::Error;
use crate::store::{KeyRange, Visit};

/// A written key and its value; `None`: deleted.
type Row<'a> = (&'a [u8], Option<&'a [u8]>);

/// The written rows of a key range, in key order.
pub(crate) struct Rows<'a> {
    overlay: &'a Overlay,
    order: Ref<'a, Order>,
    rest: [Range<usize>; 2],
}

impl Overlay {
    /// The written rows of `range`, in key order, deletions included.
    pub(crate) fn range(&self, range: KeyRange<'_>) -> Rows<'_> {
        // A visitor may scan again: then everything is in order already and nothing is borrowed mutably.
        if self.order.borrow().ordered() < self.entries.len() {
            let compare = |left, right| self.key(left).cmp(self.key(right));
            self.order.borrow_mut().extend_to(self.entries.len(), compare);
        }
        let order = self.order.borrow();
        let rest = order.runs().map(|run| self.within(run, range));
        Rows { overlay: self, order, rest }
    }

    fn within(&self, run: &[u32], (from, to): KeyRange<'_>) -> Range<usize> {
        let start = match from {
            Bound::Unbounded => 0,
            Bound::Included(key) => run.partition_point(|number| self.key(*number) < key),
            Bound::Excluded(key) => run.partition_point(|number| self.key(*number) <= key),
        };
        let end = match to {
            Bound::Unbounded => run.len(),
            Bound::Included(key) => run.partition_point(|number| self.key(*number) <= key),
            Bound::Excluded(key) => run.partition_point(|number| self.key(*number) < key),
        };
        start..end.max(start)
    }
}

impl<'a> Rows<'a> {
    /// The run whose head comes first, with that head's entry number.
    fn head(&self) -> Option<(usize, u32)> {
        let [settled, recent] = self.order.runs();
        let settled = settled[self.rest[0].clone()].first().copied();
        let recent = recent[self.rest[1].clone()].first().copied();
        match (settled, recent) {
            (None, None) => None,
            (Some(entry), None) => Some((0, entry)),
            (None, Some(entry)) => Some((1, entry)),
            (Some(left), Some(right)) if self.overlay.key(left) < self.overlay.key(right) => Some((0, left)),
            (Some(_), Some(right)) => Some((1, right)),
        }
    }

    /// Takes the next row, if `wanted` agrees with its key.
    fn next_if(&mut self, wanted: impl FnOnce(&[u8]) -> bool) -> Option<Row<'a>> {
        let (run, entry) = self.head()?;
        let key = self.overlay.key(entry);
        wanted(key).then(|| {
            self.rest[run].start += 1;
            (key, self.overlay.value(entry))
        })
    }

    /// Visits these rows merged over the committed ones that `scan` visits in key order; a written row wins.
    pub(crate) fn merge_over(
        mut self,
        scan: impl FnOnce(&mut Visit<'_>) -> Result<(), Error>,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        let mut flow = ControlFlow::Continue(());
        scan(&mut |key, value| {
            flow = self.visit_before(key, visit);
            if flow.is_continue() {
                flow = match self.next_if(|written| written == key) {
                    Some((_, None)) => ControlFlow::Continue(()),
                    Some((_, Some(written))) => visit(key, written),
                    None => visit(key, value),
                };
            }
            flow
        })?;
        while flow.is_continue()
            && let Some((key, value)) = self.next()
        {
            if let Some(value) = value {
                flow = visit(key, value);
            }
        }
        Ok(())
    }

    fn visit_before(&mut self, end: &[u8], visit: &mut Visit<'_>) -> ControlFlow<()> {
        while let Some((key, value)) = self.next_if(|written| written < end) {
            if let Some(value) = value {
                visit(key, value)?;
            }
        }
        ControlFlow::Continue(())
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        self.next_if(|_| true)
    }
}
