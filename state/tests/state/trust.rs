//! When a database is wiped, when it is not, and what a failed write does.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use thalweg_state::{Backend, Error, ErrorKind, Position, SharedMemory, StoreSpec, TaskState};

use crate::fixture::{dump, dump_snapshot, get, memory, open, position, scan, spec};

fn stores() -> [StoreSpec; 1] {
    [spec("a", Backend::RocksDb)]
}

/// A closed database with one row.
fn filled() -> TempDir {
    let directory = TempDir::new().unwrap();
    let mut state = open(directory.path(), &stores());
    state.put(0, b"k", Some(b"1")).unwrap();
    state.apply(&position(&[("a-changelog-0", 1)])).unwrap();
    state.close().unwrap();
    directory
}

fn file(directory: &Path, matches: impl Fn(&str) -> bool) -> PathBuf {
    let mut files = fs::read_dir(directory.join("rocksdb")).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| matches(path.file_name().unwrap().to_str().unwrap())).unwrap()
}

/// The database is wiped for a reason that says `text`, starts empty and is trusted from then on.
fn check_wiped(directory: &Path, stores: &[StoreSpec], text: &str) {
    let opened = TaskState::open(directory, stores, &memory()).unwrap();
    let reason = opened.wiped.unwrap();
    assert!(reason.contains(text), "{reason}");
    assert!(reason.contains(&directory.join("rocksdb").display().to_string()), "{reason}");
    assert_eq!((dump(&opened.state, 0).len(), opened.state.position()), (0, &Position::default()));
    opened.state.close().unwrap();
    open(directory, stores).close().unwrap();
}

#[test]
fn a_missing_manifest_wipes() {
    let directory = filled();
    fs::remove_file(file(directory.path(), |name| name.starts_with("MANIFEST"))).unwrap();
    check_wiped(directory.path(), &stores(), "MANIFEST");
}

#[test]
fn a_corrupt_manifest_wipes() {
    let directory = filled();
    let manifest = file(directory.path(), |name| name.starts_with("MANIFEST"));
    let mut bytes = fs::read(&manifest).unwrap();
    bytes[10] ^= 0x40;
    fs::write(&manifest, bytes).unwrap();
    check_wiped(directory.path(), &stores(), "checksum mismatch at byte");
}

#[test]
fn a_missing_table_file_wipes() {
    let directory = filled();
    fs::remove_file(file(directory.path(), |name| name.ends_with(".sst"))).unwrap();
    check_wiped(directory.path(), &stores(), ".sst");
}

#[test]
fn a_column_family_that_no_spec_names_wipes() {
    let directory = filled();
    check_wiped(directory.path(), &[spec("b", Backend::RocksDb)], "Column families not opened: store.a");
}

#[test]
fn a_store_that_follows_another_changelog_wipes() {
    let directory = filled();
    let moved = StoreSpec { changelog: Some("in-0".to_owned()), ..spec("a", Backend::RocksDb) };
    check_wiped(directory.path(), &[moved], "followed `a-changelog-0`, now `in-0`");
}

#[test]
fn a_new_store_over_a_changelog_that_has_passed_wipes() {
    let directory = filled();
    let late = StoreSpec { name: "late".to_owned(), ..spec("a", Backend::RocksDb) };
    check_wiped(directory.path(), &[spec("a", Backend::RocksDb), late], "store `late` is new");
}

#[test]
fn a_new_store_with_a_changelog_of_its_own_leaves_the_others_alone() {
    let directory = filled();
    let state = open(directory.path(), &[spec("a", Backend::RocksDb), spec("b", Backend::RocksDb)]);
    assert_eq!((get(&state, 0, b"k"), dump(&state, 1).len()), (Some(b"1".to_vec()), 0));
}

#[test]
fn a_database_that_no_store_needs_any_more_is_wiped() {
    let directory = filled();
    let opened = TaskState::open(directory.path(), &[spec("a", Backend::Memory)], &memory()).unwrap();
    assert!(opened.wiped.is_some() && !directory.path().join("rocksdb").exists());
}

#[test]
fn a_second_opener_is_locked_out_and_changes_nothing() {
    let directory = filled();
    let state = open(directory.path(), &stores());
    let path = directory.path().join("rocksdb").display().to_string();
    // With its own specs, with others (which would wipe), and the wipe itself.
    let errors = [
        TaskState::open(directory.path(), &stores(), &memory()).map(|_| ()),
        TaskState::open(directory.path(), &[spec("b", Backend::RocksDb)], &memory()).map(|_| ()),
        TaskState::open(directory.path(), &[spec("a", Backend::Memory)], &memory()).map(|_| ()),
        TaskState::wipe(directory.path()),
    ];
    for error in errors.map(Result::unwrap_err) {
        assert_eq!(error.kind, ErrorKind::Locked, "{error}");
        assert!(error.to_string().contains(&path), "{error}");
    }
    assert_eq!(get(&state, 0, b"k"), Some(b"1".to_vec()));
}

