//! From plain values to Kafka requests.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ApiVersionsRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    OffsetCommitRequest, OffsetFetchRequest, RequestHeader, SyncGroupRequest, TopicName,
};
use kafka_protocol::protocol::{Encodable, HeaderVersion, Request, StrBytes};

use super::fatal;
use crate::group::commit::OffsetToCommit;
use crate::group::member::{Identity, MemberConfig, PROTOCOL_NAME, PROTOCOL_TYPE};
use crate::types::TopicPartition;
use crate::wire::Error;

/// Header and body of one request as bytes.
pub fn encode<R: Request + HeaderVersion>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: &str,
) -> Result<Bytes, Error> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(text(client_id)));
    let mut out = BytesMut::new();
    let encoded = header.encode(&mut out, R::header_version(version)).and_then(|()| request.encode(&mut out, version));
    encoded.map_err(|error| fatal(format!("request {} version {version}", R::KEY), error.to_string()))?;
    Ok(out.freeze())
}

pub fn api_versions() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
}

pub fn find_coordinator(group_id: &str, version: i16) -> FindCoordinatorRequest {
    let request = FindCoordinatorRequest::default().with_key_type(0);
    if version >= 4 { request.with_coordinator_keys(vec![text(group_id)]) } else { request.with_key(text(group_id)) }
}

pub fn join_group(
    config: &MemberConfig,
    member_id: &str,
    subscription: Vec<u8>,
    reason: &'static str,
    version: i16,
) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(StrBytes::from_static_str(PROTOCOL_NAME))
        .with_metadata(subscription.into());
    JoinGroupRequest::default()
        .with_group_id(group(&config.group_id))
        .with_session_timeout_ms(millis(config.session_timeout_ms))
        .with_rebalance_timeout_ms(millis(config.rebalance_timeout_ms))
        .with_member_id(text(member_id))
        .with_group_instance_id(config.instance_id.as_deref().map(text))
        .with_protocol_type(StrBytes::from_static_str(PROTOCOL_TYPE))
        .with_protocols(vec![protocol])
        .with_reason((version >= 8).then(|| StrBytes::from_static_str(reason)))
}

pub fn sync_group(group_id: &str, identity: &Identity, assignments: Vec<(String, Vec<u8>)>) -> SyncGroupRequest {
    let assignment = |(member_id, bytes): (String, Vec<u8>)| {
        SyncGroupRequestAssignment::default()
            .with_member_id(StrBytes::from_string(member_id))
            .with_assignment(bytes.into())
    };
    SyncGroupRequest::default()
        .with_group_id(group(group_id))
        .with_generation_id(identity.generation)
        .with_member_id(text(&identity.member_id))
        .with_group_instance_id(identity.instance_id.as_deref().map(text))
        .with_protocol_type(Some(StrBytes::from_static_str(PROTOCOL_TYPE)))
        .with_protocol_name(Some(StrBytes::from_static_str(PROTOCOL_NAME)))
        .with_assignments(assignments.into_iter().map(assignment).collect())
}

pub fn heartbeat(group_id: &str, identity: &Identity) -> HeartbeatRequest {
    HeartbeatRequest::default()
        .with_group_id(group(group_id))
        .with_generation_id(identity.generation)
        .with_member_id(text(&identity.member_id))
        .with_group_instance_id(identity.instance_id.as_deref().map(text))
}

pub fn leave_group(group_id: &str, member_id: &str, version: i16) -> LeaveGroupRequest {
    let request = LeaveGroupRequest::default().with_group_id(group(group_id));
    if version >= 3 {
        let reason = StrBytes::from_static_str("the process stops");
        let member = MemberIdentity::default().with_member_id(text(member_id)).with_reason(Some(reason));
        request.with_members(vec![member])
    } else {
        request.with_member_id(text(member_id))
    }
}

pub fn offset_commit(group_id: &str, identity: &Identity, offsets: &[OffsetToCommit]) -> OffsetCommitRequest {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for commit in offsets {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(commit.partition.partition)
            .with_committed_offset(commit.offset)
            .with_committed_leader_epoch(commit.leader_epoch.unwrap_or(-1))
            .with_committed_metadata(Some(text(&commit.metadata)));
        topics.entry(&commit.partition.topic).or_default().push(partition);
    }
    let topic =
        |(name, partitions)| OffsetCommitRequestTopic::default().with_name(topic(name)).with_partitions(partitions);
    OffsetCommitRequest::default()
        .with_group_id(group(group_id))
        .with_generation_id_or_member_epoch(identity.generation)
        .with_member_id(text(&identity.member_id))
        .with_group_instance_id(identity.instance_id.as_deref().map(text))
        .with_topics(topics.into_iter().map(topic).collect())
}

/// Asks for stable offsets where the version can (7): an older broker has no transactions that need it.
pub fn offset_fetch(group_id: &str, partitions: &[TopicPartition], version: i16) -> OffsetFetchRequest {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        by_topic.entry(&partition.topic).or_default().push(partition.partition);
    }
    let request = OffsetFetchRequest::default().with_require_stable(version >= 7);
    if version >= 8 {
        let topic = |(name, indexes)| {
            OffsetFetchRequestTopics::default().with_name(topic(name)).with_partition_indexes(indexes)
        };
        let topics = by_topic.into_iter().map(topic).collect();
        let group = OffsetFetchRequestGroup::default().with_group_id(group(group_id)).with_topics(Some(topics));
        request.with_groups(vec![group])
    } else {
        let topic =
            |(name, indexes)| OffsetFetchRequestTopic::default().with_name(topic(name)).with_partition_indexes(indexes);
        request.with_group_id(group(group_id)).with_topics(Some(by_topic.into_iter().map(topic).collect()))
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

fn millis(ms: u64) -> i32 {
    i32::try_from(ms).unwrap_or(i32::MAX)
}
