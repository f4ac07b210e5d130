//! The two connections of a member, each with its thread; all answers come back on one channel.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use crossbeam_channel::{Receiver, Sender, bounded};

use super::worker::{Job, Worker};
use super::{CoordinatorSettings, OffsetsClient, fatal};
use crate::group::member::{Attempt, Coordinator, Event, Identity, MemberConfig, Refusal, Request};
use crate::wire::Error;

/// Answers that may wait for the control thread; a connection waits when it is full.
const EVENTS_MAX: usize = 256;

/// Sends the member's requests; a JoinGroup in flight delays no heartbeat and no commit.
#[derive(Debug)]
pub struct GroupClient {
    /// JoinGroup and SyncGroup.
    joining: Worker,
    /// Everything else: finding the coordinator, heartbeats, commits, fetches of offsets, leaving.
    living: Worker,
    events: Receiver<Event>,
    answers: Sender<Event>,
    identity: Arc<ArcSwapOption<Identity>>,
}

impl GroupClient {
    /// Starts both threads; they connect when the first request needs it.
    pub fn start(settings: &CoordinatorSettings, config: &MemberConfig) -> Result<Self, Error> {
        let (answers, events) = bounded(EVENTS_MAX);
        let start = |name: &str, settings: CoordinatorSettings| {
            let worker = Worker::start(name, settings, config.clone(), answers.clone());
            worker.map_err(|error| fatal(format!("start thread {name}"), error.to_string()))
        };
        // A request that hangs must not cost the session.
        let bound = Duration::from_millis(config.session_timeout_ms / 3);
        let request_timeout = settings.request_timeout.min(bound);
        let living = CoordinatorSettings { request_timeout, ..settings.clone() };
        Ok(Self {
            joining: start("group-join", settings.clone())?,
            living: start("group-live", living)?,
            events,
            answers,
            identity: Arc::default(),
        })
    }

    /// Where answers arrive, as events for the member.
    pub const fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    /// Puts an answer into the channel of [`GroupClient::events`].
    #[cfg(test)]
    pub(super) fn answer(&self, event: Event) {
        let _ = self.answers.send(event);
    }

    /// Commits and fetches offsets from any thread.
    pub fn offsets(&self) -> OffsetsClient {
        OffsetsClient::new(self.living.jobs(), self.identity.clone())
    }

    /// What commits identify themselves with from now on.
    pub fn publish(&self, identity: Option<Identity>) {
        if self.identity.load().as_deref() != identity.as_ref() {
            self.identity.store(identity.map(Arc::new));
        }
    }

    /// Uses `coordinator` from now on; what is in flight ends with an error.
    pub fn connect(&self, coordinator: &Coordinator) {
        for worker in [&self.joining, &self.living] {
            worker.interrupt();
            if worker.queue(Job::Connect(coordinator.clone())).is_err() {
                tracing::error!("the coordinator connection's queue is full, its coordinator stays");
            }
        }
    }

    /// Sends; the answer carries `attempt`. A full queue answers as a broken connection does.
    pub fn send(&self, attempt: Attempt, request: Request) {
        let worker = match &request {
            Request::JoinGroup { .. } | Request::SyncGroup { .. } => &self.joining,
            Request::FindCoordinator | Request::Heartbeat(_) | Request::LeaveGroup { .. } => &self.living,
        };
        if worker.queue(Job::Group { attempt, request }).is_err() {
            let result = Err(Refusal::Disconnected("the connection's queue is full".to_owned()));
            if self.answers.try_send(Event::Reply { attempt, result }).is_err() {
                tracing::error!("the control thread does not read the coordinator's answers");
            }
        }
    }
}
