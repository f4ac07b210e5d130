//! The machine of [`Member`]: its state and the two ways in and out.

use std::collections::{BTreeSet, VecDeque};

use super::reaction::{Api, Reaction, reaction};
use super::{
    Action, Answer, Attempt, Coordinator, End, Event, Identity, MemberConfig, Order, Refusal, Request, Target,
};
use crate::group::{Backoff, ErrorCode, Tick};
use crate::types::TaskId;

/// What is known of the coordinator. Independent of the phase: a coordinator that moves costs no task.
#[derive(Debug, PartialEq, Eq)]
enum Link {
    Unknown { ask_at: Tick },
    Asked(Attempt),
    Known,
}

/// Where the member is in its conversation with the group.
#[derive(Debug)]
enum Phase {
    /// The runtime writes the subscription.
    Describing,
    /// A JoinGroup is due.
    Joining {
        subscription: Vec<u8>,
    },
    JoinSent {
        attempt: Attempt,
        subscription: Vec<u8>,
    },
    /// The runtime computes everyone's assignment.
    Computing,
    /// A SyncGroup is due.
    Syncing {
        assignments: Vec<(String, Vec<u8>)>,
    },
    SyncSent {
        attempt: Attempt,
    },
    /// The runtime releases tasks; then the target is given to it.
    Revoking {
        target: Box<Target>,
    },
    Stable,
    /// The runtime releases tasks that are lost; then the member joins again.
    Losing,
    /// The runtime releases all tasks for good.
    Draining {
        end: End,
    },
    /// A LeaveGroup is due or sent.
    Leaving {
        sent: Option<Attempt>,
        until: Tick,
        end: End,
    },
    Ended,
}

/// One member of the group.
#[derive(Debug)]
pub struct Member {
    config: MemberConfig,
    backoff: Backoff,
    link: Link,
    phase: Phase,
    /// No JoinGroup before.
    join_at: Tick,
    join_reason: &'static str,
    /// Empty until the coordinator gave one.
    member_id: String,
    /// -1 outside the group.
    generation: i32,
    owned: BTreeSet<TaskId>,
    last_attempt: Attempt,
    heartbeat_sent: Option<(Attempt, Tick)>,
    heartbeat_at: Tick,
    /// When the coordinator last knew the member to be alive, at the earliest.
    contact: Tick,
    /// A coordinator that the connections do not know yet.
    connect_to: Option<Coordinator>,
    /// Not handed out yet; at most a few, as the member waits for their answers.
    orders: VecDeque<Order>,
    /// Orders handed out and not answered. Only the answer to the last one counts.
    describing: u32,
    computing: u32,
    releasing: u32,
}

impl Member {
    /// A member that starts to join at once.
    pub fn new(now: Tick, config: MemberConfig) -> Self {
        let mut member = Self {
            backoff: Backoff::new(config.seed),
            config,
            link: Link::Unknown { ask_at: now },
            phase: Phase::Ended,
            join_at: now,
            join_reason: "",
            member_id: String::new(),
            generation: -1,
            owned: BTreeSet::new(),
            last_attempt: Attempt(0),
            heartbeat_sent: None,
            heartbeat_at: Tick::NEVER,
            contact: now,
            connect_to: None,
            orders: VecDeque::new(),
            describing: 0,
            computing: 0,
            releasing: 0,
        };
        member.rejoin(now, "the process starts");
        member
    }

    /// Who the member is now. `None` outside the group: nothing may be committed then.
    pub fn identity(&self) -> Option<Identity> {
        let in_group = self.generation >= 0 && !self.member_id.is_empty();
        in_group.then(|| Identity {
            member_id: self.member_id.clone(),
            generation: self.generation,
            instance_id: self.config.instance_id.clone(),
        })
    }

    /// Active tasks that the member has.
    pub const fn owned(&self) -> &BTreeSet<TaskId> {
        &self.owned
    }

