//! How fresh a replica is, and how fresh a query asks it to be: positions as text, bounds and lag. Pure.

use std::fmt::Write as _;

use thalweg_state::Position;

use crate::query::snapshot::{Role, TaskProgress};
use crate::types::Offset;

/// The offsets that a replica must have reached, as `IQv2`'s `PositionBound` (KIP-796).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PositionBound {
    offsets: Vec<(String, i32, Offset)>,
}

/// Most partitions of a bound: one request must not cost more than a few look-ups.
const PARTITIONS_MAX: usize = 1000;

impl PositionBound {
    /// Reads `<topic>-<partition>:<offset>,...`, the text that [`position_text`] writes; `None` when it is not that.
    pub fn parse(text: &str) -> Option<Self> {
        let mut offsets = Vec::new();
        for part in text.split(',') {
            let (name, offset) = part.split_once(':')?;
            let (topic, partition) = name.rsplit_once('-')?;
            let topic_ok = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            if topic.is_empty() || !topic.bytes().all(topic_ok) || offsets.len() == PARTITIONS_MAX {
                return None;
            }
            let partition = digits(partition)?.try_into().ok()?;
            offsets.push((format!("{topic}-{partition}"), partition, digits(offset)?));
        }
        Some(Self { offsets })
    }

    /// Whether a replica of `partition` at `position` satisfies the bound.
    ///
    /// Offsets of other partition numbers do not concern it; an input it has never seen is not reached
    /// (`StoreQueryUtils.isPermitted`).
    pub fn is_reached(&self, partition: i32, position: &Position) -> bool {
        let mut concerned = self.offsets.iter().filter(|(_, bound_partition, _)| *bound_partition == partition);
        concerned.all(|(name, _, offset)| position.get(name).is_some_and(|seen| seen >= *offset))
    }
}

/// A number without sign or blanks.
fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The input offsets of `position` as `<topic>-<partition>:<offset>,...`; a client can send it back as `min_position`.
pub fn position_text(position: &Position, progress: &TaskProgress) -> String {
    let mut text = String::new();
    for input in &progress.inputs {
        let name = input.partition.to_string();
        if let Some(offset) = position.get(&name) {
            let comma = if text.is_empty() { "" } else { "," };
            // Writing into a String cannot fail.
            let _ = write!(text, "{comma}{name}:{offset}");
        }
    }
    text
}

/// Records that a replica at `position` lacks, as far as end offsets are known; `None`: not known.
///
/// An active task lags behind its inputs, the others behind the changelog of `store`.
pub fn lag(role: Role, store: &str, position: &Position, progress: &TaskProgress) -> Option<u64> {
    let behind = |name: String, end: Option<Offset>, known: Offset| {
        let reached = position.get(&name).unwrap_or(known);
        end.map(|end| u64::try_from(end.saturating_sub(reached)).unwrap_or(0))
    };
    match role {
        Role::Active if progress.inputs.is_empty() => None,
        Role::Active => {
            progress.inputs.iter().map(|input| behind(input.partition.to_string(), input.end, input.position)).sum()
        }
        Role::Standby | Role::Restoring => {
            let store = progress.stores.iter().find(|progress| progress.store == store)?;
            behind(store.changelog.as_ref()?.to_string(), store.end, store.position)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::query::snapshot::{InputProgress, StoreProgress};
    use crate::types::TopicPartition;

    fn position(offsets: &[(&str, i64)]) -> Position {
        let mut position = Position::default();
        for (name, offset) in offsets {
            position.set(name, *offset);
        }
        position
    }

    #[test]
    fn a_bound_reads_what_a_position_prints() {
        let progress = TaskProgress {
            inputs: vec![
                InputProgress { partition: TopicPartition::new("a-b.c", 3), position: 0, end: None },
                InputProgress { partition: TopicPartition::new("x", 3), position: 0, end: None },
                InputProgress { partition: TopicPartition::new("unseen", 3), position: 0, end: None },
            ],
            ..TaskProgress::default()
        };
        let seen = position(&[("a-b.c-3", 17), ("x-3", 2), ("app-store-changelog-3", 99)]);
        let text = position_text(&seen, &progress);
        assert_eq!(text, "a-b.c-3:17,x-3:2");
        let bound = PositionBound::parse(&text).unwrap();
        assert!(bound.is_reached(3, &seen));
        assert!(!bound.is_reached(3, &position(&[("a-b.c-3", 16), ("x-3", 2)])), "one behind");
        assert!(!bound.is_reached(3, &position(&[("a-b.c-3", 17)])), "never seen");
        assert!(bound.is_reached(4, &position(&[])), "other partitions are not concerned");
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in [
            "",
            "a",
            "a-1",
            "a-1:",
            "a:1",
            "-1:1",
            "a-1:-5",
            "a-1:+5",
            "a-x:1",
            "a-1:1,",
            "a b-1:1",
            "a-1:99999999999999999999",
        ] {
            assert_eq!(PositionBound::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn lag_is_known_only_when_every_end_is() {
        let input = |topic: &str, end| InputProgress { partition: TopicPartition::new(topic, 0), position: 5, end };
        let changelog = Some(TopicPartition::new("log", 0));
        let mut progress = TaskProgress {
            inputs: vec![input("a", Some(10)), input("b", Some(20))],
            stores: vec![StoreProgress { store: "s".into(), changelog, position: 30, end: Some(41), bytes: None }],
            ..TaskProgress::default()
        };
        let at = position(&[("a-0", 12), ("b-0", 13)]);
        assert_eq!(lag(Role::Active, "s", &at, &progress), Some(7), "an old end offset is no negative lag");
        assert_eq!(lag(Role::Standby, "s", &at, &progress), Some(11));
        assert_eq!(lag(Role::Restoring, "other", &at, &progress), None);
        progress.inputs[0].end = None;
        assert_eq!(lag(Role::Active, "s", &at, &progress), None);
    }
}
