#![allow(clippy::unwrap_used)]

//! Scripted conversations: what the member does is checked after each event.

mod codes;

use super::*;
use crate::group::Tick;
use crate::group::codec::{AssignmentInfo, ConsumerAssignment, NO_REBALANCE};
use crate::types::TopicPartition;

fn tasks(numbers: &[i32]) -> BTreeSet<TaskId> {
    numbers.iter().map(|n| TaskId::new(0, *n)).collect()
}

fn assignment(numbers: &[i32], next_rebalance_ms: i64, error_code: i32) -> Vec<u8> {
    let info = AssignmentInfo {
        commonly_supported_version: 11,
        active: tasks(numbers).into_iter().collect(),
        next_rebalance_ms,
        error_code,
        ..AssignmentInfo::default()
    };
    let partitions = numbers.iter().map(|n| TopicPartition::new("in", *n)).collect();
    ConsumerAssignment { partitions, user_data: info.encode() }.encode()
}

/// A member, its clock, and the runtime's part of the conversation.
struct Script {
    member: Member,
    now: Tick,
    /// The last JoinGroup, SyncGroup or LeaveGroup, the last heartbeat and the last FindCoordinator.
    group: Attempt,
    heartbeat: Attempt,
    find: Attempt,
    /// Answers to orders are given by the test, not at once.
    by_hand: bool,
}

impl Script {
    fn new(config: MemberConfig) -> Self {
        let (group, heartbeat, find) = Default::default();
        Self { member: Member::new(Tick(0), config), now: Tick(0), group, heartbeat, find, by_hand: false }
    }

    /// A member that has `numbers` in generation 1.
    fn stable(config: MemberConfig, numbers: &[i32]) -> Self {
        let mut script = Self::new(config);
        script.drain();
        script.found();
        script.joined("m1", 1);
        script.synced(numbers);
        assert_eq!(*script.member.owned(), tasks(numbers));
        script
    }

    /// Lets the member do what is due and returns it as text.
    fn drain(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(action) = self.member.poll(self.now) {
            lines.push(self.note(action));
            assert!(lines.len() < 20, "the member does not come to rest: {lines:?}");
        }
        assert!(self.member.deadline() > self.now, "at rest, but the deadline is over");
        lines
    }

    fn note(&mut self, action: Action) -> String {
        match action {
            Action::Connect(coordinator) => format!("connect {}", coordinator.host),
            Action::Send { attempt, request } => match request {
                Request::FindCoordinator => {
                    self.find = attempt;
                    "find".to_owned()
                }
                Request::JoinGroup { member_id, .. } => {
                    self.group = attempt;
                    format!("join '{member_id}'")
                }
                Request::SyncGroup { identity, assignments } => {
                    self.group = attempt;
                    format!("sync {} {} with {}", identity.member_id, identity.generation, assignments.len())
                }
                Request::Heartbeat(identity) => {
                    self.heartbeat = attempt;
                    format!("heartbeat {} {}", identity.member_id, identity.generation)
                }
                Request::LeaveGroup { member_id } => {
                    self.group = attempt;
                    format!("leave {member_id}")
                }
            },
            Action::Order(order) => self.obey(order),
        }
    }

    fn obey(&mut self, order: Order) -> String {
        let names = |tasks: &BTreeSet<TaskId>| {
            tasks.iter().map(|task| task.partition.to_string()).collect::<Vec<_>>().join(",")
        };
        let (line, answer) = match order {
            Order::Describe { owned, generation } => {
                (format!("describe [{}] {generation}", names(&owned)), Some(Event::Described(vec![1])))
            }
            Order::Compute(members) => {
                let bytes = members.iter().map(|member| (member.member_id.clone(), vec![2])).collect();
                (format!("compute {}", members.len()), Some(Event::Computed(bytes)))
            }
            Order::Revoke { tasks, .. } => (format!("revoke [{}]", names(&tasks)), Some(Event::Revoked)),
            Order::LoseAll(tasks) => (format!("lose [{}]", names(&tasks)), Some(Event::Revoked)),
            Order::Assign(target) => (format!("assign [{}]", names(&target.active)), None),
            Order::Stop(end) => (format!("stop: {end}"), None),
        };
        if let Some(answer) = answer
            && !self.by_hand
        {
            self.member.handle(self.now, answer);
        }
        line
    }

    fn event(&mut self, event: Event) -> Vec<String> {
        self.member.handle(self.now, event);
        self.drain()
    }

    fn reply(&mut self, attempt: Attempt, result: Result<Answer, Refusal>) -> Vec<String> {
        self.event(Event::Reply { attempt, result })
    }

    fn found(&mut self) -> Vec<String> {
        let coordinator = Coordinator { host: "c".to_owned(), port: 1 };
        self.reply(self.find, Ok(Answer::Coordinator(coordinator)))
    }

    fn joined(&mut self, member_id: &str, generation: i32) -> Vec<String> {
        let answer = Answer::Joined { member_id: member_id.to_owned(), generation, lead: None };
        self.reply(self.group, Ok(answer))
    }

