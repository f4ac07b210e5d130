//! What the instance publishes, as the numbers of the progress line.

use std::ops::{Bound, ControlFlow};

use thalweg::query::{Published, RestoreProgress};
use thalweg_state::{Snapshot, StoreIndex};

use super::progress::ROWS_MAX;

/// Records of the source and repartition topics that are not processed yet.
pub(super) fn lag(published: &Published) -> u64 {
    let catalog = published.catalog.load();
    let inputs = catalog.tasks.values().flat_map(|task| task.progress.load().inputs.clone());
    let missing = inputs.filter_map(|input| u64::try_from(input.end? - input.position).ok());
    missing.sum()
}

/// The restores that are running, as one.
pub(super) fn restore(published: &Published) -> Option<RestoreProgress> {
    let catalog = published.catalog.load();
    let running = catalog.tasks.values().filter_map(|task| task.progress.load().restore);
    running.reduce(|all, one| RestoreProgress {
        restored_records: all.restored_records + one.restored_records,
        remaining_records: all.remaining_records + one.remaining_records,
        elapsed: all.elapsed.max(one.elapsed),
    })
}

/// Rows of all views, counted one by one (RocksDB's own estimate counts every version of a row) up to [`ROWS_MAX`].
pub(super) fn rows(published: &Published) -> u64 {
    let catalog = published.catalog.load();
    let topology = published.topology.load();
    let mut rows = 0;
    for (id, task) in &catalog.tasks {
        let Some(reader) = &task.reader else { continue };
        // A task that is just going away is counted where it comes up again.
        let Ok(snapshot) = reader.snapshot() else { continue };
        for view in topology.views.values().filter(|view| view.subtopology == id.subtopology) {
            count(&*snapshot, view.store_index, &mut rows);
        }
    }
    rows
}

fn count(snapshot: &dyn Snapshot, store: StoreIndex, rows: &mut u64) {
    // A store that fails tells its task; here it only ends the count.
    let _ = snapshot.scan(store, (Bound::Unbounded, Bound::Unbounded), &mut |_, _| {
        *rows += 1;
        if *rows < ROWS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
}
