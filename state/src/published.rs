//! Committed versions of a task's state, for readers on other threads.
//!
//! The writer publishes a version after each apply: one pin of the database, one version of each memory store and the
//! position, all of the same commit. A reader takes the newest and keeps it for a query. Closing never waits for a reader
//! to let go of its view, only for the one call it may be inside: a scan notices and ends, later calls get `Closed`.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use rustc_hash::FxHashMap;

use crate::memory::MemoryStore;
use crate::rocks::{Engine, Pin};
use crate::store::{KeyRange, Reader, Snapshot, StoreIndex, Visit};
use crate::{Error, ErrorKind, Position};

/// Where the writer leaves versions and readers find them.
#[derive(Default)]
pub(crate) struct Publication {
    shelf: Mutex<Shelf>,
    /// Told when a call has let go of its pin while closing.
    left: Condvar,
    closing: AtomicBool,
    /// The first error of a reader that says that the rows cannot be trusted: its writer may never read them.
    damage: OnceLock<Error>,
}

/// Pins live here alone, so that closing can drop them while views still exist. Each reader's call borrows one.
#[derive(Default)]
struct Shelf {
    newest: Option<Arc<Version>>,
    pins: FxHashMap<u64, Arc<Pin>>,
    last: u64,
}

/// The state after one commit.
struct Version {
    number: u64,
    /// Committed rows of each memory store; `None` for a store in the pinned database.
    memory: Vec<Option<MemoryStore>>,
    position: Position,
    publication: Weak<Publication>,
}

/// A version in a reader's hands.
struct View<'a> {
    publication: &'a Publication,
    version: Arc<Version>,
}

/// One call's use of a pin; given back under the shelf's lock, so that closing sees it.
struct Borrowed<'a> {
    publication: &'a Publication,
    pin: Option<Arc<Pin>>,
}

impl Publication {
    /// Publishes a version; readers see it from their next snapshot on. The lock is held for a few instructions.
    pub(crate) fn publish(
        self: &Arc<Self>,
        engine: Option<&Arc<Engine>>,
        memory: Vec<Option<MemoryStore>>,
        position: Position,
    ) {
        let pin = engine.map(|engine| Arc::new(Pin::new(engine)));
        let mut version = Version { number: 0, memory, position, publication: Arc::downgrade(self) };
        let mut shelf = self.shelf();
        shelf.last += 1;
        version.number = shelf.last;
        if let Some(pin) = pin {
            shelf.pins.insert(version.number, pin);
        }
        let replaced = shelf.newest.replace(Arc::new(version));
        // Its drop takes the lock.
        drop(shelf);
        drop(replaced);
    }

    /// Ends all reading and closes the database: when this returns, its lock is free. Waits for calls that are running.
    pub(crate) fn close(&self, engine: Option<Arc<Engine>>) {
        self.closing.store(true, Ordering::Relaxed);
        let mut shelf = self.shelf();
        let newest = shelf.newest.take();
        shelf.pins.clear();
        // Pins come from the newest version only, and there is none any more: the count can only fall.
        while engine.as_ref().is_some_and(|engine| Arc::strong_count(engine) > 1) {
            shelf = self.left.wait(shelf).unwrap_or_else(PoisonError::into_inner);
        }
        drop(shelf);
        drop((newest, engine));
    }

    /// What a reader found that makes the rows untrustworthy.
    pub(crate) fn damage(&self) -> Option<&Error> {
        self.damage.get()
    }

    /// Keeps the first error of a reader that says so.
    fn note<T>(&self, read: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &read
            && error.kind == ErrorKind::Corrupt
        {
            self.damage.get_or_init(|| error.clone());
        }
        read
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Nothing that runs under the lock leaves the shelf half changed.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn closed(&self) -> Result<(), Error> {
        if self.closing.load(Ordering::Relaxed) { Err(Error::closed("read")) } else { Ok(()) }
    }

    fn newest(&self) -> Result<Arc<Version>, Error> {
        self.shelf().newest.clone().ok_or_else(|| Error::closed("read"))
    }

    fn borrow(&self, number: u64) -> Result<Borrowed<'_>, Error> {
        let pin = self.shelf().pins.get(&number).cloned().ok_or_else(|| Error::closed("read"))?;
        Ok(Borrowed { publication: self, pin: Some(pin) })
    }

    fn give_back(&self, release: impl FnOnce(&mut Shelf)) {
        let mut shelf = self.shelf();
        release(&mut shelf);
        if self.closing.load(Ordering::Relaxed) {
            self.left.notify_all();
        }
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        if let Some(publication) = self.publication.upgrade() {
            publication.give_back(|shelf| drop(shelf.pins.remove(&self.number)));
        }
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let pin = self.pin.take();
        self.publication.give_back(|_| drop(pin));
    }
}

impl std::ops::Deref for Borrowed<'_> {
    type Target = Pin;

    fn deref(&self) -> &Pin {
        self.pin.as_deref().expect("given back on drop only")
    }
}

impl Reader for Publication {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, Error> {
        Ok(Box::new(View { publication: self, version: self.newest()? }))
    }

    fn approximate_rows(&self, store: StoreIndex) -> Result<u64, Error> {
        let version = self.newest()?;
        match &version.memory[store] {
            Some(memory) => Ok(memory.rows() as u64),
            None => self.borrow(version.number)?.approximate_rows(store),
        }
    }
}

impl Snapshot for View<'_> {
    fn get(&self, store: StoreIndex, key: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<bool, Error> {
        match &self.version.memory[store] {
            Some(memory) => {
                self.publication.closed()?;
                Ok(memory.get(key).map(visit).is_some())
            }
            None => {
                let pin = self.publication.borrow(self.version.number)?;
                self.publication.note(pin.get(store, key, visit))
            }
        }
    }

    fn scan(&self, store: StoreIndex, range: KeyRange<'_>, visit: &mut Visit<'_>) -> Result<(), Error> {
        self.publication.closed()?;
        let mut interrupted = Ok(());
        let mut visit_open = |key: &[u8], value: &[u8]| {
            interrupted = self.publication.closed();
            if interrupted.is_ok() { visit(key, value) } else { ControlFlow::Break(()) }
        };
        match &self.version.memory[store] {
            Some(memory) => memory.scan(range, &mut visit_open),
            None => {
                let pin = self.publication.borrow(self.version.number)?;
                self.publication.note(pin.scan(store, range, &mut visit_open))?;
            }
        }
        interrupted
    }

    fn position(&self) -> &Position {
        &self.version.position
    }
}
