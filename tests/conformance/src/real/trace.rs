//! What an application left on the broker and in its stores, and where two of them differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use thalweg_tests::records::{Record, Stored};

use super::order::Order;
use crate::outcome::{Row, hex};

/// The rows of stores over all partitions, in order of keys.
pub type Dump = BTreeMap<String, Vec<Row>>;

/// The records of topics, by partition and offset.
pub type Topics = BTreeMap<String, Vec<Stored>>;

/// All that is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// Stores of the case's `dump`.
    pub stores: Dump,
    /// User topics that the application writes, and changelogs, by their common names.
    pub topics: Topics,
}

/// A place where two traces differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Store or topic, partition and key.
    pub part: String,
    /// What the original has there.
    pub original: String,
    /// What we have there.
    pub ours: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  original: {}\n  ours:     {}", self.part, self.original, self.ours)
    }
}

/// A key in its partition; the partition of a null key is anybody's.
type Place = (Option<i32>, Option<Vec<u8>>);

/// A record as it is compared: with no offset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Content {
    timestamp: i64,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Every difference. `orders` says how the topics of the user are compared; of a changelog it is the last
/// record of every key.
pub fn differences(orders: &BTreeMap<String, Order>, original: &Trace, ours: &Trace) -> Vec<Difference> {
    let mut found = Vec::new();
    for name in original.stores.keys().chain(ours.stores.keys()).collect::<BTreeSet<_>>() {
        let (theirs, ours) = (original.stores.get(name), ours.stores.get(name));
        if theirs != ours {
            found.push(Difference { part: format!("store '{name}'"), original: rows(theirs), ours: rows(ours) });
        }
    }
    for name in original.topics.keys().chain(ours.topics.keys()).collect::<BTreeSet<_>>() {
        let order = orders.get(name).copied().unwrap_or(Order::Last);
        let [theirs, ours] =
            [original, ours].map(|side| by_place(order, side.topics.get(name).map_or(&[], Vec::as_slice)));
        for place in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
            let (theirs, ours) = (theirs.get(place), ours.get(place));
            if theirs != ours {
                let (partition, key) = place;
                let at = partition.map_or_else(String::new, |number| format!(", partition {number}"));
                let key = key.as_deref().map_or_else(|| "null".to_owned(), hex);
                let part = format!("topic '{name}'{at}, key {key} ({order:?})");
                found.push(Difference { part, original: contents(theirs), ours: contents(ours) });
            }
        }
    }
    found
}

/// Of every key what `order` promises.
fn by_place(order: Order, records: &[Stored]) -> BTreeMap<Place, Vec<Content>> {
    let mut all: BTreeMap<Place, Vec<Content>> = BTreeMap::new();
    for stored in records {
        let key = stored.record.key.clone();
        all.entry((key.is_some().then_some(stored.partition), key)).or_default().push(content(&stored.record));
    }
    for ((_, key), contents) in &mut all {
        match order {
            Order::Last => {
                contents.drain(..contents.len().saturating_sub(1));
                contents.retain(|last| last.value.is_some());
            }
            Order::Bag => contents.sort(),
            Order::Keys | Order::Task if key.is_none() => contents.sort(),
            Order::Keys | Order::Task => {}
        }
    }
    all.retain(|_, contents| !contents.is_empty());
    all
}

fn content(record: &Record) -> Content {
    let headers = record.headers.view().iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)));
    Content { timestamp: record.timestamp, value: record.value.clone(), headers: headers.collect() }
}

fn rows(rows: Option<&Vec<Row>>) -> String {
    rows.map_or_else(
        || "none".to_owned(),
        |rows| {
            rows.iter().map(|row| format!("{}={}@{}", row.key, row.value, row.timestamp)).collect::<Vec<_>>().join(" ")
        },
    )
}

fn contents(contents: Option<&Vec<Content>>) -> String {
    let one = |content: &Content| {
        let value = content.value.as_deref().map_or_else(|| "null".to_owned(), hex);
        let headers = if content.headers.is_empty() { String::new() } else { format!(" {:?}", content.headers) };
        format!("{value}@{}{headers}", content.timestamp)
    };
    contents.map_or_else(|| "none".to_owned(), |all| all.iter().map(one).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use thalweg::types::Headers;

    use super::*;

    fn stored(partition: i32, key: Option<&str>, value: Option<&str>, timestamp: i64) -> Stored {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let record = Record { timestamp, key: key.map(bytes), value: value.map(bytes), headers: Headers::new() };
        Stored { partition, offset: 0, record }
    }

    fn texts(differences: Vec<Difference>) -> Vec<String> {
        differences.iter().map(ToString::to_string).collect()
    }

    fn compared(order: Order, original: Vec<Stored>, ours: Vec<Stored>) -> Vec<String> {
        let side = |records| Trace { stores: Dump::new(), topics: BTreeMap::from([("t".to_owned(), records)]) };
        texts(differences(&BTreeMap::from([("t".to_owned(), order)]), &side(original), &side(ours)))
    }

    #[test]
    fn an_order_says_what_must_be_equal() {
        let one = stored(0, Some("k"), Some("1"), 1);
        let two = stored(0, Some("k"), Some("2"), 2);
        let (other, gone) = (stored(0, Some("l"), Some("9"), 9), stored(0, Some("m"), None, 9));
        let (straight, turned) = (vec![one.clone(), two.clone()], vec![two.clone(), one.clone()]);
        let mixed = vec![other.clone(), one.clone(), two.clone()];
        let sorted = vec![one.clone(), two.clone(), other];
        let late = vec![two.clone(), gone];
        let table = [
            (Order::Task, &straight, &turned, false),
            (Order::Keys, &straight, &turned, false),
            (Order::Bag, &straight, &turned, true),
            (Order::Last, &straight, &turned, false),
            (Order::Keys, &mixed, &sorted, true),
            (Order::Last, &straight, &late, true),
            (Order::Bag, &straight, &late, false),
        ];
        for (order, original, ours, equal) in table {
            assert_eq!(compared(order, original.clone(), ours.clone()).is_empty(), equal, "{order:?} {original:?}");
        }
    }

    #[test]
    fn the_partition_counts_except_of_null_keys() {
        let at = |partition, key| vec![stored(partition, key, Some("1"), 1)];
        assert_eq!(compared(Order::Last, at(0, Some("k")), at(1, Some("k"))).len(), 2);
        assert!(compared(Order::Keys, at(0, None), at(1, None)).is_empty());
    }

    #[test]
    fn a_difference_shows_both_sides() {
        let found =
            compared(Order::Last, vec![stored(0, Some("k"), Some("1"), 1)], vec![stored(0, Some("k"), Some("1"), 2)]);
        assert_eq!(found, ["topic 't', partition 0, key 6b (Last)\n  original: 31@1\n  ours:     31@2"]);
        let dump = |value: &str| Trace {
            stores: Dump::from([("s".to_owned(), vec![Row { key: "6b".into(), value: value.into(), timestamp: 7 }])]),
            topics: BTreeMap::new(),
        };
        let found = texts(differences(&BTreeMap::new(), &dump("31"), &dump("32")));
        assert_eq!(found, ["store 's'\n  original: 6b=31@7\n  ours:     6b=32@7"]);
    }
}
