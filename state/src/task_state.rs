//! All stores of one task, owned by whoever works on the task and moved with it.
//!
//! A running task reads through [`TaskState::get`] and [`TaskState::scan`] (its own uncommitted writes over the committed
//! rows) and writes through [`TaskState::put`], which touches the overlay only. The commit ends in [`TaskState::apply`] or
//! [`TaskState::discard`]. The restorer writes committed rows with [`TaskState::restore`].

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use crate::memory::MemoryStore;
use crate::overlay::Overlay;
use crate::published::Publication;
use crate::rocks::{self, Database, Engine, SharedMemory};
use crate::store::{Backend, Change, KeyRange, SharedReader, StoreIndex, StoreSpec, Visit};
use crate::{Error, Position, fault_point};

/// An opened state.
#[derive(Debug)]
pub struct Opened {
    /// The state.
    pub state: TaskState,
    /// Why what was on disk could not be trusted and was deleted; `None`: it was trusted, or there was nothing.
    pub wiped: Option<String>,
}

/// All stores of one task. Dropping it closes it and ignores what fails; [`TaskState::close`] does not ignore.
pub struct TaskState {
    stores: Vec<Store>,
    /// The task's database; `None` when no store needs one, and once closed.
    engine: Option<Arc<Engine>>,
    /// Changelogs of memory stores: on disk a position there would promise rows that a restart does not have.
    memory_changelogs: Vec<String>,
    position: Position,
    publication: Arc<Publication>,
    poisoned: bool,
    scratch: Vec<u8>,
}

struct Store {
    overlay: Overlay,
    /// Committed rows; `None`: they are in the database.
    memory: Option<MemoryStore>,
}

impl std::fmt::Debug for TaskState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskState").field("position", &self.position).finish_non_exhaustive()
    }
}

impl TaskState {
    /// Opens the stores of the task in `directory`, which is created when a store needs it.
    ///
    /// A database that cannot be trusted is wiped and starts empty. `Locked` when another process has it open, `Io` when
    /// the disk refuses; neither wipes anything.
    pub fn open(directory: &Path, stores: &[StoreSpec], memory: &SharedMemory) -> Result<Opened, Error> {
        let (database, wiped) = rocks::open(directory, stores, memory)?;
        let (engine, position) = database.map(|Database { engine, position }| (Arc::new(engine), position)).unzip();
        let in_memory = |spec: &&StoreSpec| spec.backend == Backend::Memory;
        let state = Self {
            stores: stores.iter().map(Store::new).collect(),
            engine,
            memory_changelogs: stores.iter().filter(in_memory).filter_map(|spec| spec.changelog.clone()).collect(),
            position: position.unwrap_or_default(),
            publication: Arc::default(),
            poisoned: false,
            scratch: Vec::new(),
        };
        state.publish();
        Ok(Opened { state, wiped })
    }

    /// Deletes what the task keeps in `directory`; `Locked` while a state is open there.
    pub fn wipe(directory: &Path) -> Result<(), Error> {
        rocks::destroy(directory)
    }

    /// Calls `visit` with the value of `key`, in place, and returns `true`, or returns `false`. Sees the overlay.
    pub fn get(&self, store: StoreIndex, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, Error> {
        self.check("read")?;
        let rows = &self.stores[store];
        match (rows.overlay.get(key), &rows.memory) {
            (Some(written), _) => Ok(written.map(visit).is_some()),
            (None, Some(memory)) => Ok(memory.get(key).map(visit).is_some()),
            (None, None) => self.database("read")?.get(store, key, visit),
        }
    }

    /// Writes `key` into the overlay; no value deletes it.
    pub fn put(&mut self, store: StoreIndex, key: &[u8], value: Option<&[u8]>) -> Result<(), Error> {
        self.check("write")?;
        self.stores[store].overlay.put(key, value);
        Ok(())
    }

    /// Visits the rows of `range` in key order, the overlay's merged over the committed ones.
    pub fn scan(&self, store: StoreIndex, range: KeyRange<'_>, visit: &mut Visit<'_>) -> Result<(), Error> {
        self.check("scan")?;
        let rows = &self.stores[store];
        let committed = |visit: &mut Visit<'_>| match &rows.memory {
            Some(memory) => {
                memory.scan(range, visit);
                Ok(())
            }
            None => self.database("scan")?.scan(store, range, visit),
        };
        if rows.overlay.rows() == 0 { committed(visit) } else { rows.overlay.range(range).merge_over(committed, visit) }
    }

    /// Bytes that the overlay uses. They go up until [`TaskState::apply`] or [`TaskState::discard`].
    pub fn overlay_bytes(&self) -> usize {
        self.stores.iter().map(|store| store.overlay.bytes()).sum()
    }

    /// Keys written since the last apply or discard.
    pub fn overlay_rows(&self) -> usize {
        self.stores.iter().map(|store| store.overlay.rows()).sum()
    }

    /// Roughly how many bytes the committed rows of `store` take, on disk and in memory.
    pub fn approximate_bytes(&self, store: StoreIndex) -> Result<u64, Error> {
        match &self.stores[store].memory {
            Some(memory) => Ok(memory.bytes() as u64),
            None => self.database("ask")?.approximate_bytes(store),
        }
    }

