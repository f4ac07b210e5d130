//! How tasks come to a [`Member`] and leave it: joining again, revoking, losing, leaving.

use std::collections::BTreeSet;

use super::machine::{Member, Phase};
use super::reaction::Api;
use super::{End, Order, Target};
use crate::group::{ErrorCode, Tick};

impl Member {
    /// Starts a join that keeps the tasks.
    pub(super) fn rejoin(&mut self, now: Tick, reason: &'static str) {
        self.join_at = now;
        self.join_reason = reason;
        self.describing += 1;
        self.phase = Phase::Describing;
        let generation = self.generation;
        self.orders.push_back(Order::Describe { owned: self.owned.clone(), generation });
    }

    /// Gives up all tasks and then joins again, or goes on leaving.
    pub(super) fn lose(&mut self, now: Tick, reason: &'static str) {
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
    pub(super) fn reconcile(&mut self, now: Tick, target: Target) {
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
    pub(super) fn released(&mut self, now: Tick) {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Revoking { target } => self.assign(now, *target),
            Phase::Losing => self.rejoin_later(now, self.join_reason),
            Phase::Draining { end } => self.leave(now, end),
            other => self.phase = other,
        }
    }

    /// Revokes everything for good, then leaves.
    pub(super) fn drain(&mut self, now: Tick, end: End) {
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

    pub(super) fn refused(&mut self, api: Api, code: ErrorCode) {
        self.stop(End::Refused { request: api.name(), code });
    }

    /// Ends without a farewell; tasks that are left are lost.
    pub(super) fn stop(&mut self, end: End) {
        self.lose_tasks();
        self.end(end);
    }

    pub(super) fn end(&mut self, end: End) {
        self.generation = -1;
        self.phase = Phase::Ended;
        self.orders.push_back(Order::Stop(end));
    }
}