#[test]
fn a_path_that_the_file_system_refuses_is_no_reason_to_wipe() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("rocksdb"), b"a file").unwrap();
    let error = TaskState::open(directory.path(), &stores(), &memory()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Io, "{error}");
    assert!(error.to_string().contains(&directory.path().join("rocksdb").display().to_string()), "{error}");
    assert_eq!(fs::read(directory.path().join("rocksdb")).unwrap(), b"a file");
}

#[test]
fn wiping_nothing_is_fine() {
    let directory = TempDir::new().unwrap();
    TaskState::wipe(directory.path()).unwrap();
    TaskState::wipe(&directory.path().join("absent")).unwrap();
}

/// Never a wrong row: a damaged block is an error, for the task and for readers.
#[test]
fn a_flipped_bit_in_a_table_is_corrupt() {
    let directory = filled();
    for table in fs::read_dir(directory.path().join("rocksdb")).unwrap().map(|entry| entry.unwrap().path()) {
        if table.extension().is_some_and(|extension| extension == "sst") {
            let mut bytes = fs::read(&table).unwrap();
            bytes[2] ^= 1;
            fs::write(&table, bytes).unwrap();
        }
    }
    let refused = TaskState::open(directory.path(), &stores(), &memory());
    // The row of the position is damaged as well, so opening already distrusts.
    assert!(refused.unwrap().wiped.is_some_and(|reason| reason.contains("checksum mismatch")));
}

#[test]
fn a_damaged_store_is_corrupt_on_read() {
    let directory = TempDir::new().unwrap();
    let mut state = open(directory.path(), &stores());
    state.flush().unwrap();
    let before: Vec<_> = tables(directory.path());
    state.put(0, b"k", Some(&[b'x'; 100])).unwrap();
    state.apply(&Position::default()).unwrap();
    state.close().unwrap();
    let mut new = tables(directory.path());
    new.retain(|table| !before.contains(table));
    assert_eq!(new.len(), 1, "no position was written, so only the store has a new table");
    let mut bytes = fs::read(&new[0]).unwrap();
    bytes[40] ^= 1;
    fs::write(&new[0], bytes).unwrap();
    let state = open(directory.path(), &stores());
    let reader = state.reader();
    let view = reader.snapshot().unwrap();
    let mut visited = 0;
    let answers: [Result<(), Error>; 3] = [
        state.get(0, b"k", &mut |_| visited += 1).map(|_| ()),
        state.scan(0, crate::fixture::ALL, &mut |_, _| std::ops::ControlFlow::Continue(())),
        view.get(0, b"k", &mut |_| ()).map(|_| ()),
    ];
    for answer in answers {
        assert_eq!(answer.unwrap_err().kind, ErrorKind::Corrupt);
    }
    assert_eq!(visited, 0);
}

fn tables(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory.join("rocksdb")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "sst")).collect()
}

#[test]
fn a_failed_write_poisons() {
    let directory = TempDir::new().unwrap();
    let mut state = open(directory.path(), &stores());
    state.put(0, b"k", Some(b"1")).unwrap();
    state.apply(&position(&[("a-changelog-0", 1)])).unwrap();
    fs::remove_dir_all(directory.path().join("rocksdb")).unwrap();
    let failed = state.flush().unwrap_err();
    assert!(failed.to_string().contains(&directory.path().join("rocksdb").display().to_string()), "{failed}");
    let later = [
        state.get(0, b"k", &mut |_| ()).map(|_| ()),
        state.put(0, b"k", None),
        state.scan(0, crate::fixture::ALL, &mut |_, _| std::ops::ControlFlow::Continue(())),
        state.apply(&Position::default()),
        state.restore(std::iter::empty(), &Position::default()),
        state.flush(),
        state.close(),
    ];
    for (call, answer) in later.into_iter().enumerate() {
        assert_eq!(answer.unwrap_err().kind, ErrorKind::Closed, "call {call}");
    }
    assert!(scan(&open(directory.path(), &stores()), 0, crate::fixture::ALL).is_empty());
}

#[test]
fn a_write_that_fails_moves_no_position() {
    let directory = TempDir::new().unwrap();
    // The smallest write buffers: a background flush soon.
    let memory = SharedMemory::new(1 << 20).unwrap();
    let mut state = TaskState::open(directory.path(), &stores(), &memory).unwrap().state;
    let reader = state.reader();
    fs::remove_dir_all(directory.path().join("rocksdb")).unwrap();
    let mut applied: i64 = 0;
    loop {
        assert!(applied < 10_000, "no flush has failed");
        state.put(0, &applied.to_be_bytes(), Some(&[b'v'; 4_000])).unwrap();
        if state.apply(&position(&[("a-changelog-0", applied + 1)])).is_err() {
            break;
        }
        applied += 1;
    }
    let reached = position(&[("a-changelog-0", applied)]);
    let view = reader.snapshot().unwrap();
    assert_eq!((state.position(), view.position()), (&reached, &reached));
    assert_eq!(dump_snapshot(&*view, 0).len() as i64, applied);
}
