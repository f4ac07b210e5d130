//! The text beside a committed offset, as Kafka Streams writes it (`TopicPartitionMetadata`).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::codec::{DecodeError, Reader, Writer};
use crate::types::Timestamp;

/// Magic byte of time alone.
const TIME_ONLY: i8 = 1;
/// Magic byte that we write: time and the processors' map.
const LATEST: i8 = 2;

/// What travels with a committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitMetadata {
    /// Highest record time seen of the partition in ms; -1 unknown. Seeds stream time after a restart.
    pub partition_time: Timestamp,
    /// Per emit-on-close store, the window close time up to which it has emitted.
    pub processors: BTreeMap<String, i64>,
}

impl Default for CommitMetadata {
    fn default() -> Self {
        Self { partition_time: -1, processors: BTreeMap::new() }
    }
}

impl CommitMetadata {
    /// The text with magic 2. Brokers refuse more than 4096 characters.
    pub fn encode(&self) -> String {
        let mut out = Writer::default();
        out.i8(LATEST);
        out.i64(self.partition_time);
        if !self.processors.is_empty() {
            out.count(self.processors.len());
            for (store, time) in &self.processors {
                out.nullable_bytes(Some(store.as_bytes()));
                out.i64(*time);
            }
        }
        STANDARD.encode(out.into_bytes())
    }

    /// Reads magic 1 or 2. Anything else, the empty text included, means unknown, as in Kafka Streams.
    pub fn decode(text: &str) -> Self {
        STANDARD.decode(text).ok().and_then(|bytes| read(&bytes).ok()).unwrap_or_default()
    }
}

fn read(bytes: &[u8]) -> Result<CommitMetadata, DecodeError> {
    let mut from = Reader::new(bytes);
    match from.i8()? {
        TIME_ONLY => Ok(CommitMetadata { partition_time: from.i64()?, processors: BTreeMap::new() }),
        LATEST => Ok(CommitMetadata { partition_time: from.i64()?, processors: processors(&mut from)? }),
        _ => Err(from.error("unknown magic byte")),
    }
}

fn processors(from: &mut Reader<'_>) -> Result<BTreeMap<String, i64>, DecodeError> {
    if from.remaining() == 0 {
        return Ok(BTreeMap::new());
    }
    let count = from.count(12)?;
    let mut entry = || {
        let length = from.count(1)?;
        Ok((from.utf8(length)?.to_owned(), from.i64()?))
    };
    (0..count).map(|_| entry()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kafka_streams_texts_read_and_write() {
        // Kafka's TopicPartitionMetadataTest: magic 1, time 1000.
        let old = CommitMetadata::decode("AQAAAAAAAAPo");
        assert_eq!(old, CommitMetadata { partition_time: 1000, processors: BTreeMap::new() });
        let time = CommitMetadata { partition_time: 10, processors: BTreeMap::new() };
        assert_eq!(time.encode(), "AgAAAAAAAAAK");
        let full = CommitMetadata { partition_time: 10, processors: BTreeMap::from([("k".to_owned(), 2)]) };
        assert_eq!(full.encode(), "AgAAAAAAAAAKAAAAAQAAAAFrAAAAAAAAAAI=");
        assert_eq!(CommitMetadata::decode(&full.encode()), full);
    }

    #[test]
    fn anything_else_means_unknown() {
        for text in ["", "adfs", "AwAAAAAAAAAK", "Ag==", "AgAAAAAAAAAKf////w==", "not base64 at all"] {
            assert_eq!(CommitMetadata::decode(text), CommitMetadata::default(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = CommitMetadata::decode(&STANDARD.encode([&[2][..], &bytes].concat()));
            let _ = CommitMetadata::decode(&String::from_utf8_lossy(&bytes));
        }
    }
}
