//! Our side: one instance of a bench topology in this process, configured as any application, until SIGTERM.
//!
//! It prints a line of JSON when all its tasks run, and one with a digest of its stores before it ends; Kafka Streams'
//! side (`benches/java/StreamsSide.java`) takes the same command line and prints the same lines.

use std::io::Write;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use thalweg::cli::{self, Instance, KEYS, Settings};
use thalweg::dsl::StreamsBuilder;
use thalweg::query::Published;
use thalweg::task::Recipes;
use thalweg::wire::{Kafka, KafkaClients};
use thalweg_state::layout::split_timestamped;
use thalweg_tests::readers::{all_run, are_settled};
use thalweg_tests::wait::wait_for;

use crate::describe::{Topics, describe};
use crate::failure::Failure;
use crate::rows::{Digest, Said};
use crate::topology::Topology;

/// How often the instance is looked at until all its tasks run, and afterwards, when looking must not cost.
const LOOKS: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(500)];
/// How long the broker may take to answer, and the last commit to reach the readers.
const DEADLINE: Duration = Duration::from_secs(20);
/// The key of the record cache.
const CACHE_KEY: &str = "application.statestore_cache_max_bytes";

/// What a side is told. Kafka Streams' side understands no other form than `--name value`.
#[derive(Debug, Clone, Args)]
pub struct SideOptions {
    /// Brokers
    #[arg(long)]
    pub bootstrap_servers: String,
    /// Name of the deployment
    #[arg(long)]
    pub application_id: String,
    /// What to run
    #[arg(long, value_enum)]
    pub topology: Topology,
    /// Directory of the stores
    #[arg(long)]
    pub state_dir: String,
    /// Input topic
    #[arg(long, default_value = "")]
    pub input: String,
    /// Topic of the joins' table
    #[arg(long, default_value = "")]
    pub table: String,
    /// Output topic
    #[arg(long, default_value = "")]
    pub output: String,
    /// Stream threads
    #[arg(long, default_value_t = 1)]
    pub threads: u32,
    /// Longest time between commits, in ms
    #[arg(long, default_value_t = 1_000)]
    pub commit_interval_ms: u64,
    /// Size of the record cache in bytes; 0 turns it off
    #[arg(long, default_value_t = 10 << 20)]
    pub cache_max_bytes: u64,
    /// Schema registry of `orders`
    #[arg(long)]
    pub schema_registry: Option<String>,
}

impl SideOptions {
    /// The command line that says this.
    pub fn arguments(&self) -> Vec<String> {
        let mut all = vec![
            ("bootstrap-servers", self.bootstrap_servers.clone()),
            ("application-id", self.application_id.clone()),
            ("topology", self.topology.name().to_owned()),
            ("state-dir", self.state_dir.clone()),
            ("input", self.input.clone()),
            ("table", self.table.clone()),
            ("output", self.output.clone()),
            ("threads", self.threads.to_string()),
            ("commit-interval-ms", self.commit_interval_ms.to_string()),
            ("cache-max-bytes", self.cache_max_bytes.to_string()),
        ];
        all.extend(self.schema_registry.clone().map(|url| ("schema-registry", url)));
        all.into_iter().flat_map(|(name, value)| [format!("--{name}"), value]).collect()
    }

    /// The same as settings of the product.
    fn settings(&self) -> cli::Options {
        let mut keys = vec![
            ("application.id", self.application_id.clone()),
            ("application.state_dir", self.state_dir.clone()),
            ("application.stream_threads", self.threads.to_string()),
            ("application.commit_interval_ms", self.commit_interval_ms.to_string()),
            ("kafka.bootstrap_servers", self.bootstrap_servers.clone()),
            ("http.bind", "127.0.0.1:0".to_owned()),
            ("log.filter", "warn".to_owned()),
        ];
        // A product without a record cache runs as with none.
        if KEYS.iter().any(|key| key.path == CACHE_KEY) {
            keys.push((CACHE_KEY, self.cache_max_bytes.to_string()));
        }
        keys.extend(self.schema_registry.clone().map(|url| ("schema_registry.url", url)));
        let flags = keys.into_iter().map(|(path, value)| (format!("--set {path}"), path.to_owned(), value)).collect();
        cli::Options { file: None, flags }
    }
}

