//! What `main` of an application calls.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::arguments::{Arguments, Command, Options, parse};
use super::environment::variables;
use super::instance::{Instance, exit_of_run, kafka_clients, wire_settings};
use super::load::{Loaded, load};
use super::problem::{Problem, report};
use super::settings::{Log, LogFormat, Registry, Settings};
use super::{exit, show};
use crate::dsl::StreamsBuilder;
use crate::serde::{RegistryOptions, SchemaRegistry, SerdeError};
use crate::task::Recipes;
use crate::wire::{self, Table};

/// How often a running instance is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// An application as its `main` describes it: its name, a line about it, and its topology.
#[derive(Debug, Clone, Copy)]
pub struct App {
    /// Name of the program and, unless configured, the application id.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// Describes the topology; called once per instance.
    pub describe: fn(&StreamsBuilder, &SchemaRegistry) -> Result<(), SerdeError>,
}

/// Runs an application's command line to its end and returns the exit code.
pub fn run(application: App, arguments: &[String]) -> u8 {
    match parse(application.name, application.about, arguments) {
        Err(usage) if usage.exit == exit::OK => print(&usage.text, exit::OK),
        Err(usage) => complain(&usage.text, usage.exit),
        Ok(Arguments { command: Command::Describe }) => describe(application),
        Ok(Arguments { command: Command::Config(options) }) => match configuration(&options) {
            Ok(loaded) => print(&show::effective(&loaded.entries), exit::OK),
            Err(problems) => complain(&report(&problems), exit::USAGE),
        },
        Ok(Arguments { command: Command::Serve(options) }) => match configuration(&options) {
            Ok(loaded) => serve(application, &loaded.settings),
            Err(problems) => complain(&report(&problems), exit::USAGE),
        },
    }
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn print(text: &str, exit: u8) -> u8 {
    println!("{}", text.trim_end());
    exit
}

#[expect(clippy::print_stderr, reason = "mistakes must be seen even when logging is off")]
fn complain(text: &str, exit: u8) -> u8 {
    eprintln!("{}", text.trim_end());
    exit
}

/// Reads and checks the configuration, the client settings included.
pub fn configuration(options: &Options) -> Result<Loaded, Vec<Problem>> {
    load(&options.inputs(variables()), &check)
}

/// The mistakes in the pass-through client settings, with the path of the key as their place.
pub fn check(settings: &Settings) -> Vec<Problem> {
    let problem = |(table, mistake): (Table, wire::SettingError)| {
        let table = match table {
            Table::Common => "common",
            Table::Consumer => "consumer",
            Table::Producer => "producer",
        };
        let (wire::SettingError::Forbidden(wire::ForbiddenSetting { key, .. })
        | wire::SettingError::Unknown { key }
        | wire::SettingError::Invalid { key, .. }) = &mistake;
        Problem::new(format!("kafka.{table}.{key}"), mistake.to_string())
    };
    wire::check_settings(&wire_settings(settings)).into_iter().map(problem).collect()
}

/// A client of the configured schema registry; asks nothing of it yet.
pub fn registry(settings: &Registry) -> Result<SchemaRegistry, SerdeError> {
    SchemaRegistry::new(&RegistryOptions {
        url: settings.url.clone(),
        credentials: settings.credentials.as_ref().map(|c| (c.user.clone(), c.password.clone())),
        timeout: settings.timeout,
    })
}

/// The recipes of an application.
pub fn recipes(application: App, id: &str, registry: &Registry) -> Result<Recipes, String> {
    let registry = self::registry(registry).map_err(|error| error.to_string())?;
    let builder = StreamsBuilder::new();
    (application.describe)(&builder, &registry).map_err(|error| error.to_string())?;
    let recipes = builder.build(id).map_err(|error| error.to_string())?;
    Ok(Recipes { registry: Some(registry), ..recipes })
}

fn describe(application: App) -> u8 {
    // Describing asks nothing of a registry.
    let unasked =
        Registry { url: "http://localhost:8081".to_owned(), credentials: None, timeout: Duration::from_secs(1) };
    match recipes(application, application.name, &unasked) {
        Ok(recipes) => print(&recipes.topology.describe(), exit::OK),
        Err(error) => complain(&error, exit::SOFTWARE),
    }
}

/// Sends log lines where the settings say; only the first call of a process has an effect.
pub fn log(settings: &Log) {
    let filter = EnvFilter::builder().parse_lossy(&settings.filter);
    // Colours are for a person at a terminal; in a file they are noise.
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    // A second initialisation is refused and changes nothing.
    let _ = match settings.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}

fn serve(application: App, settings: &Settings) -> u8 {
    log(&settings.log);
    let Some(registry) = &settings.schema_registry else {
        let missing = Problem::new("schema_registry.url", "is not set, and this application's records are Avro");
        return complain(&report(&[missing]), exit::USAGE);
    };
    let recipes = match recipes(application, &settings.application.id, registry) {
        Ok(recipes) => recipes,
        Err(error) => return complain(&error, exit::SOFTWARE),
    };
    let started = kafka_clients(settings).and_then(|kafka| Instance::start(settings, Arc::new(kafka), recipes));
    let instance = match started {
        Ok(instance) => instance,
        Err(error) => return complain(&error.to_string(), error.exit()),
    };
    if let Err(error) = wait_for_signal(&instance) {
        tracing::error!(%error, "cannot listen for signals, stopping");
    }
    match instance.stop() {
        Ok(()) => exit::OK,
        Err(error) => complain(&error.to_string(), exit_of_run(&error)),
    }
}

/// Waits for SIGINT, SIGTERM, or the end of the run.
fn wait_for_signal(instance: &Instance) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        loop {
            tokio::select! {
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
                () = tokio::time::sleep(LOOK) => if instance.is_finished() { return Ok(()) },
            }
        }
    })
}
