//! Random inputs through an aggregation joined with a table, against a naive recomputation.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::fixture::*;
use crate::dsl::{Grouped, Materialized, StreamsBuilder};
use crate::serde::{I64Serde, StringSerde};
use crate::testing::DriverOptions;
use crate::types::Timestamp;

#[derive(Debug, Clone)]
enum Step {
    /// A number for a key's sum; 0 deletes the sum.
    Add(u8, i64, Timestamp),
    /// A name for a key; `None` deletes it.
    Name(u8, Option<u8>, Timestamp),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0_u8..4;
    let step = prop_oneof![
        (key.clone(), -2_i64..3, 0_i64..50).prop_map(|(key, value, time)| Step::Add(key, value, time)),
        (key, proptest::option::of(0_u8..3), 0_i64..50).prop_map(|(key, name, time)| Step::Name(key, name, time)),
    ];
    proptest::collection::vec(step, 0..60)
}

/// A key's rows: value and time.
#[derive(Default)]
struct Rows {
    sum: Option<(i64, Timestamp)>,
    name: Option<(u8, Timestamp)>,
}

/// What an inner join says after a step: nothing, or a result or delete with its time.
type Said = Option<(Option<String>, Timestamp)>;

impl Rows {
    fn joined(&self) -> Option<String> {
        Some(format!("{}:{}", self.sum?.0, self.name?.0))
    }

    /// Sums add up, the later time stays; the join speaks when the other side has a row.
    fn add(&mut self, value: i64, time: Timestamp) -> Said {
        let row_time = self.sum.map_or(time, |(_, before)| before.max(time));
        let before = self.sum.map_or(0, |(sum, _)| sum);
        self.sum = (value != 0).then_some((before + value, row_time));
        self.name.map(|(_, other)| (self.joined(), row_time.max(other)))
    }

    /// Names overwrite, time and all.
    fn name(&mut self, name: Option<u8>, time: Timestamp) -> Said {
        self.name = name.map(|name| (name, time));
        self.sum.map(|(_, other)| (self.joined(), time.max(other)))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn an_aggregation_joined_with_a_table_equals_a_recomputation(steps in steps(), on_disk in proptest::bool::weighted(0.1)) {
        let builder = StreamsBuilder::new();
        let sums = builder
            .stream::<String, i64, _, _>("numbers", crate::dsl::Consumed::with(StringSerde, I64Serde))
            .group_by_key(Grouped::with(StringSerde, I64Serde))
            .aggregate(
                || 0,
                |_: &String, value: i64, sum: i64| (value != 0).then_some(sum + value),
                I64Serde,
                Materialized::named("sums"),
            );
        let names = table(&builder, "names");
        sums.join_materialized(
            &names,
            |sum, name| format!("{sum}:{name}"),
            StringSerde,
            StringSerde,
            Materialized::named("joined"),
        )
        .to_stream()
        .to("out", produced_nullable());
        let options = DriverOptions::default().cache_max_bytes(0).partitions("numbers", 3).partitions("names", 3);
        let driver = start_with(builder, if on_disk { options.on_disk() } else { options });
        let numbers = driver.create_input_topic::<String, i64, _, _>("numbers", StringSerde, I64Serde);
        let names = input(&driver, "names");
        let out = texts(&driver, "out");

        let mut model: BTreeMap<u8, Rows> = BTreeMap::new();
        let mut kept: BTreeMap<String, (String, Timestamp)> = BTreeMap::new();
        for step in steps {
            let (key, said) = match step {
                Step::Add(key, value, time) => {
                    numbers.pipe_input(key.to_string(), value, time);
                    (key, model.entry(key).or_default().add(value, time))
                }
                Step::Name(key, name, time) => {
                    match name {
                        Some(name) => names.pipe_input(key.to_string(), name.to_string(), time),
                        None => names.pipe_tombstone(key.to_string(), time),
                    }
                    (key, model.entry(key).or_default().name(name, time))
                }
            };
            let records = out.read_records_to_list();
            let heard: Vec<_> = records.into_iter().map(|r| (r.key.unwrap(), r.value, r.timestamp)).collect();
            let expected: Vec<_> =
                said.iter().map(|(value, time)| (key.to_string(), value.clone(), *time)).collect();
            prop_assert_eq!(heard, expected);
            match said {
                Some((Some(value), time)) => drop(kept.insert(key.to_string(), (value, time))),
                Some((None, _)) => drop(kept.remove(&key.to_string())),
                None => {}
            }
        }
        let joined = driver.get_key_value_store::<String, String, _, _>("joined", StringSerde, StringSerde);
        let rows: BTreeMap<_, _> =
            joined.all_committed().into_iter().map(|row| (row.key, (row.value, row.timestamp))).collect();
        prop_assert_eq!(rows, kept);
        let sums = driver.get_key_value_store::<String, i64, _, _>("sums", StringSerde, I64Serde);
        let rows: BTreeMap<_, _> = sums.all().into_iter().map(|row| (row.key, (row.value, row.timestamp))).collect();
        let expected: BTreeMap<_, _> =
            model.iter().filter_map(|(key, rows)| Some((key.to_string(), rows.sum?))).collect();
        prop_assert_eq!(rows, expected);
    }
}
