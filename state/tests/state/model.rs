//! Random work on a state against ordered maps that do the same naively.

use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;
use thalweg_state::{Backend, KeyRange, Position, StoreSpec, TaskState};

use crate::fixture::{Rows, dump, dump_snapshot, get, open, scan, spec};

#[derive(Debug, Clone)]
enum Step {
    Put(usize, Vec<u8>, Option<Vec<u8>>),
    Get(usize, Vec<u8>),
    Scan(usize, Bound<Vec<u8>>, Bound<Vec<u8>>),
    Apply,
    Discard,
    Restore(Vec<(usize, Vec<u8>, Option<Vec<u8>>)>),
    Flush,
    Reopen,
}

const STORES: usize = 3;

fn stores() -> [StoreSpec; STORES] {
    [spec("disk", Backend::RocksDb), spec("mem", Backend::Memory), spec("other", Backend::RocksDb)]
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0_u8), Just(b'a'), Just(0xff)], 0..4)
}

fn row() -> impl Strategy<Value = (usize, Vec<u8>, Option<Vec<u8>>)> {
    (0..STORES, key(), proptest::option::weighted(0.7, vec(any::<u8>(), 0..20)))
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![Just(Bound::Unbounded), key().prop_map(Bound::Included), key().prop_map(Bound::Excluded)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => row().prop_map(|(store, key, value)| Step::Put(store, key, value)),
        10 => (0..STORES, key()).prop_map(|(store, key)| Step::Get(store, key)),
        6 => (0..STORES, bound(), bound()).prop_map(|(store, from, to)| Step::Scan(store, from, to)),
        4 => Just(Step::Apply),
        1 => Just(Step::Discard),
        1 => vec(row(), 0..20).prop_map(Step::Restore),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ]
}

#[derive(Default)]
struct Model {
    committed: [Rows; STORES],
    written: [Rows; STORES],
    position: BTreeMap<String, i64>,
    commits: i64,
}

fn write(rows: &mut Rows, key: &[u8], value: Option<&Vec<u8>>) {
    match value {
        Some(value) => rows.insert(key.to_vec(), value.clone()),
        None => rows.remove(key),
    };
}

impl Model {
    /// The position of the next commit: an input and every changelog.
    fn advance(&mut self) -> Position {
        self.commits += 1;
        let partitions = ["in-0".to_owned()].into_iter().chain(stores().into_iter().filter_map(|spec| spec.changelog));
        self.position.extend(partitions.map(|partition| (partition, self.commits)));
        let mut position = Position::default();
        self.position.iter().for_each(|(partition, offset)| position.set(partition, *offset));
        position
    }

    fn lose_memory(&mut self) {
        self.committed[1].clear();
        self.position.remove("mem-changelog-0");
    }
}

fn within(rows: &Rows, (from, to): KeyRange<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let above = |key: &[u8]| match from {
        Bound::Unbounded => true,
        Bound::Included(from) => key >= from,
        Bound::Excluded(from) => key > from,
    };
    let below = |key: &[u8]| match to {
        Bound::Unbounded => true,
        Bound::Included(to) => key <= to,
        Bound::Excluded(to) => key < to,
    };
    let rows = rows.iter().filter(|(key, _)| above(key) && below(key));
    rows.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn check(steps: Vec<Step>) {
    let directory = TempDir::new().unwrap();
    let mut state = open(directory.path(), &stores());
    let mut model = Model::default();
    for step in steps {
        state = take(step, state, &mut model, &directory);
        let reader = state.reader();
        let snapshot = reader.snapshot().unwrap();
        let position: BTreeMap<_, _> =
            snapshot.position().iter().map(|(partition, offset)| (partition.to_owned(), offset)).collect();
        assert_eq!(position, model.position);
        for store in 0..STORES {
            assert_eq!(dump_snapshot(&*snapshot, store), model.committed[store], "committed rows of {store}");
        }
    }
    for store in 0..STORES {
        assert_eq!(dump(&state, store), model.written[store], "store {store}");
    }
}

fn take(step: Step, mut state: TaskState, model: &mut Model, directory: &TempDir) -> TaskState {
    match step {
        Step::Put(store, key, value) => {
            state.put(store, &key, value.as_deref()).unwrap();
            write(&mut model.written[store], &key, value.as_ref());
        }
        Step::Get(store, key) => assert_eq!(get(&state, store, &key), model.written[store].get(&key).cloned()),
        Step::Scan(store, from, to) => {
            let range = (from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice));
            assert_eq!(scan(&state, store, range), within(&model.written[store], range), "{range:?}");
        }
        Step::Apply => {
            state.apply(&model.advance()).unwrap();
            model.committed = model.written.clone();
        }
        Step::Discard => {
            state.discard();
            model.written = model.committed.clone();
        }
        Step::Restore(rows) => {
            state.discard();
            let borrowed = rows.iter().map(|(store, key, value)| (*store, key.as_slice(), value.as_deref()));
            state.restore(borrowed, &model.advance()).unwrap();
            rows.iter().for_each(|(store, key, value)| write(&mut model.committed[*store], key, value.as_ref()));
            model.written = model.committed.clone();
        }
        Step::Flush => state.flush().unwrap(),
        Step::Reopen => {
            state.close().unwrap();
            model.lose_memory();
            model.written = model.committed.clone();
            return open(directory.path(), &stores());
        }
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_state_does_what_ordered_maps_do(steps in vec(step(), 1..120)) {
        check(steps);
    }
}
