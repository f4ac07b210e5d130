#![allow(clippy::unwrap_used)]

//! The promises as bounded property tests: arbitrary bytes, damaged good ones, and everything in the corpus.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

use bytes::BytesMut;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{
    ApiVersionsResponse, FindCoordinatorResponse, HeartbeatResponse, JoinGroupResponse, OffsetFetchResponse,
    SyncGroupResponse,
};
use kafka_protocol::protocol::{Encodable, StrBytes};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

use crate::group::CommitMetadata;
use crate::group::codec::{
    AssignmentInfo, ConsumerAssignment, ConsumerSubscription, Endpoint, LATEST_VERSION, NO_REBALANCE, ProcessId,
    RUNNING, SubscriptionInfo,
};
use crate::query::cursor::Cursor;
use crate::types::{TaskId, TopicPartition};

struct Target {
    name: &'static str,
    check: fn(&[u8]),
    /// Good inputs and some at an edge, the first files of the corpus.
    seeds: Vec<Vec<u8>>,
}

impl Target {
    fn holds_for(&self, data: &[u8]) {
        let mut done = Ok(());
        // The counter does not see the end of what unwinds through it.
        let measured = || done = catch_unwind(AssertUnwindSafe(|| (self.check)(data)));
        let used = allocation_counter::measure(measured).bytes_max;
        done.unwrap_or_else(|panic| resume_unwind(panic));
        let most = super::memory_max(data);
        assert!(used <= most, "{}: {used} bytes of memory for {} bytes: {data:02x?}", self.name, data.len());
    }

    fn folder(&self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(self.name)
    }

    /// Arbitrary bytes, and good ones with some of them changed, cut off or appended.
    fn inputs(&self) -> impl Strategy<Value = Vec<u8>> + use<> {
        let damages = (vec((any::<Index>(), any::<u8>()), 0..6), any::<Option<Index>>(), vec(any::<u8>(), 0..8));
        let damaged = (prop::sample::select(self.seeds.clone()), damages).prop_map(|(mut data, damages)| {
            let (changes, cut, more) = damages;
            for (at, byte) in changes.iter().filter(|_| !data.is_empty()).collect::<Vec<_>>() {
                let at = at.index(data.len());
                data[at] = *byte;
            }
            data.truncate(cut.map_or(data.len(), |cut| cut.index(data.len() + 1)));
            data.extend(more);
            data
        });
        prop_oneof![1 => vec(any::<u8>(), 0..300), 3 => damaged]
    }
}

fn check(target: &Target) {
    // What is made once per process is no cost of an input.
    (target.check)(&[]);
    keep_seeds(target);
    for file in fs::read_dir(target.folder()).unwrap() {
        target.holds_for(&fs::read(file.unwrap().path()).unwrap());
    }
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    let property = |data: Vec<u8>| {
        target.holds_for(&data);
        Ok(())
    };
    runner.run(&target.inputs(), property).unwrap_or_else(|failure| panic!("{}: {failure}", target.name));
}

/// The corpus begins with the seeds; a seed that is not there yet is written.
fn keep_seeds(target: &Target) {
    let folder = target.folder();
    fs::create_dir_all(&folder).unwrap();
    let mut written = Vec::new();
    for (number, seed) in target.seeds.iter().enumerate() {
        let file = folder.join(format!("seed-{number:02}"));
        if fs::read(&file).ok().as_ref() != Some(seed) {
            fs::write(&file, seed).unwrap();
            written.push(file);
        }
    }
    assert!(written.is_empty(), "the corpus was behind the seeds, see whether it should change: {written:?}");
}

#[test]
fn avro_keeps_its_promises() {
    check(&Target { name: "avro", check: super::avro, seeds: crate::serde::avro::fuzzing::seeds::avro() });
}

#[test]
fn values_of_changelogs_keep_their_promises() {
    let seeds: [&[u8]; 8] = [
        b"\0\0\x01\x80\0\0\0\0value",
        b"ab\0",
        b"abc\x01",
        b"\x06abcx\x02",
        b"\x06abcx\x01\x05",
        // Lengths of the new value: beyond the end, negative, without an end.
        b"\x7eab\x02",
        b"\x01ab\x02",
        b"\xff\xff\xff\xff\xff\xff\x02",
    ];
    check(&Target { name: "changelog", check: super::changelog, seeds: seeds.map(<[u8]>::to_vec).to_vec() });
}

