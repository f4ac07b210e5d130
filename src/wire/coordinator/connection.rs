//! One connection to one broker: a synchronous request and answer, nothing else.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use kafka_protocol::protocol::{HeaderVersion, Request};

use super::responses::{self, Body, CommittedOffset, JoinError, Joined, Said};
use super::versions::{ApiKey, Versions};
use super::{CoordinatorSettings, fatal, frame, requests, retriable};
use crate::group::codec::{DecodeError, Reader};
use crate::group::commit::OffsetToCommit;
use crate::group::member::{Coordinator, Identity, MemberConfig};
use crate::types::TopicPartition;
use crate::wire::Error;

/// A blocking connection to a broker that speaks the group requests.
///
/// After an error the connection is closed and answers every further call with an error: a late or broken answer can
/// never be taken for that of another request.
#[derive(Debug)]
pub struct CoordinatorConnection {
    stream: TcpStream,
    versions: Versions,
    last_correlation_id: i32,
    settings: CoordinatorSettings,
    /// For messages.
    peer: String,
    broken: bool,
}

impl CoordinatorConnection {
    /// Connects to `host:port` and asks what it speaks. Plaintext only: [`CoordinatorSettings`] refuses everything else.
    pub fn open(settings: &CoordinatorSettings, host: &str, port: u16) -> Result<Self, Error> {
        let peer = format!("{host}:{port}");
        let stream = frame::connect(host, port, settings.connect_timeout);
        let stream = stream.map_err(|error| retriable(format!("connect to {peer}"), error.to_string()))?;
        let (settings, versions) = (settings.clone(), Versions::default());
        let mut connection = Self { stream, versions, last_correlation_id: 0, settings, peer, broken: false };
        let said = connection.ask(
            ApiKey::ApiVersions,
            None,
            |_| requests::api_versions(),
            |body, _| responses::api_versions(body),
        )?;
        connection.versions =
            said.map_err(|code| fatal(format!("ApiVersions to {}", connection.peer), code.to_string()))?;
        Ok(connection)
    }

    /// A handle by which another thread can end a call that waits for an answer.
    pub fn interrupter(&self) -> io::Result<TcpStream> {
        self.stream.try_clone()
    }

    /// Asks for the coordinator of a group.
    pub fn find_coordinator(&mut self, group_id: &str) -> Result<Said<Coordinator>, Error> {
        let request = |version| requests::find_coordinator(group_id, version);
        self.ask(ApiKey::FindCoordinator, None, request, responses::find_coordinator)
    }

    /// Joins. Waits for the other members, at most the rebalance timeout and 5 s.
    pub fn join_group(
        &mut self,
        config: &MemberConfig,
        member_id: &str,
        subscription: &[u8],
        reason: &'static str,
    ) -> Result<Result<Joined, JoinError>, Error> {
        let request = |version| requests::join_group(config, member_id, subscription.to_vec(), reason, version);
        self.ask(ApiKey::JoinGroup, Some(rebalance_wait(config)), request, responses::join_group)
    }

    /// Hands in assignments when leading, and receives one's own. Waits as long as [`Self::join_group`].
    pub fn sync_group(
        &mut self,
        config: &MemberConfig,
        identity: &Identity,
        assignments: &[(String, Vec<u8>)],
    ) -> Result<Said<Vec<u8>>, Error> {
        let request = |_| requests::sync_group(&config.group_id, identity, assignments.to_vec());
        self.ask(ApiKey::SyncGroup, Some(rebalance_wait(config)), request, responses::sync_group)
    }

    /// Says that the member is alive.
    pub fn heartbeat(&mut self, group_id: &str, identity: &Identity) -> Result<Said<()>, Error> {
        let request = |_| requests::heartbeat(group_id, identity);
        self.ask(ApiKey::Heartbeat, None, request, |body, _| responses::heartbeat(body))
    }

    /// Leaves.
    pub fn leave_group(&mut self, group_id: &str, member_id: &str) -> Result<Said<()>, Error> {
        let request = |version| requests::leave_group(group_id, member_id, version);
        self.ask(ApiKey::LeaveGroup, None, request, responses::leave_group)
    }

    /// Commits offsets with the member's identity; the first partition that was refused decides.
    pub fn offset_commit(
        &mut self,
        group_id: &str,
        identity: &Identity,
        offsets: &[OffsetToCommit],
    ) -> Result<Said<()>, Error> {
        let request = |_| requests::offset_commit(group_id, identity, offsets);
        self.ask(ApiKey::OffsetCommit, None, request, |body, _| responses::offset_commit(body))
    }

    /// Fetches the group's stable offsets; a partition without one is absent. Code 88: ask again.
    pub fn offset_fetch(
        &mut self,
        group_id: &str,
        partitions: &[TopicPartition],
    ) -> Result<Said<std::collections::BTreeMap<TopicPartition, CommittedOffset>>, Error> {
        let request = |version| requests::offset_fetch(group_id, partitions, version);
        self.ask(ApiKey::OffsetFetch, None, request, responses::offset_fetch)
    }

    /// One request and its answer. `timeout` replaces the setting's.
    fn ask<R: Request + HeaderVersion, T>(
        &mut self,
        api: ApiKey,
        timeout: Option<Duration>,
        request: impl FnOnce(i16) -> R,
        read: impl FnOnce(Body<'_>, i16) -> Result<T, DecodeError>,
    ) -> Result<T, Error> {
        let context = || format!("{api:?} to {}", self.peer);
        if self.broken {
            return Err(retriable(context(), "the connection is closed"));
        }
        let version = self.versions.pick(api)?;
        let correlation_id = self.last_correlation_id.wrapping_add(1) & i32::MAX;
        let bytes = requests::encode(&request(version), version, correlation_id, &self.settings.client_id)?;
        let deadline = Instant::now() + timeout.unwrap_or(self.settings.request_timeout);
        self.last_correlation_id = correlation_id;
        let answer = frame::write(&mut self.stream, &bytes, deadline)
            .and_then(|()| frame::read(&mut self.stream, self.settings.frame_bytes_max, deadline))
            .map_err(|error| error.to_string());
        let answer = answer.and_then(|answer| {
            let body = body(&answer, api, version, correlation_id)?;
            read(body, version).map_err(|error| format!("broken answer: {error}"))
        });
        answer.map_err(|reason| {
            let error = retriable(context(), reason);
            self.broken = true;
            // Closing may fail when the peer closed first; either way it is closed.
            let _ = self.stream.shutdown(Shutdown::Both);
            error
        })
    }
}

/// Checks the header of an answer. That of ApiVersions is never flexible, and neither is our version of it.
fn body(answer: &[u8], api: ApiKey, version: i16, correlation_id: i32) -> Result<Body<'_>, String> {
    let broken = |error: DecodeError| format!("broken answer: {error}");
    let mut from = Reader::new(answer);
    let answered = from.i32().map_err(broken)?;
    if answered != correlation_id {
        return Err(format!("answer {answered} came for request {correlation_id}"));
    }
    let flexible = api.is_flexible(version);
    let mut body = Body::new(from, flexible);
    body.tags().map_err(broken)?;
    Ok(body)
}

/// The coordinator answers when everyone joined or the rebalance timeout is over; 5 s more, as Java waits.
fn rebalance_wait(config: &MemberConfig) -> Duration {
    Duration::from_millis(config.rebalance_timeout_ms.saturating_add(5_000))
}
