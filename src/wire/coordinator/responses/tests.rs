#![allow(clippy::unwrap_used)]

//! The encoder of kafka-protocol writes, our reader reads.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::find_coordinator_response::Coordinator as FoundCoordinator;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_fetch_response::*;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, StrBytes};
use proptest::prelude::*;

use super::*;
use crate::wire::coordinator::versions::ApiKey;

fn bytes_of(response: &impl Encodable, version: i16) -> Vec<u8> {
    let mut out = BytesMut::new();
    response.encode(&mut out, version).unwrap();
    out.to_vec()
}

/// Reads with `read`, and sees that no truncation and no changed byte is a panic and that nothing may follow.
fn check<T>(
    api: ApiKey,
    version: i16,
    response: &impl Encodable,
    read: impl Fn(Body<'_>, i16) -> Result<T, DecodeError>,
) -> T {
    let bytes = bytes_of(response, version);
    let flexible = api.is_flexible(version);
    fn body(bytes: &[u8], flexible: bool) -> Body<'_> {
        Body::new(Reader::new(bytes), flexible)
    }
    for length in 0..bytes.len() {
        assert!(
            read(body(&bytes[..length], flexible), version).is_err(),
            "{api:?} {version}: {length} bytes of {}",
            bytes.len()
        );
    }
    for at in 0..bytes.len() {
        let mut broken = bytes.clone();
        broken[at] ^= 0xff;
        let _ = read(body(&broken, flexible), version);
    }
    assert!(read(body(&[&bytes[..], &[0]].concat(), flexible), version).is_err(), "{api:?} {version}: a byte too many");
    read(body(&bytes, flexible), version).unwrap()
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

#[test]
fn api_versions_reads() {
    let api = ApiVersion::default().with_api_key(11).with_min_version(2).with_max_version(9);
    let response = ApiVersionsResponse::default().with_api_keys(vec![api]);
    let versions = check(ApiKey::ApiVersions, 2, &response, |body, _| api_versions(body)).unwrap();
    assert_eq!(versions.0, BTreeMap::from([(11, (2, 9))]));
}

#[test]
fn find_coordinator_reads_every_version() {
    let expected = Coordinator { host: "broker".to_owned(), port: 9092 };
    let response = FindCoordinatorResponse::default().with_host(text("broker")).with_port(9092);
    assert_eq!(check(ApiKey::FindCoordinator, 2, &response, find_coordinator), Ok(expected.clone()));
    let failed = FindCoordinatorResponse::default().with_error_code(15).with_port(-1);
    assert_eq!(check(ApiKey::FindCoordinator, 2, &failed, find_coordinator), Err(ErrorCode::COORDINATOR_NOT_AVAILABLE));
    for version in [4, 5, 6] {
        let found = FoundCoordinator::default().with_key(text("app")).with_host(text("broker")).with_port(9092);
        let response = FindCoordinatorResponse::default().with_coordinators(vec![found.clone()]);
        assert_eq!(check(ApiKey::FindCoordinator, version, &response, find_coordinator), Ok(expected.clone()));
        let found = found.with_error_code(15).with_error_message(Some(text("wait"))).with_port(-1);
        let response = FindCoordinatorResponse::default().with_coordinators(vec![found]);
        let said = check(ApiKey::FindCoordinator, version, &response, find_coordinator);
        assert_eq!(said, Err(ErrorCode::COORDINATOR_NOT_AVAILABLE));
    }
}

#[test]
fn join_group_reads_every_version() {
    for version in [5, 7, 8, 9] {
        let member = |id: &str, instance: Option<&str>| {
            JoinGroupResponseMember::default()
                .with_member_id(text(id))
                .with_group_instance_id(instance.map(text))
                .with_metadata(Bytes::from_static(&[1, 2]))
        };
        let members = vec![member("m1", None), member("m2", Some("i2"))];
        let response = JoinGroupResponse::default()
            .with_generation_id(4)
            .with_protocol_name(Some(text("stream")))
            .with_leader(text("m1"))
            .with_member_id(text("m1"))
            .with_members(members);
        let joined = check(ApiKey::JoinGroup, version, &response, join_group).unwrap();
        let member = |id: &str, instance: Option<&str>| JoinedMember {
            member_id: id.to_owned(),
            instance_id: instance.map(str::to_owned),
            subscription: vec![1, 2],
        };
        let lead = Some(vec![member("m1", None), member("m2", Some("i2"))]);
        assert_eq!(joined, Joined { generation: 4, member_id: "m1".to_owned(), lead });

        let follower = response.clone().with_member_id(text("m2")).with_members(Vec::new());
        assert_eq!(check(ApiKey::JoinGroup, version, &follower, join_group).unwrap().lead, None);
        let failed = JoinGroupResponse::default()
            .with_error_code(79)
            .with_generation_id(-1)
            .with_protocol_name(Some(text("")))
            .with_member_id(text("m7"));
        let error = JoinError { code: ErrorCode::MEMBER_ID_REQUIRED, member_id: "m7".to_owned() };
        assert_eq!(check(ApiKey::JoinGroup, version, &failed, join_group), Err(error));
        if version == 9 {
            let skipped = response.with_skip_assignment(true);
            assert_eq!(check(ApiKey::JoinGroup, version, &skipped, join_group).unwrap().lead, None);
        }
    }
}

#[test]
fn joined_without_an_identity_is_broken() {
    let response = JoinGroupResponse::default().with_generation_id(1).with_protocol_name(Some(text("stream")));
    let bytes = bytes_of(&response, 5);
    let error = join_group(Body::new(Reader::new(&bytes), false), 5).unwrap_err();
    assert_eq!(error.what, "joined without a member id or generation");
}

#[test]
fn sync_heartbeat_and_leave_read_every_version() {
    for version in [3, 5] {
        let response = SyncGroupResponse::default().with_assignment(Bytes::from_static(&[7, 8]));
        assert_eq!(check(ApiKey::SyncGroup, version, &response, sync_group), Ok(vec![7, 8]));
        let failed = SyncGroupResponse::default().with_error_code(27);
        let said = check(ApiKey::SyncGroup, version, &failed, sync_group);
        assert_eq!(said, Err(ErrorCode::REBALANCE_IN_PROGRESS));
    }
    let read = |body: Body<'_>, _| heartbeat(body);
    assert_eq!(check(ApiKey::Heartbeat, 3, &HeartbeatResponse::default(), read), Ok(()));
    let failed = HeartbeatResponse::default().with_error_code(25);
    assert_eq!(check(ApiKey::Heartbeat, 3, &failed, read), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    let failed = LeaveGroupResponse::default().with_error_code(25);
    assert_eq!(check(ApiKey::LeaveGroup, 2, &failed, leave_group), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    let member = MemberResponse::default().with_member_id(text("m")).with_error_code(25);
    let failed = LeaveGroupResponse::default().with_members(vec![member]);
    assert_eq!(check(ApiKey::LeaveGroup, 5, &failed, leave_group), Err(ErrorCode::UNKNOWN_MEMBER_ID));
}

#[test]
fn offset_commit_reads_every_version() {
    for version in [7, 8, 9] {
        let response = |code| {
            let partition = |index, code| {
                OffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(code)
            };
            let topic = OffsetCommitResponseTopic::default().with_name(TopicName(text("t")));
            let topic = topic.with_partitions(vec![partition(0, 0), partition(1, code)]);
            OffsetCommitResponse::default().with_topics(vec![topic])
        };
        let read = |body: Body<'_>, _| offset_commit(body);
        assert_eq!(check(ApiKey::OffsetCommit, version, &response(0), read), Ok(()));
        assert_eq!(check(ApiKey::OffsetCommit, version, &response(22), read), Err(ErrorCode::ILLEGAL_GENERATION));
    }
}

/// One topic with an offset on partition 0 and none on partition 1, the second with an error code.
fn fetch_response(version: i16, code: i16) -> OffsetFetchResponse {
    let (name, metadata) = (TopicName(text("t")), Some(text("meta")));
    if version >= 8 {
        let has = OffsetFetchResponsePartitions::default().with_committed_offset(5).with_committed_leader_epoch(3);
        let none = OffsetFetchResponsePartitions::default().with_partition_index(1).with_committed_offset(-1);
        let partitions = vec![has.with_metadata(metadata), none.with_error_code(code)];
        let topics = vec![OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions)];
        let group = OffsetFetchResponseGroup::default().with_group_id(GroupId(text("app"))).with_topics(topics);
        OffsetFetchResponse::default().with_groups(vec![group])
    } else {
        let has = OffsetFetchResponsePartition::default().with_committed_offset(5).with_committed_leader_epoch(3);
        let none = OffsetFetchResponsePartition::default().with_partition_index(1).with_committed_offset(-1);
        let partitions = vec![has.with_metadata(metadata), none.with_error_code(code)];
        OffsetFetchResponse::default()
            .with_topics(vec![OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions)])
    }
}

#[test]
fn offset_fetch_reads_every_version() {
    for version in [6, 7, 8, 9] {
        let offsets = check(ApiKey::OffsetFetch, version, &fetch_response(version, 0), offset_fetch).unwrap();
        let committed = CommittedOffset { offset: 5, leader_epoch: Some(3), metadata: "meta".to_owned() };
        assert_eq!(offsets, BTreeMap::from([(TopicPartition::new("t", 0), committed)]));
        let said = check(ApiKey::OffsetFetch, version, &fetch_response(version, 88), offset_fetch);
        assert_eq!(said, Err(ErrorCode::UNSTABLE_OFFSET_COMMIT));
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120), flexible in any::<bool>(), version in 0_i16..10) {
        let body = || Body::new(Reader::new(&bytes), flexible);
        let _ = api_versions(body());
        let _ = find_coordinator(body(), version);
        let _ = join_group(body(), version);
        let _ = sync_group(body(), version);
        let _ = heartbeat(body());
        let _ = leave_group(body(), version);
        let _ = offset_commit(body());
        let _ = offset_fetch(body(), version);
    }
}