/// Runs our side to its end.
pub fn run(options: &SideOptions) -> Result<(), Failure> {
    let loaded = cli::configuration(&options.settings());
    let settings = loaded.map_err(|problems| Failure::unable("configuration", cli::report(&problems)))?.settings;
    cli::log(&settings.log);
    let recipes = recipes(options, &settings)?;
    let kafka = cli::kafka_clients(&settings).map_err(|error| Failure::unable("clients", error))?;
    let instance = Instance::start(&settings, Arc::new(kafka.clone()), recipes);
    let instance = instance.map_err(|error| Failure::unable("start", error))?;
    wait_for_signal(&instance).map_err(|error| Failure::unable("signals", error))?;
    if !instance.is_finished() {
        say(Said::Stores(stores(instance.published(), &kafka)?));
    }
    instance.stop().map_err(|error| Failure::unable("run", error))
}

fn recipes(options: &SideOptions, settings: &Settings) -> Result<Recipes, Failure> {
    let id = &settings.application.id;
    if let (Topology::Orders, Some(registry)) = (options.topology, &settings.schema_registry) {
        return cli::recipes(orders::APP, id, registry).map_err(|error| Failure::unable("topology", error));
    }
    let topics = Topics { input: options.input.clone(), table: options.table.clone(), output: options.output.clone() };
    let builder = StreamsBuilder::new();
    describe(&builder, options.topology, &topics);
    builder.build(id).map_err(|error| Failure::unable("topology", error))
}

/// Waits for SIGTERM or the end of the run; says once when all tasks run.
fn wait_for_signal(instance: &Instance) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut announced = false;
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                () = tokio::time::sleep(LOOKS[usize::from(announced)]) => {
                    if instance.is_finished() {
                        return Ok(());
                    }
                    if !announced && all_run(instance.published()) {
                        announced = true;
                        say(Said::Running);
                    }
                }
            }
        }
    })
}

/// The digest of all rows of the stores, once readers see the last commit.
fn stores(published: &Published, kafka: &KafkaClients) -> Result<Digest, Failure> {
    let mut consumer = kafka.consumer("bench-ends")?;
    wait_for(DEADLINE, "the last commit to be readable", || {
        are_settled(published, consumer.as_mut(), DEADLINE).then_some(())
    })
    .map_err(|late| Failure::unable("reading the stores", late))?;
    consumer.close(DEADLINE);
    let mut digest = Digest::default();
    let catalog = published.catalog.load();
    for task in catalog.tasks.values() {
        let Some(reader) = &task.reader else { continue };
        let snapshot = reader.snapshot().map_err(|error| Failure::unable("reading the stores", error))?;
        for store in 0..task.progress.load().stores.len() {
            let mut add = |key: &[u8], row: &[u8]| {
                // A row without a timestamp is a wrong row: let it show in the digest.
                digest.add(key, split_timestamped(row).map_or(row, |(_, value)| value));
                ControlFlow::Continue(())
            };
            let scanned = snapshot.scan(store, (Bound::Unbounded, Bound::Unbounded), &mut add);
            scanned.map_err(|error| Failure::unable("reading the stores", error))?;
        }
    }
    Ok(digest)
}

/// Nobody reads any more: the run ends by a signal all the same.
fn say(said: Said) {
    let _ = writeln!(std::io::stdout(), "{said}");
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        side: SideOptions,
    }

    #[test]
    fn the_command_line_reads_back() {
        let side = SideOptions {
            bootstrap_servers: "h:1".into(),
            application_id: "bench-1".into(),
            topology: Topology::TableJoin,
            state_dir: "state".into(),
            input: "in".into(),
            table: String::new(),
            output: "out".into(),
            threads: 2,
            commit_interval_ms: 100,
            cache_max_bytes: 0,
            schema_registry: Some("http://h:2".into()),
        };
        let line = std::iter::once("side".to_owned()).chain(side.arguments());
        assert_eq!(Line::parse_from(line).side.arguments(), side.arguments());
    }

    #[test]
    fn the_product_accepts_the_settings() {
        let line =
            ["side", "--bootstrap-servers", "h:1", "--application-id", "b", "--topology", "count", "--state-dir", "s"];
        let side = Line::parse_from(line).side;
        let settings = cli::configuration(&side.settings()).map(|loaded| loaded.settings);
        let settings = settings.unwrap_or_else(|problems| panic!("{}", cli::report(&problems)));
        assert_eq!((settings.application.id.as_str(), settings.application.stream_threads), ("b", 1));
    }
}
