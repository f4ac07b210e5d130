//! Carries out single runs: fill, start, watch, stop, compare, clean up.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use orders::topics::PARTITIONS;
use tempfile::TempDir;

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::model::{Expected, expect};
use crate::orders_input::{Derived, OrdersInput};
use crate::plan::Run;
use crate::process::{Process, Programs};
use crate::rows::{Digest, Rows, Said};
use crate::side::SideOptions;
use crate::topology::Topology;
use crate::watch::{Measured, Sample, Watch};
use crate::work::Work;

/// Pause between looks at a running process.
const LOOK: Duration = Duration::from_millis(20);
/// Longest time without any progress.
const PATIENCE: Duration = Duration::from_secs(180);

/// How both sides are configured.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Stream threads.
    pub threads: u32,
    /// Longest time between commits, in ms.
    pub commit_interval_ms: u64,
}

/// What a run gave.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The processing.
    pub processed: Measured,
    /// The restore after it, if there was one.
    pub restored: Option<Measured>,
    /// What was wrong with its answers.
    pub wrong: Vec<String>,
}

/// The services and topics of a benchmark.
pub struct Bench {
    programs: Programs,
    work: Work,
    tuning: Tuning,
    orders: Option<OrdersInput>,
    expected: HashMap<Topology, Expected>,
    has_table: bool,
    has_input: bool,
    runs: u32,
    /// How often the records have changed: topics that are being deleted keep their names for a while.
    changes: u32,
    // Fields are dropped in this order: the broker before the files.
    cluster: Cluster,
    dir: TempDir,
}

/// What a process reads; topics with their partition counts.
struct Reads {
    /// Their committed offsets say how far the process is.
    topics: Vec<(String, i32)>,
    /// Records of these topics.
    records: u64,
    /// How many of these topics a record of the input goes through.
    passes: u64,
    /// Gets nothing more once the source topics are committed, and must be committed then.
    repartition: Option<(String, i32)>,
}

impl Bench {
    /// Starts the broker and compiles the Java side.
    pub fn start(work: Work, tuning: Tuning) -> Result<Self, Failure> {
        let dir = tempfile::tempdir().map_err(|error| Failure::unable("temporary directory", error))?;
        let classes = dir.path().join("classes");
        fs::create_dir(&classes).map_err(|error| Failure::unable("temporary directory", error))?;
        let programs = Programs::prepare(&classes)?;
        Ok(Self {
            programs,
            work,
            tuning,
            orders: None,
            expected: HashMap::new(),
            has_table: false,
            has_input: false,
            runs: 0,
            changes: 0,
            cluster: Cluster::start()?,
            dir,
        })
    }

    /// The next runs are over other records, by processes configured so.
    pub fn change(&mut self, work: Work, tuning: Tuning) {
        if work != self.work {
            for (topic, is_there) in [(self.input(), self.has_input), (self.table(), self.has_table)] {
                if is_there {
                    self.cluster.delete(&topic);
                }
            }
            self.expected.clear();
            (self.has_input, self.has_table) = (false, false);
            self.changes += 1;
        }
        (self.work, self.tuning) = (work, tuning);
    }

    /// Carries out one run. `at_begin` is called with the process id when the warm-up is over.
    pub fn run(&mut self, run: &Run, at_begin: &mut dyn FnMut(u32) -> Result<(), Failure>) -> Result<Outcome, Failure> {
        let is_orders = run.topology == Topology::Orders;
        let reads = self.prepare(run)?;
        let options = self.options(run);
        if !is_orders {
            self.cluster.create(&options.output, self.work.partitions);
        }
        let before = if is_orders { OrdersInput::derived(&mut self.cluster) } else { Derived::default() };
        let mut process = self.programs.start(run.side, &options, self.dir.path())?;
        let processed = self.watch(&mut process, &options.application_id, &reads, at_begin)?.per_pass(reads.passes);
        let said = process.stop()?;
        let mut wrong = match &self.orders {
            Some(orders) if is_orders => orders.check(&mut self.cluster, &before),
            _ => self.check(run, &options, &said)?,
        };
        let mut restored = None;
        if run.restores {
            let (measured, said) = self.restore(run, &options)?;
            wrong.extend(self.check_stores(run.topology, "restored stores", stores_of(&said)));
            restored = Some(measured);
        }
        self.clean_up(&options)?;
        Ok(Outcome { processed, restored, wrong })
    }