#[test]
fn cursors_keep_their_promises() {
    let cursor = Cursor { scope: 7, partition: 3, key: b"order-17".to_vec() };
    let at = |request: u32, text: &str| [&request.to_be_bytes(), text.as_bytes()].concat();
    let seeds = vec![at(9, &cursor.encode(9)), at(0, "orders-3:17,payments-3:2")];
    check(&Target { name: "cursor", check: super::cursor, seeds });
}

#[test]
fn messages_of_the_group_keep_their_promises() {
    let info = SubscriptionInfo {
        latest_supported_version: LATEST_VERSION,
        process_id: ProcessId([7; 16]),
        endpoint: Some("host:80".to_owned()),
        offset_sums: [(TaskId::new(0, 1), RUNNING), (TaskId::new(1, 0), 17)].into(),
        unique: 5,
        error_code: 0,
        client_tags: [("thalweg.threads".to_owned(), "2".to_owned())].into(),
    };
    let partitions = vec![TopicPartition::new("in", 0), TopicPartition::new("in", 1)];
    let assignment = AssignmentInfo {
        commonly_supported_version: LATEST_VERSION,
        active: vec![TaskId::new(0, 0), TaskId::new(0, 1)],
        standby: [(TaskId::new(0, 2), vec![TopicPartition::new("app-store-changelog", 2)])].into(),
        active_hosts: [(Endpoint { host: "host".to_owned(), port: 80 }, partitions.clone())].into(),
        next_rebalance_ms: NO_REBALANCE,
        ..AssignmentInfo::default()
    };
    let subscription = ConsumerSubscription {
        topics: vec!["in".to_owned()],
        user_data: info.encode(),
        owned: partitions.clone(),
        generation: 3,
    };
    let metadata = CommitMetadata { partition_time: 10, processors: [("suppress".to_owned(), 2)].into() };
    let mut seeds = vec![
        info.encode(),
        assignment.encode(),
        subscription.encode(),
        ConsumerAssignment { partitions, user_data: assignment.encode() }.encode(),
        metadata.encode().into_bytes(),
    ];
    // Versions that are older or newer than ours: their bytes are another form, whatever follows.
    for version in [1, 2, 5, 10, 12] {
        seeds.extend([info.encode(), assignment.encode()].map(|mut bytes| {
            bytes[3] = version;
            bytes
        }));
    }
    check(&Target { name: "group", check: super::group, seeds });
}

#[test]
fn answers_of_the_coordinator_keep_their_promises() {
    fn bytes_of(answer: &impl Encodable, version: i16) -> Vec<u8> {
        let mut out = BytesMut::new();
        answer.encode(&mut out, version).unwrap();
        out.to_vec()
    }
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let member = JoinGroupResponseMember::default().with_member_id(text("m1")).with_metadata(vec![1, 2, 3].into());
    let joined = JoinGroupResponse::default()
        .with_generation_id(4)
        .with_leader(text("m1"))
        .with_member_id(text("m1"))
        .with_members(vec![member]);
    let found = FindCoordinatorResponse::default().with_host(text("h")).with_port(9_092);
    let synced = SyncGroupResponse::default().with_assignment(vec![9; 40].into());
    let seeds = vec![
        bytes_of(&ApiVersionsResponse::default(), 2),
        bytes_of(&found, 2),
        bytes_of(&joined, 5),
        bytes_of(&joined, 9),
        bytes_of(&synced, 3),
        bytes_of(&synced, 5),
        bytes_of(&HeartbeatResponse::default(), 4),
        bytes_of(&OffsetFetchResponse::default(), 6),
    ];
    check(&Target { name: "answers", check: super::answers, seeds });
}

#[test]
fn configurations_keep_their_promises() {
    let least = "application.id = 'orders'\nkafka.bootstrap_servers = 'localhost:9092'\n";
    let more = "[application]\nid = 'a'\nstream_threads = 2\n[kafka]\nbootstrap_servers = 'a:1,b:2'\n\
        [kafka.common]\n\"socket.timeout.ms\" = 10\n[http]\nbind = '0.0.0.0:80'\n[log]\nformat = 'json'\n";
    let layers = format!(
        "{least}\0THALWEG__APPLICATION__STREAM_THREADS=3\nTHALWEG__KAFKA__COMMON__SOCKET_TIMEOUT_MS=1\0\
        http.bind=127.0.0.1:0\nlog.filter=debug\nschema_registry.url=http://u\n"
    );
    let seeds = [least, more, &layers].map(|text| text.as_bytes().to_vec()).to_vec();
    check(&Target { name: "configuration", check: super::configuration, seeds });
}
