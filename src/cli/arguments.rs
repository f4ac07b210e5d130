//! The command line: `serve`, `describe`, `config`.

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches};

use super::exit;
use super::key::KEYS;
use super::layer::Inputs;
use super::show;

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
    Describe,
    /// Print the effective configuration.
    Config(Options),
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
    let describe = clap::Command::new("describe").about("Print the topology");
    let config = with_options(clap::Command::new("config").about("Print the effective configuration, secrets masked"));
    let command = clap::Command::new(application)
        .about(about)
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([serve, describe, config]);
    let matches = command.try_get_matches_from(arguments).map_err(|error| usage(&error))?;
    let command = match matches.subcommand() {
        Some(("serve", matches)) => Command::Serve(options(matches)),
        Some(("config", matches)) => Command::Config(options(matches)),
        _ => Command::Describe,
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
