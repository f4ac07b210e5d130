//! The wrappers of Kafka's consumer protocol: `ConsumerProtocolSubscription` and `ConsumerProtocolAssignment`.
//!
//! Kafka's own tools read them, so that they can describe and reset the group; our bytes travel in `user_data`.

use std::collections::BTreeMap;

use super::bytes::{DecodeError, Reader, Writer};
use crate::types::TopicPartition;

/// Version of the subscription that we write: owned partitions, generation and rack (KIP-792, KIP-881).
const SUBSCRIPTION_VERSION: i16 = 3;
/// Version of the assignment that we write.
const ASSIGNMENT_VERSION: i16 = 3;

/// What a consumer tells the leader.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsumerSubscription {
    /// Source topics, repartition topics included.
    pub topics: Vec<String>,
    /// `SubscriptionInfo`.
    pub user_data: Vec<u8>,
    /// Partitions of the active tasks that it has.
    pub owned: Vec<TopicPartition>,
    /// Generation in which it got them; -1 when it has none.
    pub generation: i32,
}

impl ConsumerSubscription {
    /// The bytes of version 3.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.i16(SUBSCRIPTION_VERSION);
        out.count(self.topics.len());
        for topic in &self.topics {
            out.string(topic);
        }
        out.nullable_bytes(Some(&self.user_data));
        write_partitions(&mut out, &self.owned);
        out.i32(self.generation);
        // No rack id.
        out.i16(-1);
        out.into_bytes()
    }

    /// Reads version 0 or newer; what newer versions append is ignored, as Java does.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut from = Reader::new(bytes);
        let version = from.i16()?;
        if version < 0 {
            return Err(from.error("negative version"));
        }
        let topics = from.count(2)?;
        let topics = (0..topics).map(|_| from.string().map(str::to_owned)).collect::<Result<_, _>>()?;
        let user_data = from.nullable_bytes()?.unwrap_or_default().to_vec();
        let owned = if version >= 1 { read_partitions(&mut from)? } else { Vec::new() };
        let generation = if version >= 2 { from.i32()? } else { -1 };
        Ok(Self { topics, user_data, owned, generation })
    }
}

/// What the leader gives a consumer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsumerAssignment {
    /// Source partitions of its active tasks, in order of topic and partition.
    pub partitions: Vec<TopicPartition>,
    /// `AssignmentInfo`.
    pub user_data: Vec<u8>,
}

impl ConsumerAssignment {
    /// The bytes of version 3.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.i16(ASSIGNMENT_VERSION);
        write_partitions(&mut out, &self.partitions);
        out.nullable_bytes(Some(&self.user_data));
        out.into_bytes()
    }

    /// Reads version 0 or newer. The partitions come back sorted.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut from = Reader::new(bytes);
        if from.i16()? < 0 {
            return Err(from.error("negative version"));
        }
        let mut partitions = read_partitions(&mut from)?;
        partitions.sort();
        let user_data = from.nullable_bytes()?.unwrap_or_default().to_vec();
        Ok(Self { partitions, user_data })
    }
}

fn write_partitions(out: &mut Writer, partitions: &[TopicPartition]) {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        by_topic.entry(&partition.topic).or_default().push(partition.partition);
    }
    out.count(by_topic.len());
    for (topic, numbers) in by_topic {
        out.string(topic);
        out.count(numbers.len());
        for number in numbers {
            out.i32(number);
        }
    }
}

fn read_partitions(from: &mut Reader<'_>) -> Result<Vec<TopicPartition>, DecodeError> {
    let topics = from.count(6)?;
    let mut partitions = Vec::new();
    for _ in 0..topics {
        let topic: std::sync::Arc<str> = from.string()?.into();
        let count = from.count(4)?;
        for _ in 0..count {
            partitions.push(TopicPartition::new(topic.clone(), from.i32()?));
        }
    }
    Ok(partitions)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use bytes::Bytes;
    use kafka_protocol::messages::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
    use kafka_protocol::protocol::Decodable;
    use proptest::prelude::*;

    use super::*;

    fn subscription() -> ConsumerSubscription {
        ConsumerSubscription {
            topics: vec!["a".to_owned(), "b".to_owned()],
            user_data: vec![1, 2, 3],
            owned: vec![TopicPartition::new("a", 0), TopicPartition::new("a", 4), TopicPartition::new("b", 1)],
            generation: 9,
        }
    }

    fn assignment() -> ConsumerAssignment {
        ConsumerAssignment {
            partitions: vec![TopicPartition::new("a", 0), TopicPartition::new("b", 7)],
            user_data: vec![9, 8],
        }
    }

    /// The kafka-protocol crate is the independent reader.
    #[test]
    fn another_codec_reads_our_subscription() {
        let mut bytes = Bytes::from(subscription().encode());
        assert_eq!(bytes.split_to(2)[..], [0, 3]);
        let read = ConsumerProtocolSubscription::decode(&mut bytes, 3).unwrap();
        assert!(bytes.is_empty());
        assert_eq!(read.topics.iter().map(|topic| topic.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(read.user_data.as_deref(), Some(&[1, 2, 3][..]));
        assert_eq!(read.owned_partitions[0].partitions, [0, 4]);
        assert_eq!((read.owned_partitions.len(), read.generation_id, read.rack_id), (2, 9, None));
    }

    #[test]
    fn another_codec_reads_our_assignment() {
        let mut bytes = Bytes::from(assignment().encode());
        assert_eq!(bytes.split_to(2)[..], [0, 3]);
        let read = ConsumerProtocolAssignment::decode(&mut bytes, 3).unwrap();
        assert!(bytes.is_empty());
        assert_eq!(read.assigned_partitions[1].partitions, [7]);
        assert_eq!(read.user_data.as_deref(), Some(&[9, 8][..]));
    }

    #[test]
    fn both_read_back() {
        assert_eq!(ConsumerSubscription::decode(&subscription().encode()), Ok(subscription()));
        assert_eq!(ConsumerAssignment::decode(&assignment().encode()), Ok(assignment()));
        let old = [0, 0, 0, 0, 0, 1, 0, 1, b'a', 255, 255, 255, 255];
        let expected = ConsumerSubscription { topics: vec!["a".to_owned()], generation: -1, ..Default::default() };
        assert_eq!(ConsumerSubscription::decode(&old), Ok(expected));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = ConsumerSubscription::decode(&bytes);
            let _ = ConsumerAssignment::decode(&bytes);
            let with_version = [&[0, 3][..], &bytes].concat();
            let _ = ConsumerSubscription::decode(&with_version);
            let _ = ConsumerAssignment::decode(&with_version);
        }
    }
}
