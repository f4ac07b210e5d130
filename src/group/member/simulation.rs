#![allow(clippy::unwrap_used)]

//! Several members and a coordinator in one thread, with a seed: messages are late or lost, processes are cut off, die
//! and come back. Never do two processes have one task, and after the faults every task has an owner.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::group::Tick;
use crate::group::codec::{LATEST_VERSION, ProcessId, SubscriptionInfo};
use crate::group::leader::{TaskInputs, Tasks, describe, lead};
use crate::types::TopicPartition;

const TASKS: i32 = 7;
const SESSION_MS: u64 = 10_000;
const REBALANCE_MS: u64 = 60_000;
const FAULTS_END: Tick = Tick(240_000);
const END: Tick = Tick(420_000);

fn tasks() -> Tasks {
    let inputs = |n| TaskInputs { stateful: n % 2 == 0, partitions: vec![TopicPartition::new("in", n)] };
    (0..TASKS).map(|n| (TaskId::new(0, n), inputs(n))).collect()
}

/// Where an answer goes: a process (by its run number) and its request.
type Asker = (usize, Attempt);

#[derive(Default)]
struct Peer {
    subscription: Vec<u8>,
    seen: Tick,
    joining: Option<Asker>,
    syncing: Option<Asker>,
    assignment: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Group {
    Stable,
    Preparing { until: Tick },
    Completing,
}

/// The classic group protocol as Kafka's `GroupCoordinator` plays it, reduced to what matters here.
struct Broker {
    state: Group,
    generation: i32,
    leader: String,
    peers: BTreeMap<String, Peer>,
    ids: u32,
    answers: Vec<(Asker, Result<Answer, Refusal>)>,
}

impl Broker {
    fn new() -> Self {
        let (leader, peers, answers) = Default::default();
        Self { state: Group::Stable, generation: 0, leader, peers, ids: 0, answers }
    }

    fn say(&mut self, asker: Asker, result: Result<Answer, ErrorCode>) {
        self.answers.push((asker, result.map_err(Refusal::Code)));
    }

    fn prepare(&mut self, now: Tick) {
        for peer in self.peers.values_mut() {
            if let Some(asker) = peer.syncing.take() {
                self.answers.push((asker, Err(Refusal::Code(ErrorCode::REBALANCE_IN_PROGRESS))));
            }
        }
        if !matches!(self.state, Group::Preparing { .. }) {
            self.state = Group::Preparing { until: now.after(REBALANCE_MS) };
        }
    }

    fn tick(&mut self, now: Tick) {
        let count = self.peers.len();
        self.peers.retain(|_, peer| peer.joining.is_some() || now < peer.seen.after(SESSION_MS));
        if self.peers.len() < count {
            self.prepare(now);
        }
        if let Group::Preparing { until } = self.state
            && (now >= until || self.peers.values().all(|peer| peer.joining.is_some()))
        {
            self.complete(now);
        }
    }

    fn complete(&mut self, now: Tick) {
        self.peers.retain(|_, peer| peer.joining.is_some());
        self.generation += 1;
        self.state = if self.peers.is_empty() { Group::Stable } else { Group::Completing };
        self.leader = self.peers.keys().next().cloned().unwrap_or_default();
        let everyone: Vec<JoinedMember> = self
            .peers
            .iter()
            .map(|(id, peer)| JoinedMember {
                member_id: id.clone(),
                instance_id: None,
                subscription: peer.subscription.clone(),
            })
            .collect();
        for (id, peer) in &mut self.peers {
            peer.seen = now;
            let lead = (*id == self.leader).then(|| everyone.clone());
            let answer = Answer::Joined { member_id: id.clone(), generation: self.generation, lead };
            self.answers.push((peer.joining.take().unwrap(), Ok(answer)));
        }
    }