    /// Whether the membership is over.
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// The only way in.
    pub fn handle(&mut self, now: Tick, event: Event) {
        match event {
            Event::Reply { attempt, result } => self.reply(now, attempt, result),
            Event::Described(subscription) => {
                self.describing -= 1;
                if self.describing == 0 && matches!(self.phase, Phase::Describing) {
                    self.phase = Phase::Joining { subscription };
                }
            }
            Event::Computed(assignments) => {
                self.computing -= 1;
                if self.computing == 0 && matches!(self.phase, Phase::Computing) {
                    self.phase = Phase::Syncing { assignments };
                }
            }
            Event::Revoked => {
                self.releasing -= 1;
                if self.releasing == 0 {
                    self.released(now);
                }
            }
            Event::LeaveRequested => self.drain(now, End::Left),
            Event::RejoinRequested if matches!(self.phase, Phase::Stable) => {
                self.rejoin(now, "the subscription changed")
            }
            Event::RejoinRequested => {}
            Event::CommitRefused { generation, code } => self.commit_refused(now, generation, code),
        }
    }

    /// Drain until `None`.
    pub fn poll(&mut self, now: Tick) -> Option<Action> {
        self.expire(now);
        if let Some(coordinator) = self.connect_to.take() {
            return Some(Action::Connect(coordinator));
        }
        if let Some(order) = self.orders.pop_front() {
            return Some(Action::Order(order));
        }
        let request = self.due_request(now)?;
        let attempt = self.last_attempt;
        Some(Action::Send { attempt, request })
    }

    /// When [`Member::poll`] has something to do without an event.
    pub fn deadline(&self) -> Tick {
        if self.connect_to.is_some() || !self.orders.is_empty() {
            return Tick(0);
        }
        let mut deadline = self.session_end();
        if let Link::Unknown { ask_at } = self.link
            && !self.is_over()
        {
            deadline = deadline.min(ask_at);
        }
        if let Phase::Leaving { until, .. } = self.phase {
            deadline = deadline.min(until);
        }
        if self.link == Link::Known {
            let request_at = match &self.phase {
                Phase::Joining { .. } => self.join_at,
                Phase::Syncing { .. } | Phase::Leaving { sent: None, .. } => Tick(0),
                _ => Tick::NEVER,
            };
            let heartbeat_at =
                if self.heartbeat_sent.is_none() && self.beats() { self.heartbeat_at } else { Tick::NEVER };
            deadline = deadline.min(request_at).min(heartbeat_at);
        }
        deadline
    }

    /// Lets time end what it ends: the session and the wait for the farewell.
    fn expire(&mut self, now: Tick) {
        if now >= self.session_end() {
            // Self-fence: from here on the coordinator may have given the tasks away.
            self.lose(now, "no heartbeat was answered within the session timeout");
        }
        if let Phase::Leaving { until, end, .. } = &self.phase
            && now >= *until
        {
            let end = end.clone();
            self.end(end);
        }
    }

    fn session_end(&self) -> Tick {
        if self.generation >= 0 && !self.is_over() {
            self.contact.after(self.config.session_timeout_ms)
        } else {
            Tick::NEVER
        }
    }

    /// A heartbeat belongs to a member of a generation. A new member sends none while its first JoinGroup is in
    /// flight: one such heartbeat gave it a session that then expired (wire rule 4).
    const fn beats(&self) -> bool {
        self.generation >= 0 && !matches!(self.phase, Phase::Leaving { .. } | Phase::Ended)
    }

    fn next_attempt(&mut self) -> Attempt {
        self.last_attempt.0 += 1;
        self.last_attempt
    }

    /// The next request that is due; its attempt is `last_attempt`.
    fn due_request(&mut self, now: Tick) -> Option<Request> {
        match self.link {
            Link::Unknown { ask_at } if ask_at <= now && !self.is_over() => {
                self.link = Link::Asked(self.next_attempt());
                return Some(Request::FindCoordinator);
            }
            Link::Unknown { .. } | Link::Asked(_) => return None,
            Link::Known => {}
        }
        self.due_group_request(now).or_else(|| self.due_heartbeat(now))
    }

