//! Our side: a case through our DSL and our driver.

mod build;
mod grouped;
mod processor;
mod tables;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use thalweg::serde::BytesSerde;
use thalweg::task::{DropReason, Recipes};
use thalweg::testing::{DriverOptions, RawRecord, TestRecord, TopologyTestDriver, WrittenRecord};
use thalweg::topology::TopologyError;
use thalweg::types::Headers;

use crate::case::{Case, Datum, Guarantee, Input, InputRecord, Optimization};
use crate::check::{CaseError, check};
use crate::outcome::{Outcome, OutputRecord, Ran, Row, hex};

pub use build::Seen;

/// Why there is no topology of ours.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The case is wrong.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// Our side has no way to say it.
    #[error("our side cannot say {0}")]
    CannotSay(&'static str),
    /// The DSL refuses the topology, as the original's must.
    #[error(transparent)]
    Refused(#[from] TopologyError),
}

/// The topology of a case, with what its `peek` and `foreach` see.
pub fn recipes(case: &Case, application_id: &str) -> Result<(Recipes, Seen), Error> {
    let shapes = check(case)?;
    if case.config.optimization != Optimization::None {
        return Err(Error::CannotSay("topology.optimization=all"));
    }
    if case.config.guarantee != Guarantee::AtLeastOnce {
        return Err(Error::CannotSay("processing.guarantee=exactly_once_v2"));
    }
    let (builder, seen) = build::describe(case, &shapes);
    Ok((builder.build(application_id)?, seen))
}

/// Runs a case in our driver.
pub fn run(case: &Case) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| outcome(case))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Outcome::failed(format!("our side panicked: {}", text.unwrap_or("without a text")))
    })
}

fn outcome(case: &Case) -> Outcome {
    let (recipes, seen) = match recipes(case, "app") {
        Ok(built) => built,
        Err(Error::Refused(_)) => return Outcome::refused_topology(),
        Err(error) => return Outcome::failed(error),
    };
    let cache_max_bytes = usize::try_from(case.config.cache_max_bytes).unwrap_or(usize::MAX);
    let options = DriverOptions::default().one_task().cache_max_bytes(cache_max_bytes);
    let driver = match TopologyTestDriver::new(recipes, options) {
        Ok(driver) => driver,
        Err(error) => return Outcome::failed(error),
    };
    let mut piped: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, input) in case.inputs.iter().enumerate() {
        match input {
            Input::Advance(advance) => driver.advance_wall_clock(advance.advance_wall_clock),
            Input::Record(record) => {
                piped.entry(&record.topic).or_default().push(driver.records(&record.topic).len());
                if driver.pipe_raw(&record.topic, raw(record)).is_err() {
                    return Outcome::refused_input(index);
                }
            }
        }
    }
    ran(case, &driver, &piped, &seen)
}

fn ran(case: &Case, driver: &TopologyTestDriver, piped: &BTreeMap<&str, Vec<usize>>, seen: &Seen) -> Outcome {
    let known = driver.store_names();
    if let Some(missing) = case.dump.iter().find(|name| !known.contains(name)) {
        return Outcome::failed(format!("the topology has no store '{missing}' to dump"));
    }
    let mut topics = BTreeMap::new();
    for topic in driver.written_topics() {
        let piped = piped.get(topic.as_str()).map_or(&[][..], Vec::as_slice);
        let written = driver.records(&topic).into_iter().enumerate();
        let written: Vec<_> =
            written.filter(|(index, _)| !piped.contains(index)).map(|(_, record)| output(record)).collect();
        if !written.is_empty() {
            topics.insert(topic, written);
        }
    }
    let dropped = DropReason::ALL.into_iter().map(|reason| driver.dropped(reason)).sum();
    Outcome::Ran(Ran {
        describe: driver.describe(),
        topics,
        stores: case.dump.iter().map(|name| (name.clone(), rows(driver, name))).collect(),
        seen: seen.counts(),
        dropped,
    })
}

fn raw(record: &InputRecord) -> RawRecord {
    let mut headers = Headers::new();
    for (key, value) in &record.headers {
        headers.push(key, value.as_ref().map(String::as_bytes));
    }
    let bytes = |datum: &Option<Datum>| datum.as_ref().map(Datum::bytes);
    TestRecord { key: bytes(&record.key), value: bytes(&record.value), timestamp: record.timestamp, headers }
}

fn output(written: WrittenRecord) -> OutputRecord {
    let TestRecord { key, value, timestamp, headers } = written.record;
    let headers = headers.view().iter().map(|header| (header.key.to_owned(), header.value.map(hex))).collect();
    OutputRecord { key: key.as_deref().map(hex), value: value.as_deref().map(hex), timestamp, headers }
}

fn rows(driver: &TopologyTestDriver, store: &str) -> Vec<Row> {
    let rows = driver.get_key_value_store::<Vec<u8>, Vec<u8>, _, _>(store, BytesSerde, BytesSerde).all();
    rows.into_iter().map(|row| Row { key: hex(&row.key), value: hex(&row.value), timestamp: row.timestamp }).collect()
}
