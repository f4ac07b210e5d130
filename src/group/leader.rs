//! What the leader of the group does: read the members' subscriptions, decide, write their assignments.
//!
//! Kafka Streams' `StreamsPartitionAssignor`, as a pure function.

use std::collections::{BTreeMap, BTreeSet};

use super::assign::{Grant, MemberShape, Plan, Problem, TaskShape, assign, cooperate};
use super::codec::{
    AssignmentInfo, ConsumerAssignment, ConsumerSubscription, Endpoint, LATEST_VERSION, NO_REBALANCE, PartitionsByHost,
    REBALANCE_NOW, RUNNING, Subscription, SubscriptionInfo,
};
use super::member::JoinedMember;
use crate::types::{TaskId, TopicPartition};

/// Client tag that carries the number of stream threads; a Java member without it counts as one thread.
pub const THREADS_TAG: &str = "thalweg.threads";
/// `AssignorError.ASSIGNMENT_ERROR`: told to a member whose subscription cannot be read.
pub const ASSIGNMENT_ERROR: i32 = 3;
/// `AssignorError.SHUTDOWN_REQUESTED`: one member asked all to stop.
pub const SHUTDOWN_REQUESTED: i32 = 4;

/// A task of the application and what it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskInputs {
    /// It has a store with a changelog.
    pub stateful: bool,
    /// Its partition of each source and repartition topic; every partition belongs to one task.
    pub partitions: Vec<TopicPartition>,
}

/// Every task of the application.
pub type Tasks = BTreeMap<TaskId, TaskInputs>;

/// The bytes of a member's JoinGroup: `info` inside the consumer protocol, with the partitions of its `owned` tasks.
pub fn describe(tasks: &Tasks, info: &SubscriptionInfo, owned: &BTreeSet<TaskId>, generation: i32) -> Vec<u8> {
    let topics: BTreeSet<&str> = tasks.values().flat_map(|task| &task.partitions).map(|at| &*at.topic).collect();
    let topics = topics.into_iter().map(str::to_owned).collect();
    let owned = partitions_of(tasks, owned).into_iter().map(|(partition, _)| partition).collect();
    ConsumerSubscription { topics, user_data: info.encode(), owned, generation }.encode()
}

/// Decides for all `members` and returns the bytes of each one's assignment.
///
/// `changelog_ends` are the sums of the end offsets of each task's changelogs, as far as known; with them a task
/// without an owner goes to the member that misses least of its state.
pub fn lead(members: &[JoinedMember], tasks: &Tasks, changelog_ends: &BTreeMap<TaskId, i64>) -> Vec<(String, Vec<u8>)> {
    let candidates: BTreeMap<&str, Candidate> =
        members.iter().filter_map(|member| Some((member.member_id.as_str(), read(member)?))).collect();
    let error_for = |member: &str, error_code| {
        let info = AssignmentInfo {
            commonly_supported_version: LATEST_VERSION,
            error_code,
            next_rebalance_ms: NO_REBALANCE,
            ..AssignmentInfo::default()
        };
        (member.to_owned(), ConsumerAssignment { partitions: Vec::new(), user_data: info.encode() }.encode())
    };
    if candidates.values().any(|candidate| candidate.info.error_code == SHUTDOWN_REQUESTED) {
        return members.iter().map(|member| error_for(&member.member_id, SHUTDOWN_REQUESTED)).collect();
    }
    let owned = owned_tasks(&candidates, tasks);
    let plan = assign(&problem(&candidates, tasks, &owned, changelog_ends));
    let grants = cooperate(&plan, &owned);
    let hosts = active_hosts(&candidates, tasks, &grants);
    let known = grants.iter().map(|(member, grant)| (member.clone(), encode(tasks, &plan, member, grant, &hosts)));
    let unread = members.iter().filter(|member| !candidates.contains_key(member.member_id.as_str()));
    known.chain(unread.map(|member| error_for(&member.member_id, ASSIGNMENT_ERROR))).collect()
}

/// A member whose subscription was readable.
struct Candidate {
    info: SubscriptionInfo,
    endpoint: Option<Endpoint>,
    owned: Vec<TopicPartition>,
    generation: i32,
}

fn read(member: &JoinedMember) -> Option<Candidate> {
    let consumer = ConsumerSubscription::decode(&member.subscription).ok()?;
    match SubscriptionInfo::decode(&consumer.user_data).ok()? {
        Subscription::Future { .. } => None,
        Subscription::Known(info) => {
            let endpoint = info.endpoint.as_deref().and_then(Endpoint::parse);
            Some(Candidate { info, endpoint, owned: consumer.owned, generation: consumer.generation })
        }
    }
}