    fn due_group_request(&mut self, now: Tick) -> Option<Request> {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Joining { subscription } if self.join_at <= now => {
                let attempt = self.next_attempt();
                self.phase = Phase::JoinSent { attempt, subscription: subscription.clone() };
                let (member_id, reason) = (self.member_id.clone(), self.join_reason);
                Some(Request::JoinGroup { member_id, subscription, reason })
            }
            Phase::Syncing { assignments } => {
                self.phase = Phase::SyncSent { attempt: self.next_attempt() };
                let identity = self.identity().expect("a member that joined has an identity");
                Some(Request::SyncGroup { identity, assignments })
            }
            Phase::Leaving { sent: None, until, end } => {
                self.phase = Phase::Leaving { sent: Some(self.next_attempt()), until, end };
                Some(Request::LeaveGroup { member_id: self.member_id.clone() })
            }
            other => {
                self.phase = other;
                None
            }
        }
    }

    fn due_heartbeat(&mut self, now: Tick) -> Option<Request> {
        if self.heartbeat_sent.is_some() || !self.beats() || now < self.heartbeat_at {
            return None;
        }
        let identity = self.identity()?;
        self.heartbeat_sent = Some((self.next_attempt(), now));
        self.heartbeat_at = now.after(self.config.heartbeat_interval_ms);
        Some(Request::Heartbeat(identity))
    }

    /// Sorts an answer by the request it belongs to; one that was given up is dropped.
    fn reply(&mut self, now: Tick, attempt: Attempt, result: Result<Answer, Refusal>) {
        if self.link == Link::Asked(attempt) {
            return self.found(now, result);
        }
        if let Some((beat, sent)) = self.heartbeat_sent
            && beat == attempt
        {
            self.heartbeat_sent = None;
            return self.heartbeat_answered(now, sent, result);
        }
        match &self.phase {
            Phase::JoinSent { attempt: sent, .. } if *sent == attempt => self.join_answered(now, result),
            Phase::SyncSent { attempt: sent } if *sent == attempt => self.sync_answered(now, result),
            Phase::Leaving { sent: Some(sent), end, .. } if *sent == attempt => {
                let end = end.clone();
                self.end(end);
            }
            _ => {}
        }
    }

    fn found(&mut self, now: Tick, result: Result<Answer, Refusal>) {
        match result {
            Ok(Answer::Coordinator(coordinator)) => {
                self.link = Link::Known;
                self.connect_to = Some(coordinator);
            }
            Ok(other) => unreachable_answer(Api::FindCoordinator, &other),
            Err(refusal) => match reaction(Api::FindCoordinator, &refusal) {
                Reaction::Fatal(code) => self.refused(Api::FindCoordinator, code),
                _ => self.link = Link::Unknown { ask_at: now.after(self.backoff.next_ms()) },
            },
        }
    }

    fn join_answered(&mut self, now: Tick, result: Result<Answer, Refusal>) {
        match result {
            Ok(Answer::MemberId(member_id)) => {
                self.member_id = member_id;
                if let Phase::JoinSent { subscription, .. } = std::mem::replace(&mut self.phase, Phase::Ended) {
                    self.phase = Phase::Joining { subscription };
                }
            }
            Ok(Answer::Joined { member_id, generation, lead }) => {
                self.member_id = member_id;
                self.generation = generation;
                self.contact = now;
                // An answer to a heartbeat of the generation before says nothing about this one.
                self.heartbeat_sent = None;
                self.heartbeat_at = now.after(self.config.heartbeat_interval_ms);
                self.phase = match lead {
                    None => Phase::Syncing { assignments: Vec::new() },
                    Some(members) => {
                        self.computing += 1;
                        self.orders.push_back(Order::Compute(members));
                        Phase::Computing
                    }
                };
            }
            Ok(other) => unreachable_answer(Api::JoinGroup, &other),
            Err(refusal) => self.react(now, Api::JoinGroup, &refusal),
        }
    }

    fn sync_answered(&mut self, now: Tick, result: Result<Answer, Refusal>) {
        match result {
            Ok(Answer::Synced(bytes)) => match Target::decode(&bytes) {
                Ok(target) if target.error_code == 0 => self.reconcile(now, target),
                Ok(target) => self.drain(now, End::Assignor(target.error_code)),
                Err(error) => self.drain(now, End::Unreadable(error)),
            },
            Ok(other) => unreachable_answer(Api::SyncGroup, &other),
            Err(refusal) => self.react(now, Api::SyncGroup, &refusal),
        }
    }

    fn heartbeat_answered(&mut self, now: Tick, sent: Tick, result: Result<Answer, Refusal>) {
        // The coordinator restarts its session timer when the request arrives, so not before it was sent.
        let known = [ErrorCode::REBALANCE_IN_PROGRESS, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS];
        match result {
            Ok(_) => self.contact = sent,
            Err(refusal) => {
                if matches!(&refusal, Refusal::Code(code) if known.contains(code)) {
                    self.contact = sent;
                }
                self.react(now, Api::Heartbeat, &refusal);
            }
        }
    }

    fn commit_refused(&mut self, now: Tick, generation: i32, code: ErrorCode) {
        if generation != self.generation {
            return;
        }
        match code {
            // The generation moves on while the member rejoins; the commit is repeated afterwards.
            ErrorCode::ILLEGAL_GENERATION | ErrorCode::REBALANCE_IN_PROGRESS if self.rejoins() => {}
            _ => self.react(now, Api::OffsetCommit, &Refusal::Code(code)),
        }
    }

    /// Whether a JoinGroup or SyncGroup is under way.
    const fn rejoins(&self) -> bool {
        match self.phase {
            Phase::Describing
            | Phase::Joining { .. }
            | Phase::JoinSent { .. }
            | Phase::Computing
            | Phase::Syncing { .. }
            | Phase::SyncSent { .. } => true,
            Phase::Revoking { .. }
            | Phase::Stable
            | Phase::Losing
            | Phase::Draining { .. }
            | Phase::Leaving { .. }
            | Phase::Ended => false,
        }
    }

    fn react(&mut self, now: Tick, api: Api, refusal: &Refusal) {
        match reaction(api, refusal) {
            Reaction::Retry => self.retry(now, api),
            Reaction::Rejoin if api == Api::Heartbeat || api == Api::OffsetCommit => {
                // While tasks are revoked the member rejoins anyway, right after.
                if matches!(self.phase, Phase::Stable) {
                    self.rejoin(now, "the group rebalances");
                }
            }
            Reaction::Rejoin => self.retry(now, api),
            Reaction::FindCoordinator => {
                self.link = Link::Unknown { ask_at: now.after(self.backoff.next_ms()) };
                self.heartbeat_sent = None;
                if self.rejoins() {
                    self.rejoin(now, "the coordinator changed");
                }
            }
            Reaction::ResetGeneration => self.lose(now, "the generation is over"),
            Reaction::ResetIdentity => {
                self.member_id.clear();
                self.lose(now, "the coordinator no longer knows the member");
            }
            Reaction::Fenced => self.stop(End::Fenced),
            Reaction::Fatal(code) => self.refused(api, code),
        }
    }

    /// Joins again after a wait when a join failed; a heartbeat or commit is repeated by its own timer.
    fn retry(&mut self, now: Tick, api: Api) {
        if matches!(api, Api::JoinGroup | Api::SyncGroup) {
            self.rejoin_later(now, "the last attempt failed");
        }
    }

    fn rejoin_later(&mut self, now: Tick, reason: &'static str) {
        self.rejoin(now, reason);
        self.join_at = now.after(self.backoff.next_ms());
    }

    /// Starts a join that keeps the tasks.
    fn rejoin(&mut self, now: Tick, reason: &'static str) {
        self.join_at = now;
        self.join_reason = reason;
        self.describing += 1;
        self.phase = Phase::Describing;
        let generation = self.generation;
        self.orders.push_back(Order::Describe { owned: self.owned.clone(), generation });
    }

    /// Gives up all tasks and then joins again, or goes on leaving.
    fn lose(&mut self, now: Tick, reason: &'static str) {
        self.generation = -1;
        self.heartbeat_sent = None;
        self.lose_tasks();
        match &self.phase {
            Phase::Draining { .. } | Phase::Leaving { .. } | Phase::Ended => {}
            _ if self.releasing > 0 => {
                self.join_reason = reason;
                self.phase = Phase::Losing;
            }
            _ => self.rejoin_later(now, reason),
        }
    }

    fn lose_tasks(&mut self) {
        if !self.owned.is_empty() {
            self.releasing += 1;
            self.orders.push_back(Order::LoseAll(std::mem::take(&mut self.owned)));
        }
    }

    /// Revokes what the target does not have; without that, assigns at once.
    fn reconcile(&mut self, now: Tick, target: Target) {
        self.backoff.reset();
        let tasks = &self.owned - &target.active;
        if tasks.is_empty() {
            return self.assign(now, target);
        }
        let recycle = &tasks & &target.standby;
        self.releasing += 1;
        self.orders.push_back(Order::Revoke { tasks, recycle });
        self.phase = Phase::Revoking { target: Box::new(target) };
    }

    fn assign(&mut self, now: Tick, target: Target) {
        let rejoin = target.rejoin_now || !self.owned.is_subset(&target.active);
        self.owned.clone_from(&target.active);
        self.orders.push_back(Order::Assign(target));
        self.phase = Phase::Stable;
        if rejoin {
            self.rejoin(now, "revoked tasks are free for their new owners");
        }
    }

    /// Every order to release is answered.
    fn released(&mut self, now: Tick) {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Revoking { target } => self.assign(now, *target),
            Phase::Losing => self.rejoin_later(now, self.join_reason),
            Phase::Draining { end } => self.leave(now, end),
            other => self.phase = other,
        }
    }

    /// Revokes everything for good, then leaves.
    fn drain(&mut self, now: Tick, end: End) {
        if matches!(self.phase, Phase::Draining { .. } | Phase::Leaving { .. } | Phase::Ended) {
            return;
        }
        if !self.owned.is_empty() && !matches!(self.phase, Phase::Losing) {
            self.releasing += 1;
            // What is being revoked already is not revoked twice.
            let tasks = match &self.phase {
                Phase::Revoking { target } => &self.owned & &target.active,
                _ => self.owned.clone(),
            };
            self.orders.push_back(Order::Revoke { tasks, recycle: BTreeSet::new() });
        }
        if self.releasing > 0 { self.phase = Phase::Draining { end } } else { self.leave(now, end) }
    }

    /// Tells the coordinator, unless it does not know the member or the member is static and may come back.
    fn leave(&mut self, now: Tick, end: End) {
        self.owned.clear();
        self.heartbeat_sent = None;
        if self.member_id.is_empty() || self.config.instance_id.is_some() {
            return self.end(end);
        }
        let until = now.after(self.config.leave_timeout_ms);
        self.phase = Phase::Leaving { sent: None, until, end };
    }

    fn refused(&mut self, api: Api, code: ErrorCode) {
        self.stop(End::Refused { request: api.name(), code });
    }

    /// Ends without a farewell; tasks that are left are lost.
    fn stop(&mut self, end: End) {
        self.lose_tasks();
        self.end(end);
    }

    fn end(&mut self, end: End) {
        self.generation = -1;
        self.phase = Phase::Ended;
        self.orders.push_back(Order::Stop(end));
    }
}

/// The connection pairs each answer with its request.
fn unreachable_answer(api: Api, answer: &Answer) {
    unreachable!("{} was answered with {answer:?}", api.name());
}
