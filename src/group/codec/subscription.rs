//! `SubscriptionInfo` version 11: what a member tells the leader (Kafka Streams' `SubscriptionInfoData.json`).

use std::collections::BTreeMap;

use super::bytes::{DecodeError, Reader, Writer};
use super::{LATEST_VERSION, ProcessId};
use crate::types::TaskId;

/// Offset sum of an active, running task: caught up by definition (`Task.LATEST_OFFSET`).
pub const RUNNING: i64 = -2;

/// What a member tells the leader about itself, version 11.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionInfo {
    /// Newest version the member understands.
    pub latest_supported_version: i32,
    /// Identity of the process; lives in its state directory.
    pub process_id: ProcessId,
    /// `host:port` under which the process answers queries.
    pub endpoint: Option<String>,
    /// Per stateful task: [`RUNNING`], or the sum of the next changelog offsets on its disk.
    pub offset_sums: BTreeMap<TaskId, i64>,
    /// Changed on every subscription, so that the bytes always differ and a rejoin is never a no-op.
    pub unique: i8,
    /// `AssignorError`: 0 none, 4 shutdown requested.
    pub error_code: i32,
    /// Rack tags.
    pub client_tags: BTreeMap<String, String>,
}

/// What a decoded subscription can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscription {
    /// Version 11.
    Known(SubscriptionInfo),
    /// A newer member: only its versions are readable.
    Future {
        /// Version of the bytes.
        version: i32,
        /// Newest version it understands.
        latest_supported_version: i32,
    },
}

impl SubscriptionInfo {
    /// The bytes of version 11.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.i32(LATEST_VERSION);
        out.i32(self.latest_supported_version);
        out.raw(&self.process_id.0);
        out.nullable_bytes(Some(self.endpoint.as_deref().unwrap_or_default().as_bytes()));
        out.count(self.offset_sums.len());
        for (task, sum) in &self.offset_sums {
            out.i32(task.subtopology as i32);
            out.i32(task.partition);
            out.i64(*sum);
            // No named topology.
            out.i16(-1);
        }
        out.i8(self.unique);
        out.i32(self.error_code);
        out.count(self.client_tags.len());
        for (key, value) in &self.client_tags {
            out.nullable_bytes(Some(key.as_bytes()));
            out.nullable_bytes(Some(value.as_bytes()));
        }
        out.into_bytes()
    }

    /// Reads version 11, or the two version numbers of a newer one. Older ones are refused: no release of ours wrote them.
    pub fn decode(bytes: &[u8]) -> Result<Subscription, DecodeError> {
        let mut from = Reader::new(bytes);
        let version = from.i32()?;
        let latest_supported_version = from.i32()?;
        if version > LATEST_VERSION {
            return Ok(Subscription::Future { version, latest_supported_version });
        }
        if version != LATEST_VERSION {
            return Err(from.error("subscription version below 11"));
        }
        let process_id = ProcessId(from.uuid()?);
        let endpoint = text(&mut from)?;
        let offset_sums = offset_sums(&mut from)?;
        let unique = from.i8()?;
        let error_code = from.i32()?;
        let tags = from.count(8)?;
        let client_tags =
            (0..tags).map(|_| Ok((text(&mut from)?, text(&mut from)?))).collect::<Result<_, DecodeError>>()?;
        from.end()?;
        let endpoint = Some(endpoint).filter(|endpoint| !endpoint.is_empty());
        Ok(Subscription::Known(Self {
            latest_supported_version,
            process_id,
            endpoint,
            offset_sums,
            unique,
            error_code,
            client_tags,
        }))
    }
}

fn text(from: &mut Reader<'_>) -> Result<String, DecodeError> {
    let bytes = from.nullable_bytes()?.unwrap_or_default();
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| from.error("text is not UTF-8"))
}

fn offset_sums(from: &mut Reader<'_>) -> Result<BTreeMap<TaskId, i64>, DecodeError> {
    let count = from.count(18)?;
    let mut sums = BTreeMap::new();
    for _ in 0..count {
        let task = super::task_id(from)?;
        let sum = from.i64()?;
        if from.nullable_string()?.is_some() {
            return Err(from.error("named topologies are not supported"));
        }
        sums.insert(task, sum);
    }
    Ok(sums)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> SubscriptionInfo {
        SubscriptionInfo {
            latest_supported_version: 11,
            process_id: ProcessId([7; 16]),
            endpoint: Some("a:80".to_owned()),
            offset_sums: BTreeMap::from([(TaskId::new(1, 2), RUNNING), (TaskId::new(0, 3), 500)]),
            unique: 5,
            error_code: 0,
            client_tags: BTreeMap::from([("z".to_owned(), "eu".to_owned())]),
        }
    }

    #[test]
    fn version_11_has_these_bytes() {
        let golden = [
            &[0, 0, 0, 11, 0, 0, 0, 11][..],
            &[7; 16],
            &[0, 0, 0, 4, b'a', b':', b'8', b'0'],
            &[0, 0, 0, 2],
            &[0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1, 244, 255, 255],
            &[0, 0, 0, 1, 0, 0, 0, 2, 255, 255, 255, 255, 255, 255, 255, 254, 255, 255],
            &[5, 0, 0, 0, 0],
            &[0, 0, 0, 1, 0, 0, 0, 1, b'z', 0, 0, 0, 2, b'e', b'u'],
        ]
        .concat();
        assert_eq!(sample().encode(), golden);
        assert_eq!(SubscriptionInfo::decode(&golden), Ok(Subscription::Known(sample())));
    }

    #[test]
    fn a_newer_member_shows_its_versions_only() {
        let bytes = [0, 0, 0, 12, 0, 0, 0, 13, 1, 2, 3];
        let future = Subscription::Future { version: 12, latest_supported_version: 13 };
        assert_eq!(SubscriptionInfo::decode(&bytes), Ok(future));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = sample().encode();
        for length in 0..bytes.len() {
            assert!(SubscriptionInfo::decode(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), version in any::<bool>()) {
            let bytes = if version { [&[0, 0, 0, 11, 0, 0, 0, 11][..], &bytes].concat() } else { bytes };
            let _ = SubscriptionInfo::decode(&bytes);
        }

        #[test]
        fn a_changed_byte_never_panics(at in 0_usize..90, byte in any::<u8>()) {
            let mut bytes = sample().encode();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(Subscription::Known(info)) = SubscriptionInfo::decode(&bytes) {
                prop_assert_eq!(SubscriptionInfo::decode(&info.encode()).unwrap(), Subscription::Known(info));
            }
        }
    }
}
