//! Simpler inputs.

use crate::case::{Advance, Case, Datum, Input, InputRecord};

/// Inputs that are simpler than this one, the simplest first.
pub(super) fn simpler(input: &Input) -> Vec<Input> {
    match input {
        Input::Advance(Advance { advance_wall_clock: by }) => {
            let steps = [1, by / 2].into_iter().filter(|step| step < by && *step > 0);
            steps.map(|by| Input::Advance(Advance { advance_wall_clock: by })).collect()
        }
        Input::Record(record) => records(record).into_iter().map(Input::Record).collect(),
    }
}

fn records(record: &InputRecord) -> Vec<InputRecord> {
    let mut simpler = Vec::new();
    let mut add = |change: &dyn Fn(&mut InputRecord)| {
        let mut changed = record.clone();
        change(&mut changed);
        if changed != *record {
            simpler.push(changed);
        }
    };
    add(&|record| record.partition = None);
    add(&|record| record.headers.clear());
    for at in 0..record.headers.len() {
        add(&|record| drop(record.headers.remove(at)));
    }
    for value in record.value.iter().flat_map(data) {
        add(&|record| record.value = Some(value.clone()));
    }
    for key in record.key.iter().flat_map(data) {
        add(&|record| record.key = Some(key.clone()));
    }
    for timestamp in [0, 1, record.timestamp / 2, (record.timestamp - 1).max(0)] {
        add(&|record| record.timestamp = timestamp.min(record.timestamp));
    }
    simpler
}

/// Data that are simpler than this one. Both sequences go down, so that no two replace each other for ever.
fn data(datum: &Datum) -> Vec<Datum> {
    match datum {
        Datum::String(text) => texts(text).map(Datum::String).collect(),
        Datum::Int64(number) => numbers(*number).map(Datum::Int64).collect(),
        Datum::Record { n, s } => {
            let of_number = numbers(*n).map(|n| Datum::Record { n, s: s.clone() });
            of_number.chain(texts(s).map(|s| Datum::Record { n: *n, s })).collect()
        }
    }
}

fn texts(text: &str) -> impl Iterator<Item = String> {
    let simpler = ["a", "b", "bb"].into_iter().take_while(move |simple| *simple != text);
    simpler.filter(move |simple| simple.len() <= text.len()).map(str::to_owned)
}

fn numbers(number: i64) -> impl Iterator<Item = i64> {
    [0, 1, 2, -1].into_iter().take_while(move |simple| *simple != number)
}

/// Times that keep their order and lie close together.
pub(super) fn with_small_steps(case: &mut Case) {
    let record = |input: &Input| match input {
        Input::Record(record) => Some(record.timestamp),
        Input::Advance(_) => None,
    };
    let mut times: Vec<i64> = case.inputs.iter().filter_map(record).collect();
    times.sort_unstable();
    times.dedup();
    for input in &mut case.inputs {
        if let Input::Record(record) = input {
            record.timestamp = times.partition_point(|time| *time < record.timestamp) as i64;
        }
    }
}
