//! The partition of every input.

use std::collections::BTreeMap;

use thalweg::types::partition_of;

use crate::case::{Case, Datum, Input, InputRecord};

/// What the partitions of the inputs say about keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Places {
    /// Every key has its records in one partition number, in all topics that have as many partitions.
    OnePerKey,
    /// A key has records in several partitions.
    Several,
    /// An input names a partition that its topic does not have.
    Missing,
}

/// Partition of a record in a topic of so many: the one that the case names, else that of its key; 0 for a null key.
pub fn place(record: &InputRecord, partitions: i32) -> i32 {
    let of_key = || record.key.as_ref().map_or(0, |key| partition_of(&key.bytes(), partitions));
    record.partition.unwrap_or_else(of_key)
}

/// Judges the partitions of all inputs.
pub fn places(case: &Case) -> Places {
    let mut known: BTreeMap<(i32, &Datum), i32> = BTreeMap::new();
    for input in &case.inputs {
        let Input::Record(record) = input else { continue };
        let partitions = case.topics.get(&record.topic).map_or(1, |topic| topic.partitions);
        let at = place(record, partitions);
        if !(0..partitions).contains(&at) {
            return Places::Missing;
        }
        if record.key.as_ref().is_some_and(|key| *known.entry((partitions, key)).or_insert(at) != at) {
            return Places::Several;
        }
    }
    Places::OnePerKey
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judged(inputs: &Value) -> Places {
        let topics = json!({
            "two": {"key": "string", "value": "int64", "partitions": 2},
            "also": {"key": "string", "value": "int64", "partitions": 2},
            "one": {"key": "string", "value": "int64"},
        });
        let case = json!({"name": "c", "topics": topics, "nodes": [], "inputs": inputs});
        places(&serde_json::from_value(case).unwrap())
    }

    #[test]
    fn a_key_has_one_partition_in_topics_of_one_size() {
        let input = |topic: &str, key: Option<&str>, partition: Option<i32>| {
            let mut input = json!({"topic": topic, "key": key, "value": 1, "timestamp": 0});
            if let Some(partition) = partition {
                input["partition"] = partition.into();
            }
            input
        };
        let at = partition_of(b"a", 2);
        let table = [
            (json!([input("two", Some("a"), None), input("two", Some("a"), Some(at))]), Places::OnePerKey),
            (json!([input("two", Some("a"), None), input("also", Some("a"), Some(1 - at))]), Places::Several),
            (json!([input("two", Some("a"), Some(1)), input("one", Some("a"), None)]), Places::OnePerKey),
            (json!([input("two", None, Some(1)), input("two", None, None)]), Places::OnePerKey),
            (json!([input("two", Some("a"), Some(2))]), Places::Missing),
            (json!([{"advance_wall_clock": 1}]), Places::OnePerKey),
        ];
        for (inputs, expected) in table {
            assert_eq!(judged(&inputs), expected, "{inputs}");
        }
    }

    #[test]
    fn a_record_goes_where_javas_producer_puts_its_key() {
        let record = |key: Option<Datum>, partition| InputRecord {
            topic: "t".to_owned(),
            partition,
            key,
            value: None,
            timestamp: 0,
            headers: Vec::new(),
        };
        let key = Datum::String("21".to_owned());
        // Kafka's `UtilsTest.testMurmur2`: -973932308.
        assert_eq!(place(&record(Some(key.clone()), None), 7), (-973_932_308_i32 & 0x7fff_ffff) % 7);
        assert_eq!(place(&record(Some(key), Some(3)), 7), 3);
        assert_eq!(place(&record(None, None), 7), 0);
    }
}
