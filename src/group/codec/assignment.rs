//! `AssignmentInfo` version 11: what the leader tells a member (Kafka Streams' class of that name).

use std::collections::BTreeMap;

use super::LATEST_VERSION;
use super::bytes::{DecodeError, Reader, Writer};
use crate::types::{TaskId, TopicPartition};

/// `nextRebalanceMs` when no rebalance is planned.
pub const NO_REBALANCE: i64 = i64::MAX;
/// `nextRebalanceMs` when the member must rejoin at once.
pub const REBALANCE_NOW: i64 = 0;

/// Address under which a process answers queries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Endpoint {
    /// Reads `host:port`; the host may hold colons (IPv6) and has at most 255 bytes, as in DNS.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse().ok()?;
        (1..=255).contains(&host.len()).then(|| Self { host: host.to_owned(), port })
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Source partitions by the process that owns them; the routing table in its wire form.
pub type PartitionsByHost = BTreeMap<Endpoint, Vec<TopicPartition>>;

/// What the leader tells a member, version 11.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AssignmentInfo {
    /// Newest version that every member understands.
    pub commonly_supported_version: i32,
    /// One entry per assigned partition, in the order of topic and partition: the task it belongs to.
    pub active: Vec<TaskId>,
    /// Standby tasks with their changelog or source partitions.
    pub standby: BTreeMap<TaskId, Vec<TopicPartition>>,
    /// Source partitions of active tasks by host.
    pub active_hosts: PartitionsByHost,
    /// Source partitions of standby tasks by host.
    pub standby_hosts: PartitionsByHost,
    /// `AssignorError`; not 0: the member stops.
    pub error_code: i32,
    /// [`REBALANCE_NOW`], [`NO_REBALANCE`], or ms since the epoch at which the member shall rejoin.
    pub next_rebalance_ms: i64,
}

impl AssignmentInfo {
    /// The bytes of version 11.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.i32(LATEST_VERSION);
        out.i32(self.commonly_supported_version);
        out.count(self.active.len());
        for task in &self.active {
            write_task(&mut out, *task);
        }
        out.count(self.standby.len());
        for (task, partitions) in &self.standby {
            write_task(&mut out, *task);
            out.count(partitions.len());
            for partition in partitions {
                out.string(&partition.topic);
                out.i32(partition.partition);
            }
        }
        let topics = self.write_dictionary(&mut out);
        write_hosts(&mut out, &topics, &self.active_hosts);
        write_hosts(&mut out, &topics, &self.standby_hosts);
        out.i32(self.error_code);
        out.i64(self.next_rebalance_ms);
        out.into_bytes()
    }

    fn write_dictionary<'a>(&'a self, out: &mut Writer) -> BTreeMap<&'a str, i32> {
        let all = self.active_hosts.values().chain(self.standby_hosts.values()).flatten();
        let mut topics: BTreeMap<&str, i32> = all.map(|partition| (&*partition.topic, 0)).collect();
        out.count(topics.len());
        for (index, (topic, slot)) in (0..).zip(topics.iter_mut()) {
            *slot = index;
            out.i32(index);
            out.string(topic);
        }
        topics
    }

    /// Reads version 11; trailing bytes are ignored, as Java does.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut from = Reader::new(bytes);
        if from.i32()? != LATEST_VERSION {
            return Err(from.error("assignment version is not 11"));
        }
        let commonly_supported_version = from.i32()?;
        let count = from.count(12)?;
        let active = (0..count).map(|_| read_task(&mut from)).collect::<Result<_, _>>()?;
        let standby = read_standby(&mut from)?;
        let topics = read_dictionary(&mut from)?;
        Ok(Self {
            commonly_supported_version,
            active,
            standby,
            active_hosts: read_hosts(&mut from, &topics)?,
            standby_hosts: read_hosts(&mut from, &topics)?,
            error_code: from.i32()?,
            next_rebalance_ms: from.i64()?,
        })
    }
}

fn write_task(out: &mut Writer, task: TaskId) {
    out.i32(task.subtopology as i32);
    out.i32(task.partition);
    // No named topology.
    out.i32(0);
}

fn read_task(from: &mut Reader<'_>) -> Result<TaskId, DecodeError> {
    let task = super::task_id(from)?;
    match from.i32()? {
        0 => Ok(task),
        _ => Err(from.error("named topologies are not supported")),
    }
}

fn read_standby(from: &mut Reader<'_>) -> Result<BTreeMap<TaskId, Vec<TopicPartition>>, DecodeError> {
    let tasks = from.count(16)?;
    let mut standby = BTreeMap::new();
    for _ in 0..tasks {
        let task = read_task(from)?;
        let count = from.count(6)?;
        let partitions = (0..count).map(|_| Ok(TopicPartition::new(utf(from)?, from.i32()?)));
        standby.insert(task, partitions.collect::<Result<_, DecodeError>>()?);
    }
    Ok(standby)
}

