//! One cap for the memory of all databases of the process, whatever is written and read.

use tempfile::TempDir;
use thalweg_state::{Backend, SharedMemory, TaskState};

use crate::fixture::{position, spec};

const CAP: usize = 16 << 20;
const TASKS: usize = 4;
const COMMITS: u32 = 40;
const ROWS: u32 = 1_500;
const ROW_BYTES: usize = 500;

/// RocksDB bounds its cache softly: blocks that are in use, and buffers that are being flushed, may pass the cap.
const SLACK: usize = CAP / 4;

#[test]
fn all_stores_of_all_tasks_stay_below_one_cap() {
    let memory = SharedMemory::new(CAP).unwrap();
    let directory = TempDir::new().unwrap();
    let stores = [spec("a", Backend::RocksDb), spec("b", Backend::RocksDb)];
    let open = |task: usize| TaskState::open(&directory.path().join(task.to_string()), &stores, &memory).unwrap().state;
    let mut tasks: Vec<TaskState> = (0..TASKS).map(open).collect();
    let (mut most, mut most_buffered) = (0, 0);
    for commit in 0..COMMITS {
        for task in &mut tasks {
            for row in 0..ROWS {
                // Spread over the keys, so that reads meet blocks of every file.
                let key = (row * COMMITS + commit).wrapping_mul(2_654_435_761).to_be_bytes();
                task.put((row % 2) as usize, &key, Some(&[commit as u8; ROW_BYTES])).unwrap();
            }
            task.apply(&position(&[("in-0", i64::from(commit) + 1)])).unwrap();
            for row in (0..ROWS).step_by(3) {
                let key = (row * COMMITS + commit / 2).wrapping_mul(2_654_435_761).to_be_bytes();
                assert!(task.get((row % 2) as usize, &key, &mut |_| {}).unwrap(), "row {row} of commit {commit}");
            }
            most = most.max(memory.used_bytes());
            most_buffered = most_buffered.max(memory.write_buffer_bytes());
        }
    }
    let written = TASKS * COMMITS as usize * ROWS as usize * ROW_BYTES;
    assert!(written > 6 * CAP, "much more is written than fits");
    assert!(most > CAP / 2, "the cap is used: {most} of {CAP} bytes");
    assert!(most <= CAP + SLACK, "{most} bytes in use, the cap is {CAP}");
    assert!(most_buffered <= CAP / 2 + SLACK, "{most_buffered} bytes in write buffers");
}
