//! The three places where a value is given: file, environment, flags. Later ones win.

use std::borrow::Cow;
use std::collections::BTreeMap;

use toml::Spanned;
use toml::Value as Toml;
use toml::de::{DeTable, DeValue};

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
    /// `None`: it cannot be read, which is told already.
    pub value: Option<Toml>,
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
        value: Some(Toml::String(value.clone())),
    }));
    all.extend(inputs.flags.iter().map(|(flag, path, value)| Given {
        source: Source::Flag,
        place: flag.clone(),
        path: path.clone(),
        value: Some(Toml::String(value.clone())),
    }));
    all
}

/// What the parser says of a key that is given twice; it keeps the first value.
const DUPLICATE: &str = "duplicate key";
/// Lines of a file that are told to be no TOML; the rest of such a file is not looked at.
const BROKEN_LINES_MAX: usize = 20;

/// Reads what can be read: a line that is no TOML is told, taken out, and hides no mistake in the others.
fn from_file(name: &str, text: &str, all: &mut Vec<Given>, problems: &mut Vec<Problem>) {
    let mut lines: Vec<Cow<'_, str>> = text.split('\n').map(Cow::Borrowed).collect();
    let mut broken = BTreeMap::new();
    loop {
        let text = lines.join("\n");
        let (table, errors) = DeTable::parse_recoverable(&text);
        // Only the first one: what follows from a mistake is none.
        let start = |error: &toml::de::Error| error.span().unwrap_or_default().start;
        let first = errors.iter().filter(|error| error.message() != DUPLICATE).min_by_key(|error| start(error));
        if let Some(error) = first {
            let line = line_of(&text, start(error));
            // The message alone: the rest of the error quotes the line, which may hold a secret.
            let news = broken.insert(line, Problem::new(at(name, line), format!("not TOML: {}", error.message())));
            if news.is_none() && broken.len() < BROKEN_LINES_MAX {
                let path = path_of_line(&lines[..line]);
                all.push(Given { source: Source::File, place: at(name, line), path, value: None });
                lines[line - 1] = repaired(&lines[line - 1]).into();
                continue;
            }
        }
        for error in errors.iter().filter(|error| error.message() == DUPLICATE) {
            let span = error.span().unwrap_or_default();
            let line = line_of(&text, span.start);
            let key = text.get(span).unwrap_or_default();
            let problem = Problem::new(at(name, line), format!("not TOML: {DUPLICATE} {key}"));
            broken.entry(line).or_insert(problem.suggest(Some("keep one of the lines".to_owned())));
        }
        problems.extend(broken.into_values());
        return walk(name, "", table.into_inner(), all);
    }
}

fn at(name: &str, line: usize) -> String {
    format!("{name}: line {line}")
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// The path that the last of `lines` was probably meant to set: so that it is not told to be missing too.
fn path_of_line(lines: &[Cow<'_, str>]) -> String {
    let (last, before) = lines.split_last().map_or(("", lines), |(last, before)| (last.as_ref(), before));
    let key = last.split('=').next().unwrap_or_default().split_whitespace().next().unwrap_or_default();
    let section = before.iter().rev().find_map(|line| line.trim().strip_prefix('[')?.strip_suffix(']'));
    section.map_or_else(|| key.to_owned(), |section| format!("{section}.{key}"))
}

/// What takes the place of a broken line: nothing, or the section that it was probably meant to begin.
fn repaired(line: &str) -> String {
    let Some(section) = line.trim_start().strip_prefix('[') else { return String::new() };
    let end = section.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(section.len());
    if end == 0 { String::new() } else { format!("[{}]", &section[..end]) }
}

/// Flattens tables, so that `a.b = 1` and `[a] b = 1` are the same.
fn walk(name: &str, prefix: &str, table: DeTable<'_>, all: &mut Vec<Given>) {
    for (key, value) in table {
        let key = key.into_inner();
        let path = if prefix.is_empty() { key.into_owned() } else { format!("{prefix}.{key}") };
        match value.into_inner() {
            DeValue::Table(table) if !KEYS.iter().any(|key| key.path == path) => walk(name, &path, table, all),
            value => {
                let place = format!("{name}: {path}");
                all.push(Given { source: Source::File, place, path, value: Some(owned(value)) });
            }
        }
    }
}

fn owned(value: DeValue<'_>) -> Toml {
    match value {
        DeValue::String(text) => Toml::String(text.into_owned()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Toml::Integer(number),
            // Larger than any key takes: told as what was written.
            Err(_) => Toml::String(number.to_string()),
        },
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Toml::String(number.to_string()), Toml::Float)
        }
        DeValue::Boolean(truth) => Toml::Boolean(truth),
        DeValue::Datetime(time) => Toml::Datetime(time),
        DeValue::Array(values) => Toml::Array(values.into_iter().map(Spanned::into_inner).map(owned).collect()),
        DeValue::Table(table) => {
            let entry =
                |(key, value): (Spanned<_>, Spanned<_>)| (Cow::into_owned(key.into_inner()), owned(value.into_inner()));
            Toml::Table(table.into_iter().map(entry).collect())
        }
    }
}

fn path_of_variable(name: &str) -> String {
    if let Some(key) = KEYS.iter().find(|key| key.common_variable == Some(name)) {
        return key.path.to_owned();
    }
    let path = name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_lowercase().replace("__", ".");
    let passed = PASSTHROUGH.iter().find_map(|section| {
        let name = path.strip_prefix(section.path)?.strip_prefix('.')?;
        Some(format!("{}.{}", section.path, name.replace('_', ".")))
    });
    passed.unwrap_or(path)
}
