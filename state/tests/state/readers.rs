//! What readers on other threads see, and what closing does to them.

use std::ops::ControlFlow;
use std::sync::Barrier;
use std::thread;

use tempfile::TempDir;
use thalweg_state::{Backend, Error, ErrorKind, Position, TaskState};

use crate::fixture::{ALL, BACKENDS, dump_snapshot, open, position, spec};

fn kind<T>(answer: Result<T, Error>) -> Option<ErrorKind> {
    answer.err().map(|error| error.kind)
}

#[test]
fn a_snapshot_does_not_move() {
    for backend in BACKENDS {
        let directory = TempDir::new().unwrap();
        let mut state = open(directory.path(), &[spec("a", backend)]);
        let reader = state.reader();
        let mut snapshots = vec![reader.snapshot().unwrap()];
        for round in 1..=20_u8 {
            state.put(0, &[round], Some(&[round])).unwrap();
            state.put(0, &[round - 1], None).unwrap();
            state.apply(&position(&[("in-0", round.into())])).unwrap();
            snapshots.push(reader.snapshot().unwrap());
        }
        for (round, snapshot) in snapshots.iter().enumerate().skip(1) {
            let rows = dump_snapshot(&**snapshot, 0);
            assert_eq!(rows.into_iter().collect::<Vec<_>>(), [(vec![round as u8], vec![round as u8])]);
            assert_eq!(snapshot.position().get("in-0"), Some(round as i64));
            let mut value = Vec::new();
            assert!(snapshot.get(0, &[round as u8], &mut |bytes| value.extend_from_slice(bytes)).unwrap());
            assert_eq!(value, [round as u8]);
            assert!(!snapshot.get(0, &[round as u8 - 1], &mut |_| ()).unwrap());
        }
    }
}

/// Two stores of different kinds and the position always show the same commit, while the writer runs.
#[test]
fn data_and_position_of_a_snapshot_are_of_one_commit() {
    const COMMITS: i64 = 1000;
    let directory = TempDir::new().unwrap();
    let mut state = open(directory.path(), &[spec("disk", Backend::RocksDb), spec("mem", Backend::Memory)]);
    let reader = state.reader();
    let start = Barrier::new(3);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                start.wait();
                let mut last = 0;
                while last < COMMITS {
                    let snapshot = reader.snapshot().unwrap();
                    let commit = snapshot.position().get("in-0").unwrap_or_default();
                    assert!(commit >= last, "views never go back");
                    last = commit;
                    for store in [0, 1] {
                        let mut value = 0;
                        let read = &mut |bytes: &[u8]| value = i64::from_be_bytes(bytes.try_into().unwrap());
                        snapshot.get(store, b"commit", read).unwrap();
                        assert_eq!(value, commit, "store {store}");
                    }
                }
            });
        }
        start.wait();
        for commit in 1..=COMMITS {
            for store in [0, 1] {
                state.put(store, b"commit", Some(&commit.to_be_bytes())).unwrap();
            }
            state.apply(&position(&[("in-0", commit)])).unwrap();
        }
    });
}

#[test]
fn closing_frees_the_directory_although_readers_and_views_exist() {
    for backend in BACKENDS {
        let directory = TempDir::new().unwrap();
        let stores = [spec("a", backend)];
        let mut state = open(directory.path(), &stores);
        state.put(0, b"k", Some(b"1")).unwrap();
        state.apply(&position(&[("in-0", 1)])).unwrap();
        let reader = state.reader();
        let view = reader.snapshot().unwrap();
        let old_view = {
            let view = reader.snapshot().unwrap();
            state.apply(&position(&[("in-0", 2)])).unwrap();
            view
        };
        state.close().unwrap();
        for view in [&view, &old_view] {
            assert_eq!(kind(view.get(0, b"k", &mut |_| ())), Some(ErrorKind::Closed));
            assert_eq!(kind(view.scan(0, ALL, &mut |_, _| ControlFlow::Continue(()))), Some(ErrorKind::Closed));
        }
        assert_eq!(kind(reader.snapshot()), Some(ErrorKind::Closed));
        assert_eq!(kind(reader.approximate_rows(0)), Some(ErrorKind::Closed));
        TaskState::wipe(directory.path()).unwrap();
        drop(open(directory.path(), &stores));
        drop((view, old_view));
    }
}

/// Closing waits for the call in flight, and that call notices: a long scan does not hold a task back.
#[test]
fn closing_ends_a_scan_that_is_running() {
    for backend in BACKENDS {
        let directory = TempDir::new().unwrap();
        let mut state = open(directory.path(), &[spec("a", backend)]);
        for key in 0..1000_u32 {
            state.put(0, &key.to_be_bytes(), Some(b"value")).unwrap();
        }
        state.apply(&Position::default()).unwrap();
        let reader = state.reader();
        let inside = Barrier::new(2);
        thread::scope(|scope| {
            let scanning = scope.spawn(|| {
                let mut seen = 0_u64;
                let view = reader.snapshot().unwrap();
                let scanned = view.scan(0, ALL, &mut |_, _| {
                    if seen == 0 {
                        inside.wait();
                        // From here on only closing can make the reader's next snapshot fail.
                        while reader.snapshot().is_ok() {
                            thread::yield_now();
                        }
                    }
                    seen += 1;
                    ControlFlow::Continue(())
                });
                (kind(scanned), seen)
            });
            inside.wait();
            state.close().unwrap();
            assert_eq!(scanning.join().unwrap(), (Some(ErrorKind::Closed), 1));
        });
    }
}

#[test]
fn rows_are_counted_roughly() {
    for backend in BACKENDS {
        let directory = TempDir::new().unwrap();
        let mut state = open(directory.path(), &[spec("a", backend), spec("b", backend)]);
        for key in 0..1000_u32 {
            state.put(0, &key.to_be_bytes(), Some(b"value")).unwrap();
        }
        state.apply(&Position::default()).unwrap();
        let reader = state.reader();
        assert_eq!((reader.approximate_rows(0).unwrap(), reader.approximate_rows(1).unwrap()), (1000, 0));
    }
}

#[test]
fn the_size_of_a_store_is_that_of_its_rows() {
    for backend in BACKENDS {
        let directory = TempDir::new().unwrap();
        let mut state = open(directory.path(), &[spec("a", backend), spec("b", backend)]);
        let empty = state.approximate_bytes(1).unwrap();
        for key in 0..1000_u32 {
            state.put(0, &key.to_be_bytes(), Some(&[7; 96])).unwrap();
        }
        assert_eq!(state.approximate_bytes(0).unwrap(), empty, "uncommitted rows are the overlay's");
        state.apply(&Position::default()).unwrap();
        let written = state.approximate_bytes(0).unwrap();
        assert!((100_000..400_000).contains(&written), "{backend:?}: {written} bytes");
        assert_eq!(state.approximate_bytes(1).unwrap(), empty, "{backend:?}: the other store has none");
        state.flush().unwrap();
        assert!(state.approximate_bytes(0).unwrap() > 1_000, "{backend:?}: on disk, compressed or not");
        if backend == Backend::Memory {
            assert_eq!((written, state.memory_store_bytes()), (100_000, 100_000));
            state.put(0, &0_u32.to_be_bytes(), Some(b"short")).unwrap();
            state.put(0, &1_u32.to_be_bytes(), None).unwrap();
            state.put(0, &5_000_u32.to_be_bytes(), None).unwrap();
            state.apply(&Position::default()).unwrap();
            assert_eq!(state.approximate_bytes(0).unwrap(), 99_800 + 9);
        } else {
            assert_eq!(state.memory_store_bytes(), 0);
        }
    }
}
