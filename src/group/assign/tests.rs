#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

type Owned = BTreeMap<String, BTreeSet<TaskId>>;

/// `subtopologies` lists (partitions, stateful).
fn problem(subtopologies: &[(i32, bool)], capacities: &[u32], owned: &Owned) -> Problem {
    let tasks = (0..).zip(subtopologies).flat_map(|(subtopology, (partitions, stateful))| {
        let shape = TaskShape { stateful: *stateful };
        (0..*partitions).map(move |partition| (TaskId::new(subtopology, partition), shape))
    });
    let member = |(index, capacity): (usize, &u32)| {
        let id = format!("m{index:02}");
        let previous_active = owned.get(&id).cloned().unwrap_or_default();
        let process_id = ProcessId([index as u8; 16]);
        let capacity = *capacity;
        (id, MemberShape { process_id, endpoint: None, capacity, previous_active, previous_lags: BTreeMap::new() })
    };
    Problem { tasks: tasks.collect(), members: capacities.iter().enumerate().map(member).collect() }
}

fn owned_of(plan: &Plan) -> Owned {
    plan.iter().map(|(member, placement)| (member.clone(), placement.active.clone())).collect()
}

fn check_complete_and_balanced(problem: &Problem, plan: &Plan) {
    let placed: Vec<TaskId> = plan.values().flat_map(|placement| placement.active.clone()).collect();
    let distinct: BTreeSet<TaskId> = placed.iter().copied().collect();
    assert_eq!(placed.len(), distinct.len(), "a task is placed twice");
    assert_eq!(distinct, problem.tasks.keys().copied().collect(), "every task is placed");
    let load = |stateful_only: bool| {
        let counts = |task: &&TaskId| !stateful_only || problem.tasks[*task].stateful;
        plan.values().map(move |placement| placement.active.iter().filter(counts).count() as u64).collect::<Vec<_>>()
    };
    let capacity: Vec<u64> = problem.members.values().map(|member| member.capacity.into()).collect();
    for loads in [load(true), load(false)] {
        for (i, j) in (0..loads.len()).flat_map(|i| (0..loads.len()).map(move |j| (i, j))) {
            // Handing one task over would not help.
            assert!(loads[i] * capacity[j] <= (loads[j] + 1) * capacity[i], "{loads:?} over {capacity:?}");
        }
    }
}

/// Tasks that a member had and lost although it is still there.
fn moved(before: &Owned, after: &Plan) -> usize {
    let lost = |(member, placement): (&String, &Placement)| {
        before.get(member).map_or(0, |had| (had - &placement.active).len())
    };
    after.iter().map(lost).sum()
}

fn kinds(shape: &[(i32, bool)]) -> usize {
    shape.iter().map(|(_, stateful)| *stateful).collect::<BTreeSet<_>>().len()
}

fn shape() -> impl Strategy<Value = Vec<(i32, bool)>> {
    proptest::collection::vec((1_i32..14, any::<bool>()), 1..5)
}

fn capacities() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(1_u32..5, 1..7)
}

