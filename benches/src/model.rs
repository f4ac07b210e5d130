//! What must come of the records of a benchmark, computed from the records alone.

use crate::describe::{joined, mapped, reversed};
use crate::rows::{Digest, Rows};
use crate::topology::Topology;
use crate::work::{Records, Work};

/// What a topology must have made of its input.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The last value of each key of the output topic.
    pub output: Rows,
    /// All stores together; a changelog's last values are its store's rows.
    pub stores: Digest,
}

/// What `topology` must make of `work`.
pub fn expect(topology: Topology, work: &Work) -> Expected {
    let last = || last(work.input(), |_, value| value);
    match topology {
        Topology::Passthrough => {
            Expected { output: self::last(work.input(), |_, value| mapped(value)), stores: Digest::default() }
        }
        Topology::Count => kept(counts(work.input(), <[u8]>::to_vec)),
        Topology::Repartition => kept(counts(work.input(), reversed)),
        Topology::Aggregate | Topology::AggregateMemory => kept(last()),
        Topology::Join | Topology::TableJoin => {
            let table = self::last(work.table(), |_, value| value);
            let left = last();
            let mut output = Rows::default();
            for (key, value) in left.iter() {
                if let Some(row) = table.get(key) {
                    output.put(key, Some(&joined(value, row)));
                }
            }
            let left = if topology == Topology::TableJoin { left.digest() } else { Digest::default() };
            Expected { output, stores: left.and(table.digest()) }
        }
        Topology::Restore | Topology::Orders => Expected { output: Rows::default(), stores: Digest::default() },
    }
}

/// A store whose rows are the output.
fn kept(output: Rows) -> Expected {
    let stores = output.digest();
    Expected { output, stores }
}

fn last(mut records: Records, value: impl Fn(&[u8], Vec<u8>) -> Vec<u8>) -> Rows {
    let mut rows = Rows::default();
    while let Some(record) = records.next_record() {
        rows.put(record.key, Some(&value(record.key, record.value.to_vec())));
    }
    rows
}

fn counts(mut records: Records, key: impl Fn(&[u8]) -> Vec<u8>) -> Rows {
    let mut rows = Rows::default();
    while let Some(record) = records.next_record() {
        let key = key(record.key);
        let before = rows.get(&key).and_then(|row| row.try_into().ok()).map_or(0, i64::from_be_bytes);
        rows.put(&key, Some(&(before + 1).to_be_bytes()));
    }
    rows
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use thalweg::dsl::StreamsBuilder;
    use thalweg::serde::BytesSerde;
    use thalweg::testing::{DriverOptions, TopologyTestDriver};

    use super::*;
    use crate::describe::{Topics, describe};
    use crate::work::Skew;

    const WORK: Work = Work { records: 2_000, keys: 50, skew: Skew::Uniform, value_bytes: 32, partitions: 4 };

    /// The described topology, run by the test driver, gives what the model says.
    #[test]
    fn our_topologies_do_what_the_model_says() {
        for topology in Topology::ALL {
            if matches!(topology, Topology::Restore | Topology::Orders) {
                continue;
            }
            let topics = Topics { input: "input".into(), table: "table".into(), output: "output".into() };
            let builder = StreamsBuilder::new();
            describe(&builder, topology, &topics);
            let driver = TopologyTestDriver::new(builder.build("bench").unwrap(), DriverOptions::default()).unwrap();
            let pipe = |topic: &str, mut records: Records| {
                let input = driver.create_input_topic::<Vec<u8>, Vec<u8>, _, _>(topic, BytesSerde, BytesSerde);
                while let Some(record) = records.next_record() {
                    input.pipe_input(record.key.to_vec(), record.value.to_vec(), record.timestamp);
                }
            };
            if topology.reads_table() {
                pipe("table", WORK.table());
            }
            pipe("input", WORK.input());
            let output = driver.create_output_topic::<Vec<u8>, Vec<u8>, _, _>("output", BytesSerde, BytesSerde);
            let mut found = Rows::default();
            for (key, value) in output.read_key_values_to_list() {
                found.put(&key, Some(&value));
            }
            let expected = expect(topology, &WORK);
            assert_eq!(found.difference(&expected.output), None, "{}", topology.name());
            assert_eq!(expected.output.digest().rows, 50, "{}", topology.name());
        }
    }

    #[test]
    fn stores_hold_the_output_or_the_tables() {
        let rows = |topology| expect(topology, &WORK).stores.rows;
        assert_eq!(rows(Topology::Passthrough), 0);
        assert_eq!(rows(Topology::Count), 50);
        assert_eq!(rows(Topology::Join), 200);
        assert_eq!(rows(Topology::TableJoin), 250);
    }
}
