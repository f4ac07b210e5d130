//! Killed at each point of a commit: a store on disk is a prefix of its changelog, and nothing is missing or mixed up in
//! the views afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::ops::{Bound, ControlFlow};
use std::path::Path;

use thalweg_state::{Backend, SharedMemory, StoreSpec, TaskState, layout};
use thalweg_tests::records::{self, Stored};
use thalweg_tests::{Kafka, wait_until};

use crate::STOPPED;
use crate::application::{Application, PROCESSED, STOP};
use crate::topology::{GROUPS, SEEN};

/// Each with how often it is passed first. A commit has 4 tasks and 2 steps of its flush: sinks are acknowledged, then the
/// changelog of the task's store.
const POINTS: [(&str, u32); 7] = [
    ("commit: before flush", 4),
    ("commit: between two steps of the flush", 8),
    ("commit: between two steps of the flush", 9),
    ("commit: after acks", 4),
    ("commit: after offsets", 4),
    // Some tasks of the commit have their rows, the others have not.
    ("commit: in the middle of apply", 13),
    ("state: written, not published", 17),
];
const TASK_PARTITIONS: i32 = 2;
const KEYS: usize = 200;
const PADDING: usize = 4_000;
/// Small write buffers: the stores are flushed in the middle of the run, so that there is a prefix to look at.
const MEMORY: &str = "application.state_memory_bytes = 16777216";

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// What the store of a task says that is on disk: its rows, and the offset of the changelog they reflect.
fn on_disk(app: &Application, sub_topology: u32, store: &str, partition: i32, scratch: &Path) -> (Rows, i64) {
    let task = format!("{sub_topology}_{partition}");
    let (from, to) = (app.state().join(&task).join("rocksdb"), scratch.join(&task).join("rocksdb"));
    fs::create_dir_all(&to).unwrap();
    for file in from.read_dir().unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
    let changelog = format!("{}-{store}-changelog-{partition}", app.id);
    let spec = StoreSpec { name: store.to_owned(), backend: Backend::RocksDb, changelog: Some(changelog.clone()) };
    let memory = SharedMemory::new(1 << 20).unwrap();
    let opened = TaskState::open(&scratch.join(&task), &[spec], &memory).unwrap();
    assert_eq!(opened.wiped, None, "task {task}");
    let mut rows = Rows::new();
    let all = (Bound::Unbounded, Bound::Unbounded);
    let scanned = opened.state.scan(0, all, &mut |key, row| {
        rows.insert(key.to_vec(), row.to_vec());
        ControlFlow::Continue(())
    });
    scanned.unwrap();
    (rows, opened.state.position().get(&changelog).unwrap_or(0))
}

/// The rows that the changelog up to `end` leaves.
fn fold(changelog: &[Stored], partition: i32, end: i64) -> Rows {
    let mut rows = Rows::new();
    for stored in changelog.iter().filter(|stored| stored.partition == partition && stored.offset < end) {
        let key = stored.record.key.clone().unwrap();
        match &stored.record.value {
            Some(value) => {
                let mut row = Vec::new();
                layout::encode_timestamped(stored.record.timestamp, value, &mut row);
                rows.insert(key, row);
            }
            None => _ = rows.remove(&key),
        }
    }
    rows
}

/// Compares every store on disk with its changelog; returns how many rows there were, and how many changes they reflect.
fn check_prefixes(app: &Application) -> (usize, i64) {
    let scratch = tempfile::tempdir_in(app.dir()).unwrap();
    let (mut found, mut reflected) = (0, 0);
    for (sub_topology, store) in (0..).zip([SEEN, GROUPS]) {
        let changelog = records::read_all(&app.clients, &format!("{}-{store}-changelog", app.id), TASK_PARTITIONS);
        for partition in 0..TASK_PARTITIONS {
            let (rows, end) = on_disk(app, sub_topology, store, partition, scratch.path());
            let expected = fold(&changelog, partition, end);
            assert!(rows == expected, "{store}-{partition} is not its changelog up to {end}");
            found += rows.len();
            reflected += end;
        }
    }
    (found, reflected)
}

#[test]
fn a_kill_at_any_point_of_a_commit_leaves_a_prefix_of_the_changelog_and_nothing_is_missing() {
    let mut app = Application::shaped(Kafka::shared(), "", TASK_PARTITIONS, MEMORY);
    let mut instance = app.start();
    app.tell(KEYS, 2 * KEYS, PADDING);
    app.wait_until_told(&mut instance);
    assert_eq!(instance.stop(STOP).code(), Some(0));
    // After a stop in order everything is on disk.
    let mut on_disk = vec![check_prefixes(&app)];
    assert_eq!(on_disk[0].0, KEYS + 10);

    for (name, passes) in POINTS {
        let mut instance = app.spawn(&format!("{name}={passes}"));
        wait_until(PROCESSED, &format!("the process to stop at `{name}`"), || {
            // One commit after the other has something to do.
            app.tell_some_once(KEYS, 5 * KEYS, PADDING);
            assert!(instance.exited().is_none(), "{}", instance.log());
            instance.log().matches(STOPPED).count() >= on_disk.len()
        });
        instance.kill();
        on_disk.push(check_prefixes(&app));
    }
    println!("{} events; rows on disk and changes they reflect after each kill: {on_disk:?}", app.told());
    assert!(on_disk.is_sorted_by_key(|(_, reflected)| *reflected), "what is on disk stays: {on_disk:?}");
    assert!(on_disk[0].1 < on_disk[POINTS.len()].1, "some changes came to disk before a kill: {on_disk:?}");
    let mut instance = app.start();
    app.wait_until_told(&mut instance);
    assert_eq!(instance.stop(STOP).code(), Some(0));
    assert_eq!(check_prefixes(&app).0, app.keys() + 10);
}
