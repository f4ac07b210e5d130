//! `profile`: our side under `perf`, as a flame graph and as shares.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use inferno::collapse::Collapse;
use inferno::collapse::perf::Folder;
use inferno::flamegraph;
use serde_json::json;

use crate::bench::Bench;
use crate::failure::Failure;
use crate::options::ProfileOptions;
use crate::plan::Run;
use crate::say;
use crate::shares::shares;
use crate::topology::{Side, Topology};

/// Samples per second of CPU time; odd, so that it keeps no step with anything.
const FREQUENCY: &str = "499";
/// The compilers leave no frame pointers: perf copies this much of each stack and unwinds it later.
const CALL_GRAPH: &str = "dwarf,16384";

/// Profiles one run after its warm-up and prints the share of each part.
pub fn run(options: &ProfileOptions, root: &Path) -> Result<(), Failure> {
    let run = Run {
        topology: options.topology,
        is_reported: true,
        restores: false,
        cache_max_bytes: options.cache_max_bytes,
        round: 0,
        side: Side::Ours,
    };
    if run.topology == Topology::Restore {
        return Err(Failure::unable("profile", "choose a topology that processes; restore is not profiled"));
    }
    let dir = tempfile::tempdir().map_err(|error| Failure::unable("temporary directory", error))?;
    let samples = dir.path().join("perf.data");
    let mut recorder = None;
    let mut bench = Bench::start(options.work.work(), options.work.tuning())?;
    let outcome = bench.run(&run, &mut |id| {
        recorder = Some(Recorder::start(id, &samples)?);
        Ok(())
    })?;
    drop(bench);
    let recorder =
        recorder.ok_or_else(|| Failure::unable("profile", "the run was over before its warm-up: more --records"))?;
    recorder.end()?;
    if !outcome.wrong.is_empty() {
        return Err(Failure::Wrong(outcome.wrong));
    }
    let folded = fold(&samples, dir.path())?;
    let name = options.topology.name();
    let svg = options.svg.clone().unwrap_or_else(|| root.join(format!("target/profile-{name}.svg")));
    draw(&folded, name, &svg)?;
    let shares = shares(folded.lines()).ok_or_else(|| Failure::unable("profile", "perf took no samples"))?;
    let cpu = outcome.processed.cpu_per_million();
    say(&format!("{name}: {cpu:.2} µs CPU per record; flame graph in {}", svg.display()));
    say("| part | share | µs per record |\n| --- | --- | --- |");
    for (part, share) in &shares {
        say(&format!("| {} | {:.1} % | {:.2} |", part.name(), share * 100.0, share * cpu));
    }
    if options.json {
        let shares: serde_json::Map<_, _> =
            shares.iter().map(|(part, share)| (part.name().to_owned(), json!(share))).collect();
        say(&json!({"topology": name, "measured": outcome.processed, "shares": shares, "svg": svg}).to_string());
    }
    Ok(())
}

/// `perf record` beside a process; ends with the process.
struct Recorder {
    perf: Child,
}

impl Recorder {
    fn start(id: u32, into: &Path) -> Result<Self, Failure> {
        let mut perf = Command::new("perf");
        perf.args(["record", "--quiet", "-F", FREQUENCY, "--call-graph", CALL_GRAPH, "-p", &id.to_string(), "-o"])
            .arg(into);
        let perf = perf.stdin(Stdio::null()).stdout(Stdio::null()).spawn().map_err(recording)?;
        Ok(Self { perf })
    }

    fn end(mut self) -> Result<(), Failure> {
        // The process has ended, and perf with it: the status is that of its writing.
        let status = self.perf.wait().map_err(recording)?;
        if status.success() { Ok(()) } else { Err(recording(io::Error::other(format!("perf record: {status}")))) }
    }
}

fn recording(error: io::Error) -> Failure {
    Failure::unable("perf (Debian package linux-perf; as root, or with kernel.perf_event_paranoid at most 1)", error)
}

/// Stacks with their counts, one per line.
fn fold(samples: &Path, dir: &Path) -> Result<String, Failure> {
    let folding = |error: io::Error| Failure::unable("reading the samples", error);
    let script = dir.join("perf.script");
    let mut perf = Command::new("perf");
    perf.args(["script", "--demangle", "-i"]).arg(samples);
    perf.stdout(File::create(&script).map_err(folding)?).stderr(Stdio::null());
    let status = perf.status().map_err(recording)?;
    if !status.success() {
        return Err(folding(io::Error::other(format!("perf script: {status}"))));
    }
    let mut folded = Vec::new();
    let reader = BufReader::new(File::open(&script).map_err(folding)?);
    Folder::default().collapse(reader, &mut folded).map_err(folding)?;
    String::from_utf8(folded).map_err(|error| Failure::unable("reading the samples", error))
}

fn draw(folded: &str, name: &str, svg: &PathBuf) -> Result<(), Failure> {
    let drawing = |reason: String| Failure::unable(format!("drawing {}", svg.display()), reason);
    let mut options = flamegraph::Options::default();
    options.title = format!("Thalweg, {name}");
    // Each sample weighs the CPU time since the one before it.
    options.count_name = "ns".to_owned();
    let mut drawn = Vec::new();
    flamegraph::from_lines(&mut options, folded.lines(), &mut drawn).map_err(|error| drawing(error.to_string()))?;
    fs::write(svg, drawn).map_err(|error| drawing(error.to_string()))
}
