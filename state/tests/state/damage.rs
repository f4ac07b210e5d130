//! A damaged file: a read answers the right row or an error that names the path, never a wrong row.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use thalweg_state::{Backend, Error, ErrorKind, Position, StoreSpec, TaskState};

use crate::fixture::{ALL, Rows, memory, open, position, spec};

const ROWS: i64 = 60;

fn stores() -> [StoreSpec; 1] {
    [spec("a", Backend::RocksDb)]
}

fn reached() -> Position {
    position(&[("a-changelog-0", ROWS), ("in-0", 7)])
}

fn row(number: i64) -> (Vec<u8>, Vec<u8>) {
    (format!("key-{number:04}").into_bytes(), format!("value {number} ").repeat(9).into_bytes())
}

fn rows() -> Rows {
    (0..ROWS).map(row).collect()
}

/// A closed database with all rows in one table.
fn filled() -> TempDir {
    let directory = TempDir::new().unwrap();
    let mut state = open(directory.path(), &stores());
    for (key, value) in rows() {
        state.put(0, &key, Some(&value)).unwrap();
    }
    state.apply(&reached()).unwrap();
    state.close().unwrap();
    directory
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(directory.join("rocksdb")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What became of a damaged database.
#[derive(Debug, Default)]
struct Outcomes {
    /// Every row was right.
    right: usize,
    /// Some reads failed.
    refused: usize,
    /// It was wiped, to be rebuilt.
    wiped: usize,
    /// It could not be opened.
    failed: usize,
}

impl Outcomes {
    /// Opens and reads everything, as the task and as a reader.
    fn read(&mut self, directory: &Path, damage: &str) {
        let path = directory.join("rocksdb").display().to_string();
        let check = |error: &Error| assert!(error.to_string().contains(&path), "{damage}: {error} names no path");
        let opened = match TaskState::open(directory, &stores(), &memory()) {
            Ok(opened) => opened,
            Err(error) => {
                check(&error);
                self.failed += 1;
                return;
            }
        };
        if opened.state.position() != &reached() {
            // Rebuilt from the start: nothing may be left of it.
            assert_eq!(opened.state.position(), &Position::default(), "{damage}");
            opened.state.scan(0, ALL, &mut |_, _| panic!("{damage}: a row without a position")).unwrap();
            self.wiped += 1;
            return;
        }
        assert_eq!(opened.wiped, None, "{damage}");
        let (expected, reader) = (rows(), opened.state.reader());
        let view = reader.snapshot().unwrap();
        let mut errors = Vec::new();
        for (key, value) in &expected {
            let mut visit = |found: &[u8]| assert_eq!(found, value, "{damage}: a wrong row");
            for read in [opened.state.get(0, key, &mut visit), view.get(0, key, &mut visit)] {
                read.map(|found| assert!(found, "{damage}: a missing row")).unwrap_or_else(|error| errors.push(error));
            }
        }
        let mut scanned = Rows::new();
        let scan = view.scan(0, ALL, &mut |key, value| {
            scanned.insert(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        });
        match scan {
            Ok(()) => assert_eq!(scanned, expected, "{damage}"),
            Err(error) => {
                assert!(scanned.iter().all(|(key, value)| expected.get(key) == Some(value)), "{damage}: a wrong row");
                errors.push(error);
            }
        }
        for error in &errors {
            assert_eq!(error.kind, ErrorKind::Corrupt, "{damage}: {error}");
            check(error);
        }
        assert_eq!(opened.state.damage().is_some(), !errors.is_empty(), "{damage}: the task hears of its readers");
        if errors.is_empty() { self.right += 1 } else { self.refused += 1 }
    }
}

/// Damages a copy of each file that `matches` at every `step`-th byte, one at a time.
fn flip(matches: impl Fn(&str) -> bool, step: usize) -> Outcomes {
    let original = filled();
    let (files, mut outcomes) = (files(original.path()), Outcomes::default());
    let name = |file: &Path| file.file_name().unwrap().to_str().unwrap().to_owned();
    let mut bytes = 0;
    for damaged in files.iter().filter(|file| matches(&name(file))) {
        let content = fs::read(damaged).unwrap();
        for at in (0..content.len()).step_by(step) {
            let copy = TempDir::new().unwrap();
            fs::create_dir(copy.path().join("rocksdb")).unwrap();
            for file in &files {
                fs::copy(file, copy.path().join("rocksdb").join(name(file))).unwrap();
            }
            let mut content = content.clone();
            content[at] ^= 1 << (at % 8);
            fs::write(copy.path().join("rocksdb").join(name(damaged)), content).unwrap();
            outcomes.read(copy.path(), &format!("{} at {at} of {}", name(damaged), damaged.display()));
            bytes += 1;
        }
    }
    println!("{bytes} flips: {outcomes:?}");
    outcomes
}

fn is_table(name: &str) -> bool {
    name.ends_with(".sst")
}

#[test]
fn a_flipped_byte_of_a_table_gives_no_wrong_row() {
    let outcomes = flip(is_table, 131);
    assert!(outcomes.refused > 10 && outcomes.wiped > 3, "both are met: {outcomes:?}");
}

#[test]
#[ignore = "long: opens a database for each byte of its files, 3 minutes"]
fn a_flipped_byte_of_any_file_gives_no_wrong_row() {
    flip(is_table, 1);
    flip(|name| !is_table(name) && !name.starts_with("LOG"), 3);
}

#[test]
fn a_flipped_byte_of_the_manifest_gives_no_wrong_row() {
    flip(|name| name.starts_with("MANIFEST") || name.starts_with("CURRENT"), 13);
}

#[test]
fn a_table_cut_short_or_gone_and_a_missing_current_file_are_rebuilt() {
    type Damage = fn(&Path);
    let cut: Damage = |file| fs::File::options().write(true).open(file).unwrap().set_len(1_000).unwrap();
    let removed: Damage = |file| fs::remove_file(file).unwrap();
    let kinds: [(&str, Damage); 4] = [(".sst", cut), (".sst", removed), ("CURRENT", removed), ("OPTIONS", removed)];
    for (part, damage) in kinds {
        let directory = filled();
        let file = files(directory.path()).into_iter().find(|file| file.to_str().unwrap().contains(part)).unwrap();
        damage(&file);
        let mut outcomes = Outcomes::default();
        outcomes.read(directory.path(), part);
        let (wiped, right) = if part == "OPTIONS" { (0, 1) } else { (1, 0) };
        assert_eq!((outcomes.wiped, outcomes.right), (wiped, right), "{part}: {outcomes:?}");
    }
}

/// Only a compaction reads the damaged table. What it finds must say that the rows cannot be trusted: opening the task
/// again would meet it again, for ever.
#[test]
fn damage_found_in_the_background_is_corrupt_and_names_the_path() {
    let directory = filled();
    let damaged = files(directory.path()).into_iter().filter(|file| is_table(file.to_str().unwrap()));
    let damaged = damaged.max_by_key(|file| file.metadata().unwrap().len()).unwrap();
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[100] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let mut state = open(directory.path(), &stores());
    // Three tables that are larger than the damaged one: all four are merged.
    let next = |round| position(&[("a-changelog-0", ROWS + round)]);
    for round in 1..4 {
        state.put(0, format!("new-{round}").as_bytes(), Some(&[b'x'; 20_000])).unwrap();
        state.apply(&next(round)).unwrap();
        state.flush().unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    let log = directory.path().join("rocksdb").join("LOG");
    while !fs::read_to_string(&log).unwrap().contains("background error counts") {
        assert!(Instant::now() < deadline, "no compaction reads the table");
        std::thread::sleep(Duration::from_millis(10));
    }
    state.put(0, b"new", Some(b"y")).unwrap();
    let error = state.apply(&next(4)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains(&directory.path().join("rocksdb").display().to_string()), "{error}");
}
