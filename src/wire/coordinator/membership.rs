//! The control thread's view of the group: the member's machine on top of its connections.

use crossbeam_channel::Receiver;

use super::{CoordinatorSettings, GroupClient, OffsetsClient};
use crate::group::Tick;
use crate::group::member::{Action, Event, Member, MemberConfig, Order, Refusal};
use crate::wire::Error;

/// A member of the group that speaks for itself and leaves the orders to the runtime.
///
/// The control thread selects over [`Membership::events`] and its own channels, feeds every event into
/// [`Membership::handle`], then obeys [`Membership::poll`] until it is empty, and sleeps until [`Membership::deadline`].
/// Dropping it closes the connections without leaving; to leave, send [`Event::LeaveRequested`] and go on until
/// [`Order::Stop`].
#[derive(Debug)]
pub struct Membership {
    member: Member,
    client: GroupClient,
}

impl Membership {
    /// Starts to join. The errors are those of starting threads.
    pub fn start(now: Tick, settings: &CoordinatorSettings, config: MemberConfig) -> Result<Self, Error> {
        let client = GroupClient::start(settings, &config)?;
        Ok(Self { member: Member::new(now, config), client })
    }

    /// Answers of the coordinator; give each to [`Membership::handle`].
    pub const fn events(&self) -> &Receiver<Event> {
        self.client.events()
    }

    /// Commits and fetches offsets from any thread.
    pub fn offsets(&self) -> OffsetsClient {
        self.client.offsets()
    }

    /// Puts an answer of the coordinator into the channel of [`Membership::events`].
    #[cfg(test)]
    pub(crate) fn answer(&self, event: Event) {
        self.client.answer(event);
    }

    /// The machine, for reading.
    pub const fn member(&self) -> &Member {
        &self.member
    }

    /// Takes an answer of the coordinator or of the runtime.
    pub fn handle(&mut self, now: Tick, event: Event) {
        if let Event::Reply { result: Err(refusal), .. } = &event {
            match refusal {
                Refusal::Code(code) => tracing::debug!(%code, "the group coordinator refused a request"),
                Refusal::Disconnected(reason) => tracing::debug!(reason, "the group coordinator gave no answer"),
            }
        }
        self.member.handle(now, event);
        self.client.publish(self.member.identity());
    }

    /// Sends what is to be sent and returns the next order for the runtime.
    pub fn poll(&mut self, now: Tick) -> Option<Order> {
        let order = loop {
            match self.member.poll(now) {
                None => break None,
                Some(Action::Order(order)) => break Some(order),
                Some(Action::Connect(coordinator)) => {
                    tracing::info!(host = coordinator.host, port = coordinator.port, "the group coordinator is known");
                    self.client.connect(&coordinator);
                }
                Some(Action::Send { attempt, request }) => self.client.send(attempt, request),
            }
        };
        // Time may have ended the session.
        self.client.publish(self.member.identity());
        order
    }

    /// When [`Membership::poll`] has something to do without an event.
    pub fn deadline(&self) -> Tick {
        self.member.deadline()
    }
}
