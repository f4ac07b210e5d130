//! What other members and the coordinator send.

use std::collections::BTreeMap;

use crate::group::CommitMetadata;
use crate::group::codec::{
    AssignmentInfo, ConsumerAssignment, ConsumerSubscription, Reader, Subscription, SubscriptionInfo,
};
use crate::group::leader::{TaskInputs, Tasks, lead};
use crate::group::member::{JoinedMember, Target};
use crate::types::{TaskId, TopicPartition};
use crate::wire::coordinator::responses::{self, Body};

/// Subscriptions, assignments and commit metadata; the leader gets the bytes as one of its members' subscription.
pub fn group(data: &[u8]) {
    if let Ok(Subscription::Known(info)) = SubscriptionInfo::decode(data) {
        assert_eq!(SubscriptionInfo::decode(&info.encode()), Ok(Subscription::Known(info)));
    }
    if let Ok(info) = AssignmentInfo::decode(data) {
        assert_eq!(AssignmentInfo::decode(&info.encode()), Ok(info));
    }
    if let Ok(mut read) = ConsumerSubscription::decode(data) {
        read.owned.sort();
        let mut again = ConsumerSubscription::decode(&read.encode()).expect("what was written reads");
        again.owned.sort();
        assert_eq!(again, read);
    }
    if let Ok(read) = ConsumerAssignment::decode(data) {
        assert_eq!(ConsumerAssignment::decode(&read.encode()), Ok(read));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let metadata = CommitMetadata::decode(text);
        assert_eq!(CommitMetadata::decode(&metadata.encode()), metadata);
    }
    let target = Target::decode(data);
    assert!(target.is_ok() || !data.is_empty(), "no bytes are no assignment");
    leads(data);
}

/// The leader answers every member, whatever one of them sent, and gives no task twice.
fn leads(data: &[u8]) {
    let inputs = |number| TaskInputs { stateful: true, partitions: vec![TopicPartition::new("in", number)] };
    let tasks: Tasks = (0..3).map(|number| (TaskId::new(0, number), inputs(number))).collect();
    let member = |id: &str, subscription: &[u8]| JoinedMember {
        member_id: id.to_owned(),
        instance_id: None,
        subscription: subscription.to_vec(),
    };
    let whole = ConsumerSubscription { user_data: data.to_vec(), generation: -1, ..ConsumerSubscription::default() };
    let members = [member("a", data), member("b", &whole.encode())];
    let assignments = lead(&members, &tasks, &BTreeMap::new());
    let mut answered: Vec<&str> = assignments.iter().map(|(id, _)| id.as_str()).collect();
    answered.sort_unstable();
    assert_eq!(answered, ["a", "b"]);
    let given = assignments.iter().flat_map(|(_, bytes)| Target::decode(bytes).expect("our own assignment").active);
    let mut given: Vec<TaskId> = given.collect();
    let count = given.len();
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), count, "a task was given twice");
}

/// Answers of the coordinator, each in both encodings and every version.
pub fn answers(data: &[u8]) {
    for flexible in [false, true] {
        let body = || Body::new(Reader::new(data), flexible);
        // Read or refused: the connection decides what a refusal means.
        let _ = responses::api_versions(body());
        let _ = responses::heartbeat(body());
        let _ = responses::offset_commit(body());
        for version in 0..=10 {
            let _ = responses::find_coordinator(body(), version);
            let _ = responses::join_group(body(), version);
            let _ = responses::sync_group(body(), version);
            let _ = responses::leave_group(body(), version);
            let _ = responses::offset_fetch(body(), version);
        }
    }
}
