//! Reads rows from snapshots. Blocking: runs on the blocking pool, never on a stream thread or in an async task.

use std::ops::{Bound, ControlFlow, RangeBounds};

use thalweg_state::{ErrorKind, Position, SharedReader};

use crate::query::answer::Rows;
use crate::query::error::Error;
use crate::query::snapshot::ViewSpec;
use crate::serde::SerdeError;
use crate::types::Timestamp;

/// Bytes of rows, as JSON text, after which a page ends early.
const PAGE_BYTES_MAX: usize = 1 << 20;

/// One decoded row.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// Key text.
    pub key: String,
    /// JSON text of the value.
    pub value: Vec<u8>,
    /// Record time in ms, if known.
    pub timestamp: Option<Timestamp>,
}

/// Reads the row of `key`, with the position of the very snapshot that was read.
pub fn point(reader: &SharedReader, view: &ViewSpec, key: &[u8]) -> Result<(Position, Result<Row, Error>), Error> {
    let snapshot = reader.snapshot().map_err(|error| store_error(&error))?;
    let mut row = Err(Error::UnknownKey);
    snapshot
        .get(view.store_index, key, &mut |value| row = decode(view, key, value))
        .map_err(|error| store_error(&error))?;
    Ok((snapshot.position().clone(), row))
}

/// The position that `reader` is at.
pub fn position(reader: &SharedReader) -> Result<Position, Error> {
    reader.snapshot().map(|snapshot| snapshot.position().clone()).map_err(|error| store_error(&error))
}

fn decode(view: &ViewSpec, key: &[u8], stored: &[u8]) -> Result<Row, Error> {
    let (timestamp, stored) = split(stored)?;
    let key = view.codec.key_to_text(key).map_err(|error| row_error(&error))?;
    let mut value = Vec::new();
    view.codec.value_to_json(stored, &mut value).map_err(|error| row_error(&error))?;
    Ok(Row { key, value, timestamp })
}

/// Record time, if known, and value bytes of a stored row.
fn split(stored: &[u8]) -> Result<(Option<Timestamp>, &[u8]), Error> {
    let (timestamp, value) = stored.split_first_chunk().ok_or(Error::Undecodable("truncated"))?;
    Ok((Some(Timestamp::from_be_bytes(*timestamp)).filter(|timestamp| *timestamp >= 0), value))
}

fn row_error(error: &SerdeError) -> Error {
    match error {
        error if error.is_retriable() => Error::CodecUnavailable,
        _ => Error::Undecodable(error.reason()),
    }
}

fn store_error(error: &thalweg_state::Error) -> Error {
    match error.kind {
        ErrorKind::Closed => Error::Closed,
        ErrorKind::Corrupt | ErrorKind::Io | ErrorKind::Locked => {
            tracing::error!(%error, "a query could not read its store");
            Error::StoreFailed
        }
    }
}

/// The keys of a range, in unsigned byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
}

impl Bounds {
    /// From `from` to `to`, both inclusive as in Kafka Streams' `RangeQuery`; `None` when they are out of order.
    pub fn between(from: Option<Vec<u8>>, to: Option<Vec<u8>>) -> Option<Self> {
        if let (Some(from), Some(to)) = (&from, &to)
            && from > to
        {
            return None;
        }
        let inclusive = |key: Option<Vec<u8>>| key.map_or(Bound::Unbounded, Bound::Included);
        Some(Self { lower: inclusive(from), upper: inclusive(to) })
    }

    /// All keys that begin with `prefix`.
    pub fn prefixed(prefix: Vec<u8>) -> Self {
        let mut next = prefix.clone();
        while next.pop_if(|byte| *byte == u8::MAX).is_some() {}
        let upper = match next.last_mut() {
            Some(byte) => {
                *byte += 1;
                Bound::Excluded(next)
            }
            None => Bound::Unbounded,
        };
        Self { lower: Bound::Included(prefix), upper }
    }

    /// Whether `key` lies inside.
    pub fn contains(&self, key: &[u8]) -> bool {
        RangeBounds::<[u8]>::contains(&(as_slice(&self.lower), as_slice(&self.upper)), key)
    }

    /// The part behind `key`, which lies inside.
    fn after(&self, key: &[u8]) -> Self {
        Self { lower: Bound::Excluded(key.to_vec()), upper: self.upper.clone() }
    }
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

/// A page of rows over some partitions.
#[derive(Debug, Default)]
pub struct Page {
    /// Rows in the order (partition, key bytes).
    pub rows: Rows,
    /// Positions of the partitions that were read.
    pub position: Position,
    /// Partition and key bytes of the last row, when more rows follow.
    pub next: Option<(i32, Vec<u8>)>,
}

/// Reads up to `limit` rows of `partitions` (ascending), behind `after` if given.
///
/// Each partition is read from a snapshot of its own; a page is not one moment in time over several partitions.
pub fn page(
    view: &ViewSpec,
    partitions: &[(i32, SharedReader)],
    bounds: &Bounds,
    after: Option<(i32, &[u8])>,
    limit: usize,
) -> Result<Page, Error> {
    let mut walk = Walk { view, limit, last: None, page: Page::default(), failed: None };
    let start = after.map_or(i32::MIN, |(partition, _)| partition);
    for (partition, reader) in partitions.iter().filter(|(partition, _)| *partition >= start) {
        let bounds = match after {
            Some((resumed, key)) if resumed == *partition => &bounds.after(key),
            _ => bounds,
        };
        walk.partition(*partition, reader, bounds)?;
        if walk.page.next.is_some() {
            break;
        }
    }
    Ok(walk.page)
}

struct Walk<'a> {
    view: &'a ViewSpec,
    limit: usize,
    last: Option<(i32, Vec<u8>)>,
    page: Page,
    failed: Option<Error>,
}

impl Walk<'_> {
    fn partition(&mut self, partition: i32, reader: &SharedReader, bounds: &Bounds) -> Result<(), Error> {
        let snapshot = reader.snapshot().map_err(|error| store_error(&error))?;
        let range = (as_slice(&bounds.lower), as_slice(&bounds.upper));
        snapshot
            .scan(self.view.store_index, range, &mut |key, stored| self.visit(partition, key, stored))
            .map_err(|error| store_error(&error))?;
        self.page.position.merge(snapshot.position());
        self.failed.take().map_or(Ok(()), Err)
    }

    fn push(&mut self, partition: i32, key: &[u8], stored: &[u8]) -> Result<(), Error> {
        let (timestamp, value) = split(stored)?;
        let codec = &*self.view.codec;
        let key = codec.key_to_text(key).map_err(|error| row_error(&error))?;
        self.page
            .rows
            .push(partition, &key, timestamp, |out| codec.value_to_json(value, out).map_err(|error| row_error(&error)))
    }

    fn visit(&mut self, partition: i32, key: &[u8], stored: &[u8]) -> ControlFlow<()> {
        if self.page.rows.len() == self.limit || self.page.rows.bytes() >= PAGE_BYTES_MAX {
            self.page.next = self.last.take();
            return ControlFlow::Break(());
        }
        match self.push(partition, key, stored) {
            Ok(()) => {
                self.last = Some((partition, key.to_vec()));
                ControlFlow::Continue(())
            }
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}
