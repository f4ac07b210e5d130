//! The same case on a real broker, by Kafka Streams and by us, each with topics and an application id of its own.
//!
//! What is decided (which cases can be compared, what must be equal, where records and names go) is pure:
//! [`order`], [`trace`], `places`, `world`. The rest does.

mod cluster;
pub mod order;
mod places;
mod process;
mod side;
pub mod trace;
mod world;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use thalweg::types::TopicPartition;
use thalweg::wire::coordinator::CommittedOffset;
use thalweg_tests::unique;

pub use order::{Incomparable, Order, comparable};
pub use side::side;
pub use trace::{Difference, Dump, Trace, differences};
pub use world::{World, WorldError};

use crate::case::{Case, InputRecord};
use crate::check::{CaseError, check};
use crate::original::{self, Original};
use cluster::Cluster;
use process::Process;
use side::SideOptions;

/// Commits are frequent, so that runs are short and the cache is flushed in the middle of some.
const COMMIT_INTERVAL_MS: u64 = 100;

/// Added to all times of a case, so that none is 0.
const LATER_MS: i64 = 1_000_000;

/// One of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Kafka Streams.
    Original,
    /// Thalweg.
    Ours,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Original => "the original",
            Self::Ours => "ours",
        })
    }
}

/// Why a case was not compared on the broker.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is wrong.
    #[error("the case is wrong: {0}")]
    Case(#[from] CaseError),
    /// Its result depends on timing.
    #[error("the case cannot be compared on a real broker: {0}")]
    Incomparable(#[from] Incomparable),
    /// There is no original.
    #[error(transparent)]
    Original(#[from] original::Error),
    /// It has no topology of ours.
    #[error(transparent)]
    World(#[from] WorldError),
    /// Something around the case failed.
    #[error("{doing}: {reason}")]
    Unable {
        /// What was being done.
        doing: String,
        /// What happened.
        reason: String,
    },
}

impl Error {
    /// Whether the case is one that is not run on brokers; nothing went wrong around it.
    pub const fn is_of_the_case(&self) -> bool {
        matches!(self, Self::Case(_) | Self::Incomparable(_) | Self::World(_))
    }

    fn unable(doing: impl Into<String>, reason: impl ToString) -> Self {
        Self::Unable { doing: doing.into(), reason: reason.to_string() }
    }
}

/// A broker and both programs.
pub struct Arena {
    cluster: Cluster,
    /// The executable of this tool: it is our side, too.
    ours: PathBuf,
    original: Original,
    /// The sides that wait for applications.
    idle: Vec<(Who, Process)>,
    dir: TempDir,
}

/// A running application.
pub struct Running {
    who: Who,
    process: Process,
}

impl Arena {
    /// Starts the broker and compiles the original; `ours` is the executable of this tool.
    pub fn start(ours: PathBuf) -> Result<Self, Error> {
        let dir = tempfile::tempdir().map_err(|error| Error::unable("making a directory", error))?;
        let (original, cluster) = std::thread::scope(|scope| {
            let original = scope.spawn(Original::prepare);
            let cluster = Cluster::start();
            (original.join(), cluster)
        });
        let original = original.map_err(|_| Error::unable("compiling the original", "it panicked"))??;
        Ok(Self { cluster: cluster?, ours, original, idle: Vec::new(), dir })
    }

    /// Runs a case by both programs, at other times; every difference is one entry.
    pub fn compare(&mut self, case: &Case) -> Result<Vec<Difference>, Error> {
        let orders = comparable(case, &check(case)?)?;
        let case = world::later(case, LATER_MS);
        let original = self.trace(&case, Who::Original)?;
        let ours = self.trace(&case, Who::Ours)?;
        Ok(differences(&orders, &original, &ours))
    }

    /// What one program makes of all inputs of a case.
    fn trace(&mut self, case: &Case, who: Who) -> Result<Trace, Error> {
        let world = self.world(case)?;
        self.write(&world, world.records());
        let running = self.start_side(&world, who)?;
        let stores = self.settle_and_stop(&world, running)?;
        Ok(Trace { stores, topics: self.cluster.written(&world) })
    }

    /// A new application with its topics, which are empty.
    pub fn world(&self, case: &Case) -> Result<World, Error> {
        let world = World::new(case, unique("conformance"))?;
        self.cluster.create(&world);
        Ok(world)
    }

    /// Writes inputs of a world.
    pub fn write<'a>(&self, world: &World, inputs: impl IntoIterator<Item = &'a InputRecord>) {
        self.cluster.write(world, inputs);
    }

    /// Starts an application in a world, with an empty state directory; returns when its tasks run.
    pub fn start_side(&mut self, world: &World, who: Who) -> Result<Running, Error> {
        let starting = |error: std::io::Error| Error::unable(format!("starting {who}"), error);
        let dir = self.dir.path().join(unique("side"));
        fs::create_dir_all(&dir).map_err(starting)?;
        let file = dir.join("case.json");
        let text = serde_json::to_string(&world.case).map_err(|error| Error::unable("writing the case", error))?;
        fs::write(&file, text).map_err(starting)?;
        let options = SideOptions {
            bootstrap_servers: self.cluster.bootstrap_servers(),
            application_id: world.application_id.clone(),
            state_dir: dir.join("state"),
            case: file,
            commit_interval_ms: COMMIT_INTERVAL_MS,
        };
        let mut process = match self.idle.iter().position(|(idle, _)| *idle == who) {
            Some(at) => self.idle.swap_remove(at).1,
            None => {
                let command = match who {
                    Who::Original => process::java(self.original.classes()),
                    Who::Ours => process::ours(&self.ours),
                };
                Process::spawn(who, command, &dir)?
            }
        };
        process.start(&options)?;
        Ok(Running { who, process })
    }

    /// Waits until all inputs are processed and committed, then returns the stores by their common names.
    pub fn settled(&mut self, world: &World, running: &mut Running) -> Result<Dump, Error> {
        self.cluster.settle(world, &mut running.process)?;
        let stores = running.process.dump()?;
        Ok(stores.into_iter().map(|(name, rows)| (world.common(&name), rows)).collect())
    }

    /// As [`Arena::settled`]; then the application ends. The side of one that fails is not used again.
    pub fn settle_and_stop(&mut self, world: &World, mut running: Running) -> Result<Dump, Error> {
        let stores = self.settled(world, &mut running)?;
        running.process.stop()?;
        self.idle.push((running.who, running.process));
        Ok(stores)
    }

    /// What a world's application has committed.
    pub fn committed(&mut self, world: &World) -> Result<BTreeMap<TopicPartition, CommittedOffset>, Error> {
        self.cluster.committed(world)
    }

    /// What a world's application wrote, by common names.
    pub fn written(&self, world: &World) -> trace::Topics {
        self.cluster.written(world)
    }
}