    fn input(&self) -> String {
        format!("input-{}", self.changes)
    }

    fn table(&self) -> String {
        format!("table-{}", self.changes)
    }

    /// Fills the topics that the run reads, if that was not done before.
    fn prepare(&mut self, run: &Run) -> Result<Reads, Failure> {
        self.runs += 1;
        let id = self.application_id(run);
        // As many partitions as the topics before it.
        let partitions = if run.topology == Topology::Orders { PARTITIONS } else { self.work.partitions };
        let repartition = run.topology.repartition().map(|name| (format!("{id}-{name}-repartition"), partitions));
        if run.topology == Topology::Orders {
            let orders = match self.orders.take() {
                Some(orders) => orders,
                None => OrdersInput::fill(&self.cluster, self.work.records)?,
            };
            let reads = Reads { topics: orders.sources(), records: orders.records(), passes: 1, repartition };
            self.orders = Some(orders);
            return Ok(reads);
        }
        if !self.has_input {
            self.cluster.fill(&self.input(), partitions, self.work.input())?;
            self.has_input = true;
        }
        if run.topology.reads_table() && !self.has_table {
            self.cluster.fill(&self.table(), partitions, self.work.table())?;
            self.has_table = true;
        }
        // Both sub-topologies are warm before a record counts.
        let topics: Vec<_> = [(self.input(), partitions)].into_iter().chain(repartition.clone()).collect();
        let passes = topics.len() as u64;
        Ok(Reads { topics, records: self.work.records * passes, passes, repartition })
    }

    fn application_id(&self, run: &Run) -> String {
        format!("bench-{}-{}", run.topology.name(), self.runs)
    }

    fn options(&self, run: &Run) -> SideOptions {
        let application_id = self.application_id(run);
        SideOptions {
            bootstrap_servers: self.cluster.bootstrap_servers(),
            topology: run.topology,
            state_dir: self.state_dir(&application_id).display().to_string(),
            input: self.input(),
            table: self.table(),
            output: format!("{application_id}-output"),
            application_id,
            threads: self.tuning.threads,
            commit_interval_ms: self.tuning.commit_interval_ms,
            cache_max_bytes: run.cache_max_bytes,
            schema_registry: self.orders.as_ref().map(|orders| orders.registry().to_owned()),
        }
    }

    fn state_dir(&self, application_id: &str) -> PathBuf {
        self.dir.path().join(format!("{application_id}-state"))
    }