    /// Bytes of the committed rows of all stores that live in memory.
    pub fn memory_store_bytes(&self) -> usize {
        self.stores.iter().filter_map(|store| store.memory.as_ref()).map(MemoryStore::bytes).sum()
    }

    /// Moves the overlay into the stores, together with the offsets of `position`, and shows the result to readers.
    ///
    /// One atomic write. It is durable after the next flush; until then the changelog has it. After an error the state
    /// is poisoned: every later call answers `Closed`.
    pub fn apply(&mut self, position: &Position) -> Result<(), Error> {
        self.check("apply")?;
        let news = position.iter().any(|(partition, offset)| self.position.get(partition) != Some(offset));
        if !news && self.overlay_rows() == 0 {
            return Ok(());
        }
        let written = self.write_overlay(position);
        self.poison_on_error(written)?;
        fault_point::reach("state: written, not published");
        for Store { overlay, memory } in &mut self.stores {
            if let Some(memory) = memory {
                everything(overlay).for_each(|(key, value)| memory.put(key, value, &mut self.scratch));
            }
            overlay.clear();
        }
        self.advance(position);
        Ok(())
    }

    /// Forgets all writes since the last apply.
    pub fn discard(&mut self) {
        self.stores.iter_mut().for_each(|store| store.overlay.clear());
    }

    /// Writes committed rows of the changelog, in their order, with the position behind them.
    ///
    /// For big batches: each becomes one atomic write, sorted and with the last value of each key only, which costs the
    /// database less than rows in changelog order. Panics when there are uncommitted writes: a task that is
    /// being restored makes none. After an error the state is poisoned, as after [`TaskState::apply`].
    pub fn restore<'a>(&mut self, rows: impl Iterator<Item = Change<'a>>, position: &Position) -> Result<(), Error> {
        self.check("restore")?;
        assert_eq!(self.overlay_rows(), 0, "a state is restored before its task writes");
        for (store, key, value) in rows {
            self.stores[store].overlay.put(key, value);
        }
        self.apply(position)
    }

    /// The offsets that the committed rows reflect: what the database holds and what memory stores have seen.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// A reader for other threads. It outlives the state and answers `Closed` then.
    pub fn reader(&self) -> SharedReader {
        Arc::clone(&self.publication) as SharedReader
    }

    /// What a reader on another thread found that makes the state untrustworthy, if anything: its rows must be rebuilt.
    pub fn damage(&self) -> Option<&Error> {
        self.publication.damage()
    }

    /// Makes everything applied durable, all stores as of the same apply. Poisons on an error.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.check("flush")?;
        let flushed = self.engine.as_ref().map_or(Ok(()), |engine| engine.flush());
        self.poison_on_error(flushed)
    }

    /// Drops the overlay, flushes and closes. Readers get `Closed`; when this returns the directory is free.
    ///
    /// Closes as well when the flush fails or the state is poisoned; then the error says that the newest applied rows
    /// are not on disk. An earlier prefix is.
    pub fn close(mut self) -> Result<(), Error> {
        let flushed = self.flush();
        self.shut();
        flushed
    }

    fn shut(&mut self) {
        self.publication.close(self.engine.take());
    }

    fn check(&self, doing: &str) -> Result<(), Error> {
        if self.poisoned { Err(Error::poisoned(doing)) } else { Ok(()) }
    }

    fn database(&self, doing: &str) -> Result<&Engine, Error> {
        self.engine.as_deref().ok_or_else(|| Error::closed(doing))
    }

    fn poison_on_error(&mut self, written: Result<(), Error>) -> Result<(), Error> {
        self.poisoned |= written.is_err();
        written
    }

    /// Writes the database's part of the overlay, in key order: neighbours in the skip list are found quickly.
    fn write_overlay(&self, position: &Position) -> Result<(), Error> {
        let Some(engine) = &self.engine else { return Ok(()) };
        let mut batch = engine.batch(self.overlay_bytes());
        for (index, store) in self.stores.iter().enumerate().filter(|(_, store)| store.memory.is_none()) {
            everything(&store.overlay).for_each(|(key, value)| batch.put(index, key, value));
        }
        let durable = |partition: &str| !self.memory_changelogs.iter().any(|changelog| changelog == partition);
        for (partition, offset) in position.iter().filter(|(partition, _)| durable(partition)) {
            batch.position(partition, offset);
        }
        engine.write(batch)
    }

    fn advance(&mut self, position: &Position) {
        self.position.merge(position);
        self.publish();
    }

    fn publish(&self) {
        let memory = self.stores.iter().map(|store| store.memory.clone()).collect();
        self.publication.publish(self.engine.as_ref(), memory, self.position.clone());
    }
}

impl Drop for TaskState {
    fn drop(&mut self) {
        self.shut();
    }
}

impl Store {
    fn new(spec: &StoreSpec) -> Self {
        let memory = (spec.backend == Backend::Memory).then(MemoryStore::default);
        Self { overlay: Overlay::default(), memory }
    }
}

/// All written rows in key order.
fn everything(overlay: &Overlay) -> crate::overlay::Rows<'_> {
    overlay.range((Bound::Unbounded, Bound::Unbounded))
}
