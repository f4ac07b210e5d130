//! The rules for names, and the names that are generated.

use super::TopologyError;

/// Checks a name given by a user: rules of Kafka's `Named.validate`.
pub fn validate_name(name: &str) -> Result<(), TopologyError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let reason = match name {
        "" => "it is empty",
        "." | ".." => "'.' and '..' are reserved",
        _ if name.len() > 249 => "it is longer than 249 characters",
        _ if !name.chars().all(legal) => "it has other characters",
        _ => return Ok(()),
    };
    Err(TopologyError::InvalidName { name: name.to_owned(), reason })
}

/// One counter for all generated names of a blueprint (Kafka's `InternalStreamsBuilder.index`).
#[derive(Debug, Clone, Default)]
pub(super) struct NameCounter(u32);

impl NameCounter {
    pub(super) fn processor(&mut self, prefix: &str) -> String {
        let number = self.0;
        self.0 += 1;
        format!("{prefix}{number:010}")
    }

    pub(super) fn store(&mut self, prefix: &str) -> String {
        self.processor(&format!("{prefix}STATE-STORE-"))
    }

    /// As `KStreamImpl.createRepartitionedSource`: the three numbers are used up whether they end in a name or not.
    pub(super) fn repartition(&mut self, prefix: &str) -> RepartitionNames {
        let topic = if prefix.ends_with("-repartition") { prefix.to_owned() } else { format!("{prefix}-repartition") };
        let sink = self.processor("KSTREAM-SINK-");
        let filter = self.processor("KSTREAM-FILTER-");
        let source = self.processor("KSTREAM-SOURCE-");
        if is_generated(prefix) {
            return RepartitionNames { topic, filter: Some(filter), sink, source };
        }
        RepartitionNames {
            filter: Some(format!("{topic}-filter")),
            sink: format!("{topic}-sink"),
            source: format!("{topic}-source"),
            topic,
        }
    }

    /// As `KGroupedTableImpl.doAggregate`.
    pub(super) fn table_repartition(&mut self, prefix: &str, operator: Option<&str>) -> RepartitionNames {
        let sink = self.processor("KSTREAM-SINK-");
        let source = self.processor("KSTREAM-SOURCE-");
        RepartitionNames {
            topic: format!("{prefix}-repartition"),
            filter: None,
            sink: operator.map_or(sink, |name| format!("{name}-sink")),
            source: operator.map_or(source, |name| format!("{name}-source")),
        }
    }
}

/// The names of one repartition: its topic and the nodes around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepartitionNames {
    /// Topic name without application id.
    pub topic: String,
    /// The null-key filter; a grouped table has none.
    pub filter: Option<String>,
    /// The sink.
    pub sink: String,
    /// The source that reads the topic back.
    pub source: String,
}

/// Java's `name.matches("KSTREAM.*-[0-9]{10}")`.
fn is_generated(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("KSTREAM") else { return false };
    let Some((_, digits)) = rest.rsplit_once('-') else { return false };
    digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_named_validate() {
        for good in ["a", "KSTREAM-MAP-0000000001", "a.b_c-D9", &"x".repeat(249)] {
            assert_eq!(validate_name(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a/b", "ä", &"x".repeat(250)] {
            assert!(matches!(validate_name(bad), Err(TopologyError::InvalidName { .. })), "{bad}");
        }
    }

    #[test]
    fn one_counter_serves_all_names() {
        let mut names = NameCounter::default();
        assert_eq!(names.processor("KSTREAM-FILTER-"), "KSTREAM-FILTER-0000000000");
        assert_eq!(names.store("KSTREAM-AGGREGATE-"), "KSTREAM-AGGREGATE-STATE-STORE-0000000001");
        assert_eq!(names.processor("KSTREAM-MAP-"), "KSTREAM-MAP-0000000002");
    }

    #[test]
    fn a_repartition_named_by_the_user_uses_up_three_numbers() {
        let mut names = NameCounter::default();
        assert_eq!(
            names.repartition("by-shop"),
            RepartitionNames {
                topic: "by-shop-repartition".into(),
                filter: Some("by-shop-repartition-filter".into()),
                sink: "by-shop-repartition-sink".into(),
                source: "by-shop-repartition-source".into(),
            }
        );
        assert_eq!(names.processor("X-"), "X-0000000003");
        assert_eq!(names.repartition("KSTREAM-MAP-0000000001").source, "KSTREAM-SOURCE-0000000006");
    }

    #[test]
    fn only_whole_generated_names_count_as_generated() {
        assert!(is_generated("KSTREAM-AGGREGATE-STATE-STORE-0000000002"));
        assert!(is_generated("KSTREAM-0000000002"));
        for other in ["KSTREAM-MAP-000000002", "my-KSTREAM-MAP-0000000002", "KSTREAM0000000002", "KTABLE-X-0000000002"]
        {
            assert!(!is_generated(other), "{other}");
        }
    }
}