    fn check(&mut self, now: Tick, identity: &Identity) -> Result<&mut Peer, ErrorCode> {
        let peer = self.peers.get_mut(&identity.member_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if identity.generation != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        peer.seen = now;
        Ok(peer)
    }

    fn receive(&mut self, now: Tick, asker: Asker, request: Request) {
        self.tick(now);
        match request {
            Request::FindCoordinator => {
                self.say(asker, Ok(Answer::Coordinator(Coordinator { host: "c".to_owned(), port: 1 })));
            }
            Request::JoinGroup { member_id, .. } if member_id.is_empty() => {
                self.ids += 1;
                self.say(asker, Ok(Answer::MemberId(format!("m{}", self.ids))));
            }
            Request::JoinGroup { member_id, subscription, .. } => {
                let given = member_id[1..].parse::<u32>().unwrap() <= self.ids;
                assert!(given, "an id that was never given");
                let peer = self.peers.entry(member_id).or_default();
                (peer.subscription, peer.seen) = (subscription, now);
                let before = peer.joining.replace(asker);
                if let Some(before) = before {
                    self.say(before, Err(ErrorCode::UNKNOWN_MEMBER_ID));
                }
                self.prepare(now);
                self.tick(now);
            }
            Request::SyncGroup { identity, assignments } => self.sync(now, asker, &identity, assignments),
            Request::Heartbeat(identity) => {
                let state = self.state;
                let result = self.check(now, &identity).map(|_| Answer::Alive);
                let rebalances = matches!(state, Group::Preparing { .. });
                self.say(
                    asker,
                    if rebalances && result.is_ok() { Err(ErrorCode::REBALANCE_IN_PROGRESS) } else { result },
                );
            }
            Request::LeaveGroup { member_id } => {
                if self.peers.remove(&member_id).is_some() {
                    self.prepare(now);
                }
                self.say(asker, Ok(Answer::Left));
                self.tick(now);
            }
        }
    }

    fn sync(&mut self, now: Tick, asker: Asker, identity: &Identity, assignments: Vec<(String, Vec<u8>)>) {
        let state = self.state;
        let leads = identity.member_id == self.leader;
        match self.check(now, identity) {
            Err(code) => self.say(asker, Err(code)),
            Ok(_) if matches!(state, Group::Preparing { .. }) => self.say(asker, Err(ErrorCode::REBALANCE_IN_PROGRESS)),
            Ok(peer) => peer.syncing = Some(asker),
        }
        if state == Group::Completing && leads && self.generation == identity.generation {
            for (id, bytes) in assignments {
                self.peers.get_mut(&id).unwrap().assignment = bytes;
            }
            self.state = Group::Stable;
        }
        if self.state == Group::Stable {
            for peer in self.peers.values_mut() {
                if let Some(asker) = peer.syncing.take() {
                    self.answers.push((asker, Ok(Answer::Synced(peer.assignment.clone()))));
                }
            }
        }
    }
}

struct Process {
    member: Member,
    number: u8,
    has: BTreeSet<TaskId>,
    cut_off_until: Tick,
    leaving: bool,
}

enum Message {
    ToBroker(Asker, Request),
    ToProcess(usize, Event),
}

struct World {
    now: Tick,
    seed: u64,
    broker: Broker,
    /// By run number; a process that died is gone, its successor has a new number.
    processes: BTreeMap<usize, Process>,
    runs: usize,
    mail: BTreeMap<(Tick, u64), Message>,
    sent: u64,
}

impl World {
    fn new(seed: u64, processes: u8) -> Self {
        let broker = Broker::new();
        let (processes_by_run, mail) = Default::default();
        let mut world = Self { now: Tick(0), seed, broker, processes: processes_by_run, runs: 0, mail, sent: 0 };
        (0..processes).for_each(|number| world.start(number));
        world
    }

    fn start(&mut self, number: u8) {
        let config = MemberConfig {
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: REBALANCE_MS,
            heartbeat_interval_ms: 1_000,
            seed: self.seed.wrapping_add(self.runs as u64),
            ..MemberConfig::new("app")
        };
        let member = Member::new(self.now, config);
        let process = Process { member, number, has: BTreeSet::new(), cut_off_until: Tick(0), leaving: false };
        self.processes.insert(self.runs, process);
        self.runs += 1;
    }

    fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    fn post(&mut self, delay: u64, message: Message) {
        self.sent += 1;
        self.mail.insert((self.now.after(delay), self.sent), message);
    }

    /// The network: late, and sometimes lost, which shows as a lost connection.
    fn is_lost(&mut self, run: usize) -> bool {
        let faulty = self.now < FAULTS_END;
        let cut_off = self.processes.get(&run).is_some_and(|process| self.now < process.cut_off_until);
        cut_off || (faulty && self.random(100) < 2)
    }

    fn lose(&mut self, (run, attempt): Asker) {
        let delay = 500 + self.random(1_000);
        let result = Err(Refusal::Disconnected("lost".to_owned()));
        self.post(delay, Message::ToProcess(run, Event::Reply { attempt, result }));
    }

    fn deliver(&mut self, message: Message) {
        match message {
            Message::ToBroker(asker, _) if self.is_lost(asker.0) => self.lose(asker),
            Message::ToBroker(asker, request) => self.broker.receive(self.now, asker, request),
            Message::ToProcess(run, event) => {
                if let Some(process) = self.processes.get_mut(&run) {
                    process.member.handle(self.now, event);
                }
            }
        }
    }

