#![allow(clippy::unwrap_used)]

//! The whole conversation against librdkafka's mock cluster, the broker of the demo.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select};
use rdkafka::mocking::MockCluster;

use crate::group::codec::{LATEST_VERSION, ProcessId, SubscriptionInfo};
use crate::group::commit::OffsetToCommit;
use crate::group::leader::{TaskInputs, Tasks, describe, lead};
use crate::group::member::{End, Event, MemberConfig, Order};
use crate::group::{CommitMetadata, Tick};
use crate::types::{TaskId, TopicPartition};
use crate::wire::coordinator::{CoordinatorSettings, Membership, OffsetsClient};

const PARTITIONS: i32 = 12;
const PATIENCE: Duration = Duration::from_secs(60);

fn tasks() -> Tasks {
    let inputs = |n| TaskInputs { stateful: true, partitions: vec![TopicPartition::new("orders", n)] };
    (0..PARTITIONS).map(|n| (TaskId::new(0, n), inputs(n))).collect()
}

/// Which process has which task; taking a task that another has is the failure this test looks for.
#[derive(Default)]
struct Owners {
    tasks: Mutex<BTreeMap<TaskId, u8>>,
    changed: Condvar,
}

impl Owners {
    fn change(&self, change: impl FnOnce(&mut BTreeMap<TaskId, u8>)) {
        change(&mut self.tasks.lock().unwrap());
        self.changed.notify_all();
    }

    fn take(&self, process: u8, tasks: &BTreeSet<TaskId>) {
        self.change(|owners| {
            for task in tasks {
                let before = owners.insert(*task, process).unwrap_or(process);
                assert_eq!(before, process, "{task} has two owners");
            }
        });
    }

    fn release(&self, process: u8, tasks: &BTreeSet<TaskId>) {
        self.change(|owners| {
            for task in tasks {
                assert_eq!(owners.remove(task), Some(process), "{task} was not the process's");
            }
        });
    }

    /// Waits until each process has this many tasks.
    fn wait(&self, expected: &[(u8, usize)]) {
        let count = |owners: &BTreeMap<TaskId, u8>, process| owners.values().filter(|by| **by == process).count();
        let differs = |owners: &mut BTreeMap<TaskId, u8>| {
            expected.iter().any(|(process, tasks)| count(owners, *process) != *tasks)
        };
        let guard = self.tasks.lock().unwrap();
        let (owners, waited) = self.changed.wait_timeout_while(guard, PATIENCE, differs).unwrap();
        assert!(!waited.timed_out(), "expected {expected:?}, have {owners:?}");
    }
}

/// A process that obeys at once; a stand-in for the runtime's control thread.
struct Process {
    commands: Sender<Event>,
    offsets: OffsetsClient,
    thread: std::thread::JoinHandle<End>,
}

impl Process {
    fn start(bootstrap: &str, process: u8, owners: &Arc<Owners>) -> Self {
        let settings = CoordinatorSettings::from_client([("bootstrap.servers", bootstrap)]).unwrap();
        let config = MemberConfig {
            // The mock cluster ends the first rebalance after 3 s and others a second before the session timeout.
            session_timeout_ms: 3_500,
            heartbeat_interval_ms: 200,
            seed: process.into(),
            ..MemberConfig::new("app")
        };
        let (commands, received) = bounded(1);
        let membership = Membership::start(Tick(0), &settings, config).unwrap();
        let offsets = membership.offsets();
        let owners = owners.clone();
        let thread = std::thread::spawn(move || run(membership, process, &received, &owners));
        Self { commands, offsets, thread }
    }

    fn leave(self) -> End {
        self.commands.send(Event::LeaveRequested).unwrap();
        self.thread.join().unwrap()
    }
}

fn run(mut membership: Membership, process: u8, commands: &Receiver<Event>, owners: &Owners) -> End {
    let started = Instant::now();
    let now = || Tick(started.elapsed().as_millis() as u64);
    let mut owned = BTreeSet::new();
    loop {
        while let Some(order) = membership.poll(now()) {
            match order {
                Order::Describe { owned, generation } => {
                    let bytes = describe(&tasks(), &info(process), &owned, generation);
                    membership.handle(now(), Event::Described(bytes));
                }
                Order::Compute(members) => {
                    let assignments = lead(&members, &tasks(), &BTreeMap::new());
                    membership.handle(now(), Event::Computed(assignments));
                }
                Order::Revoke { tasks, .. } | Order::LoseAll(tasks) => {
                    owners.release(process, &tasks);
                    owned = &owned - &tasks;
                    membership.handle(now(), Event::Revoked);
                }
                Order::Assign(target) => {
                    owners.take(process, &target.active);
                    assert!(owned.is_subset(&target.active), "what went away was revoked first");
                    owned = target.active;
                }
                Order::Stop(end) => return end,
            }
        }
        let sleep = Duration::from_millis(membership.deadline().since(now()).clamp(1, 1_000));
        select! {
            recv(membership.events()) -> event => membership.handle(now(), event.unwrap()),
            recv(commands) -> event => membership.handle(now(), event.unwrap()),
            default(sleep) => {}
        }
    }
}

fn info(process: u8) -> SubscriptionInfo {
    SubscriptionInfo {
        latest_supported_version: LATEST_VERSION,
        process_id: ProcessId([process; 16]),
        endpoint: Some(format!("127.0.0.1:80{process:02}")),
        offset_sums: BTreeMap::new(),
        unique: 0,
        error_code: 0,
        client_tags: BTreeMap::new(),
    }
}

#[test]
fn two_members_share_twelve_partitions_and_one_inherits_them_all() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("orders", PARTITIONS, 1).unwrap();
    let bootstrap = cluster.bootstrap_servers();
    let owners = Arc::new(Owners::default());

    let first = Process::start(&bootstrap, 1, &owners);
    owners.wait(&[(1, 12)]);
    let second = Process::start(&bootstrap, 2, &owners);
    owners.wait(&[(1, 6), (2, 6)]);

    let partition = TopicPartition::new("orders", 3);
    let metadata = CommitMetadata { partition_time: 7, ..CommitMetadata::default() }.encode();
    let commit =
        OffsetToCommit { partition: partition.clone(), offset: 5, leader_epoch: None, metadata: metadata.clone() };
    commit_until_accepted(&second.offsets, &commit);
    let asked = [partition.clone(), TopicPartition::new("orders", 4)];
    let fetched = first.offsets.fetch(&asked, PATIENCE).unwrap();
    assert_eq!(fetched.keys().collect::<Vec<_>>(), [&partition]);
    assert_eq!((fetched[&partition].offset, &fetched[&partition].metadata), (5, &metadata));

    assert_eq!(first.leave(), End::Left);
    owners.wait(&[(1, 0), (2, 12)]);
    assert_eq!(second.leave(), End::Left);
    owners.wait(&[(1, 0), (2, 0)]);
}

/// A commit may meet the follow-up rebalance; it is repeated as the commit machine does.
fn commit_until_accepted(offsets: &OffsetsClient, commit: &OffsetToCommit) {
    let started = Instant::now();
    while let Err(error) = offsets.commit(vec![commit.clone()]) {
        assert_eq!(error.refusal(), crate::group::commit::Refusal::Retriable, "{error}");
        assert!(started.elapsed() < PATIENCE, "{error}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}
