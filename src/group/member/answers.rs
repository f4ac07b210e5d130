//! What answers of the coordinator do to a [`Member`].

use super::machine::{Link, Member, Phase};
use super::reaction::{Api, Reaction, reaction};
use super::{Answer, Attempt, End, Order, Refusal, Target};
use crate::group::{ErrorCode, Tick};

impl Member {
    /// Sorts an answer by the request it belongs to; one that was given up is dropped.
    pub(super) fn reply(&mut self, now: Tick, attempt: Attempt, result: Result<Answer, Refusal>) {
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

    pub(super) fn commit_refused(&mut self, now: Tick, generation: i32, code: ErrorCode) {
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

    pub(super) fn rejoin_later(&mut self, now: Tick, reason: &'static str) {
        self.rejoin(now, reason);
        self.join_at = now.after(self.backoff.next_ms());
    }
}

/// The connection pairs each answer with its request.
fn unreachable_answer(api: Api, answer: &Answer) {
    unreachable!("{} was answered with {answer:?}", api.name());
}
