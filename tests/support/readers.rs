//! What the readers of an instance in this process see.

use std::collections::BTreeMap;
use std::time::Duration;

use thalweg::query::{Membership, Published, Role};
use thalweg::types::TopicPartition;
use thalweg::wire::Consumer;

/// Whether this instance, the only one, runs all tasks.
pub fn all_run(published: &Published) -> bool {
    let (routing, catalog) = (published.routing.load(), published.catalog.load());
    let is_active = |task| catalog.tasks.get(task).is_some_and(|task| task.role == Role::Active);
    published.health.load().membership == Membership::Stable
        && !routing.active.is_empty()
        && routing.active.keys().all(is_active)
}

/// Whether every reader sees all that was written: its position is at the end of its inputs and changelogs. A task that
/// has not committed yet knows no inputs, so its changelogs tell that there is more. The broker may take `timeout` for
/// each answer.
pub fn are_settled(published: &Published, consumer: &mut dyn Consumer, timeout: Duration) -> bool {
    let catalog = published.catalog.load();
    catalog.tasks.values().all(|task| {
        let Some(Ok(snapshot)) = task.reader.as_ref().map(|reader| reader.snapshot()) else { return false };
        let progress = task.progress.load();
        let changelogs = progress.stores.iter().filter_map(|store| store.changelog.as_ref()).map(ToString::to_string);
        let mut reached: BTreeMap<String, i64> = changelogs.map(|changelog| (changelog, 0)).collect();
        reached.extend(snapshot.position().iter().map(|(partition, position)| (partition.to_owned(), position)));
        reached.into_iter().all(|(partition, position)| {
            let end = partition.rsplit_once('-').and_then(|(topic, number)| {
                consumer.offsets(&TopicPartition::new(topic, number.parse().ok()?), timeout).ok()
            });
            end.is_some_and(|offsets| offsets.end == position)
        })
    })
}
