//! Puts the demo together: cluster, registry, application, generator, and the lines on the screen.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;
use thalweg::cli::{self, Instance, Settings};

use super::banner::Endpoints;
use super::failure::Failure;
use super::feeder::{Feeder, now};
use super::generator::Generator;
use super::observed;
use super::options::Options;
use super::progress::Progress;
use super::services;
use super::stop::{LOOK, Stop};
use crate::APP;
use crate::serdes::Serdes;

/// How long the first answers may take before the demo gives up.
const FIRST_ANSWER: Duration = Duration::from_secs(60);
/// How long one request of the demo's own may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
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
    match demonstrate(&options) {
        Ok(()) => cli::OK,
        Err(failure) => {
            // Nobody reads: the exit code remains.
            let _ = writeln!(std::io::stderr(), "the demo failed: {failure}");
            failure.exit
        }
    }
}

fn demonstrate(options: &Options) -> Result<(), Failure> {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let tokio = tokio.map_err(Failure::software)?;
    let stop = Stop::listen(&tokio, options.stop_after).map_err(Failure::software)?;
    match &options.bootstrap_servers {
        Some(servers) => say(&format!("connecting to {servers}\n")),
        None => say("starting the embedded broker\n"),
    }
    match Demo::start(options, tokio, &stop)? {
        Some(demo) => demo.run(&stop),
        None => {
            say("stopped before the brokers answered\n");
            Ok(())
        }
    }
}

struct Demo {
    tokio: tokio::runtime::Runtime,
    instance: Instance,
    feeder: Feeder,
    endpoints: Endpoints,
    _registry: services::SchemaRegistry,
    _state: tempfile::TempDir,
}

impl Demo {
    /// Starts everything; `None`: it was time to stop before the cluster answered.
    fn start(options: &Options, tokio: tokio::runtime::Runtime, stop: &Stop) -> Result<Option<Self>, Failure> {
        let registry = tokio.block_on(services::schema_registry(options)).map_err(Failure::software)?;
        let state =
            tempfile::Builder::new().prefix("orders-demo-").tempdir().map_err(|error| Failure::new(cli::IO, error))?;
        let given = options.clone();
        let cluster = stop.unless_due(move || services::cluster(&given)).map_err(Failure::software)?;
        let Some(cluster) = cluster.transpose()? else { return Ok(None) };
        let settings = settings(options, &cluster.bootstrap_servers, &registry.url, state.path())?;
        cli::log(&settings.log);

        let registry_settings = settings.schema_registry.as_ref();
        let registry_settings =
            registry_settings.ok_or_else(|| Failure::software("the demo's registry is not configured"))?;
        let recipes = cli::recipes(APP, &settings.application.id, registry_settings).map_err(Failure::software)?;
        let serdes = cli::registry(registry_settings).and_then(|client| Serdes::new(&client));
        let serdes = serdes.map_err(Failure::software)?;
        let producer = cluster.kafka.producer("orders-demo-generator")?;
        let (generator, order_id, customer_id) = generator(options);
        let instance = Instance::start(&settings, Arc::clone(&cluster.kafka), recipes)?;
        let feeder = Feeder::start(generator, serdes, producer).map_err(Failure::software)?;
        let endpoints = Endpoints {
            http: format!("http://{}", instance.address()),
            bootstrap_servers: cluster.bootstrap_servers,
            schema_registry: registry.url.clone(),
            order_id,
            customer_id,
        };
        Ok(Some(Self { tokio, instance, feeder, endpoints, _registry: registry, _state: state }))
    }

    fn run(self, stop: &Stop) -> Result<(), Failure> {
        let shown = self.show(stop);
        say("\nstopping\n");
        let fed = self.feeder.stop().map_err(|reason| Failure::software(format_args!("the generator: {reason}")));
        let ended = self.instance.stop().map_err(|error| Failure::software(format_args!("the application: {error}")));
        ended.and(fed).and(shown)
    }

    /// Shows what to try and how it goes, until it is time to stop or a part has ended by itself.
    fn show(&self, stop: &Stop) -> Result<(), Failure> {
        if self.wait_for_first_answers(stop)? {
            let took = stop.elapsed().as_secs_f64();
            say(&format!(
                "{}\nThe first queries were answered {took:.1} s after the start.\n",
                self.endpoints.banner()
            ));
            self.show_progress(stop);
        }
        Ok(())
    }

    /// Waits until all lines of the banner have an answer; false: it is time to stop.
    fn wait_for_first_answers(&self, stop: &Stop) -> Result<bool, Failure> {
        let client = reqwest::Client::builder().no_proxy().timeout(REQUEST_TIMEOUT).build();
        let client = client.map_err(Failure::software)?;
        for url in self.endpoints.urls() {
            while !self.answers(&client, &url) {
                if stop.is_due() || self.is_broken() {
                    return Ok(false);
                }
                if stop.elapsed() > FIRST_ANSWER {
                    let reason = format!("no answer from {url} within {} s", FIRST_ANSWER.as_secs());
                    return Err(Failure::new(cli::UNAVAILABLE, reason));
                }
                std::thread::sleep(LOOK);
            }
        }
        Ok(true)
    }

    fn answers(&self, client: &reqwest::Client, url: &str) -> bool {
        let answer = self.tokio.block_on(async { client.get(url).send().await });
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Whether a part has ended by itself; stopping it tells why.
    fn is_broken(&self) -> bool {
        self.feeder.is_finished() || self.instance.is_finished()
    }

    fn show_progress(&self, stop: &Stop) {
        let terminal = std::io::stdout().is_terminal();
        let every = PROGRESS[usize::from(!terminal)];
        let mut last = self.progress(stop.elapsed());
        while !stop.is_due() && !self.is_broken() {
            std::thread::sleep(LOOK);
            if stop.elapsed() - last.elapsed < every {
                continue;
            }
            let now = self.progress(stop.elapsed());
            let line = now.since(last);
            // The cursor waits at the start of the line: a log line takes its place, the next one comes below.
            say(&if terminal { format!("{line}\x1b[K\r") } else { format!("{line}\n") });
            last = now;
        }
    }

    fn progress(&self, elapsed: Duration) -> Progress {
        let published = self.instance.published();
        let (events, lag, rows) = (self.feeder.events(), observed::lag(published), observed::rows(published));
        Progress { elapsed, events, lag, rows, restore: observed::restore(published) }
    }
}

/// The settings of an instance of the application, through the same table as `orders serve`.
fn settings(options: &Options, brokers: &str, registry: &str, state: &std::path::Path) -> Result<Settings, Failure> {
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
    cli::configuration(&options)
        .map(|loaded| loaded.settings)
        .map_err(|problems| Failure::new(cli::USAGE, cli::report(&problems)))
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
        Some((key, crate::model::Input::Order(order))) => (key, order.customer_id.into()),
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