    fn synced(&mut self, numbers: &[i32]) -> Vec<String> {
        self.reply(self.group, Ok(Answer::Synced(assignment(numbers, NO_REBALANCE, 0))))
    }

    fn wait(&mut self, ms: u64) -> Vec<String> {
        self.now = self.now.after(ms);
        self.drain()
    }

    fn heartbeat(&mut self, result: Result<Answer, Refusal>) -> Vec<String> {
        assert_eq!(self.wait(3_000), ["heartbeat m1 1"]);
        self.reply(self.heartbeat, result)
    }
}

fn config() -> MemberConfig {
    MemberConfig::new("app")
}

fn code(code: i16) -> Result<Answer, Refusal> {
    Err(Refusal::Code(ErrorCode(code)))
}

fn gone() -> Result<Answer, Refusal> {
    Err(Refusal::Disconnected("closed".to_owned()))
}

#[test]
fn a_new_member_joins_syncs_and_beats() {
    let mut script = Script::new(config());
    assert_eq!(script.drain(), ["describe [] -1", "find"]);
    assert_eq!(script.found(), ["connect c", "join ''"]);
    assert!(script.wait(60_000).is_empty(), "no heartbeat before the first join is answered");
    assert_eq!(script.reply(script.group, Ok(Answer::MemberId("m1".to_owned()))), ["join 'm1'"]);
    assert!(script.wait(60_000).is_empty());
    assert_eq!(script.member.identity(), None);
    let me = JoinedMember { member_id: "m1".to_owned(), instance_id: None, subscription: vec![1] };
    let lead = Some(vec![me.clone(), JoinedMember { member_id: "m2".to_owned(), ..me }]);
    let joined = Answer::Joined { member_id: "m1".to_owned(), generation: 1, lead };
    assert_eq!(script.reply(script.group, Ok(joined)), ["compute 2", "sync m1 1 with 2"]);
    assert_eq!(script.synced(&[0, 1]), ["assign [0,1]"]);
    let identity = Identity { member_id: "m1".to_owned(), generation: 1, instance_id: None };
    assert_eq!(script.member.identity(), Some(identity));
    assert_eq!(script.wait(2_999), [""; 0]);
    assert_eq!(script.wait(1), ["heartbeat m1 1"]);
    assert_eq!(script.wait(3_000), [""; 0], "one heartbeat at a time");
    assert_eq!(script.reply(script.heartbeat, Ok(Answer::Alive)), ["heartbeat m1 1"]);
}

#[test]
fn a_task_that_moves_is_revoked_before_the_member_rejoins() {
    let mut script = Script::stable(config(), &[0, 1, 2]);
    assert_eq!(script.heartbeat(code(27)), ["describe [0,1,2] 1", "join 'm1'"]);
    script.joined("m1", 2);
    script.by_hand = true;
    assert_eq!(script.synced(&[0, 1]), ["revoke [2]"]);
    assert_eq!(script.wait(3_000), ["heartbeat m1 2"], "it beats while it revokes");
    assert_eq!(script.reply(script.heartbeat, code(27)), [""; 0], "and finishes before it rejoins");
    assert_eq!(*script.member.owned(), tasks(&[0, 1, 2]));
    script.by_hand = false;
    assert_eq!(script.event(Event::Revoked), ["assign [0,1]", "describe [0,1] 2", "join 'm1'"]);
    script.joined("m1", 3);
    assert_eq!(script.synced(&[0, 1]), ["assign [0,1]"]);
}

#[test]
fn the_leader_can_ask_for_another_round() {
    let mut script = Script::stable(config(), &[0]);
    script.heartbeat(code(27));
    script.joined("m1", 2);
    let bytes = assignment(&[0], 0, 0);
    let lines = script.reply(script.group, Ok(Answer::Synced(bytes)));
    assert_eq!(lines, ["assign [0]", "describe [0] 2", "join 'm1'"]);
}

#[test]
fn heartbeats_go_on_while_a_known_member_rejoins() {
    let mut script = Script::stable(config(), &[0]);
    script.heartbeat(code(27));
    for _ in 0..30 {
        assert_eq!(script.wait(3_000), ["heartbeat m1 1"]);
        assert_eq!(script.reply(script.heartbeat, code(27)), [""; 0]);
    }
    script.joined("m1", 2);
    assert_eq!(script.synced(&[0, 1]), ["assign [0,1]"], "90 s of rebalance cost no task");
}

const FENCED: &str = "stop: another process runs with this group.instance.id, stop one of the two";

#[test]
fn a_coordinator_that_moved_is_found_again_and_costs_no_rebalance() {
    let mut script = Script::stable(config(), &[0]);
    assert_eq!(script.heartbeat(gone()), [""; 0]);
    assert_eq!(script.wait(200), ["find"]);
    assert_eq!(script.found(), ["connect c"]);
    assert_eq!(script.wait(3_000), ["heartbeat m1 1"]);
    let mut script = Script::stable(config(), &[0]);
    script.heartbeat(code(27));
    assert_eq!(script.reply(script.group, gone()), ["describe [0] 1"]);
    assert_eq!(script.wait(200), ["find"]);
    assert_eq!(script.found(), ["connect c", "join 'm1'"], "a join that was under way is repeated");
}

