//! Puts the demo together: cluster, registry, application, generator, and the lines on the screen.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use clap::error::ErrorKind;
use thalweg::cli::{self, Instance, Settings};

use super::banner::Endpoints;
use super::feeder::{Feeder, now};
use super::generator::Generator;
use super::options::Options;
use super::progress::Progress;
use super::services;
use crate::APP;
use crate::serdes::Serdes;
use crate::topics::ORDER_STATUS_VIEW;

/// How long the first answer may take before the demo gives up.
const FIRST_ANSWER: Duration = Duration::from_secs(60);
/// Pause between looks at signals and at the application.
const LOOK: Duration = Duration::from_millis(100);
/// Time between progress lines on a terminal, where they overwrite each other, and elsewhere.
const PROGRESS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// Runs the demo's command line to its end and returns the exit code.
pub fn run(arguments: &[String]) -> u8 {
    let options = match Options::try_parse_from(arguments) {
        Ok(options) => options,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Printing fails only when nobody reads.
            let _ = error.print();
            return if asked { cli::OK } else { cli::USAGE };
        }
    };
    match Demo::start(&options).and_then(|demo| demo.run(&options)) {
        Ok(()) => cli::OK,
        Err(reason) => {
            say(&format!("the demo failed: {reason}\n"));
            cli::SOFTWARE
        }
    }
}

struct Demo {
    started: Instant,
    tokio: tokio::runtime::Runtime,
    instance: Instance,
    feeder: Feeder,
    endpoints: Endpoints,
    _registry: services::SchemaRegistry,
    _state: tempfile::TempDir,
}

impl Demo {
    fn start(options: &Options) -> Result<Self, String> {
        let started = Instant::now();
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let tokio = tokio.map_err(text)?;
        let registry = tokio.block_on(services::schema_registry(options)).map_err(text)?;
        let cluster = services::cluster(options).map_err(text)?;
        let state = tempfile::tempdir().map_err(text)?;
        let settings = settings(options, &cluster.bootstrap_servers, &registry.url, state.path())?;
        cli::log(&settings.log);

        let registry_settings = settings.schema_registry.as_ref().ok_or("the demo's registry is not configured")?;
        let recipes = cli::recipes(APP, &settings.application.id, registry_settings)?;
        let instance = Instance::start(&settings, Arc::clone(&cluster.kafka), recipes).map_err(text)?;
        let client = cli::registry(registry_settings).map_err(text)?;
        let serdes = Serdes::new(&client).map_err(text)?;
        let (generator, order_id, customer_id) = generator(options);
        let producer = cluster.kafka.producer("orders-demo-generator").map_err(text)?;
        let feeder = Feeder::start(generator, serdes, producer).map_err(text)?;
        let endpoints = Endpoints {
            http: format!("http://{}", instance.address()),
            bootstrap_servers: cluster.bootstrap_servers,
            schema_registry: registry.url.clone(),
            order_id,
            customer_id,
        };
        Ok(Self { started, tokio, instance, feeder, endpoints, _registry: registry, _state: state })
    }

    fn run(self, options: &Options) -> Result<(), String> {
        let interrupted = self.tokio.spawn(async { tokio::signal::ctrl_c().await });
        let stopping =
            || interrupted.is_finished() || options.stop_after.is_some_and(|time| self.started.elapsed() >= time);
        self.wait_for_first_answer(&stopping)?;
        let took = self.started.elapsed().as_secs_f64();
        say(&format!("{}\nThe first query was answered {took:.1} s after the start.\n", self.endpoints.banner()));
        self.show_progress(&stopping)?;
        say("\nstopping\n");
        self.feeder.stop()?;
        self.instance.stop().map_err(text)
    }

