//! `streams`: both sides in turn, every answer compared, one table.

use std::path::Path;

use serde_json::json;

use crate::bench::Bench;
use crate::document;
use crate::failure::Failure;
use crate::options::StreamsOptions;
use crate::plan::{Run, plan};
use crate::process::streams_version;
use crate::results::{Results, asked, line, name};
use crate::say;
use crate::topology::Side;

/// Runs the comparison to its end and prints the table.
pub fn run(options: &StreamsOptions, root: &Path) -> Result<(), Failure> {
    let sides: &[Side] = if options.ours_alone { &[Side::Ours] } else { &[Side::Ours, Side::Theirs] };
    let topologies = asked(&options.topology);
    let runs = plan(&topologies, &options.cache_max_bytes, options.rounds, sides);
    let work = options.work.work();
    let mut bench = Bench::start(work, options.work.tuning())?;
    let (mut results, mut wrong) = (Results::default(), Vec::new());
    for run in &runs {
        // A run that fails voids itself only: the others took long.
        let outcome = match bench.run(run, &mut |_| Ok(())) {
            Ok(outcome) => outcome,
            Err(failure) => {
                void(run, &[failure.to_string()], &mut wrong);
                continue;
            }
        };
        if outcome.wrong.is_empty() {
            say(&line(run, &outcome));
            results.add(run, &outcome);
        } else {
            void(run, &outcome.wrong, &mut wrong);
        }
    }
    let conditions = format!(
        "{}. {} records, {} keys ({:?}), {} bytes per value, {} partitions, {} stream thread(s), commit every {} ms, {} rounds; \
         Kafka Streams {} with its defaults and -Xmx1g.",
        document::conditions(),
        work.records,
        work.keys,
        work.skew,
        work.value_bytes,
        work.partitions,
        options.work.threads,
        options.work.commit_interval_ms,
        options.rounds,
        streams_version(),
    );
    let text = format!("{conditions}\n\n{}", results.table());
    say(&format!("\n{text}"));
    if options.write && wrong.is_empty() {
        document::write(&root.join("docs/performance.md"), "streams", &text)?;
    }
    if options.json {
        say(&json!({"work": work, "conditions": conditions, "cases": results.json(), "wrong": wrong}).to_string());
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::Wrong(wrong)) }
}

fn void(run: &Run, reasons: &[String], wrong: &mut Vec<String>) {
    let problems = reasons.iter().map(|reason| format!("{}: {reason}", name(run)));
    wrong.extend(problems.inspect(|problem| say(&format!("VOID {problem}"))));
}
