//! The three places where a value is given: file, environment, flags. Later ones win.

use toml::Value as Toml;

use super::environment::PREFIX;
use super::key::{KEYS, PASSTHROUGH};
use super::problem::Problem;

/// Where an effective value comes from, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File,
    /// An environment variable.
    Environment,
    /// A flag.
    Flag,
}

/// All that the configuration is made of, read already.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// Name and text of the file, or why it cannot be read.
    pub file: Option<(String, Result<String, String>)>,
    /// Names and values of our variables.
    pub variables: Vec<(String, String)>,
    /// The flag as typed, the path of its key, its value.
    pub flags: Vec<(String, String, String)>,
}

/// One value that somebody gave.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub source: Source,
    /// Where it was given, for messages.
    pub place: String,
    pub path: String,
    pub value: Toml,
}

/// All given values, weakest first; what cannot be read at all becomes a problem.
pub(super) fn given(inputs: &Inputs, problems: &mut Vec<Problem>) -> Vec<Given> {
    let mut all = Vec::new();
    match &inputs.file {
        Some((name, Ok(text))) => from_file(name, text, &mut all, problems),
        Some((name, Err(reason))) => problems.push(Problem::new(name, format!("cannot be read: {reason}"))),
        None => {}
    }
    all.extend(inputs.variables.iter().map(|(name, value)| Given {
        source: Source::Environment,
        place: name.clone(),
        path: path_of_variable(name),
        value: Toml::String(value.clone()),
    }));
    all.extend(inputs.flags.iter().map(|(flag, path, value)| Given {
        source: Source::Flag,
        place: flag.clone(),
        path: path.clone(),
        value: Toml::String(value.clone()),
    }));
    all
}

fn from_file(name: &str, text: &str, all: &mut Vec<Given>, problems: &mut Vec<Problem>) {
    match text.parse::<toml::Table>() {
        Ok(table) => walk(name, "", table, all),
        // The message alone: the rest of the error quotes the line, which may hold a secret.
        Err(error) => {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            problems.push(Problem::new(format!("{name}: line {line}"), format!("not TOML: {}", error.message())));
        }
    }
}

/// Flattens tables, so that `a.b = 1` and `[a] b = 1` are the same.
fn walk(name: &str, prefix: &str, table: toml::Table, all: &mut Vec<Given>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value {
            Toml::Table(table) if !KEYS.iter().any(|key| key.path == path) => walk(name, &path, table, all),
            value => all.push(Given { source: Source::File, place: format!("{name}: {path}"), path, value }),
        }
    }
}

fn path_of_variable(name: &str) -> String {
    let path = name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_lowercase().replace("__", ".");
    let passed = PASSTHROUGH.iter().find_map(|section| {
        let name = path.strip_prefix(section.path)?.strip_prefix('.')?;
        Some(format!("{}.{}", section.path, name.replace('_', ".")))
    });
    passed.unwrap_or(path)
}