/// What each member owns. Of several claims of one task only those of the newest generation count.
fn owned_tasks(candidates: &BTreeMap<&str, Candidate>, tasks: &Tasks) -> BTreeMap<String, BTreeSet<TaskId>> {
    let task_of: BTreeMap<&TopicPartition, TaskId> =
        tasks.iter().flat_map(|(task, inputs)| inputs.partitions.iter().map(move |at| (at, *task))).collect();
    let claims = |candidate: &Candidate| -> BTreeSet<TaskId> {
        candidate.owned.iter().filter_map(|partition| task_of.get(partition).copied()).collect()
    };
    let mut newest: BTreeMap<TaskId, i32> = BTreeMap::new();
    for candidate in candidates.values() {
        for task in claims(candidate) {
            let generation = newest.entry(task).or_insert(i32::MIN);
            *generation = candidate.generation.max(*generation);
        }
    }
    let valid = |candidate: &Candidate| {
        claims(candidate).into_iter().filter(|task| newest[task] == candidate.generation).collect()
    };
    candidates.iter().map(|(member, candidate)| ((*member).to_owned(), valid(candidate))).collect()
}

fn problem(
    candidates: &BTreeMap<&str, Candidate>,
    tasks: &Tasks,
    owned: &BTreeMap<String, BTreeSet<TaskId>>,
    changelog_ends: &BTreeMap<TaskId, i64>,
) -> Problem {
    let shape = |(member, candidate): (&&str, &Candidate)| {
        let threads = candidate.info.client_tags.get(THREADS_TAG).and_then(|threads| threads.parse().ok());
        let lags = candidate.info.offset_sums.iter().filter(|(_, sum)| **sum != RUNNING);
        let lag = |(task, sum): (&TaskId, &i64)| {
            let missing = changelog_ends.get(task)?.checked_sub(*sum)?;
            Some((*task, u64::try_from(missing).ok()?))
        };
        let shape = MemberShape {
            process_id: candidate.info.process_id,
            endpoint: candidate.endpoint.clone(),
            capacity: threads.unwrap_or(1).clamp(1, 1_024),
            previous_active: owned[*member].clone(),
            previous_lags: lags.filter_map(lag).collect(),
        };
        ((*member).to_owned(), shape)
    };
    Problem {
        tasks: tasks.iter().map(|(task, inputs)| (*task, TaskShape { stateful: inputs.stateful })).collect(),
        members: candidates.iter().map(shape).collect(),
    }
}

/// The routing table: what each endpoint may own from now on.
fn active_hosts(
    candidates: &BTreeMap<&str, Candidate>,
    tasks: &Tasks,
    grants: &BTreeMap<String, Grant>,
) -> PartitionsByHost {
    let mut hosts = PartitionsByHost::new();
    for (member, grant) in grants {
        if let Some(endpoint) = &candidates[member.as_str()].endpoint {
            let partitions = partitions_of(tasks, &grant.active).into_iter().map(|(partition, _)| partition);
            hosts.entry(endpoint.clone()).or_default().extend(partitions);
        }
    }
    hosts
}

fn encode(tasks: &Tasks, plan: &Plan, member: &str, grant: &Grant, hosts: &PartitionsByHost) -> Vec<u8> {
    let (partitions, active) = partitions_of(tasks, &grant.active).into_iter().unzip();
    let placement = &plan[member];
    let inputs = |task: &TaskId| (*task, tasks[task].partitions.clone());
    let info = AssignmentInfo {
        commonly_supported_version: LATEST_VERSION,
        active,
        standby: placement.standby.iter().chain(&placement.warm_up).map(inputs).collect(),
        active_hosts: hosts.clone(),
        standby_hosts: PartitionsByHost::new(),
        error_code: 0,
        next_rebalance_ms: if grant.follow_up { REBALANCE_NOW } else { NO_REBALANCE },
    };
    ConsumerAssignment { partitions, user_data: info.encode() }.encode()
}

