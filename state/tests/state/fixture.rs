//! What the tests share: specs, opening, dumps.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::path::Path;

use thalweg_state::{Backend, KeyRange, Position, SharedMemory, Snapshot, StoreIndex, StoreSpec, TaskState};

pub type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

pub const ALL: KeyRange<'static> = (Bound::Unbounded, Bound::Unbounded);
pub const BACKENDS: [Backend; 2] = [Backend::Memory, Backend::RocksDb];

/// A logged store; its changelog partition is `<name>-changelog-0`.
pub fn spec(name: &str, backend: Backend) -> StoreSpec {
    StoreSpec { name: name.to_owned(), backend, changelog: Some(format!("{name}-changelog-0")) }
}

pub fn memory() -> SharedMemory {
    SharedMemory::new(8 << 20).unwrap()
}

/// Opens what must be trusted.
pub fn open(directory: &Path, stores: &[StoreSpec]) -> TaskState {
    let opened = TaskState::open(directory, stores, &memory()).unwrap();
    assert_eq!(opened.wiped, None);
    opened.state
}

pub fn position(offsets: &[(&str, i64)]) -> Position {
    let mut position = Position::default();
    offsets.iter().for_each(|(partition, offset)| position.set(partition, *offset));
    position
}

pub fn get(state: &TaskState, store: StoreIndex, key: &[u8]) -> Option<Vec<u8>> {
    let mut value = None;
    let found = state.get(store, key, &mut |bytes| value = Some(bytes.to_vec())).unwrap();
    assert_eq!(found, value.is_some());
    value
}

pub fn scan(state: &TaskState, store: StoreIndex, range: KeyRange<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    let visited = state.scan(store, range, &mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    });
    visited.unwrap();
    rows
}

pub fn dump(state: &TaskState, store: StoreIndex) -> Rows {
    unique(scan(state, store, ALL))
}

pub fn dump_snapshot(snapshot: &dyn Snapshot, store: StoreIndex) -> Rows {
    let mut rows = Vec::new();
    let visited = snapshot.scan(store, ALL, &mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    });
    visited.unwrap();
    unique(rows)
}

fn unique(rows: Vec<(Vec<u8>, Vec<u8>)>) -> Rows {
    assert!(rows.is_sorted_by(|left, right| left.0 < right.0), "keys ascend without repeats");
    rows.into_iter().collect()
}