    /// Waits until all three lines of the banner have an answer.
    fn wait_for_first_answer(&self, stopping: &dyn Fn() -> bool) -> Result<(), String> {
        let Endpoints { http, order_id, .. } = &self.endpoints;
        let url = format!("{http}/v1/views/{ORDER_STATUS_VIEW}/{order_id}");
        let client = reqwest::Client::new();
        while !stopping() {
            let answer = self.tokio.block_on(client.get(&url).send());
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            self.check()?;
            if self.started.elapsed() > FIRST_ANSWER {
                return Err(format!("no answer from {url} within {FIRST_ANSWER:?}"));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        if self.feeder.is_finished() {
            return Err("the generator stopped".to_owned());
        }
        if self.instance.is_finished() {
            return Err("the application stopped, see the log above".to_owned());
        }
        Ok(())
    }

    fn show_progress(&self, stopping: &dyn Fn() -> bool) -> Result<(), String> {
        let terminal = std::io::stdout().is_terminal();
        let every = PROGRESS[usize::from(!terminal)];
        let mut last = self.progress();
        while !stopping() {
            self.check()?;
            std::thread::sleep(LOOK);
            if self.started.elapsed() - last.elapsed < every {
                continue;
            }
            let now = self.progress();
            let line = now.since(last);
            say(&if terminal { format!("\r{line}\x1b[K") } else { format!("{line}\n") });
            last = now;
        }
        Ok(())
    }

    fn progress(&self) -> Progress {
        let published = self.instance.published();
        let catalog = published.catalog.load();
        let topology = published.topology.load();
        let (mut lag, mut rows) = (0, 0);
        for (id, task) in &catalog.tasks {
            let inputs = task.progress.load();
            let missing = inputs.inputs.iter().filter_map(|input| Some(input.end? - input.position));
            lag += missing.map(|missing| u64::try_from(missing).unwrap_or(0)).sum::<u64>();
            let stores = topology.views.values().filter(|view| view.subtopology == id.subtopology);
            let count = |reader: &thalweg_state::SharedReader| {
                stores.map(|view| reader.approximate_rows(view.store_index).unwrap_or(0)).sum::<u64>()
            };
            rows += task.reader.as_ref().map_or(0, count);
        }
        Progress { elapsed: self.started.elapsed(), events: self.feeder.events(), lag, rows }
    }
}

/// The settings of an instance of the application, through the same table as `orders serve`.
fn settings(options: &Options, brokers: &str, registry: &str, state: &std::path::Path) -> Result<Settings, String> {
    let state = state.display().to_string();
    let http = options.http_bind.to_string();
    let given = [
        ("application.id", "orders-demo"),
        ("application.state_dir", &state),
        ("application.commit_interval_ms", "200"),
        ("kafka.bootstrap_servers", brokers),
        ("schema_registry.url", registry),
        ("http.bind", &http),
        ("log.filter", "warn"),
    ];
    let flag = |(key, value): (&str, &str)| (format!("--set {key}"), key.to_owned(), value.to_owned());
    let options = cli::Options { file: None, flags: given.map(flag).to_vec() };
    cli::configuration(&options).map(|loaded| loaded.settings).map_err(|problems| cli::report(&problems))
}

/// The generator, with the first order and its customer: they exist as soon as anything does.
fn generator(options: &Options) -> (Generator, String, String) {
    let started_at = now();
    let make = || {
        let mut generator = Generator::new(options.seed, started_at);
        if options.bootstrap_servers.is_some() {
            // Brokers that outlive the demo know the orders of earlier runs.
            generator = generator.with_prefix(format!("o-{started_at}"));
        }
        generator.set_rate(options.rate);
        generator
    };
    let first = make().next();
    let (order_id, customer_id) = match first.map(|event| (event.key, event.input)) {
        Some((key, crate::model::Input::Order(order))) => (key, order.customer_id),
        Some((key, crate::model::Input::Payment(_))) => (key, String::new()),
        None => (String::new(), String::new()),
    };
    (make(), order_id, customer_id)
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody reads any more: the demo goes on until it is stopped.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
