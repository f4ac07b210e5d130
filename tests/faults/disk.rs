//! A disk that is full, read-only, emptied or damaged: an error that names the path, or a store that is rebuilt; never a
//! wrong row.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use thalweg_tests::{Kafka, wait_until};

use crate::application::{Application, PROCESSED, STOP, end};
use crate::topology::SEEN_ONLY;

const ENDS: Duration = Duration::from_secs(30);
const MEMORY: &str = "application.state_memory_bytes = 16777216";
const KEYS: usize = 200;

/// A command line that runs `script` with `place` as `$1` in mounts of its own, and then the rest of its arguments.
/// `None`, and why, where the system does not let us mount.
fn with_mounts(script: &str, place: &Path) -> Option<Vec<OsString>> {
    fs::create_dir_all(place).unwrap();
    let script = format!("{script} && shift && exec \"$@\"");
    let command = |flag: &str| -> Vec<OsString> {
        ["unshare", flag, "sh", "-c", &script, "sh"].map(OsString::from).into_iter().chain([place.into()]).collect()
    };
    let works = |command: &Vec<OsString>| {
        let tried = Command::new(&command[0]).args(&command[1..]).arg("true").output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    let found = ["-m", "-rm"].map(command).into_iter().find(works);
    if found.is_none() {
        println!("this system does not let a test mount anything (unshare -m, unshare -rm)");
    }
    found
}

#[test]
fn a_full_disk_ends_the_process_with_the_path_and_costs_no_row() {
    let mut app = Application::shaped(Kafka::shared(), SEEN_ONLY, 1, MEMORY);
    let state = app.dir().join("state");
    let small = with_mounts("mount -t tmpfs -o size=12m none \"$1\"", &state);
    let reason = if small.is_some() { "No space left on device" } else { "File too large" };
    // Without a small disk no file grows over 1 MiB: writing fails as it does then.
    let limited = || ["sh", "-c", "trap '' XFSZ; ulimit -f 2048; exec \"$@\"", "sh"].map(OsString::from).to_vec();
    let mut instance = app.spawn_with(app.port, "", &small.unwrap_or_else(limited));
    wait_until(PROCESSED, "the disk to be full", || {
        if instance.exited().is_none() {
            app.tell(100_000, 500, 2_000);
            // What is answered meanwhile is whole, up to the end.
            app.sample();
        }
        instance.exited().is_some()
    });
    let (code, log) = end(instance, ENDS);
    assert_eq!(code, Some(74), "{log}");
    let last = log.lines().last().unwrap();
    assert!(last.contains(reason) && last.contains(&app.state().join("0_0").display().to_string()), "{last}");

    let mut instance = app.start();
    app.wait_until_seen(&mut instance);
    assert_eq!(instance.stop(STOP).code(), Some(0));
}

#[test]
fn a_read_only_state_directory_is_named_at_once() {
    let app = Application::prepare(Kafka::shared(), "");
    fs::create_dir_all(app.state()).unwrap();
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\"";
    let Some(read_only) = with_mounts(script, &app.state()) else { return };
    let (code, log) = end(app.spawn_with(app.port, "", &read_only), ENDS);
    assert_eq!(code, Some(74), "{log}");
    assert!(log.contains("Read-only file system") && log.contains(&app.state().display().to_string()), "{log}");
}

#[test]
fn a_state_directory_that_is_removed_ends_the_process_and_comes_back_from_the_changelogs() {
    let mut app = Application::prepare(Kafka::shared(), MEMORY);
    let mut instance = app.start();
    app.tell(KEYS, 10 * KEYS, 100);
    app.wait_until_told(&mut instance);
    fs::remove_dir_all(app.state()).unwrap();
    wait_until(PROCESSED, "the loss to be noticed", || {
        app.tell(KEYS, KEYS, 100);
        app.sample();
        instance.exited().is_some()
    });
    let (code, log) = end(instance, ENDS);
    assert_eq!(code, Some(74), "{log}");
    let path = app.state().display().to_string();
    assert!(log.contains(&format!("state directory {path} was removed or replaced")), "{log}");

    let mut instance = app.start();
    app.wait_until_told(&mut instance);
    assert_eq!(instance.stop(STOP).code(), Some(0));
}

/// The files of a task's database that end or begin with `part`, the largest first.
fn files(app: &Application, task: &str, part: &str) -> Vec<PathBuf> {
    let all = app.state().join(task).join("rocksdb").read_dir().unwrap().map(|entry| entry.unwrap().path());
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(part) || name.ends_with(part)
    };
    let mut files: Vec<PathBuf> = all.filter(named).collect();
    files.sort_by_key(|path| std::cmp::Reverse(path.metadata().unwrap().len()));
    files
}

#[test]
fn damaged_stores_are_rebuilt_and_never_answer_wrong() {
    let mut app = Application::prepare(Kafka::shared(), MEMORY);
    let mut instance = app.start();
    app.tell(KEYS, 10 * KEYS, 500);
    app.wait_until_told(&mut instance);
    assert_eq!(instance.stop(STOP).code(), Some(0));

    let table = &files(&app, "0_0", ".sst")[0];
    fs::File::options().write(true).open(table).unwrap().set_len(table.metadata().unwrap().len() / 2).unwrap();
    // In the middle of a block of rows: nobody notices before it is read.
    let table = &files(&app, "0_1", ".sst")[0];
    let mut bytes = fs::read(table).unwrap();
    bytes[100] ^= 1;
    fs::write(table, bytes).unwrap();
    fs::remove_file(&files(&app, "0_2", "MANIFEST")[0]).unwrap();
    fs::remove_file(&files(&app, "0_3", "CURRENT")[0]).unwrap();

    let mut instance = app.start();
    // Every answer on the way is whole (see `seen`).
    app.wait_until_told(&mut instance);
    app.tell(KEYS, KEYS, 500);
    app.wait_until_told(&mut instance);
    let log = instance.log();
    for task in ["0_0", "0_1", "0_2"] {
        let database = app.state().join(task).join("rocksdb").display().to_string();
        let told =
            log.lines().any(|line| line.contains(&database) && (line.contains("WARN") || line.contains("ERROR")));
        assert!(told, "nothing about {database}:\n{log}");
    }
    assert_eq!(instance.stop(STOP).code(), Some(0));
}