fn read_dictionary(from: &mut Reader<'_>) -> Result<BTreeMap<i32, std::sync::Arc<str>>, DecodeError> {
    let count = from.count(6)?;
    (0..count).map(|_| Ok((from.i32()?, utf(from)?.into()))).collect()
}

fn write_hosts(out: &mut Writer, topics: &BTreeMap<&str, i32>, hosts: &PartitionsByHost) {
    out.count(hosts.len());
    for (endpoint, partitions) in hosts {
        out.string(&endpoint.host);
        out.i32(endpoint.port.into());
        out.count(partitions.len());
        for partition in partitions {
            out.i32(topics[&*partition.topic]);
            out.i32(partition.partition);
        }
    }
}

fn read_hosts(
    from: &mut Reader<'_>,
    topics: &BTreeMap<i32, std::sync::Arc<str>>,
) -> Result<PartitionsByHost, DecodeError> {
    let hosts = from.count(10)?;
    let mut by_host = PartitionsByHost::new();
    for _ in 0..hosts {
        let host = utf(from)?.to_owned();
        let port = u16::try_from(from.i32()?).map_err(|_| from.error("port out of range"))?;
        let count = from.count(8)?;
        let mut partitions = Vec::with_capacity(count);
        for _ in 0..count {
            let topic = topics.get(&from.i32()?).ok_or_else(|| from.error("topic index not in the dictionary"))?;
            partitions.push(TopicPartition::new(topic.clone(), from.i32()?));
        }
        by_host.insert(Endpoint { host, port }, partitions);
    }
    Ok(by_host)
}

/// Java's modified UTF-8 with a 16-bit length; equal to UTF-8 for topic and host names, which are ASCII.
fn utf<'a>(from: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    // Longer than any name of a topic or host; the rest of the protocol has signed lengths.
    let length = i16::try_from(from.u16()?).map_err(|_| from.error("name over 32 KiB"))?;
    from.utf8(length.unsigned_abs().into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> AssignmentInfo {
        AssignmentInfo {
            commonly_supported_version: 11,
            active: vec![TaskId::new(0, 1), TaskId::new(1, 0)],
            standby: BTreeMap::from([(TaskId::new(2, 3), vec![TopicPartition::new("c", 3)])]),
            active_hosts: BTreeMap::from([(
                Endpoint { host: "h".to_owned(), port: 80 },
                vec![TopicPartition::new("b", 0), TopicPartition::new("a", 1)],
            )]),
            standby_hosts: PartitionsByHost::new(),
            error_code: 0,
            next_rebalance_ms: NO_REBALANCE,
        }
    }

    #[test]
    fn version_11_has_these_bytes() {
        let golden = [
            &[0, 0, 0, 11, 0, 0, 0, 11, 0, 0, 0, 2][..],
            &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0],
            &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, b'c', 0, 0, 0, 3],
            &[0, 0, 0, 2, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 0, 1, 0, 1, b'b'],
            &[0, 0, 0, 1, 0, 1, b'h', 0, 0, 0, 80, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0, 0, 0, 0, 0, 0, 0, 0, 127, 255, 255, 255, 255, 255, 255, 255],
        ]
        .concat();
        assert_eq!(sample().encode(), golden);
        assert_eq!(AssignmentInfo::decode(&golden), Ok(sample()));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = sample().encode();
        for length in 0..bytes.len() {
            assert!(AssignmentInfo::decode(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_name_that_could_not_be_written_again_is_refused() {
        let with_name = |length: u16| {
            let mut bytes = vec![0, 0, 0, 11, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
            bytes.extend(length.to_be_bytes());
            bytes.extend(vec![b'a'; length.into()]);
            bytes.extend([0; 20]);
            AssignmentInfo::decode(&bytes)
        };
        assert!(with_name(32_767).is_ok());
        assert_eq!(with_name(32_768).map_err(|error| error.what), Err("name over 32 KiB"));
    }

    #[test]
    fn an_endpoint_reads_back_what_it_prints() {
        for text in ["host:1", "::1:8080"] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "host", ":80", "host:x", "host:70000"] {
            assert_eq!(Endpoint::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), version in any::<bool>()) {
            let bytes = if version { [&[0, 0, 0, 11, 0, 0, 0, 11][..], &bytes].concat() } else { bytes };
            let _ = AssignmentInfo::decode(&bytes);
        }

        #[test]
        fn a_changed_byte_never_panics(at in 0_usize..120, byte in any::<u8>()) {
            let mut bytes = sample().encode();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(info) = AssignmentInfo::decode(&bytes) {
                prop_assert_eq!(AssignmentInfo::decode(&info.encode()).unwrap(), info);
            }
        }
    }
}
