//! An open database: reads, the one atomic write, flush.

use std::fs;
use std::ops::Bound;

use rocksdb::{
    ColumnFamily, DB, DBRawIterator, DEFAULT_COLUMN_FAMILY_NAME, FlushOptions, ReadOptions, WriteBatch, WriteOptions,
};

use super::errors;
use super::meta;
use crate::store::{self, KeyRange, Visit};
use crate::{Error, ErrorKind, StoreIndex, StoreSpec};

/// An open database. Dropping it closes it.
pub(crate) struct Engine {
    pub(super) db: DB,
    /// Column family of each store of the task; `None` for a store that lives elsewhere.
    families: Vec<Option<String>>,
    reading: ReadOptions,
    writing: WriteOptions,
}

/// Rows and position that become visible, and durable, together.
pub(crate) struct Batch<'a> {
    engine: &'a Engine,
    rows: WriteBatch,
}

impl Engine {
    pub(super) fn new(db: DB, families: Vec<Option<String>>) -> Self {
        let mut writing = WriteOptions::default();
        writing.disable_wal(true);
        Self { db, families, reading: ReadOptions::default(), writing }
    }

    pub(super) fn failed(&self, doing: &str, error: &rocksdb::Error) -> Error {
        errors::failed(doing, self.db.path(), error)
    }

    /// Calls `visit` with the newest value of `key`, in place, and returns whether there is one.
    pub(crate) fn get(&self, store: StoreIndex, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, Error> {
        let value = self.db.get_pinned_cf_opt(self.family(store), key, &self.reading);
        let value = value.map_err(|error| self.failed("read", &error))?;
        Ok(value.map(|value| visit(&value)).is_some())
    }

    /// Visits the newest rows of `range` in key order.
    pub(crate) fn scan(&self, store: StoreIndex, range: KeyRange<'_>, visit: &mut Visit<'_>) -> Result<(), Error> {
        if store::is_empty(range) {
            return Ok(());
        }
        let rows = self.db.raw_iterator_cf_opt(self.family(store), bounded(range));
        self.walk(rows, visit)
    }

    /// Visits every row that `rows` has. An invalid iterator may mean the end or an error: its status tells.
    pub(super) fn walk(&self, mut rows: DBRawIterator<'_>, visit: &mut Visit<'_>) -> Result<(), Error> {
        rows.seek_to_first();
        while let Some((key, value)) = rows.item() {
            if visit(key, value).is_break() {
                return Ok(());
            }
            rows.next();
        }
        rows.status().map_err(|error| self.failed("scan", &error))
    }

    /// Visits the rows of the column family `default`.
    pub(super) fn visit_meta(&self, mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), String>) -> Result<(), Error> {
        let mut read = Ok(());
        self.walk(self.db.raw_iterator(), &mut |key, value| {
            read = visit(key, value);
            if read.is_ok() { std::ops::ControlFlow::Continue(()) } else { std::ops::ControlFlow::Break(()) }
        })?;
        read.map_err(|reason| errors::corrupt("open", self.db.path(), reason))
    }

