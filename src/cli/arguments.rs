//! The command line: `serve`, `status`, `topology`, `config`.

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches};

use super::exit;
use super::key::KEYS;
use super::layer::Inputs;
use super::show;

/// Where an instance answers with the default settings.
const STATUS_URL: &str = "http://127.0.0.1:8080";

/// A command line that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// What to do.
    pub command: Command,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Run the application.
    Serve(Options),
    /// Print the topology.
    Topology(GraphForm),
    /// Print what the instances do.
    Status {
        /// Base URL of any instance.
        url: String,
    },
    /// Print the effective configuration.
    Config(Options),
}

/// How the topology is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphForm {
    /// The text of Kafka Streams.
    Text,
    /// The language of Graphviz.
    Dot,
}

/// Where the configuration comes from, as given on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `--config`.
    pub file: Option<String>,
    /// The flag as typed, the path of its key, its value; in the order typed.
    pub flags: Vec<(String, String, String)>,
}

/// A command line that ends here: help, version, or a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// What to print; to standard error when `exit` is not 0.
    pub text: String,
    /// Exit code.
    pub exit: u8,
}

impl Options {
    /// Reads the file and puts everything together; what cannot be read is reported by [`load`](super::load).
    pub fn inputs(&self, variables: Vec<(String, String)>) -> Inputs {
        let read = |name: &String| {
            let text = std::fs::read_to_string(name).map_err(|error| error.to_string());
            (name.clone(), text)
        };
        Inputs { file: self.file.as_ref().map(read), variables, flags: self.flags.clone() }
    }
}

/// Parses `arguments`, the program's name first; `about` is one line on what the application does.
pub fn parse(application: &'static str, about: &'static str, arguments: &[String]) -> Result<Arguments, Usage> {
    let serve = with_options(clap::Command::new("serve").about("Run the application"));
    let flag = |name: &'static str, help| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let topology = clap::Command::new("topology").alias("describe").about("Print the topology").args([
        flag("text", "As Kafka Streams prints it (the default)"),
        flag("dot", "For Graphviz: | dot -Tsvg > topology.svg").conflicts_with("text"),
    ]);
    let url = Arg::new("url").long("url").value_name("URL").default_value(STATUS_URL).help("Any instance");
    let status = clap::Command::new("status").about("Print instances, tasks and lag").arg(url);
    let config = with_options(clap::Command::new("config").about("Print the effective configuration, secrets masked"));
    let command = clap::Command::new(application)
        .about(about)
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([serve, status, topology, config]);
    let matches = command.try_get_matches_from(arguments).map_err(|error| usage(&error))?;
    let command = match matches.subcommand() {
        Some(("serve", matches)) => Command::Serve(options(matches)),
        Some(("config", matches)) => Command::Config(options(matches)),
        Some(("status", matches)) => {
            Command::Status { url: matches.get_one::<String>("url").cloned().unwrap_or_default() }
        }
        Some((_, matches)) if matches.get_flag("dot") => Command::Topology(GraphForm::Dot),
        _ => Command::Topology(GraphForm::Text),
    };
    Ok(Arguments { command })
}

fn with_options(command: clap::Command) -> clap::Command {
    let config = Arg::new("config").long("config").value_name("FILE").help("Configuration file (TOML)");
    let set = Arg::new("set")
        .long("set")
        .value_name("KEY=VALUE")
        .action(ArgAction::Append)
        .help("Set any key, such as application.stream_threads=2");
    let flags = KEYS.iter().filter_map(|key| {
        let flag = key.flag?;
        Some(Arg::new(key.path).long(flag).value_name("VALUE").action(ArgAction::Append).help(key.meaning))
    });
    command.args([config, set]).args(flags).after_long_help(show::help())
}

fn options(matches: &ArgMatches) -> Options {
    let mut flags = Vec::new();
    let mut collect = |id: &str, parts: &dyn Fn(&str) -> (String, String, String)| {
        let values = matches.get_many::<String>(id).into_iter().flatten();
        let places = matches.indices_of(id).into_iter().flatten();
        flags.extend(places.zip(values).map(|(place, value)| (place, parts(value))));
    };
    collect("set", &|text| match text.split_once('=') {
        Some((path, value)) => (format!("--set {path}"), path.to_owned(), value.to_owned()),
        // No key: reported as a key that does not exist.
        None => (format!("--set {text}"), text.to_owned(), String::new()),
    });
    for key in KEYS {
        if let Some(flag) = key.flag {
            collect(key.path, &|value| (format!("--{flag}"), key.path.to_owned(), value.to_owned()));
        }
    }
    // The flag typed last wins.
    flags.sort_by_key(|(place, _)| *place);
    Options {
        file: matches.get_one::<String>("config").cloned(),
        flags: flags.into_iter().map(|(_, flag)| flag).collect(),
    }
}

fn usage(error: &clap::Error) -> Usage {
    let exit = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => exit::OK,
        _ => exit::USAGE,
    };
    Usage { text: error.to_string(), exit }
}
