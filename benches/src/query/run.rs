//! The order of events: two instances for forwarded reads, then one for all others.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use thalweg_tests::orders::{Application, Place};

use super::feeder::{Feeder, Stream, lives};
use super::figures::{Cost, Figures, Freshness, Reads, table};
use super::freshness;
use super::load::{Load, Outcome};
use super::options::Options;
use super::scene::{Running, keys_of, points, ranges, wait_until_processed, wait_until_shared};

/// Default commit interval of the project.
const COMMIT_INTERVAL_MS: u64 = 1000;
const SHORT_COMMIT_INTERVAL_MS: u64 = 100;
/// Paths that the load generator chooses from: enough to be random, few enough to load at once.
const PATHS_MAX: usize = 50_000;

/// Runs everything and prints the figures.
pub fn run(options: &Options) {
    let mut bench = Bench::prepare(options);
    let places = [bench.app.place("a", ""), bench.app.place("b", "")];
    bench.forwarded(&places);
    let mut alone = bench.start(&places[0], COMMIT_INTERVAL_MS);
    bench.local(&alone);
    bench.fresh(&alone, COMMIT_INTERVAL_MS);
    alone.stop();
    alone = bench.start(&places[0], SHORT_COMMIT_INTERVAL_MS);
    bench.fresh(&alone, SHORT_COMMIT_INTERVAL_MS);
    alone.stop();
    bench.cost(&places[0]);
    println!("{}", table(&bench.figures));
    if options.json {
        println!("{}", serde_json::to_string(&bench.figures).expect("figures are JSON"));
    }
}

struct Bench<'a> {
    options: &'a Options,
    app: Application,
    feeder: Feeder,
    /// Records in the source topics.
    written: u64,
    keys: Vec<String>,
    figures: Figures,
    loads: tempfile::TempDir,
}

#[expect(clippy::print_stderr, reason = "progress, for the person who waits")]
fn say(line: &str) {
    eprintln!("{line}");
}

impl<'a> Bench<'a> {
    fn prepare(options: &'a Options) -> Self {
        say("starting Kafka and the schema registry");
        let app = Application::prepare();
        let feeder = Feeder::open(&app.clients, &app.serdes);
        let figures = Figures {
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            orders: options.orders,
            connections: options.connections,
            ..Figures::default()
        };
        let loads = tempfile::tempdir().expect("a temporary directory");
        Self { options, app, feeder, written: 0, keys: Vec::new(), figures, loads }
    }

    /// Two instances with an empty state share the partitions at once; then the view is filled.
    fn forwarded(&mut self, places: &[Place; 2]) {
        let mut running = places.each_ref().map(|place| Running::start(place, COMMIT_INTERVAL_MS));
        running.iter_mut().for_each(Running::wait_until_ready);
        let [asked, other] = &running;
        wait_until_shared(&[asked, other]);
        self.fill();
        let took = wait_until_processed(&self.app, &[asked, other], self.written);
        say(&format!("two instances processed {} records in {:.1} s", self.written, took.as_secs_f64()));
        let paths = points(&keys_of(asked.url(), &self.keys, false));
        self.idle_and_processing("forwarded", asked, paths, self.options.paced_reads);
        running.into_iter().for_each(Running::stop);
    }

    fn fill(&mut self) {
        let (started, mut keys) = (Instant::now(), BTreeSet::new());
        let events = lives(3, "o", self.options.orders).inspect(|event| {
            if !keys.contains(&event.key) {
                keys.insert(event.key.clone());
            }
        });
        self.written += self.feeder.write(events);
        self.keys = keys.into_iter().collect();
        say(&format!("wrote {} events in {:.1} s", self.written, started.elapsed().as_secs_f64()));
    }

    /// Starts an instance that has the view alone.
    fn start(&self, place: &Place, commit_interval_ms: u64) -> Running {
        let mut running = Running::start(place, commit_interval_ms);
        running.wait_until_ready();
        wait_until_shared(&[&running]);
        wait_until_processed(&self.app, &[&running], self.written);
        running
    }

    fn local(&mut self, asked: &Running) {
        let keys: Vec<&String> = keys_of(asked.url(), &self.keys, true);
        let (points, ranges) = (points(&keys), ranges(&keys));
        let paced = self.load("paced", asked, points.clone());
        self.reads("local", "paced", asked, &paced, Some(self.options.idle_reads));
        self.idle_and_processing("local", asked, points, self.options.paced_reads);
        self.idle_and_processing("range", asked, ranges, self.options.paced_reads / 10);
    }

