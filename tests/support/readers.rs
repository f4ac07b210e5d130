//! What the readers of an instance in this process see.

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

/// Whether every reader's position is at the end of its inputs; changelogs follow the inputs. The broker may take
/// `timeout` for each answer.
pub fn are_settled(published: &Published, consumer: &mut dyn Consumer, timeout: Duration) -> bool {
    let catalog = published.catalog.load();
    catalog.tasks.values().filter_map(|task| task.reader.as_ref()).all(|reader| {
        let Ok(snapshot) = reader.snapshot() else { return false };
        let inputs = snapshot.position().iter().filter(|(partition, _)| !partition.contains("-changelog-"));
        inputs.into_iter().all(|(partition, position)| {
            let end = partition.rsplit_once('-').and_then(|(topic, number)| {
                consumer.offsets(&TopicPartition::new(topic, number.parse().ok()?), timeout).ok()
            });
            end.is_some_and(|offsets| offsets.end == position)
        })
    })
}
