//! From Kafka answers to plain values.
//!
//! Read by our own bounded reader: kafka-protocol 0.18 reserves memory for whatever count an answer claims, so one
//! damaged byte would abort the process. Its encoder is the model in the tests.

use std::collections::BTreeMap;

use super::versions::Versions;
use crate::group::ErrorCode;
use crate::group::codec::{DecodeError, Reader};
use crate::group::member::{Coordinator, JoinedMember};
use crate::types::{Offset, TopicPartition};

/// What the broker said about one request, or about one of its parts.
pub type Said<T> = Result<T, ErrorCode>;

/// A position in the group's offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// First record not processed yet.
    pub offset: Offset,
    /// Leader epoch that was committed with it.
    pub leader_epoch: Option<i32>,
    /// [`CommitMetadata`](crate::group::CommitMetadata) as text.
    pub metadata: String,
}

/// A successful JoinGroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// New generation.
    pub generation: i32,
    /// Own id.
    pub member_id: String,
    /// Everyone, when this member leads and must assign.
    pub lead: Option<Vec<JoinedMember>>,
}

/// A JoinGroup that failed, with the member id that comes with code 79.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinError {
    /// How it failed.
    pub code: ErrorCode,
    /// Empty, unless the broker gave one.
    pub member_id: String,
}

/// An answer's body, in the encoding of its version.
pub struct Body<'a> {
    from: Reader<'a>,
    flexible: bool,
}

impl<'a> Body<'a> {
    pub const fn new(from: Reader<'a>, flexible: bool) -> Self {
        Self { from, flexible }
    }

    fn code(&mut self) -> Result<Said<()>, DecodeError> {
        let code = self.from.i16()?;
        Ok(if code == 0 { Ok(()) } else { Err(ErrorCode(code)) })
    }

    fn throttle(&mut self) -> Result<(), DecodeError> {
        self.from.i32().map(|_| ())
    }

    /// Length or count in either encoding, each unit taking a byte or more; `None` is null.
    fn length(&mut self, short: bool) -> Result<Option<usize>, DecodeError> {
        let length = match (self.flexible, short) {
            (true, _) => i64::from(self.from.uvarint()?) - 1,
            (false, true) => self.from.i16()?.into(),
            (false, false) => self.from.i32()?.into(),
        };
        if length == -1 { Ok(None) } else { self.from.bounded(length, 1).map(Some) }
    }

    fn text(&mut self) -> Result<String, DecodeError> {
        let length = self.length(true)?;
        length.map_or(Ok(""), |length| self.from.utf8(length)).map(str::to_owned)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, DecodeError> {
        let length = self.length(false)?;
        length.map_or(Ok(&[][..]), |length| self.from.take(length)).map(<[u8]>::to_vec)
    }

    /// Reads each element, and the tags after it.
    fn each<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>) -> Result<Vec<T>, DecodeError> {
        let count = self.length(false)?.unwrap_or_default();
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(read(self)?);
            self.tags()?;
        }
        Ok(all)
    }

    /// Skips tagged fields.
    pub fn tags(&mut self) -> Result<(), DecodeError> {
        if self.flexible {
            let count = self.from.uvarint()?;
            for _ in 0..self.from.bounded(count.into(), 2)? {
                self.from.uvarint()?;
                let length = self.from.uvarint()?;
                let length = self.from.bounded(length.into(), 1)?;
                self.from.take(length)?;
            }
        }
        Ok(())
    }

    fn end<T>(&mut self, value: T) -> Result<T, DecodeError> {
        self.tags()?;
        self.from.end()?;
        Ok(value)
    }
}

/// ApiVersions, version 2.
pub fn api_versions(mut body: Body<'_>) -> Result<Said<Versions>, DecodeError> {
    let code = body.code()?;
    let ranges = body.each(|body| Ok((body.from.i16()?, (body.from.i16()?, body.from.i16()?))))?;
    body.throttle()?;
    body.end(code.map(|()| Versions(ranges.into_iter().collect())))
}

pub fn find_coordinator(mut body: Body<'_>, version: i16) -> Result<Said<Coordinator>, DecodeError> {
    body.throttle()?;
    if version >= 4 {
        let found = body.each(|body| {
            body.text()?;
            let coordinator = coordinator(body)?;
            let code = body.code()?;
            body.text()?;
            Ok((code, coordinator))
        })?;
        let mut found = body.end(found)?;
        let (code, coordinator) = found.pop().ok_or(DecodeError { what: "no coordinator in the answer", at: 0 })?;
        checked(code, coordinator)
    } else {
        let code = body.code()?;
        body.text()?;
        let coordinator = coordinator(&mut body)?;
        let coordinator = body.end(coordinator)?;
        checked(code, coordinator)
    }
}

