//! One suite, run over each kind of store: what a task may rely on whatever its stores are made of.

use std::ops::{Bound, ControlFlow};
use std::path::Path;

use tempfile::TempDir;
use thalweg_state::{Backend, Change, KeyRange, Position, TaskState};

use crate::fixture::{ALL, BACKENDS, dump, dump_snapshot, get, open, position, scan, spec};

fn each_backend(check: impl Fn(Backend, &Path, TaskState)) {
    for backend in BACKENDS {
        let directory = TempDir::new().unwrap();
        let state = open(directory.path(), &[spec("a", backend), spec("b", backend)]);
        check(backend, directory.path(), state);
    }
}

#[test]
fn an_uncommitted_write_is_seen_by_its_task_alone() {
    each_backend(|backend, _, mut state| {
        let reader = state.reader();
        state.put(0, b"k", Some(b"1")).unwrap();
        assert_eq!(get(&state, 0, b"k"), Some(b"1".to_vec()), "{backend:?}");
        assert_eq!(get(&state, 1, b"k"), None, "the other store");
        assert!(dump_snapshot(&*reader.snapshot().unwrap(), 0).is_empty());
        state.apply(&position(&[("in-0", 1)])).unwrap();
        assert_eq!(get(&state, 0, b"k"), Some(b"1".to_vec()));
        assert_eq!(dump_snapshot(&*reader.snapshot().unwrap(), 0)[b"k".as_slice()], b"1");
        assert_eq!((state.overlay_rows(), state.overlay_bytes()), (0, 0));
    });
}

#[test]
fn a_discarded_write_never_was() {
    each_backend(|_, _, mut state| {
        state.put(0, b"k", Some(b"1")).unwrap();
        state.apply(&position(&[("in-0", 1)])).unwrap();
        state.put(0, b"k", Some(b"2")).unwrap();
        state.put(0, b"new", Some(b"2")).unwrap();
        state.put(1, b"k", None).unwrap();
        assert_eq!(state.overlay_rows(), 3);
        state.discard();
        assert_eq!(scan(&state, 0, ALL), [(b"k".to_vec(), b"1".to_vec())]);
        assert_eq!(*state.position(), position(&[("in-0", 1)]));
    });
}

#[test]
fn a_deletion_hides_a_committed_row_at_once_and_removes_it_on_apply() {
    each_backend(|_, _, mut state| {
        state.put(0, b"k", Some(b"1")).unwrap();
        state.apply(&Position::default()).unwrap();
        state.put(0, b"k", None).unwrap();
        assert_eq!((get(&state, 0, b"k"), scan(&state, 0, ALL)), (None, vec![]));
        state.apply(&Position::default()).unwrap();
        assert_eq!((get(&state, 0, b"k"), scan(&state, 0, ALL)), (None, vec![]));
        let reader = state.reader();
        assert!(dump_snapshot(&*reader.snapshot().unwrap(), 0).is_empty());
    });
}

#[test]
fn empty_keys_and_values_are_keys_and_values() {
    each_backend(|_, _, mut state| {
        for apply in [false, true] {
            state.put(0, b"", Some(b"")).unwrap();
            if apply {
                state.apply(&Position::default()).unwrap();
            }
            assert_eq!(get(&state, 0, b""), Some(vec![]));
            assert_eq!(scan(&state, 0, ALL), [(vec![], vec![])]);
        }
    });
}

#[test]
fn every_kind_of_range_is_in_unsigned_byte_order_and_exact() {
    let keys: [&[u8]; 6] = [b"", b"\x00", b"a", b"a\x00", b"a\x7f", b"\x80"];
    let bounds = |key: &'static [u8]| [Bound::Unbounded, Bound::Included(key), Bound::Excluded(key)];
    each_backend(|backend, _, mut state| {
        // Half of them committed, half in the overlay, one overwritten.
        let put = |state: &mut TaskState, key: &[u8]| state.put(0, key, Some(key)).unwrap();
        keys.iter().step_by(2).for_each(|key| put(&mut state, key));
        state.apply(&Position::default()).unwrap();
        keys.iter().skip(1).step_by(2).for_each(|key| put(&mut state, key));
        put(&mut state, b"a");
        for range in keys.iter().flat_map(|from| keys.iter().flat_map(move |to| ranges(bounds(from), bounds(to)))) {
            let expected: Vec<_> = keys.iter().filter(|key| holds(range, key)).map(|key| key.to_vec()).collect();
            let seen: Vec<_> = scan(&state, 0, range).into_iter().map(|(key, _)| key).collect();
            assert_eq!(seen, expected, "{backend:?} {range:?}");
        }
    });
}

