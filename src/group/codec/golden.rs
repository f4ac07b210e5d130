//! Our bytes beside those of Kafka's own classes, which `tests/conformance/java/GroupBytes.java` wrote.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{
    AssignmentInfo, ConsumerAssignment, ConsumerSubscription, Endpoint, PartitionsByHost, ProcessId, Subscription,
    SubscriptionInfo,
};
use crate::types::{TaskId, TopicPartition};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubscriptionFields {
    name: String,
    latest_supported_version: i32,
    process_id: uuid::Uuid,
    endpoint: Option<String>,
    offset_sums: BTreeMap<String, i64>,
    unique: i8,
    error_code: i32,
    client_tags: BTreeMap<String, String>,
    bytes: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssignmentFields {
    name: String,
    /// Java writes the topics of hosts in an order of their hashes; here that order is also ours.
    topics_in_order: bool,
    commonly_supported_version: i32,
    active: Vec<String>,
    standby: BTreeMap<String, Vec<String>>,
    active_hosts: BTreeMap<String, Vec<String>>,
    standby_hosts: BTreeMap<String, Vec<String>>,
    error_code: i32,
    next_rebalance_ms: i64,
    bytes: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsumerSubscriptionFields {
    name: String,
    topics: Vec<String>,
    user_data: String,
    owned: Vec<String>,
    generation: i32,
    /// We read past it and never write one.
    rack: Option<String>,
    bytes: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsumerAssignmentFields {
    name: String,
    partitions: Vec<String>,
    user_data: String,
    bytes: String,
}

#[test]
fn subscription_infos_are_javas() {
    let all: Vec<SubscriptionFields> = golden(include_str!("../../../tests/conformance/golden/subscription-info.json"));
    assert_eq!(all.len(), 8);
    for fields in all {
        let info = SubscriptionInfo {
            latest_supported_version: fields.latest_supported_version,
            process_id: ProcessId(fields.process_id.into_bytes()),
            endpoint: fields.endpoint,
            offset_sums: fields.offset_sums.into_iter().map(|(task, sum)| (parse(&task), sum)).collect(),
            unique: fields.unique,
            error_code: fields.error_code,
            client_tags: fields.client_tags,
        };
        assert_eq!(hex(&info.encode()), fields.bytes, "{}", fields.name);
        assert_eq!(SubscriptionInfo::decode(&unhex(&fields.bytes)), Ok(Subscription::Known(info)), "{}", fields.name);
    }
}

#[test]
fn assignment_infos_are_javas() {
    let all: Vec<AssignmentFields> = golden(include_str!("../../../tests/conformance/golden/assignment-info.json"));
    assert_eq!(all.len(), 14);
    for fields in all {
        let info = AssignmentInfo {
            commonly_supported_version: fields.commonly_supported_version,
            active: fields.active.iter().map(|task| parse(task)).collect(),
            standby: fields.standby.iter().map(|(task, of)| (parse(task), partitions(of))).collect(),
            active_hosts: hosts(&fields.active_hosts),
            standby_hosts: hosts(&fields.standby_hosts),
            error_code: fields.error_code,
            next_rebalance_ms: fields.next_rebalance_ms,
        };
        let ours = hex(&info.encode());
        assert_eq!(ours == fields.bytes, fields.topics_in_order, "{}:\n{ours}\n{}", fields.name, fields.bytes);
        assert_eq!(ours.len(), fields.bytes.len(), "{}", fields.name);
        assert_eq!(AssignmentInfo::decode(&unhex(&fields.bytes)), Ok(info), "{}", fields.name);
    }
}

#[test]
fn consumer_subscriptions_are_javas() {
    let all: Vec<ConsumerSubscriptionFields> =
        golden(include_str!("../../../tests/conformance/golden/consumer-subscription.json"));
    assert_eq!(all.len(), 4);
    for fields in all {
        let subscription = ConsumerSubscription {
            topics: fields.topics,
            user_data: unhex(&fields.user_data),
            owned: partitions(&fields.owned),
            generation: fields.generation,
        };
        if fields.rack.is_none() {
            assert_eq!(hex(&subscription.encode()), fields.bytes, "{}", fields.name);
        }
        assert_eq!(ConsumerSubscription::decode(&unhex(&fields.bytes)), Ok(subscription), "{}", fields.name);
    }
}

#[test]
fn consumer_assignments_are_javas() {
    let all: Vec<ConsumerAssignmentFields> =
        golden(include_str!("../../../tests/conformance/golden/consumer-assignment.json"));
    assert_eq!(all.len(), 3);
    for fields in all {
        let assignment =
            ConsumerAssignment { partitions: partitions(&fields.partitions), user_data: unhex(&fields.user_data) };
        assert_eq!(hex(&assignment.encode()), fields.bytes, "{}", fields.name);
        assert_eq!(ConsumerAssignment::decode(&unhex(&fields.bytes)), Ok(assignment), "{}", fields.name);
    }
}

fn golden<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap()
}

fn parse(task: &str) -> TaskId {
    TaskId::from_str(task).unwrap()
}

fn partitions(texts: &[String]) -> Vec<TopicPartition> {
    let partition = |text: &String| {
        let (topic, number) = text.rsplit_once('-').unwrap();
        TopicPartition::new(topic, number.parse().unwrap())
    };
    texts.iter().map(partition).collect()
}

fn hosts(texts: &BTreeMap<String, Vec<String>>) -> PartitionsByHost {
    texts.iter().map(|(host, of)| (Endpoint::parse(host).unwrap(), partitions(of))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