    fn drain(&mut self, run: usize) {
        while let Some(action) = self.processes.get_mut(&run).and_then(|process| process.member.poll(self.now)) {
            match action {
                Action::Connect(_) => {}
                Action::Send { attempt, request } => {
                    let delay = 1 + self.random(50);
                    self.post(delay, Message::ToBroker((run, attempt), request));
                }
                Action::Order(order) => self.obey(run, order),
            }
        }
        for (asker, result) in std::mem::take(&mut self.broker.answers) {
            if self.is_lost(asker.0) {
                self.lose(asker);
            } else {
                let delay = 1 + self.random(50);
                let event = Event::Reply { attempt: asker.1, result };
                self.post(delay, Message::ToProcess(asker.0, event));
            }
        }
    }

    fn obey(&mut self, run: usize, order: Order) {
        let number = self.processes[&run].number;
        let answer = match order {
            Order::Describe { owned, generation } => {
                assert_eq!(owned, self.processes[&run].has, "the member and the runtime agree on what it has");
                Some(Event::Described(describe(&tasks(), &info(number), &owned, generation)))
            }
            Order::Compute(members) => Some(Event::Computed(lead(&members, &tasks(), &BTreeMap::new()))),
            // Both count as released at the order's end: a task is not processed while it is released.
            Order::Revoke { tasks, .. } | Order::LoseAll(tasks) => {
                let has = &mut self.processes.get_mut(&run).unwrap().has;
                *has = &*has - &tasks;
                Some(Event::Revoked)
            }
            Order::Assign(target) => {
                for (other, process) in &self.processes {
                    let shared = &process.has & &target.active;
                    assert!(*other == run || shared.is_empty(), "{shared:?} has two owners at {:?}", self.now);
                }
                self.processes.get_mut(&run).unwrap().has = target.active;
                None
            }
            Order::Stop(end) => {
                assert!(self.processes[&run].leaving, "{end}");
                self.processes.remove(&run);
                self.start(number);
                return;
            }
        };
        if let Some(answer) = answer {
            let delay = 1 + self.random(300);
            self.post(delay, Message::ToProcess(run, answer));
        }
    }

    fn fault(&mut self) {
        let runs: Vec<usize> = self.processes.keys().copied().collect();
        let run = runs[self.random(runs.len() as u64) as usize];
        let kind = self.random(100);
        let cut_off_ms = self.random(2 * SESSION_MS);
        let now = self.now;
        let process = self.processes.get_mut(&run).unwrap();
        match kind {
            0..50 => process.cut_off_until = now.after(cut_off_ms),
            50..75 => {
                process.leaving = true;
                process.member.handle(now, Event::LeaveRequested);
            }
            75..90 => {
                let number = process.number;
                self.processes.remove(&run);
                self.start(number);
            }
            _ => process.member.handle(now, Event::RejoinRequested),
        }
    }

    fn run(&mut self) {
        let mut next_fault = Tick(5_000);
        while self.now < END {
            let mail = self.mail.first_key_value().map_or(Tick::NEVER, |((at, _), _)| *at);
            let due = self.processes.values().map(|process| process.member.deadline()).min().unwrap();
            let next = mail.min(due).min(self.now.after(200)).min(next_fault);
            self.now = self.now.max(next);
            while let Some(entry) = self.mail.first_entry()
                && entry.key().0 <= self.now
            {
                let message = entry.remove();
                self.deliver(message);
            }
            if self.now >= next_fault {
                if self.now < FAULTS_END {
                    self.fault();
                }
                next_fault = self.now.after(1_000 + self.random(15_000));
            }
            self.broker.tick(self.now);
            let runs: Vec<usize> = self.processes.keys().copied().collect();
            runs.into_iter().for_each(|run| self.drain(run));
        }
    }
}

fn info(process: u8) -> SubscriptionInfo {
    SubscriptionInfo {
        latest_supported_version: LATEST_VERSION,
        process_id: ProcessId([process; 16]),
        endpoint: None,
        offset_sums: BTreeMap::new(),
        unique: 0,
        error_code: 0,
        client_tags: BTreeMap::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn no_task_has_two_owners_and_after_the_faults_each_has_one(seed in any::<u64>(), processes in 1_u8..5) {
        let mut world = World::new(seed, processes);
        world.run();
        let counts: Vec<usize> = world.processes.values().map(|process| process.has.len()).collect();
        prop_assert_eq!(counts.iter().sum::<usize>(), TASKS as usize, "{:?}", counts);
        prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{:?}", counts);
    }
}
