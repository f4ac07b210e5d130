//! The central promise: after a crash at any point the store equals a prefix of the committed changelog, and its position
//! says which one.
//!
//! A child process applies commit after commit, each a pure function of its number, and is killed from outside wherever it
//! happens to be: in a put, an apply, a background flush, a compaction. What is then on disk must equal the model at the
//! position found there.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use thalweg_state::{Backend, Position, SharedMemory, StoreSpec, TaskState};

use crate::fixture::{Rows, dump, open, spec};

const DIRECTORY: &str = "THALWEG_STATE_CRASH_DIRECTORY";
const KEYS: u64 = 500;
const ROWS_PER_COMMIT: u64 = 40;
const STORES: usize = 2;

fn stores() -> [StoreSpec; STORES] {
    [spec("a", Backend::RocksDb), spec("b", Backend::RocksDb)]
}

/// The rows of commit `commit`: the same for child and model. Splitmix64 for spread.
fn rows(commit: i64) -> impl Iterator<Item = (usize, [u8; 8], Option<Vec<u8>>)> {
    (0..ROWS_PER_COMMIT).map(move |row| {
        let mut mixed = (commit as u64 * ROWS_PER_COMMIT + row).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^= mixed >> 27;
        let value = (!mixed.is_multiple_of(5)).then(|| vec![mixed as u8; 100 + (mixed >> 8) as usize % 900]);
        ((mixed >> 20) as usize % STORES, (mixed % KEYS).to_be_bytes(), value)
    })
}

fn reached(commit: i64) -> Position {
    let mut position = Position::default();
    for partition in ["a-changelog-0", "b-changelog-0", "in-0"] {
        position.set(partition, commit);
    }
    position
}

/// Not a test by itself: the process that gets killed. Does nothing unless it is told a directory.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    // The smallest write buffers: a background flush every few dozen commits.
    let memory = SharedMemory::new(1 << 20).unwrap();
    let mut state = TaskState::open(Path::new(&directory), &stores(), &memory).unwrap().state;
    let first = state.position().get("in-0").unwrap_or_default() + 1;
    println!("\ncommit {}", first - 1);
    for commit in first.. {
        for (store, key, value) in rows(commit) {
            state.put(store, &key, value.as_deref()).unwrap();
        }
        state.apply(&reached(commit)).unwrap();
        println!("commit {commit}");
    }
}

fn start_child(directory: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::child", "--nocapture", "--test-threads=1"]).env(DIRECTORY, directory);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// Lets a child run for `commits` commits, kills it, and returns the last commit it reported.
fn run_and_kill(directory: &Path, commits: i64) -> i64 {
    let mut child = start_child(directory);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut reports = lines.filter_map(|line| line.unwrap().strip_prefix("commit ").map(|text| text.parse().unwrap()));
    let first: i64 = reports.next().unwrap();
    let last = reports.find(|commit| *commit >= first + commits).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    reports.last().unwrap_or(last)
}

#[test]
fn a_killed_process_leaves_a_prefix_of_its_commits_and_their_position() {
    let directory = TempDir::new().unwrap();
    let mut model = [Rows::new(), Rows::new()];
    let mut durable = 0;
    // Each round goes on from what the round before left: old tables, compactions, a position that went back.
    for commits in [3, 57, 130, 411, 298, 20, 733] {
        let reported = run_and_kill(directory.path(), commits);
        let state = open(directory.path(), &stores());
        let found = state.position().get("in-0").unwrap_or_default();
        assert!((durable..=reported + 1).contains(&found), "{durable} <= {found} <= {reported} + 1");
        if found > 0 {
            assert_eq!(*state.position(), reached(found), "one moment for all stores");
        }
        for (store, key, value) in (durable + 1..=found).flat_map(rows) {
            match value {
                Some(value) => model[store].insert(key.to_vec(), value),
                None => model[store].remove(key.as_slice()),
            };
        }
        for (store, rows) in model.iter().enumerate() {
            assert_eq!(dump(&state, store), *rows, "store {store} at commit {found} of {reported}");
        }
        durable = found;
        state.close().unwrap();
    }
    assert!(durable > 100, "background flushes happened: commit {durable} survived");
}