/// Host and port; the port of no coordinator is -1.
fn coordinator(body: &mut Body<'_>) -> Result<(String, i32), DecodeError> {
    body.from.i32()?;
    Ok((body.text()?, body.from.i32()?))
}

fn checked(code: Said<()>, (host, port): (String, i32)) -> Result<Said<Coordinator>, DecodeError> {
    if let Err(code) = code {
        return Ok(Err(code));
    }
    match u16::try_from(port) {
        Ok(port) if port > 0 && !host.is_empty() => Ok(Ok(Coordinator { host, port })),
        _ => Err(DecodeError { what: "a coordinator without an address", at: 0 }),
    }
}

pub fn join_group(mut body: Body<'_>, version: i16) -> Result<Result<Joined, JoinError>, DecodeError> {
    body.throttle()?;
    let code = body.code()?;
    let generation = body.from.i32()?;
    if version >= 7 {
        body.text()?;
    }
    body.text()?;
    let leader = body.text()?;
    let skip_assignment = version >= 9 && body.from.i8()? != 0;
    let member_id = body.text()?;
    let members = body.each(|body| {
        let member_id = body.text()?;
        let instance_id = Some(body.text()?).filter(|id| !id.is_empty());
        Ok(JoinedMember { member_id, instance_id, subscription: body.bytes()? })
    })?;
    body.end(())?;
    if let Err(code) = code {
        return Ok(Err(JoinError { code, member_id }));
    }
    if generation < 0 || member_id.is_empty() {
        return Err(DecodeError { what: "joined without a member id or generation", at: 0 });
    }
    let lead = (leader == member_id && !skip_assignment).then_some(members);
    Ok(Ok(Joined { generation, member_id, lead }))
}

pub fn sync_group(mut body: Body<'_>, version: i16) -> Result<Said<Vec<u8>>, DecodeError> {
    body.throttle()?;
    let code = body.code()?;
    if version >= 5 {
        body.text()?;
        body.text()?;
    }
    let assignment = body.bytes()?;
    body.end(code.map(|()| assignment))
}

pub fn heartbeat(mut body: Body<'_>) -> Result<Said<()>, DecodeError> {
    body.throttle()?;
    let code = body.code()?;
    body.end(code)
}

/// The error of the whole answer, or else of the one member that left.
pub fn leave_group(mut body: Body<'_>, version: i16) -> Result<Said<()>, DecodeError> {
    body.throttle()?;
    let mut code = body.code()?;
    if version >= 3 {
        let members = body.each(|body| {
            body.text()?;
            body.text()?;
            body.code()
        })?;
        code = members.into_iter().fold(code, Result::and);
    }
    body.end(code)
}

/// The first error of any partition.
pub fn offset_commit(mut body: Body<'_>) -> Result<Said<()>, DecodeError> {
    body.throttle()?;
    let topics = body.each(|body| {
        body.text()?;
        body.each(|body| {
            body.from.i32()?;
            body.code()
        })
    })?;
    body.end(topics.into_iter().flatten().collect())
}

/// Offsets by partition, without those that have none; or the first error.
pub fn offset_fetch(
    mut body: Body<'_>,
    version: i16,
) -> Result<Said<BTreeMap<TopicPartition, CommittedOffset>>, DecodeError> {
    body.throttle()?;
    let said = if version >= 8 {
        let groups = body.each(|body| {
            body.text()?;
            let offsets = fetched(body)?;
            Ok(body.code()?.and(offsets))
        })?;
        groups.into_iter().next_back().ok_or(DecodeError { what: "no group in the answer", at: 0 })?
    } else {
        let offsets = fetched(&mut body)?;
        body.code()?.and(offsets)
    };
    body.end(said)
}

fn fetched(body: &mut Body<'_>) -> Result<Said<BTreeMap<TopicPartition, CommittedOffset>>, DecodeError> {
    let topics = body.each(|body| {
        let topic: std::sync::Arc<str> = body.text()?.into();
        body.each(|body| {
            let partition = TopicPartition::new(topic.clone(), body.from.i32()?);
            let offset = body.from.i64()?;
            let leader_epoch = Some(body.from.i32()?).filter(|epoch| *epoch >= 0);
            let metadata = body.text()?;
            let committed = (offset >= 0).then_some((partition, CommittedOffset { offset, leader_epoch, metadata }));
            Ok(body.code()?.map(|()| committed))
        })
    })?;
    Ok(topics.into_iter().flatten().filter_map(Result::transpose).collect())
}

#[cfg(test)]
mod tests;
