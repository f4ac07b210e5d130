//! The command that compares Thalweg with Kafka Streams: `cargo xtask conformance`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;
use thalweg_conformance::case::Case;
use thalweg_conformance::compare::Difference;
use thalweg_conformance::coverage::Coverage;
use thalweg_conformance::generate;
use thalweg_conformance::original::{self, Original};
use thalweg_conformance::random;
use thalweg_conformance::real::{self, Arena};
use thalweg_conformance::side_by_side::{self, compare};

/// Compares Thalweg with Kafka Streams, record by record
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask conformance", args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    #[command(subcommand)]
    side: Option<Side>,
    /// Compare the case of this file
    #[arg(long, value_name = "CASE.JSON", required_unless_present_any = ["dir", "cases"], conflicts_with = "dir")]
    file: Option<PathBuf>,
    /// Compare all cases of this folder
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Compare on a real broker what does not depend on timing
    #[arg(long, conflicts_with_all = ["first", "coverage"])]
    real: bool,
    /// Compare so many random cases; those that differ are made small and saved
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["file", "dir"])]
    cases: Option<u64>,
    /// The seed of the random cases
    #[arg(long, default_value_t = 1, requires = "cases")]
    seed: u64,
    /// Where small cases are saved
    #[arg(long, value_name = "FOLDER", default_value = "target/conformance", requires = "cases")]
    save: PathBuf,
    /// Stop at the first difference and leave the case as it is
    #[arg(long, requires = "cases")]
    first: bool,
    /// Say what the random cases contain instead of comparing them
    #[arg(long, requires = "cases", conflicts_with = "first")]
    coverage: bool,
    /// Say the result as one JSON object, the last line
    #[arg(long)]
    json: bool,
}

/// What this executable is started as by itself.
#[derive(Debug, Subcommand)]
enum Side {
    /// Our side of `--real`, until its standard input ends
    #[command(hide = true)]
    RealSide,
}

/// What came of all cases.
#[derive(Debug, Default, Serialize)]
struct Summary {
    cases: usize,
    different: Vec<Different>,
}

/// A case whose outcomes differ.
#[derive(Debug, Serialize)]
struct Different {
    case: String,
    part: String,
    original: String,
    ours: String,
}

/// Some outcomes differ.
const DIFFERENT: u8 = 1;
/// Something that is needed is missing or broken.
const MISSING: u8 = 2;
/// `EX_USAGE` of sysexits.h.
const USAGE: u8 = 64;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Original(#[from] original::Error),
    #[error(transparent)]
    Real(#[from] real::Error),
    #[error(transparent)]
    File(#[from] side_by_side::Error),
    #[error(transparent)]
    Random(#[from] random::Error),
    #[error("cannot write the result: {0}")]
    Output(#[from] io::Error),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // When not even this can be written there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    let run = match &arguments.side {
        Some(Side::RealSide) => real::side().map(|()| Summary::default()).map_err(Error::Real),
        None if arguments.real => run_real(&arguments, &mut io::stdout()),
        None => run(&arguments, &mut io::stdout()),
    };
    match run {
        Ok(summary) if summary.different.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(DIFFERENT),
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::from(MISSING)
        }
    }
}

fn run(arguments: &Arguments, out: &mut impl Write) -> Result<Summary, Error> {
    if let Some(cases) = arguments.cases {
        return if arguments.coverage { coverage(cases, arguments, out) } else { random(cases, arguments, out) };
    }
    let files = files(arguments)?;
    let mut original = Original::prepare()?;
    let mut summary = Summary::default();
    for file in files {
        let case = side_by_side::read(&file)?;
        summary.cases += 1;
        if let Some(difference) = compare(&mut original, &case)? {
            writeln!(out, "case '{}' differs: {}\n{difference}", case.name, case.about)?;
            summary.different.push(different(&case, difference));
        }
    }
    say(&summary, arguments, out)?;
    Ok(summary)
}

fn say(summary: &Summary, arguments: &Arguments, out: &mut impl Write) -> Result<(), Error> {
    writeln!(out, "{} cases, {} different", summary.cases, summary.different.len())?;
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(summary).map_err(io::Error::from)?)?;
    }
    Ok(())
}

fn random(cases: u64, arguments: &Arguments, out: &mut impl Write) -> Result<Summary, Error> {
    let save = (!arguments.first).then_some(arguments.save.as_path());
    let plan = random::Plan { cases, seed: arguments.seed, save };
    let found = random::run(&plan, &mut Original::prepare()?, out)?;
    let different = found.different.into_iter().map(|(case, difference)| different(&case, difference)).collect();
    let summary = Summary { cases: found.cases as usize, different };
    say(&summary, arguments, out)?;
    Ok(summary)
}

fn files(arguments: &Arguments) -> Result<Vec<PathBuf>, Error> {
    Ok(match (&arguments.file, &arguments.dir) {
        (Some(file), _) => vec![file.clone()],
        (None, Some(folder)) => side_by_side::files(folder)?,
        (None, None) => Vec::new(),
    })
}

/// On a real broker. Of many cases those that cannot be compared there are told and counted; alone it is an error.
fn run_real(arguments: &Arguments, out: &mut impl Write) -> Result<Summary, Error> {
    let random = (0..arguments.cases.unwrap_or(0)).map(|index| Ok(generate::case(arguments.seed, index)));
    let files = files(arguments)?;
    let mut arena = Arena::start(std::env::current_exe()?)?;
    let mut summary = Summary::default();
    let mut left_out = 0;
    for case in files.iter().map(|file| side_by_side::read(file)).chain(random) {
        let case = case?;
        let differences = match arena.compare(&case) {
            Err(why) if arguments.file.is_none() && why.is_of_the_case() => {
                writeln!(out, "case '{}': {why}", case.name)?;
                left_out += 1;
                continue;
            }
            compared => compared?,
        };
        summary.cases += 1;
        if !differences.is_empty() {
            writeln!(out, "case '{}' differs: {}", case.name, case.about)?;
        }
        for difference in differences {
            writeln!(out, "{difference}")?;
            let real::Difference { part, original, ours } = difference;
            summary.different.push(Different { case: case.name.clone(), part, original, ours });
        }
    }
    writeln!(out, "{left_out} cases were not compared")?;
    say(&summary, arguments, out)?;
    Ok(summary)
}

fn coverage(cases: u64, arguments: &Arguments, out: &mut impl Write) -> Result<Summary, Error> {
    let mut coverage = Coverage::default();
    (0..cases).for_each(|index| coverage.add(&generate::case(arguments.seed, index)));
    if arguments.json {
        writeln!(out, "{}", coverage.json())?
    } else {
        write!(out, "{coverage}")?
    }
    Ok(Summary::default())
}

fn different(case: &Case, difference: Difference) -> Different {
    let Difference { part, original, ours, .. } = difference;
    Different { case: case.name.clone(), part, original, ours }
}
