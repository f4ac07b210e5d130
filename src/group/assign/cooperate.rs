//! The cooperative step: what each member may own now, on the way to the plan.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use crate::types::TaskId;

/// What one member may own until the next rebalance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// Active tasks: planned for it and owned by nobody else.
    pub active: BTreeSet<TaskId>,
    /// It owns something that is planned for another: it must revoke that and then rejoin at once.
    pub follow_up: bool,
}

/// Withholds every task that another member still owns (KIP-429). No task is granted to two members.
///
/// `owned` are the tasks that each member has now, stale claims removed. When no grant asks for a follow-up, the
/// grants are the plan.
pub fn cooperate(plan: &Plan, owned: &BTreeMap<String, BTreeSet<TaskId>>) -> BTreeMap<String, Grant> {
    let mut holders: BTreeMap<TaskId, BTreeSet<&str>> = BTreeMap::new();
    for (member, tasks) in owned {
        for task in tasks {
            holders.entry(*task).or_default().insert(member);
        }
    }
    let grant = |member: &str, planned: &BTreeSet<TaskId>| {
        let free = |task: &TaskId| holders.get(task).is_none_or(|by| by.iter().all(|holder| *holder == member));
        let active: BTreeSet<TaskId> = planned.iter().copied().filter(free).collect();
        let follow_up = owned.get(member).is_some_and(|has| !has.is_subset(&active));
        Grant { active, follow_up }
    };
    plan.iter().map(|(member, placement)| (member.clone(), grant(member, &placement.active))).collect()
}
