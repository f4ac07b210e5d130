//! A topic is known by its id: one that was deleted and created again has the old name and other records.

use std::collections::BTreeMap;

/// The id of each topic, by name.
pub(super) type TopicIds = BTreeMap<String, String>;

/// A topic counts as deleted when it was absent this many times in a row: a broker that has just started may not know
/// all topics yet.
const ABSENCES: u32 = 3;

const RESET: &str = "reset the application (its committed offsets, its internal topics and its state directory), then \
                     start again";

/// The topics of a running application, to be compared with those that the cluster has.
#[derive(Debug)]
pub(super) struct KnownTopics {
    ids: TopicIds,
    absent: BTreeMap<String, u32>,
}

impl KnownTopics {
    pub(super) fn new(ids: TopicIds) -> Self {
        Self { ids, absent: BTreeMap::new() }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.ids.keys().cloned().collect()
    }

    /// Compares with what the cluster has `now`. Offsets and stores mean nothing for other topics of the same names.
    pub(super) fn see(&mut self, now: &TopicIds) -> Result<(), String> {
        let replaced = replaced(&self.ids, now);
        if !replaced.is_empty() {
            return Err(format!(
                "deleted and created again while the application ran: {replaced}; nothing more is processed, because \
                 offsets and stores belong to the old topics: {RESET}"
            ));
        }
        self.absent.retain(|topic, _| !now.contains_key(topic));
        for topic in self.ids.keys().filter(|topic| !now.contains_key(*topic)) {
            *self.absent.entry(topic.clone()).or_default() += 1;
        }
        let gone = list(self.absent.iter().filter(|(_, times)| **times >= ABSENCES).map(|(topic, _)| topic));
        if gone.is_empty() {
            return Ok(());
        }
        Err(format!("deleted while the application ran: {gone}; create them and {RESET}"))
    }
}

/// Why state that was built from topics of the ids `known` does not fit the topics of `now`.
pub(super) fn mismatch(known: &TopicIds, now: &TopicIds) -> Option<String> {
    let replaced = replaced(known, now);
    (!replaced.is_empty()).then(|| {
        format!("deleted and created again since the state directory was built from them: {replaced}; {RESET}")
    })
}

fn replaced(known: &TopicIds, now: &TopicIds) -> String {
    list(known.iter().filter(|(topic, id)| now.get(*topic).is_some_and(|now| now != *id)).map(|(topic, _)| topic))
}

fn list<'a>(topics: impl Iterator<Item = &'a String>) -> String {
    topics.map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn ids(ids: &[(&str, &str)]) -> TopicIds {
        ids.iter().map(|(topic, id)| ((*topic).to_owned(), (*id).to_owned())).collect()
    }

    #[test]
    fn another_id_is_another_topic() {
        let mut known = KnownTopics::new(ids(&[("a", "1"), ("b", "2"), ("c", "3")]));
        assert_eq!(known.see(&ids(&[("a", "1"), ("b", "2"), ("c", "3"), ("other", "4")])), Ok(()));
        let error = known.see(&ids(&[("a", "1"), ("b", "9"), ("c", "8")])).unwrap_err();
        assert!(error.starts_with("deleted and created again while the application ran: b, c; "), "{error}");
    }

    #[test]
    fn a_topic_is_deleted_when_it_stays_away() {
        let mut known = KnownTopics::new(ids(&[("a", "1"), ("b", "2")]));
        let (all, without) = (ids(&[("a", "1"), ("b", "2")]), ids(&[("a", "1")]));
        for now in [&without, &without, &all, &without, &without] {
            assert_eq!(known.see(now), Ok(()), "absent at most twice in a row");
        }
        let error = known.see(&without).unwrap_err();
        assert!(error.starts_with("deleted while the application ran: b; "), "{error}");
    }

    #[test]
    fn state_fits_the_topics_it_was_built_from_and_new_ones() {
        let known = ids(&[("a", "1"), ("gone", "7")]);
        assert_eq!(mismatch(&known, &ids(&[("a", "1"), ("new", "5")])), None);
        assert!(mismatch(&known, &ids(&[("a", "2")])).is_some_and(|text| text.contains("built from them: a; ")));
    }
}
