//! The machine of [`Member`]: its state and the two ways in and out.

use std::collections::{BTreeSet, VecDeque};

use super::{Action, Attempt, Coordinator, End, Event, Identity, MemberConfig, Order, Request, Target};
use crate::group::Tick;
use crate::types::{Backoff, TaskId};

/// What is known of the coordinator. Independent of the phase: a coordinator that moves costs no task.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Link {
    Unknown { ask_at: Tick },
    Asked(Attempt),
    Known,
}

/// Where the member is in its conversation with the group.
#[derive(Debug)]
pub(super) enum Phase {
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
    pub(super) config: MemberConfig,
    pub(super) backoff: Backoff,
    pub(super) link: Link,
    pub(super) phase: Phase,
    /// No JoinGroup before.
    pub(super) join_at: Tick,
    pub(super) join_reason: &'static str,
    /// Empty until the coordinator gave one.
    pub(super) member_id: String,
    /// -1 outside the group.
    pub(super) generation: i32,
    pub(super) owned: BTreeSet<TaskId>,
    pub(super) last_attempt: Attempt,
    pub(super) heartbeat_sent: Option<(Attempt, Tick)>,
    pub(super) heartbeat_at: Tick,
    /// When the coordinator last knew the member to be alive, at the earliest.
    pub(super) contact: Tick,
    /// A coordinator that the connections do not know yet.
    pub(super) connect_to: Option<Coordinator>,
    /// Not handed out yet; at most a few, as the member waits for their answers.
    pub(super) orders: VecDeque<Order>,
    /// Orders handed out and not answered. Only the answer to the last one counts.
    pub(super) describing: u32,
    pub(super) computing: u32,
    pub(super) releasing: u32,
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
            Event::RejoinRequested if matches!(self.phase, Phase::Stable) => self.rejoin(now, "tasks were given up"),
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
}