    /// Looks at the process until it has processed and committed everything.
    fn watch(
        &mut self,
        process: &mut Process,
        group: &str,
        reads: &Reads,
        at_begin: &mut dyn FnMut(u32) -> Result<(), Failure>,
    ) -> Result<Measured, Failure> {
        let mut watch = Watch::new(reads.records);
        let (mut most, mut moved) = (0, Instant::now());
        loop {
            process.check()?;
            let mut taken = 0;
            for (topic, partitions) in &reads.topics {
                taken += self.cluster.committed(group, topic, *partitions)?;
            }
            let sample = Sample { at: process.age(), cpu: process.cpu()?, taken };
            let had_begun = watch.has_begun();
            watch.see(sample);
            if watch.has_begun() && !had_begun {
                at_begin(process.id())?;
            }
            if taken >= reads.records && self.has_taken_all(group, reads)? {
                let end = Sample { at: process.age(), cpu: process.cpu()?, ..sample };
                return Ok(watch.end(end, process.peak_rss()?));
            }
            if taken > most {
                (most, moved) = (taken, Instant::now());
            }
            if moved.elapsed() > PATIENCE {
                let reason = format!("{taken} of {} records after {PATIENCE:?}\n{}", reads.records, process.log_tail());
                return Err(Failure::unable("waiting for a side", reason));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Whether the repartition topic, which gets nothing more once the sources are committed, is committed too.
    fn has_taken_all(&mut self, group: &str, reads: &Reads) -> Result<bool, Failure> {
        let Some((topic, partitions)) = &reads.repartition else { return Ok(true) };
        let written = self.cluster.written(topic, *partitions);
        Ok(written == Some(self.cluster.committed(group, topic, *partitions)?))
    }

    /// Wipes the state and measures how long the same application takes to run again.
    fn restore(&mut self, run: &Run, options: &SideOptions) -> Result<(Measured, Vec<Said>), Failure> {
        let wiping = fs::remove_dir_all(self.state_dir(&options.application_id));
        wiping.map_err(|error| Failure::unable("wiping the state", error))?;
        let changelog = format!("{}-store-changelog", options.application_id);
        let records = self.cluster.written(&changelog, self.work.partitions).unwrap_or_default();
        let mut process = self.programs.start(run.side, options, self.dir.path())?;
        while !process.said().contains(&Said::Running) {
            process.check()?;
            if process.age() > PATIENCE {
                return Err(Failure::unable("waiting for a restore", process.log_tail()));
            }
            std::thread::sleep(LOOK);
        }
        let (seconds, cpu_seconds) = (process.age().as_secs_f64(), process.cpu()?.as_secs_f64());
        let (records_per_s, rss_bytes) = (records as f64 / seconds, process.peak_rss()?);
        let measured = Measured { records, seconds, cpu_seconds, records_per_s, rss_bytes };
        Ok((measured, process.stop()?))
    }

    /// Compares output topic, stores and changelogs with the model; one line per difference.
    fn check(&mut self, run: &Run, options: &SideOptions, said: &[Said]) -> Result<Vec<String>, Failure> {
        let work = self.work;
        let expected = self.expected.entry(run.topology).or_insert_with(|| expect(run.topology, &work));
        let mut wrong = Vec::new();
        let (output, written) = last_values(&self.cluster, &options.output, work.partitions)?;
        wrong.extend(output.difference(&expected.output).map(|difference| format!("output: {difference}")));
        if run.topology == Topology::Passthrough && written != work.records {
            wrong.push(format!("output: {written} records, not {}", work.records));
        }
        let stores = expected.stores;
        let mut logged = Digest::default();
        for store in run.topology.stores() {
            let changelog = format!("{}-{store}-changelog", options.application_id);
            logged = logged.and(last_values(&self.cluster, &changelog, work.partitions)?.0.digest());
        }
        if logged != stores {
            wrong.push(format!("changelogs: {logged}, not {stores}"));
        }
        wrong.extend(self.check_stores(run.topology, "stores", stores_of(said)));
        Ok(wrong)
    }

    fn check_stores(&self, topology: Topology, what: &str, found: Option<Digest>) -> Option<String> {
        let expected = self.expected.get(&topology)?.stores;
        match found {
            Some(found) if found == expected => None,
            Some(found) => Some(format!("{what}: {found}, not {expected}")),
            None => Some(format!("{what}: the process said nothing about them")),
        }
    }

    fn clean_up(&self, options: &SideOptions) -> Result<(), Failure> {
        self.cluster.delete(&options.application_id);
        match fs::remove_dir_all(self.state_dir(&options.application_id)) {
            // A side without a store may keep nothing.
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::unable("removing the state", error)),
            _ => Ok(()),
        }
    }
}

fn stores_of(said: &[Said]) -> Option<Digest> {
    said.iter().find_map(|said| if let Said::Stores(digest) = said { Some(*digest) } else { None })
}

/// The last value of each key of a topic, and how many records it has.
fn last_values(cluster: &Cluster, topic: &str, partitions: i32) -> Result<(Rows, u64), Failure> {
    let mut rows = Rows::default();
    let read = cluster.scan(topic, partitions, |view| rows.put(view.key.unwrap_or_default(), view.value))?;
    Ok((rows, read))
}
