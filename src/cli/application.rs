//! What `main` of an application calls.

use std::sync::Arc;
use std::time::Duration;

use super::arguments::{Arguments, Command, GraphForm, Options, parse};
use super::environment::variables;
use super::instance::{Instance, exit_of_run, kafka_clients, wire_settings};
use super::load::{Loaded, load};
use super::log::log;
use super::problem::{Problem, nearest, report};
use super::settings::{Kafka, Registry, Settings};
use super::{exit, show, status};
use crate::dsl::StreamsBuilder;
use crate::serde::{RegistryOptions, SchemaRegistry, SerdeError};
use crate::task::Recipes;
use crate::topology::TopologyError;
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
    pub describe: Describe,
}

/// How an application describes its topology.
#[derive(Debug, Clone, Copy)]
pub enum Describe {
    /// With serdes that need no schema registry.
    Plain(fn(&StreamsBuilder)),
    /// With serdes of the configured schema registry, which must be set.
    Avro(fn(&StreamsBuilder, &SchemaRegistry) -> Result<(), SerdeError>),
}

/// Why an application has no recipes.
#[derive(Debug, thiserror::Error)]
pub enum RecipesError {
    /// It describes itself with a schema registry, and none is configured.
    #[error(
        "schema_registry.url is not set, and this application's records are Avro; \
         set it in the file, as THALWEG__SCHEMA_REGISTRY__URL or --schema-registry"
    )]
    NoRegistry,
    /// The client of the registry or a serde cannot be made.
    #[error(transparent)]
    Serde(#[from] SerdeError),
    /// The topology has a mistake.
    #[error(transparent)]
    Topology(#[from] TopologyError),
}

impl RecipesError {
    /// The exit code that tells a supervisor whether to try again.
    pub const fn exit(&self) -> u8 {
        match self {
            Self::NoRegistry => exit::USAGE,
            Self::Serde(_) | Self::Topology(_) => exit::SOFTWARE,
        }
    }
}

/// Runs an application's command line to its end and returns the exit code.
pub fn run(application: App, arguments: &[String]) -> u8 {
    match parse(application.name, application.about, arguments) {
        Err(usage) if usage.exit == exit::OK => print(&usage.text, exit::OK),
        Err(usage) => complain(&usage.text, usage.exit),
        Ok(Arguments { command: Command::Topology(form) }) => topology(application, form),
        Ok(Arguments { command: Command::Status { url } }) => match status::status(&url) {
            Ok(text) => print(&text, exit::OK),
            Err(reason) => complain(&reason, exit::UNAVAILABLE),
        },
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
    let names = wire::setting_names();
    let problem = |(table, mistake): (Table, wire::SettingError)| {
        let table = match table {
            Table::Common => "common",
            Table::Consumer => "consumer",
            Table::Producer => "producer",
        };
        let (wire::SettingError::Forbidden(wire::ForbiddenSetting { key, .. })
        | wire::SettingError::Unknown { key }
        | wire::SettingError::Invalid { key, .. }) = &mistake;
        let meant = match &mistake {
            wire::SettingError::Unknown { key } => nearest(key, names.iter().map(String::as_str)),
            wire::SettingError::Forbidden(_) | wire::SettingError::Invalid { .. } => None,
        };
        Problem::new(format!("kafka.{table}.{key}"), mistake.to_string())
            .suggest(meant.map(|meant| format!("did you mean {meant}?")))
    };
    let mut problems: Vec<Problem> = wire::check_settings(&wire_settings(settings)).into_iter().map(problem).collect();
    problems.extend(unreadable_files(&settings.kafka));
    problems
}

/// The files that client settings name and that cannot be read; the clients would tell one of them, later.
fn unreadable_files(kafka: &Kafka) -> Vec<Problem> {
    let sections = [("common", &kafka.common), ("consumer", &kafka.consumer), ("producer", &kafka.producer)];
    let settings =
        sections.into_iter().flat_map(|(section, named)| named.iter().map(move |(key, path)| (section, key, path)));
    // librdkafka looks for certificates of the system itself when it is told to probe.
    let files = settings
        .filter(|(_, key, path)| (key.ends_with(".location") || key.ends_with(".keytab")) && path.as_str() != "probe");
    let problem = |(section, key, path): (&str, &String, &String)| {
        let error = std::fs::File::open(path).err()?;
        let what = format!("{path:?} is not a file that can be read: {error}");
        Some(Problem::new(format!("kafka.{section}.{key}"), what))
    };
    files.filter_map(problem).collect()
}

/// A client of the configured schema registry; asks nothing of it yet.
pub fn registry(settings: &Registry) -> Result<SchemaRegistry, SerdeError> {
    SchemaRegistry::new(&RegistryOptions {
        url: settings.url.clone(),
        credentials: settings.credentials.as_ref().map(|c| (c.user.clone(), c.password.clone())),
        timeout: settings.timeout,
    })
}

/// The recipes of an application; only one with Avro needs `registry`.
pub fn recipes<'a>(
    application: App,
    id: &str,
    registry: impl Into<Option<&'a Registry>>,
) -> Result<Recipes, RecipesError> {
    let builder = StreamsBuilder::new();
    let registry = match application.describe {
        Describe::Plain(describe) => {
            describe(&builder);
            None
        }
        Describe::Avro(describe) => {
            let registry = self::registry(registry.into().ok_or(RecipesError::NoRegistry)?)?;
            describe(&builder, &registry)?;
            Some(registry)
        }
    };
    Ok(Recipes { registry, ..builder.build(id)? })
}

fn topology(application: App, form: GraphForm) -> u8 {
    // Describing asks nothing of a registry.
    let unasked =
        Registry { url: "http://localhost:8081".to_owned(), credentials: None, timeout: Duration::from_secs(1) };
    match recipes(application, application.name, &unasked) {
        Ok(recipes) => match form {
            GraphForm::Text => print(&recipes.topology.describe(), exit::OK),
            GraphForm::Dot => print(&recipes.topology.dot(), exit::OK),
        },
        Err(error) => complain(&error.to_string(), error.exit()),
    }
}

fn serve(application: App, settings: &Settings) -> u8 {
    log(&settings.log);
    let id = &settings.application.id;
    tracing::info!(application = %id, version = env!("CARGO_PKG_VERSION"), "starting");
    let recipes = match recipes(application, id, settings.schema_registry.as_ref()) {
        Ok(recipes) => recipes,
        Err(error) => return complain(&error.to_string(), error.exit()),
    };
    let started = kafka_clients(settings).and_then(|kafka| Instance::start(settings, Arc::new(kafka), recipes));
    let instance = match started {
        Ok(instance) => instance,
        Err(error) => return complain(&error.to_string(), error.exit()),
    };
    match wait_for_signal(&instance) {
        Ok(cause) => tracing::info!(cause, "stopping"),
        Err(error) => tracing::error!(%error, "cannot listen for signals, stopping"),
    }
    match instance.stop() {
        Ok(()) => {
            tracing::info!("stopped");
            exit::OK
        }
        Err(error) => complain(&error.to_string(), exit_of_run(&error)),
    }
}

/// Waits for SIGINT, SIGTERM, or the end of the run; says which it was.
fn wait_for_signal(instance: &Instance) -> std::io::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        loop {
            tokio::select! {
                _ = interrupt.recv() => return Ok("SIGINT"),
                _ = terminate.recv() => return Ok("SIGTERM"),
                () = tokio::time::sleep(LOOK) => if instance.is_finished() { return Ok("the run ended") },
            }
        }
    })
}