    fn idle_and_processing(&mut self, kind: &'static str, asked: &Running, paths: Vec<String>, paced: u64) {
        let load = self.load(kind, asked, paths);
        self.reads(kind, "idle", asked, &load, None);
        let feeder = Feeder::open(&self.app.clients, &self.app.serdes);
        let stream = Stream::start(feeder, &format!("{kind}-s"), self.options.events_per_second);
        self.reads(kind, "processing", asked, &load, Some(paced));
        self.written += stream.stop();
        // The next measurement starts idle.
        if kind != "forwarded" {
            wait_until_processed(&self.app, &[asked], self.written);
        }
    }

    /// Every n-th path, so that the whole view is read.
    fn load(&self, name: &str, asked: &Running, paths: Vec<String>) -> Load {
        let step = paths.len().div_ceil(PATHS_MAX).max(1);
        let paths: Vec<String> = paths.into_iter().step_by(step).collect();
        Load::new(self.loads.path(), name, asked.url(), self.options.connections, &paths).expect("files of the load")
    }

    fn reads(&mut self, kind: &'static str, load: &'static str, asked: &Running, paths: &Load, paced: Option<u64>) {
        ask(paths, (self.options.seconds / 2).max(1), paced);
        let (cpu, processed, started) = (asked.cpu_seconds(), asked.processed(), Instant::now());
        let outcome = ask(paths, self.options.seconds, paced);
        let (cpu, processed) = (asked.cpu_seconds() - cpu, asked.processed() - processed);
        let seconds = started.elapsed().as_secs_f64();
        let Outcome { per_second, errors, p50_ms, p99_ms, max_ms } = outcome;
        say(&format!("{kind}, {load}: {per_second:.0} reads/s, p99 {p99_ms:.2} ms"));
        let per_cpu_second = per_second * seconds / cpu;
        let processed_per_second = processed / seconds;
        let reads =
            Reads { kind, load, per_second, p50_ms, p99_ms, max_ms, errors, per_cpu_second, processed_per_second };
        self.figures.reads.push(reads);
    }

    fn fresh(&mut self, asked: &Running, commit_interval_ms: u64) {
        let samples = self.options.samples;
        let freshness: Freshness = freshness::measure(asked.url(), &mut self.feeder, commit_interval_ms, samples);
        say(&format!("commit interval {commit_interval_ms} ms: p50 {:.1} ms to the first read", freshness.p50_ms));
        self.written += samples;
        self.figures.freshness.push(freshness);
    }

    /// Processes a backlog, in turn without and with reads; who is first changes with each round.
    fn cost(&mut self, place: &Place) {
        let backlog = self.feeder.write(lives(4, "backlog", u64::MAX).take(self.options.backlog as usize));
        self.written += backlog;
        let mut running = Running::start(place, COMMIT_INTERVAL_MS);
        running.wait_until_ready();
        wait_until_shared(&[&running]);
        let load = self.load("cost", &running, points(&keys_of(running.url(), &self.keys, true)));
        let seconds = (self.options.seconds / 2).max(1);
        let (mut without, mut with, mut reads) = (Vec::new(), Vec::new(), Vec::new());
        // The first seconds of an instance are not like the others.
        ask(&load, seconds, Some(self.options.paced_reads));
        for round in 0..self.options.rounds {
            let quiet = || rate(&running, || std::thread::sleep(Duration::from_secs(seconds)));
            let (mut first, mut outcome) = (None, None);
            if round % 2 == 0 {
                first = Some(quiet());
            }
            let read = rate(&running, || outcome = Some(ask(&load, seconds, Some(self.options.paced_reads))));
            let quiet = first.unwrap_or_else(quiet);
            if self.is_processed(&running) {
                say(&format!("the backlog ended in round {}: give more --backlog or less --seconds", round + 1));
                break;
            }
            without.push(quiet);
            with.push(read);
            reads.extend(outcome.map(|outcome| outcome.per_second));
        }
        running.stop();
        self.figures.cost = (!with.is_empty()).then(|| Cost::of(without, with, &reads));
    }

    fn is_processed(&self, running: &Running) -> bool {
        use orders::topics::{ORDER_EVENTS, PAYMENT_ORDER};
        let taken = |topic| thalweg_tests::views::taken(&[running.url()], topic);
        taken(ORDER_EVENTS) + taken(PAYMENT_ORDER) >= self.written.cast_signed()
    }
}

fn ask(load: &Load, seconds: u64, paced: Option<u64>) -> Outcome {
    load.run(seconds, paced).unwrap_or_else(|reason| panic!("{reason}"))
}

/// Records per second that `running` processes during `work`.
fn rate(running: &Running, work: impl FnOnce()) -> f64 {
    let (before, started) = (running.processed(), Instant::now());
    work();
    (running.processed() - before) / started.elapsed().as_secs_f64()
}