fn ranges<'a>(from: [Bound<&'a [u8]>; 3], to: [Bound<&'a [u8]>; 3]) -> Vec<KeyRange<'a>> {
    from.into_iter().flat_map(|from| to.map(|to| (from, to))).collect()
}

fn holds((from, to): KeyRange<'_>, key: &[u8]) -> bool {
    let above = match from {
        Bound::Unbounded => true,
        Bound::Included(from) => key >= from,
        Bound::Excluded(from) => key > from,
    };
    let below = match to {
        Bound::Unbounded => true,
        Bound::Included(to) => key <= to,
        Bound::Excluded(to) => key < to,
    };
    above && below
}

#[test]
fn a_scan_ends_where_its_visitor_says() {
    each_backend(|_, _, mut state| {
        for key in [b"a", b"c", b"e"] {
            state.put(0, key, Some(b"committed")).unwrap();
        }
        state.apply(&Position::default()).unwrap();
        for key in [b"b", b"d", b"f"] {
            state.put(0, key, Some(b"written")).unwrap();
        }
        for limit in 1..=6 {
            let mut seen = Vec::new();
            let visited = state.scan(0, ALL, &mut |key, _| {
                seen.extend_from_slice(key);
                if seen.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            visited.unwrap();
            assert_eq!(seen, b"abcdef"[..limit]);
        }
    });
}

#[test]
fn a_visitor_may_read_again() {
    each_backend(|_, _, mut state| {
        state.put(0, b"a", Some(b"1")).unwrap();
        state.apply(&Position::default()).unwrap();
        state.put(0, b"b", Some(b"2")).unwrap();
        let mut seen = Vec::new();
        let visited = state.scan(0, ALL, &mut |key, _| {
            seen.push((key.to_vec(), scan(&state, 0, ALL).len(), get(&state, 0, b"b")));
            ControlFlow::Continue(())
        });
        visited.unwrap();
        let two = Some(b"2".to_vec());
        assert_eq!(seen, [(b"a".to_vec(), 2, two.clone()), (b"b".to_vec(), 2, two)]);
    });
}

#[test]
fn restored_rows_are_committed_rows_in_their_order() {
    each_backend(|_, _, mut state| {
        let rows: [Change<'_>; 5] = [
            (0, b"k", Some(b"1")),
            (1, b"k", Some(b"other")),
            (0, b"gone", Some(b"1")),
            (0, b"k", Some(b"2")),
            (0, b"gone", None),
        ];
        state.restore(rows.into_iter(), &position(&[("a-changelog-0", 5)])).unwrap();
        assert_eq!(scan(&state, 0, ALL), [(b"k".to_vec(), b"2".to_vec())]);
        assert_eq!(scan(&state, 1, ALL), [(b"k".to_vec(), b"other".to_vec())]);
        let reader = state.reader();
        let snapshot = reader.snapshot().unwrap();
        assert_eq!(snapshot.position().get("a-changelog-0"), Some(5));
        assert_eq!(dump_snapshot(&*snapshot, 0)[b"k".as_slice()], b"2");
    });
}

#[test]
fn a_closed_state_comes_back_with_what_its_backend_keeps() {
    each_backend(|backend, directory, mut state| {
        state.put(0, b"k", Some(b"1")).unwrap();
        let reached = position(&[("in-0", 7), ("a-changelog-0", 3)]);
        state.apply(&reached).unwrap();
        state.put(0, b"k", Some(b"uncommitted")).unwrap();
        state.close().unwrap();
        assert_eq!(directory.join("rocksdb").exists(), backend == Backend::RocksDb);
        let state = open(directory, &[spec("a", backend), spec("b", backend)]);
        match backend {
            Backend::RocksDb => {
                assert_eq!((get(&state, 0, b"k"), state.position()), (Some(b"1".to_vec()), &reached));
            }
            Backend::Memory => assert_eq!((get(&state, 0, b"k"), state.position()), (None, &Position::default())),
        }
    });
}

#[test]
fn a_mixed_task_keeps_no_position_for_rows_that_a_restart_loses() {
    let directory = TempDir::new().unwrap();
    let stores = [spec("disk", Backend::RocksDb), spec("mem", Backend::Memory)];
    let mut state = open(directory.path(), &stores);
    state.put(0, b"k", Some(b"1")).unwrap();
    state.put(1, b"k", Some(b"2")).unwrap();
    let reached = position(&[("in-0", 7), ("disk-changelog-0", 3), ("mem-changelog-0", 4)]);
    state.apply(&reached).unwrap();
    assert_eq!(*state.position(), reached);
    state.close().unwrap();
    let state = open(directory.path(), &stores);
    assert_eq!(*state.position(), position(&[("in-0", 7), ("disk-changelog-0", 3)]));
    assert_eq!((dump(&state, 0).len(), dump(&state, 1).len()), (1, 0));
}

#[test]
fn an_applied_position_without_rows_is_kept() {
    each_backend(|_, _, mut state| {
        let reader = state.reader();
        state.apply(&position(&[("in-0", 1)])).unwrap();
        state.apply(&position(&[("in-1", 5)])).unwrap();
        state.apply(&position(&[("in-0", 2)])).unwrap();
        assert_eq!(*reader.snapshot().unwrap().position(), position(&[("in-0", 2), ("in-1", 5)]));
    });
}