    /// An empty batch that holds `capacity_bytes` before it grows.
    pub(crate) fn batch(&self, capacity_bytes: usize) -> Batch<'_> {
        Batch { engine: self, rows: WriteBatch::with_capacity_bytes(capacity_bytes) }
    }

    /// Writes `batch` as one. After an error nothing may be written any more: part of it could become durable later.
    pub(crate) fn write(&self, batch: Batch<'_>) -> Result<(), Error> {
        self.check_background()?;
        self.db.write_opt(batch.rows, &self.writing).map_err(|error| self.failed("write", &error))
    }

    /// Makes everything written durable, all column families as of one moment.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        let families: Vec<_> = self.families.iter().flatten().map(|name| self.named(name)).collect();
        let families = [families, vec![self.named(DEFAULT_COLUMN_FAMILY_NAME)]].concat();
        self.db.flush_cfs_opt(&families, &FlushOptions::default()).map_err(|error| self.failed("flush", &error))?;
        self.check_background()
    }

    /// A failed flush or compaction in the background; the engine may resume on its own with part of the column
    /// families, so nothing is written after one.
    fn check_background(&self) -> Result<(), Error> {
        match self.db.property_int_value(rocksdb::properties::BACKGROUND_ERRORS) {
            Ok(Some(errors)) if errors > 0 => Err(self.background_error(errors)),
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed("ask", &error)),
        }
    }

    /// What stopped the engine in the background: it refuses even a write of nothing with that error. Not all errors stop
    /// it; those are told by number only.
    fn background_error(&self, errors: u64) -> Error {
        let doing = "flush or compact";
        match self.db.write_opt(WriteBatch::default(), &self.writing) {
            Err(error) => self.failed(doing, &error),
            Ok(()) => Error {
                kind: ErrorKind::Io,
                context: format!("{doing} {}", self.db.path().display()),
                reason: self.logged_error().unwrap_or_else(|| format!("{errors} errors in the background")),
            },
        }
    }

    /// The newest error in the engine's own log. Errors that do not stop it, such as a full disk during a compaction, are
    /// told nowhere else.
    fn logged_error(&self) -> Option<String> {
        let log = fs::read_to_string(self.db.path().join("LOG")).ok()?;
        log.lines().rev().find_map(|line| Some(line.split_once("error: ")?.1.to_owned()))
    }

    /// Roughly how many rows `store` has; overwrites not yet merged count twice.
    pub(crate) fn approximate_rows(&self, store: StoreIndex) -> Result<u64, Error> {
        let rows = self.db.property_int_value_cf(self.family(store), rocksdb::properties::ESTIMATE_NUM_KEYS);
        rows.map(Option::unwrap_or_default).map_err(|error| self.failed("ask", &error))
    }

    /// Bytes of the live files of `store` and of its write buffers.
    pub(crate) fn approximate_bytes(&self, store: StoreIndex) -> Result<u64, Error> {
        let family = self.family(store);
        let property = |name| self.db.property_int_value_cf(family, name).map(Option::unwrap_or_default);
        let files = property(rocksdb::properties::LIVE_SST_FILES_SIZE);
        let buffers = property(rocksdb::properties::CUR_SIZE_ALL_MEM_TABLES);
        files.and_then(|files| Ok(files + buffers?)).map_err(|error| self.failed("ask", &error))
    }

    pub(super) fn family(&self, store: StoreIndex) -> &ColumnFamily {
        let name = self.families[store].as_deref().expect("only stores in RocksDB are asked for here");
        self.named(name)
    }

    fn named(&self, name: &str) -> &ColumnFamily {
        self.db.cf_handle(name).expect("every column family was opened with the database")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A compaction can run for seconds; closing waits for none.
        self.db.cancel_all_background_work(true);
    }
}

impl Batch<'_> {
    /// Writes `key` of `store`; no value deletes it.
    pub(crate) fn put(&mut self, store: StoreIndex, key: &[u8], value: Option<&[u8]>) {
        let family = self.engine.family(store);
        match value {
            Some(value) => self.rows.put_cf(family, key, value),
            None => self.rows.delete_cf(family, key),
        }
    }

    /// Brings the position of `partition` to `next_offset`.
    pub(crate) fn position(&mut self, partition: &str, next_offset: i64) {
        self.rows.put(meta::position_key(partition), next_offset.to_be_bytes());
    }

    /// Records the format and what each store follows.
    pub(super) fn describe<'s>(&mut self, stores: impl Iterator<Item = &'s StoreSpec>) {
        self.rows.put(meta::FORMAT_KEY, meta::FORMAT_VERSION.to_be_bytes());
        for spec in stores {
            self.rows.put(meta::store_key(&spec.name), spec.changelog.as_deref().unwrap_or_default());
        }
    }
}

/// Read options with the bounds of `range`: from inclusive, to exclusive, as the engine has them.
pub(super) fn bounded((from, to): KeyRange<'_>) -> ReadOptions {
    let mut options = ReadOptions::default();
    match from {
        Bound::Unbounded => {}
        Bound::Included(key) => options.set_iterate_lower_bound(key),
        Bound::Excluded(key) => options.set_iterate_lower_bound(successor(key)),
    }
    match to {
        Bound::Unbounded => {}
        Bound::Included(key) => options.set_iterate_upper_bound(successor(key)),
        Bound::Excluded(key) => options.set_iterate_upper_bound(key),
    }
    options
}

/// The smallest key above `key`.
fn successor(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}