#[test]
fn a_refused_commit_of_an_older_generation_says_nothing() {
    for code in [22, 25, 27, 30, 69, 82].map(ErrorCode) {
        let mut script = Script::stable(config(), &[0]);
        assert_eq!(script.event(Event::CommitRefused { generation: 0, code }), [""; 0], "{code}");
    }
    let mut script = Script::stable(config(), &[0]);
    script.heartbeat(code(27));
    for code in [ErrorCode::ILLEGAL_GENERATION, ErrorCode::REBALANCE_IN_PROGRESS] {
        let lines = script.event(Event::CommitRefused { generation: 1, code });
        assert_eq!(lines, [""; 0], "the generation moves on while the member rejoins");
    }
}

#[test]
fn a_member_that_leaves_waits_for_the_coordinator_only_so_long() {
    let mut script = Script::stable(config(), &[0]);
    script.event(Event::LeaveRequested);
    assert_eq!(script.wait(4_999), [""; 0]);
    assert_eq!(script.wait(1), ["stop: left the group"]);
    assert_eq!(script.event(Event::LeaveRequested), [""; 0]);
}

#[test]
fn a_static_member_does_not_leave() {
    let config = MemberConfig { instance_id: Some("i1".to_owned()), ..config() };
    let mut script = Script::stable(config, &[0]);
    assert_eq!(script.member.identity().unwrap().instance_id.as_deref(), Some("i1"));
    assert_eq!(script.event(Event::LeaveRequested), ["revoke [0]", "stop: left the group"]);
}

#[test]
fn leaving_in_the_middle_of_a_revocation_revokes_each_task_once() {
    let mut script = Script::stable(config(), &[0, 1]);
    script.heartbeat(code(27));
    script.joined("m1", 2);
    script.by_hand = true;
    assert_eq!(script.synced(&[0]), ["revoke [1]"]);
    assert_eq!(script.event(Event::LeaveRequested), ["revoke [0]"]);
    assert_eq!(script.event(Event::Revoked), [""; 0]);
    assert_eq!(script.event(Event::Revoked), ["leave m1"]);
}

#[test]
fn silence_for_the_session_timeout_costs_the_tasks_before_anyone_else_gets_them() {
    let mut script = Script::stable(config(), &[0]);
    script.wait(3_000);
    script.wait(1_000);
    assert_eq!(script.reply(script.heartbeat, Ok(Answer::Alive)), [""; 0]);
    // The last heartbeat that was answered was sent at 3 s; when the answer came does not count.
    assert_eq!(script.wait(2_000), ["heartbeat m1 1"]);
    assert_eq!(script.wait(41_999), [""; 0]);
    script.by_hand = true;
    assert_eq!(script.wait(1), ["lose [0]"]);
    assert_eq!(script.member.identity(), None, "nothing is committed any more");
    assert_eq!(script.wait(60_000), [""; 0], "nor joined before the runtime has let go");
    script.by_hand = false;
    assert_eq!(script.event(Event::Revoked), ["describe [] -1"]);
    assert_eq!(script.wait(200), ["join 'm1'"]);
}

#[test]
fn answers_of_abandoned_requests_are_dropped() {
    let mut script = Script::stable(config(), &[0]);
    script.heartbeat(code(27));
    let (old_join, old_heartbeat) = (script.group, script.heartbeat);
    assert_eq!(script.wait(3_000), ["heartbeat m1 1"]);
    script.reply(script.heartbeat, code(25));
    assert_eq!(script.wait(200), ["join ''"]);
    assert_eq!(script.reply(old_heartbeat, code(82)), [""; 0]);
    let stale = Answer::Joined { member_id: "m1".to_owned(), generation: 2, lead: None };
    assert_eq!(script.reply(old_join, Ok(stale)), [""; 0]);
    assert_eq!(script.joined("m9", 3), ["sync m9 3 with 0"]);
}

#[test]
fn the_leader_reporting_an_error_stops_the_member_in_order() {
    for (bytes, reason) in
        [(assignment(&[], NO_REBALANCE, 4), "reported assignment error 4"), (vec![0, 3, 9, 9], "cannot be read")]
    {
        let mut script = Script::stable(config(), &[0]);
        script.heartbeat(code(27));
        script.joined("m1", 2);
        assert_eq!(script.reply(script.group, Ok(Answer::Synced(bytes))), ["revoke [0]", "leave m1"]);
        let stop = script.reply(script.group, Ok(Answer::Left));
        assert!(stop[0].contains(reason), "{stop:?}");
    }
}

#[test]
fn tasks_given_up_without_an_order_are_told_by_rejoining() {
    let mut script = Script::stable(config(), &[0]);
    assert_eq!(script.event(Event::RejoinRequested), ["describe [0] 1", "join 'm1'"]);
    assert_eq!(script.event(Event::RejoinRequested), [""; 0]);
}
