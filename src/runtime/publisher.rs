//! Publishes for readers who runs what, here and elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::placement::Placement;
use crate::group::leader::Tasks;
use crate::group::member::Target;
use crate::query::{Catalog, Health, Instance, Membership, Metrics, Published, RoutingTable};
use crate::types::{TaskId, TopicPartition};

/// What readiness says while the process is not a member.
const LOST: &str = "the group coordinator cannot be reached, or has given the process up";

/// Writes the snapshots that HTTP reads. Used by the control thread alone.
pub(super) struct Publisher {
    pub(super) published: Arc<Published>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) this_instance: Instance,
    version: u64,
    /// When the rebalance began that is not over yet.
    rebalancing: Option<Instant>,
}

impl Publisher {
    pub(super) fn new(published: Arc<Published>, metrics: Arc<Metrics>, this_instance: Instance) -> Self {
        Self { published, metrics, this_instance, version: 0, rebalancing: None }
    }

    /// Publishes the tasks of this process.
    pub(super) fn publish(&self, placements: &BTreeMap<TaskId, Placement>) {
        let local = |(id, placement): (&TaskId, &Placement)| Some((*id, placement.local_task()?));
        self.published.catalog.store(Arc::new(Catalog { tasks: placements.iter().filter_map(local).collect() }));
    }

    /// Publishes where every task runs, after the tasks of this process.
    pub(super) fn assigned(&mut self, target: &Target, tasks: &Tasks, placements: &BTreeMap<TaskId, Placement>) {
        self.publish(placements);
        self.version += 1;
        let table = routing_table(self.version, self.this_instance.clone(), target, tasks);
        self.published.routing.store(Arc::new(table));
        self.health(|health| {
            health.assigned_once = true;
            health.membership = Membership::Stable;
            health.faults.retain(|fault| fault != LOST);
        });
        if let Some(began) = self.rebalancing.take() {
            self.metrics.rebalance_seconds().observe(began.elapsed().as_secs_f64());
        }
    }

    /// Notes that a rebalance began.
    pub(super) fn rebalance_began(&mut self) {
        self.metrics.rebalances().inc();
        self.rebalancing.get_or_insert_with(Instant::now);
        let known = self.published.health.load().assigned_once;
        self.membership(if known { Membership::Rebalancing } else { Membership::Joining });
    }

    /// Publishes where the process stands in its group.
    pub(super) fn membership(&self, membership: Membership) {
        self.health(|health| health.membership = membership);
    }

    /// Publishes that the process is no member any more and joins again as soon as it can.
    pub(super) fn membership_lost(&self) {
        self.health(|health| {
            health.membership = Membership::Joining;
            health.faults.push(LOST.to_owned());
        });
    }

    fn health(&self, change: impl Fn(&mut Health)) {
        let before = self.published.health.load().membership;
        self.published.health.rcu(|health| {
            let mut health = Health::clone(health);
            change(&mut health);
            health
        });
        let membership = self.published.health.load().membership;
        if membership != before {
            tracing::info!(state = membership.as_str(), "group membership");
        }
    }

    /// Forgets the counters of a task that has left.
    pub(super) fn forget(&self, task: TaskId) {
        self.metrics.remove_task(task);
    }
}

/// The routing table that an assignment carries. An instance's id is its endpoint: that is what members know of each
/// other.
fn routing_table(version: u64, this_instance: Instance, target: &Target, tasks: &Tasks) -> RoutingTable {
    let task_of: BTreeMap<&TopicPartition, TaskId> =
        tasks.iter().flat_map(|(task, inputs)| inputs.partitions.iter().map(move |at| (at, *task))).collect();
    let mut instances = vec![this_instance.clone()];
    let mut active = BTreeMap::new();
    for (endpoint, partitions) in &target.active_hosts {
        let instance = instance(endpoint.to_string());
        let index = instances.iter().position(|known| *known == instance).unwrap_or_else(|| {
            instances.push(instance);
            instances.len() - 1
        });
        active.extend(partitions.iter().filter_map(|partition| task_of.get(partition)).map(|task| (*task, index)));
    }
    active.extend(target.active.iter().map(|task| (*task, 0)));
    RoutingTable { version, this_instance, instances, active, standbys: BTreeMap::new() }
}

/// The instance behind an endpoint.
pub(super) fn instance(endpoint: String) -> Instance {
    Instance { id: endpoint.clone(), endpoint: Some(endpoint) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::codec::Endpoint;
    use crate::group::leader::TaskInputs;

    #[test]
    fn the_table_names_the_owner_of_every_task_of_the_group() {
        let partition = |number| TopicPartition::new("orders", number);
        let task = |number| TaskId::new(0, number);
        let tasks: Tasks = (0..3)
            .map(|number| (task(number), TaskInputs { stateful: true, partitions: vec![partition(number)] }))
            .collect();
        let endpoint = |port| Endpoint { host: "127.0.0.1".to_owned(), port };
        let target = Target {
            active: [task(0)].into(),
            active_hosts: [(endpoint(1), vec![partition(0)]), (endpoint(2), vec![partition(1)])].into(),
            ..Target::default()
        };
        let table = routing_table(7, instance("127.0.0.1:1".to_owned()), &target, &tasks);
        assert_eq!(table.version, 7);
        assert_eq!(table.owner(task(0)), Some(&instance("127.0.0.1:1".to_owned())));
        assert_eq!(table.owner(task(1)), Some(&instance("127.0.0.1:2".to_owned())));
        assert_eq!(table.owner(task(2)), None, "a task on the move has no owner");
        assert_eq!(table.instances.len(), 2);
    }
}
