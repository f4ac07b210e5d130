//! A moment of an open database that readers keep looking at while it goes on.

use std::sync::Arc;

use rocksdb::Snapshot;

use super::engine::{Engine, bounded};
use crate::store::{self, KeyRange, Visit};
use crate::{Error, StoreIndex};

/// The database as of one moment. It keeps the database open: whoever closes it waits until all pins are gone.
pub(crate) struct Pin {
    /// Before `engine`: fields are dropped in order, and a snapshot is released to the database it came from.
    snapshot: Snapshot<'static>,
    engine: Arc<Engine>,
}

impl Pin {
    pub(crate) fn new(engine: &Arc<Engine>) -> Self {
        let engine = Arc::clone(engine);
        let snapshot = engine.db.snapshot();
        // SAFETY: the snapshot borrows the `DB` inside the `Arc`, which neither moves nor ends before `engine`, and
        // `engine` is dropped after it. The longer lifetime is seen by no one: the field is private and never handed out.
        #[allow(unsafe_code, reason = "a snapshot stored beside the database that it borrows")]
        let snapshot = unsafe { std::mem::transmute::<Snapshot<'_>, Snapshot<'static>>(snapshot) };
        Self { snapshot, engine }
    }

    /// Calls `visit` with the pinned value of `key` and returns whether there is one.
    pub(crate) fn get(&self, store: StoreIndex, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, Error> {
        let value = self.snapshot.get_pinned_cf(self.engine.family(store), key);
        let value = value.map_err(|error| self.engine.failed("read", &error))?;
        Ok(value.map(|value| visit(&value)).is_some())
    }

    /// Visits the pinned rows of `range` in key order.
    pub(crate) fn scan(&self, store: StoreIndex, range: KeyRange<'_>, visit: &mut Visit<'_>) -> Result<(), Error> {
        if store::is_empty(range) {
            return Ok(());
        }
        let rows = self.snapshot.raw_iterator_cf_opt(self.engine.family(store), bounded(range));
        self.engine.walk(rows, visit)
    }

    /// Roughly how many rows `store` has now.
    pub(crate) fn approximate_rows(&self, store: StoreIndex) -> Result<u64, Error> {
        self.engine.approximate_rows(store)
    }
}
