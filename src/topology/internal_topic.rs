//! The topics that the application creates: what they must look like, and whether they do.

use std::collections::BTreeMap;

use super::TopologyError;

/// What an internal topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InternalTopicKind {
    /// It re-keys between sub-topologies.
    Repartition,
    /// It holds the updates of a key-value store.
    Changelog,
}

/// An internal topic as it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalTopic {
    /// Full name.
    pub name: String,
    /// Partition count, at least 1.
    pub partitions: i32,
    /// Topic configs for its creation, in order of their names.
    pub config: Vec<(String, String)>,
    /// What it is for.
    pub kind: InternalTopicKind,
}

impl InternalTopic {
    /// Configs of Kafka's `RepartitionTopicConfig`.
    pub(super) fn repartition(name: String, partitions: i32) -> Self {
        let defaults = [
            ("cleanup.policy", "delete"),
            ("message.timestamp.type", "CreateTime"),
            ("retention.ms", "-1"),
            ("segment.bytes", "52428800"),
        ];
        let config = defaults.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        Self { name, partitions, config, kind: InternalTopicKind::Repartition }
    }

    /// Configs of Kafka's `UnwindowedUnversionedChangelogTopicConfig`, below the store's own.
    pub(super) fn changelog(name: String, partitions: i32, overrides: &BTreeMap<String, String>) -> Self {
        let defaults = [("cleanup.policy", "compact"), ("message.timestamp.type", "CreateTime")];
        let mut config: BTreeMap<String, String> =
            defaults.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        config.extend(overrides.iter().map(|(key, value)| (key.clone(), value.clone())));
        Self { name, partitions, config: config.into_iter().collect(), kind: InternalTopicKind::Changelog }
    }
}

/// An internal topic as the cluster describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingTopic {
    /// Partition count.
    pub partitions: i32,
    /// All effective topic configs.
    pub config: BTreeMap<String, String>,
}

/// Checks an existing internal topic by the rules of Kafka's `InternalTopicManager.validate`; reports every
/// problem at once.
///
/// `retention.bytes=-1`, which a broker reports for "no limit", counts as unset.
pub fn verify(existing: &ExistingTopic, expected: &InternalTopic) -> Result<(), TopologyError> {
    let mut problems = Vec::new();
    if existing.partitions != expected.partitions {
        problems.push(format!("it has {} partitions but needs {}", existing.partitions, expected.partitions));
    }
    match existing.config.get("cleanup.policy") {
        None => problems.push("the cluster did not tell its cleanup.policy".to_owned()),
        Some(policy) => match expected.kind {
            InternalTopicKind::Changelog => verify_changelog(policy, &mut problems),
            InternalTopicKind::Repartition => verify_repartition(policy, existing, &mut problems),
        },
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(TopologyError::MisconfiguredTopic { topic: expected.name.clone(), problems })
}

fn verify_changelog(policy: &str, problems: &mut Vec<String>) {
    if has(policy, "delete") {
        problems.push(format!("cleanup.policy={policy} must not contain delete, or rows get lost"));
    }
}

fn verify_repartition(policy: &str, existing: &ExistingTopic, problems: &mut Vec<String>) {
    if has(policy, "compact") {
        problems.push(format!("cleanup.policy={policy} must not contain compact, or records get lost"));
        return;
    }
    let config = |key| existing.config.get(key).map_or("unset", String::as_str);
    if config("retention.ms") != "-1" {
        problems.push(format!("retention.ms={} must be -1, or unread records get lost", config("retention.ms")));
    }
    if !matches!(config("retention.bytes"), "unset" | "-1") {
        problems
            .push(format!("retention.bytes={} must be unset, or unread records get lost", config("retention.bytes")));
    }
}

fn has(policy: &str, word: &str) -> bool {
    policy.split(',').any(|part| part.trim() == word)
}
