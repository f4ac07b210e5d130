//! Which version of each request to speak.

use std::collections::BTreeMap;

use super::fatal;
use crate::wire::Error;

/// A request of the coordinator connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKey {
    OffsetCommit,
    OffsetFetch,
    FindCoordinator,
    JoinGroup,
    Heartbeat,
    LeaveGroup,
    SyncGroup,
    ApiVersions,
}

impl ApiKey {
    /// Kafka's number of the request.
    pub const fn key(self) -> i16 {
        match self {
            Self::OffsetCommit => 8,
            Self::OffsetFetch => 9,
            Self::FindCoordinator => 10,
            Self::JoinGroup => 11,
            Self::Heartbeat => 12,
            Self::LeaveGroup => 13,
            Self::SyncGroup => 14,
            Self::ApiVersions => 18,
        }
    }

    /// Versions that we speak, newest first. The oldest are those of Kafka 2.4.
    ///
    /// Gaps are deliberate: the first flexible version of the group requests (FindCoordinator 3, JoinGroup 6,
    /// SyncGroup 4, Heartbeat 4, LeaveGroup 4) only encodes anew what the version before it says, and librdkafka's mock
    /// cluster announces these versions but reads the old encoding. Its LeaveGroup ends at 2 in truth.
    const fn versions(self) -> &'static [i16] {
        match self {
            Self::OffsetCommit => &[9, 8, 7],
            Self::OffsetFetch => &[9, 8, 7, 6],
            Self::FindCoordinator => &[6, 5, 4, 2],
            Self::JoinGroup => &[9, 8, 7, 5],
            Self::Heartbeat => &[3],
            Self::LeaveGroup => &[5, 2],
            Self::SyncGroup => &[5, 3],
            // Before it is known what the broker speaks; every broker since 2.0 answers it.
            Self::ApiVersions => &[2],
        }
    }

    /// Whether `version` has the compact encodings and tagged fields of KIP-482.
    pub const fn is_flexible(self, version: i16) -> bool {
        version
            >= match self {
                Self::OffsetCommit => 8,
                Self::OffsetFetch | Self::JoinGroup => 6,
                Self::FindCoordinator | Self::ApiVersions => 3,
                Self::Heartbeat | Self::LeaveGroup | Self::SyncGroup => 4,
            }
    }
}

/// What a broker speaks: lowest and highest version by request number.
#[derive(Debug, Clone, Default)]
pub struct Versions(pub BTreeMap<i16, (i16, i16)>);

impl Versions {
    /// The newest common version.
    pub fn pick(&self, api: ApiKey) -> Result<i16, Error> {
        let (low, high) = match self.0.get(&api.key()) {
            _ if api == ApiKey::ApiVersions => (2, 2),
            Some(range) => *range,
            None => return Err(fatal(format!("{api:?}"), "the broker does not know this request")),
        };
        let common = api.versions().iter().find(|version| (low..=high).contains(version));
        common.copied().ok_or_else(|| {
            let reason = format!(
                "the broker speaks versions {low} to {high}, we speak {:?}: Kafka 2.4 or newer is needed",
                api.versions()
            );
            fatal(format!("{api:?}"), reason)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use kafka_protocol::messages::*;
    use kafka_protocol::protocol::{Message, Request};

    use super::{ApiKey, *};

    const APIS: [ApiKey; 7] = [
        ApiKey::OffsetCommit,
        ApiKey::OffsetFetch,
        ApiKey::FindCoordinator,
        ApiKey::JoinGroup,
        ApiKey::Heartbeat,
        ApiKey::LeaveGroup,
        ApiKey::SyncGroup,
    ];

    fn picked(highest: [i16; 7]) -> [i16; 7] {
        let versions = Versions(APIS.iter().zip(highest).map(|(api, high)| (api.key(), (0, high))).collect());
        APIS.map(|api| versions.pick(api).unwrap())
    }

    #[test]
    fn the_newest_common_version_is_taken() {
        // Kafka 4.3, librdkafka 2.12's mock cluster, Kafka 2.4.
        assert_eq!(picked([10, 10, 6, 9, 4, 5, 5]), [9, 9, 6, 9, 3, 5, 5]);
        assert_eq!(picked([9, 6, 3, 6, 5, 4, 4]), [9, 6, 2, 5, 3, 2, 3]);
        assert_eq!(picked([8, 6, 3, 6, 4, 4, 4]), [8, 6, 2, 5, 3, 2, 3]);
    }

    #[test]
    fn a_broker_that_is_too_old_is_a_fatal_error() {
        let versions = Versions(BTreeMap::from([(ApiKey::JoinGroup.key(), (0, 4))]));
        let error = versions.pick(ApiKey::JoinGroup).unwrap_err();
        assert!(error.reason.contains("speaks versions 0 to 4"), "{error}");
        assert!(versions.pick(ApiKey::SyncGroup).is_err());
    }

    /// Keys, version ranges and flexibility as the codec crate has them.
    #[test]
    fn the_codec_agrees() {
        fn check<R: Request>(api: ApiKey) {
            assert_eq!(api.key(), R::KEY);
            for version in api.versions() {
                let range = R::VERSIONS;
                assert!((range.min..=range.max).contains(version), "{api:?} {version}");
                assert_eq!(R::header_version(*version) == 2, api.is_flexible(*version), "{api:?} {version}");
                let range = R::Response::VERSIONS;
                assert!((range.min..=range.max).contains(version), "{api:?} {version}");
            }
        }
        check::<OffsetCommitRequest>(ApiKey::OffsetCommit);
        check::<OffsetFetchRequest>(ApiKey::OffsetFetch);
        check::<FindCoordinatorRequest>(ApiKey::FindCoordinator);
        check::<JoinGroupRequest>(ApiKey::JoinGroup);
        check::<HeartbeatRequest>(ApiKey::Heartbeat);
        check::<LeaveGroupRequest>(ApiKey::LeaveGroup);
        check::<SyncGroupRequest>(ApiKey::SyncGroup);
        check::<ApiVersionsRequest>(ApiKey::ApiVersions);
    }
}