proptest! {
    #[test]
    fn every_task_has_one_owner_and_loads_are_balanced(
        shape in shape(), capacities in capacities(), owners in proptest::collection::vec(0_usize..9, 60),
    ) {
        let all = problem(&shape, &capacities, &Owned::new());
        let mut owned = Owned::new();
        for (task, owner) in all.tasks.keys().zip(owners) {
            owned.entry(format!("m{owner:02}")).or_default().insert(*task);
        }
        let problem = problem(&shape, &capacities, &owned);
        let plan = assign(&problem);
        check_complete_and_balanced(&problem, &plan);
        prop_assert_eq!(assign(&problem), plan, "equal input, equal output");
    }

    #[test]
    fn nothing_moves_when_nothing_changed(shape in shape(), capacities in capacities()) {
        let first = assign(&problem(&shape, &capacities, &Owned::new()));
        prop_assert_eq!(assign(&problem(&shape, &capacities, &owned_of(&first))), first);
    }

    /// With one kind of tasks the joiner takes its share and nothing else moves. With two, the shares of the stateless
    /// ones depend on who has the odd stateful ones: at most one more task a member moves.
    #[test]
    fn a_joiner_takes_its_share_and_nothing_else_moves(shape in shape(), members in 1_usize..6, threads in 1_u32..4) {
        let first = assign(&problem(&shape, &vec![threads; members], &Owned::new()));
        let owned = owned_of(&first);
        let problem = problem(&shape, &vec![threads; members + 1], &owned);
        let second = assign(&problem);
        check_complete_and_balanced(&problem, &second);
        let joiner = format!("m{members:02}");
        let moved = moved(&owned, &second);
        let share = second[&joiner].active.len();
        let slack = if kinds(&shape) == 1 { 0 } else { members };
        prop_assert!((share..=share + slack).contains(&moved), "{moved} moved for a share of {share}");
    }

    /// With one kind of tasks only the leaver's tasks move; with two, see above.
    #[test]
    fn when_a_member_leaves_its_tasks_move(shape in shape(), members in 2_usize..7, threads in 1_u32..4, leaver in 0_usize..7) {
        let first = assign(&problem(&shape, &vec![threads; members], &Owned::new()));
        let mut owned = owned_of(&first);
        let leaver = format!("m{:02}", leaver % members);
        let mut problem = problem(&shape, &vec![threads; members], &owned);
        problem.members.remove(&leaver);
        owned.remove(&leaver);
        let second = assign(&problem);
        check_complete_and_balanced(&problem, &second);
        let bound = if kinds(&shape) == 1 { 0 } else { members - 1 };
        prop_assert!(moved(&owned, &second) <= bound, "{} moved", moved(&owned, &second));
    }

    #[test]
    fn a_fresh_plan_spreads_each_subtopology(shape in shape(), members in 1_usize..7) {
        let stateful: Vec<_> = shape.iter().map(|(partitions, _)| (*partitions, true)).collect();
        let plan = assign(&problem(&stateful, &vec![2; members], &Owned::new()));
        for subtopology in 0..stateful.len() as u32 {
            let counts = || plan.values().map(|placement| count_of(&placement.active, subtopology));
            prop_assert!(counts().max().unwrap() - counts().min().unwrap() <= 1, "{plan:?}");
        }
    }

    /// Whatever the members own, two rounds end in the plan, and never do two members own one task.
    #[test]
    fn two_cooperative_rounds_end_in_a_plan(
        shape in shape(), capacities in capacities(), owners in proptest::collection::vec(0_usize..9, 60),
    ) {
        let all = problem(&shape, &capacities, &Owned::new());
        let mut owned: Owned = all.members.keys().map(|member| (member.clone(), BTreeSet::new())).collect();
        for (task, owner) in all.tasks.keys().zip(owners) {
            if let Some(tasks) = owned.get_mut(&format!("m{owner:02}")) {
                tasks.insert(*task);
            }
        }
        for round in 1..=2 {
            let plan = assign(&problem(&shape, &capacities, &owned));
            let grants = cooperate(&plan, &owned);
            let mut seen = BTreeSet::new();
            for (member, grant) in &grants {
                for task in &grant.active {
                    prop_assert!(seen.insert(*task), "granted twice");
                    let by_other = owned.iter().any(|(other, tasks)| other != member && tasks.contains(task));
                    prop_assert!(!by_other, "granted while another owns it");
                }
            }
            if round == 2 {
                prop_assert!(grants.values().all(|grant| !grant.follow_up));
                prop_assert_eq!(seen.len(), all.tasks.len());
            }
            owned = grants.into_iter().map(|(member, grant)| (member, grant.active)).collect();
        }
    }
}

#[test]
fn an_unowned_task_goes_where_its_state_is() {
    let mut problem = problem(&[(2, true)], &[1, 1], &Owned::new());
    let lags = &mut problem.members.get_mut("m01").unwrap().previous_lags;
    lags.insert(TaskId::new(0, 0), 10);
    let plan = assign(&problem);
    assert_eq!(plan["m01"].active, BTreeSet::from([TaskId::new(0, 0)]));
    assert_eq!(plan["m00"].active, BTreeSet::from([TaskId::new(0, 1)]));
}

#[test]
fn two_claims_of_one_task_withhold_it_from_both() {
    let task = TaskId::new(0, 0);
    let owned = Owned::from([("m00".to_owned(), BTreeSet::from([task])), ("m01".to_owned(), BTreeSet::from([task]))]);
    let plan = assign(&problem(&[(1, true)], &[1, 1], &owned));
    let grants = cooperate(&plan, &owned);
    assert!(grants.values().all(|grant| grant.active.is_empty() && grant.follow_up));
}
