//! From what a process has to what it should have: revoke first, then assign.

use std::collections::BTreeSet;

use crate::types::TaskId;

/// Task replicas of one process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskSet {
    /// Active tasks.
    pub active: BTreeSet<TaskId>,
    /// Standby and warm-up tasks.
    pub standby: BTreeSet<TaskId>,
}

/// What to do, in the order of the fields. A promotion or demotion moves the open store, it is not reopened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Steps {
    /// Active tasks to commit and close.
    pub revoke: BTreeSet<TaskId>,
    /// Active tasks to commit and keep as standbys.
    pub demote: BTreeSet<TaskId>,
    /// Standbys to close.
    pub drop_standby: BTreeSet<TaskId>,
    /// Standbys that become active.
    pub promote: BTreeSet<TaskId>,
    /// Active tasks to open.
    pub open_active: BTreeSet<TaskId>,
    /// Standbys to open.
    pub open_standby: BTreeSet<TaskId>,
}

/// The steps from `owned` to `target`. A task that stays what it is appears nowhere.
pub fn reconcile(owned: &TaskSet, target: &TaskSet) -> Steps {
    let both = |left: &BTreeSet<TaskId>, right: &BTreeSet<TaskId>| left & right;
    let leaving = &owned.active - &target.active;
    let dropped = &owned.standby - &target.standby;
    let coming = &target.active - &owned.active;
    let following = &target.standby - &owned.standby;
    Steps {
        demote: both(&leaving, &target.standby),
        revoke: &leaving - &target.standby,
        promote: both(&dropped, &target.active),
        drop_standby: &dropped - &target.active,
        open_active: &coming - &owned.standby,
        open_standby: &following - &owned.active,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(numbers: &[i32]) -> BTreeSet<TaskId> {
        numbers.iter().map(|n| TaskId::new(0, *n)).collect()
    }

    #[test]
    fn each_task_takes_one_step() {
        let owned = TaskSet { active: set(&[1, 2, 3]), standby: set(&[4, 5, 6]) };
        let target = TaskSet { active: set(&[1, 4, 7]), standby: set(&[2, 5, 8]) };
        let expected = Steps {
            revoke: set(&[3]),
            demote: set(&[2]),
            drop_standby: set(&[6]),
            promote: set(&[4]),
            open_active: set(&[7]),
            open_standby: set(&[8]),
        };
        assert_eq!(reconcile(&owned, &target), expected);
        assert_eq!(reconcile(&target, &target), Steps::default());
    }

    fn task_set() -> impl Strategy<Value = TaskSet> {
        proptest::collection::vec(0_u8..3, 12).prop_map(|roles| {
            let of = |role| (0..12).filter(|n| roles[*n as usize] == role).collect::<Vec<i32>>();
            TaskSet { active: set(&of(1)), standby: set(&of(2)) }
        })
    }

    proptest! {
        #[test]
        fn the_steps_lead_to_the_target(owned in task_set(), target in task_set()) {
            let steps = reconcile(&owned, &target);
            let mut now = owned;
            now.active = &(&now.active - &steps.revoke) - &steps.demote;
            now.standby = &(&now.standby - &steps.drop_standby) - &steps.promote;
            now.active = &(&now.active | &steps.promote) | &steps.open_active;
            now.standby = &(&now.standby | &steps.demote) | &steps.open_standby;
            prop_assert_eq!(now, target);
        }
    }
}
