//! Who works on which task: a pure function of tasks, members and previous owners.
//!
//! Equal input gives equal output. Owners keep what they have as long as the result is balanced; see [`assign`].

mod apportion;
mod cooperate;

use std::collections::{BTreeMap, BTreeSet};

pub use cooperate::{Grant, cooperate};

use super::codec::{Endpoint, ProcessId};
use crate::types::TaskId;
use apportion::apportion;

/// One task to place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskShape {
    /// It has a store with a changelog: expensive to move.
    pub stateful: bool,
}

/// One process to place tasks on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberShape {
    /// Identity of the process.
    pub process_id: ProcessId,
    /// Where it answers queries.
    pub endpoint: Option<Endpoint>,
    /// Stream threads, at least 1.
    pub capacity: u32,
    /// Active tasks that it owns now.
    pub previous_active: BTreeSet<TaskId>,
    /// Other tasks whose state is on its disk, with the records missing up to the changelog's end.
    pub previous_lags: BTreeMap<TaskId, u64>,
}

/// What to decide.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problem {
    /// Every task of the application.
    pub tasks: BTreeMap<TaskId, TaskShape>,
    /// Every member of the group by member id; not empty.
    pub members: BTreeMap<String, MemberShape>,
}

/// Tasks of one member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placement {
    /// To process.
    pub active: BTreeSet<TaskId>,
    /// To follow; empty as long as no standby replicas exist.
    pub standby: BTreeSet<TaskId>,
    /// To follow until caught up; empty as long as no standby replicas exist.
    pub warm_up: BTreeSet<TaskId>,
}

/// The decision: tasks by member id, one entry for each member.
pub type Plan = BTreeMap<String, Placement>;

/// Places every task on exactly one member.
///
/// Balance: first the stateful tasks alone, then all tasks, by capacity: no member would have a lower load per thread
/// than another after handing one task over. Movement: only what a member has above its share moves. Spread: what is
/// placed goes to the member with the fewest tasks of that sub-topology, what leaves comes from the sub-topology
/// that the member has most of.
pub fn assign(problem: &Problem) -> Plan {
    let mut plan: Plan = problem.members.keys().map(|member| (member.clone(), Placement::default())).collect();
    if plan.is_empty() {
        return plan;
    }
    let mut shares = vec![0; plan.len()];
    for stateful in [true, false] {
        let layer =
            problem.tasks.iter().filter(|(_, shape)| shape.stateful == stateful).map(|(task, _)| *task).collect();
        shares = place_layer(problem, &layer, &shares, &mut plan);
    }
    plan
}

/// Places the tasks of one layer on top of the shares that the layers before it gave.
fn place_layer(problem: &Problem, layer: &BTreeSet<TaskId>, base: &[usize], plan: &mut Plan) -> Vec<usize> {
    let mut kept = owners(problem, layer);
    let capacity: Vec<u32> = problem.members.values().map(|member| member.capacity.max(1)).collect();
    let owned: Vec<usize> = kept.iter().map(BTreeSet::len).collect();
    let shares = apportion(base, layer.len(), &capacity, &owned);
    let room: Vec<usize> = shares.iter().zip(base).map(|(share, base)| share - base).collect();
    for (tasks, room) in kept.iter_mut().zip(&room) {
        while tasks.len() > *room {
            let leaving = most_crowded(tasks);
            tasks.remove(&leaving);
        }
    }
    let members: Vec<&MemberShape> = problem.members.values().collect();
    let placed: BTreeSet<TaskId> = kept.iter().flatten().copied().collect();
    for task in layer - &placed {
        let place = best_place(task, &members, &kept, &room);
        kept[place].insert(task);
    }
    for (placement, tasks) in plan.values_mut().zip(kept) {
        placement.active.extend(tasks);
    }
    shares
}

/// The tasks of `layer` that each member owns; the first of several claimants counts.
fn owners(problem: &Problem, layer: &BTreeSet<TaskId>) -> Vec<BTreeSet<TaskId>> {
    let mut claimed = BTreeSet::new();
    let own = |member: &MemberShape| {
        let tasks = member.previous_active.iter().filter(|task| layer.contains(task));
        tasks.copied().filter(|task| claimed.insert(*task)).collect()
    };
    problem.members.values().map(own).collect()
}

/// The highest partition of the sub-topology that `tasks` hold most of; the higher sub-topology when several do.
fn most_crowded(tasks: &BTreeSet<TaskId>) -> TaskId {
    let crowd = |task: &TaskId| (count_of(tasks, task.subtopology), *task);
    *tasks.iter().max_by_key(|task| crowd(task)).expect("a member above its share has a task")
}

fn count_of(tasks: &BTreeSet<TaskId>, subtopology: u32) -> usize {
    tasks.range(TaskId::new(subtopology, i32::MIN)..=TaskId::new(subtopology, i32::MAX)).count()
}

/// Among the members with room: the one with the least lag on its disk, else the fewest tasks of the sub-topology by
/// capacity, else the most room, else the first.
fn best_place(task: TaskId, members: &[&MemberShape], kept: &[BTreeSet<TaskId>], room: &[usize]) -> usize {
    let rank = |place: &usize| {
        let member = members[*place];
        let lag = member.previous_lags.get(&task).copied().unwrap_or(u64::MAX);
        // Scaled, so that integers compare; capacities and counts are far below 2^32.
        let crowd = (count_of(&kept[*place], task.subtopology) as u64) << 32;
        let left = room[*place] - kept[*place].len();
        (lag, crowd / u64::from(member.capacity.max(1)), std::cmp::Reverse(left))
    };
    let open = (0..members.len()).filter(|place| kept[*place].len() < room[*place]);
    open.min_by_key(rank).expect("the shares add up to the number of tasks")
}

#[cfg(test)]
mod tests;