/// The partitions of some tasks in order, each with its task.
fn partitions_of(tasks: &Tasks, some: &BTreeSet<TaskId>) -> Vec<(TopicPartition, TaskId)> {
    let inputs = some.iter().filter_map(|task| Some((task, tasks.get(task)?)));
    let mut partitions: Vec<_> =
        inputs.flat_map(|(task, inputs)| inputs.partitions.iter().map(|at| (at.clone(), *task))).collect();
    partitions.sort();
    partitions
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::group::codec::ProcessId;
    use crate::group::member::Target;

    fn tasks() -> Tasks {
        let partitions = |n| vec![TopicPartition::new("orders", n), TopicPartition::new("payments", n)];
        (0..6).map(|n| (TaskId::new(0, n), TaskInputs { stateful: true, partitions: partitions(n) })).collect()
    }

    fn info(process: u8, threads: &str) -> SubscriptionInfo {
        SubscriptionInfo {
            latest_supported_version: LATEST_VERSION,
            process_id: ProcessId([process; 16]),
            endpoint: Some(format!("host{process}:80")),
            offset_sums: BTreeMap::new(),
            unique: 0,
            error_code: 0,
            client_tags: BTreeMap::from([(THREADS_TAG.to_owned(), threads.to_owned())]),
        }
    }

    fn member(process: u8, threads: &str, owned: &[i32], generation: i32) -> JoinedMember {
        let owned = owned.iter().map(|n| TaskId::new(0, *n)).collect();
        let subscription = describe(&tasks(), &info(process, threads), &owned, generation);
        JoinedMember { member_id: format!("m{process}"), instance_id: None, subscription }
    }

    fn targets(members: &[JoinedMember]) -> BTreeMap<String, Target> {
        let assignments = lead(members, &tasks(), &BTreeMap::new());
        assignments.into_iter().map(|(member, bytes)| (member, Target::decode(&bytes).unwrap())).collect()
    }

    fn partitions(target: &Target) -> Vec<i32> {
        target.active.iter().map(|task| task.partition).collect()
    }

    #[test]
    fn threads_are_capacity_and_every_member_gets_the_routing_table() {
        let targets = targets(&[member(1, "1", &[], -1), member(2, "2", &[], -1)]);
        assert_eq!((targets["m1"].active.len(), targets["m2"].active.len()), (2, 4));
        assert_eq!(targets["m1"].active_hosts, targets["m2"].active_hosts);
        let host = Endpoint::parse("host1:80").unwrap();
        let partition = |topic, task: &TaskId| TopicPartition::new(topic, task.partition);
        let mut expected: Vec<_> = targets["m1"]
            .active
            .iter()
            .flat_map(|task| [partition("orders", task), partition("payments", task)])
            .collect();
        expected.sort();
        assert_eq!(targets["m1"].active_hosts[&host], expected);
    }

    #[test]
    fn a_task_that_moves_is_withheld_until_its_owner_rejoined() {
        let first = targets(&[member(1, "1", &[0, 1, 2, 3, 4, 5], 4), member(2, "1", &[], -1)]);
        assert_eq!(partitions(&first["m1"]), [0, 1, 2]);
        assert!(first["m2"].active.is_empty());
        assert!(first["m1"].rejoin_now && !first["m2"].rejoin_now);
        let second = targets(&[member(1, "1", &[0, 1, 2], 5), member(2, "1", &[], 5)]);
        assert_eq!(partitions(&second["m1"]), [0, 1, 2]);
        assert_eq!(partitions(&second["m2"]), [3, 4, 5]);
        assert!(!second["m1"].rejoin_now && !second["m2"].rejoin_now);
    }

    #[test]
    fn a_claim_of_an_older_generation_is_void() {
        let targets = targets(&[member(1, "1", &[0, 1, 2], 7), member(2, "1", &[0, 3], 6)]);
        assert_eq!(partitions(&targets["m1"]), [0, 1, 2]);
        assert!(targets["m2"].active.contains(&TaskId::new(0, 3)));
        assert!(!targets["m2"].active.contains(&TaskId::new(0, 0)));
    }

    #[test]
    fn an_unreadable_member_is_told_to_stop_and_the_others_share_the_tasks() {
        let broken = JoinedMember { member_id: "x".to_owned(), instance_id: None, subscription: vec![1, 2, 3] };
        let targets = targets(&[member(1, "1", &[], -1), broken]);
        assert_eq!(targets["x"].error_code, ASSIGNMENT_ERROR);
        assert_eq!(targets["m1"].active.len(), 6);
    }

    #[test]
    fn a_request_to_shut_down_reaches_everyone() {
        let mut asking = info(1, "1");
        asking.error_code = SHUTDOWN_REQUESTED;
        let subscription = describe(&tasks(), &asking, &BTreeSet::new(), -1);
        let asking = JoinedMember { member_id: "m1".to_owned(), instance_id: None, subscription };
        let targets = targets(&[asking, member(2, "1", &[], -1)]);
        assert!(targets.values().all(|target| target.error_code == SHUTDOWN_REQUESTED && target.active.is_empty()));
    }

    proptest! {
        #[test]
        fn a_hostile_member_never_breaks_the_leader(at in 0_usize..400, byte in any::<u8>()) {
            let mut hostile = member(2, "3", &[1], 3);
            let at = at % hostile.subscription.len();
            hostile.subscription[at] = byte;
            let targets = targets(&[member(1, "2", &[0], 3), hostile]);
            prop_assert_eq!(targets.len(), 2);
            let granted: Vec<_> = targets.values().flat_map(|target| target.active.clone()).collect();
            let distinct: BTreeSet<_> = granted.iter().collect();
            prop_assert_eq!(granted.len(), distinct.len());
        }
    }
}
