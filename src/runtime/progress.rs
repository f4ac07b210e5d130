//! How far each task is, as readers see it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use thalweg_state::{Position, StoreIndex, StoreSpec};

use crate::query::{InputProgress, RestoreProgress, StoreProgress, TaskProgress, WaitProgress};
use crate::task::{RecordQueue, Task, Wait};
use crate::types::{Offset, TopicPartition};

/// The progress of one task, shared by whoever works on it and the readers.
pub(super) type ProgressCell = Arc<ArcSwap<TaskProgress>>;

/// Publishes how far a restore is.
pub(super) fn restoring(
    cell: &ProgressCell,
    stores: &[StoreSpec],
    positions: Vec<(StoreIndex, TopicPartition, Offset, Offset)>,
    restore: RestoreProgress,
) {
    let store = |(index, partition, position, end): (StoreIndex, TopicPartition, Offset, Offset)| StoreProgress {
        store: stores[index].name.clone(),
        changelog: Some(partition),
        position,
        end: Some(end),
        bytes: None,
    };
    cell.store(Arc::new(TaskProgress {
        stores: positions.into_iter().map(store).collect(),
        restore: Some(restore),
        ..TaskProgress::default()
    }));
}

/// Publishes how far a running task is. An active store is at the end of its changelog by definition.
pub(super) fn running(
    cell: &ProgressCell,
    thread: &str,
    task: &Task,
    changelogs: &[(String, Option<TopicPartition>)],
    ends: &[Option<Offset>],
    last_commit: Option<Instant>,
    waits: Vec<WaitProgress>,
) {
    let position: &Position = task.state().position();
    let stores = changelogs.iter().enumerate().map(|(index, (store, changelog))| {
        let position = changelog.as_ref().and_then(|partition| position.get(&partition.to_string())).unwrap_or(0);
        let end = changelog.is_some().then_some(position);
        let bytes = task.state().approximate_bytes(index).ok();
        StoreProgress { store: store.clone(), changelog: changelog.clone(), position, end, bytes }
    });
    let inputs = task.input_positions().into_iter().zip(ends).map(|(input, end)| InputProgress {
        partition: input.partition,
        position: input.offset,
        end: *end,
    });
    cell.store(Arc::new(TaskProgress {
        thread: Some(thread.to_owned()),
        stream_time: task.stream_time(),
        last_commit,
        inputs: inputs.collect(),
        stores: stores.collect(),
        restore: None,
        buffered_records: task.queues().iter().map(|queue| queue.len() as u64).sum(),
        memory: memory(task),
        waits,
    }));
}

/// What a running task holds, by owner.
fn memory(task: &Task) -> Vec<(&'static str, u64)> {
    let queues: usize = task.queues().iter().map(RecordQueue::bytes).sum();
    vec![
        ("queues", queues as u64),
        ("memory_stores", task.state().memory_store_bytes() as u64),
        ("record_cache", task.cache_bytes() as u64),
        ("overlay", task.state().overlay_bytes() as u64),
        ("outbox", task.outbox_bytes() as u64),
    ]
}

/// What a running task waits for, at `now_ms` of the steady clock.
pub(super) fn waits(task: &Task, now_ms: i64) -> Vec<WaitProgress> {
    let now = Instant::now();
    let wait = |(partition, wait): (Option<&TopicPartition>, &Wait)| {
        let waited = Duration::from_millis(u64::try_from(now_ms - wait.since()).unwrap_or(0));
        WaitProgress {
            partition: partition.cloned(),
            since: now.checked_sub(waited).unwrap_or(now),
            reason: wait.reason().to_owned(),
        }
    };
    task.waits().map(wait).collect()
}
