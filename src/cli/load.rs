//! From what was given to settings, or to every mistake at once.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value as Toml;

use super::key::{Default, KEYS, Key, PASSTHROUGH, variable};
use super::kind::{Kind, Value};
use super::layer::{Given, Inputs, Source, given};
use super::problem::{Problem, nearest};
use super::rule::RULES;
use super::settings::{Settings, Values};

/// A configuration without mistakes.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What the program uses.
    pub settings: Settings,
    /// Every key with its effective value, in the order of the table, pass-through settings last.
    pub entries: Vec<Entry>,
}

/// The effective value of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path of the key.
    pub path: String,
    /// Its value; `None` when it has none; masked when it is a secret.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: Source,
}

/// Reads, checks and combines `inputs`; `check` adds what only others know, such as the names of librdkafka. Its
/// problems name a path as their place.
///
/// Returns all mistakes together. A value that a stronger one overrides must be right too.
pub fn load(inputs: &Inputs, check: &dyn Fn(&Settings) -> Vec<Problem>) -> Result<Loaded, Vec<Problem>> {
    let mut loader = Loader::default();
    for given in given(inputs, &mut loader.problems) {
        loader.take(given);
    }
    loader.fill();
    loader.rules();
    let settings = loader.values.settings();
    for problem in check(&settings) {
        let place = loader.places.get(&problem.place).cloned().unwrap_or(problem.place);
        loader.problems.push(Problem { place, ..problem });
    }
    match loader.problems.is_empty() {
        true => Ok(Loaded { settings, entries: loader.entries() }),
        false => Err(loader.problems),
    }
}

#[derive(Default)]
struct Loader {
    values: Values,
    sources: BTreeMap<String, Source>,
    /// Where each path was given last.
    places: BTreeMap<String, String>,
    /// Keys with a wrong value.
    faulty: BTreeSet<&'static str>,
    problems: Vec<Problem>,
}

impl Loader {
    fn take(&mut self, given: Given) {
        let known = KEYS.iter().find(|key| key.path == given.path);
        let Some(value) = given.value.clone() else {
            self.faulty.extend(known.map(|key| key.path));
            return;
        };
        if let Some(key) = known {
            self.take_known(key, given, &value);
        } else if let Some((section, name)) = passed(&given.path) {
            self.take_passed(section, name.to_owned(), given, &value);
        } else {
            let suggestion = similar(&given);
            self.problems.push(Problem::new(given.place, "there is no such key").suggest(suggestion));
        }
    }

    fn take_known(&mut self, key: &'static Key, given: Given, value: &Toml) {
        match read(key, &given, value) {
            Ok(value) => {
                self.values.known.insert(key.path, value);
                self.sources.insert(given.path.clone(), given.source);
                self.places.insert(given.path, given.place);
            }
            Err(problem) => {
                self.faulty.insert(key.path);
                self.problems.push(problem);
            }
        }
    }

    fn take_passed(&mut self, section: &'static str, name: String, given: Given, value: &Toml) {
        let Some(text) = scalar(value) else {
            let what = format!("{} is not a text, a number or a boolean", value.type_str());
            self.problems.push(Problem::new(given.place, what));
            return;
        };
        self.values.passed.entry(section).or_default().insert(name, text);
        self.sources.insert(given.path.clone(), given.source);
        self.places.insert(given.path, given.place);
    }

    /// Defaults of what nobody gave.
    fn fill(&mut self) {
        for key in KEYS {
            if self.values.known.contains_key(key.path) {
                continue;
            }
            match key.default {
                Default::Is(text) => {
                    if let Some(value) = key.kind.read(text) {
                        self.values.known.insert(key.path, value);
                    }
                }
                Default::Required if !self.faulty.contains(key.path) => {
                    let flag = key.flag.map(|flag| format!(" or --{flag}")).unwrap_or_default();
                    let suggestion = format!("set it in the file, as {}{flag}", key.variable());
                    self.problems.push(Problem::new(key.path, "is required").suggest(Some(suggestion)));
                }
                Default::Required | Default::None | Default::Derived(_) => {}
            }
        }
    }

    fn rules(&mut self) {
        for rule in RULES {
            let asked = rule.keys.iter().all(|key| !self.faulty.contains(key));
            if asked && !(rule.holds)(&self.values) {
                let place = rule.keys.iter().find_map(|key| self.places.get(*key).cloned());
                let subject = rule.keys[0];
                let what = format!("{subject} {}", rule.text);
                let problem = Problem::new(place.unwrap_or_else(|| subject.to_owned()), what);
                self.problems.push(problem.suggest(Some(rule.suggestion.to_owned())));
            }
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |path: String, value: Option<String>, secret: bool| {
            let source = self.sources.get(&path).copied().unwrap_or(Source::Default);
            Entry { path, value: value.map(|value| if secret { "***".to_owned() } else { value }), source }
        };
        let known = KEYS.iter().map(|key| entry(key.path.to_owned(), self.values.text(key.path), key.secret));
        let passed = self.values.passed.iter().flat_map(|(section, settings)| {
            settings.iter().map(move |(name, value)| {
                entry(format!("{section}.{name}"), Some(value.clone()), is_secret_setting(name))
            })
        });
        known.chain(passed).collect()
    }
}

/// librdkafka's settings that hold a password, a private key, or text that may contain one.
fn is_secret_setting(name: &str) -> bool {
    const PARTS: [&str; 6] = ["password", "secret", "key.pem", "jaas", "oauthbearer.config", "assertion"];
    PARTS.iter().any(|part| name.contains(part))
}

/// Section and name of a pass-through setting.
fn passed(path: &str) -> Option<(&'static str, &str)> {
    PASSTHROUGH.iter().find_map(|section| {
        let name = path.strip_prefix(section.path)?.strip_prefix('.')?;
        (!name.is_empty()).then_some((section.path, name))
    })
}

fn scalar(value: &Toml) -> Option<String> {
    match value {
        Toml::String(text) => Some(text.clone()),
        Toml::Integer(number) => Some(number.to_string()),
        Toml::Float(number) => Some(number.to_string()),
        Toml::Boolean(truth) => Some(truth.to_string()),
        Toml::Datetime(_) | Toml::Array(_) | Toml::Table(_) => None,
    }
}

/// The value of `key`. Text from the environment and flags may be a number; in the file types are kept apart.
fn read(key: &Key, given: &Given, value: &Toml) -> Result<Value, Problem> {
    let read = match (value, key.kind) {
        (Toml::Integer(number), Kind::Integer(..)) => key.kind.read(&number.to_string()),
        (Toml::String(_), Kind::Integer(..)) if given.source == Source::File => None,
        (Toml::String(text), kind) => kind.read(text),
        _ => None,
    };
    read.ok_or_else(|| {
        let found = match (value, key.secret) {
            (_, true) => "the value".to_owned(),
            // What a broken file leaves of a time has no text: `Display` panics.
            (Toml::Datetime(_) | Toml::Array(_) | Toml::Table(_), false) => {
                format!("a value of type {}", value.type_str())
            }
            (value, false) => value.to_string(),
        };
        let suggestion = if key.secret { None } else { instead(key, value) };
        Problem::new(&given.place, format!("{found} is not {}", key.kind.expected())).suggest(suggestion)
    })
}

/// What was probably meant by a value that `key` does not take.
fn instead(key: &Key, value: &Toml) -> Option<String> {
    match (key.kind, value) {
        (Kind::Choice(words), Toml::String(text)) => {
            nearest(text, words.iter().copied()).map(|word| format!("did you mean \"{word}\"?"))
        }
        (Kind::Integer(..), Toml::String(text)) if key.kind.read(text).is_some() => {
            Some(format!("write {text} without quotes"))
        }
        (Kind::Integer(..), Toml::String(text)) => {
            let number = without_unit(key.path, text).filter(|number| key.kind.read(&number.to_string()).is_some())?;
            Some(format!("write {number}, the name of the key says its unit"))
        }
        (Kind::Addresses, Toml::Array(_)) => Some("write them as one text, such as \"a:9092,b:9092\"".to_owned()),
        _ => None,
    }
}

/// The number in the unit that a key's name ends with, of a text such as `5s` or `64MiB`.
fn without_unit(path: &str, text: &str) -> Option<i64> {
    const TIMES: &[(&str, i64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("min", 60_000), ("h", 3_600_000)];
    const SIZES: &[(&str, i64)] = &[
        ("b", 1),
        ("k", 1 << 10),
        ("kb", 1 << 10),
        ("kib", 1 << 10),
        ("m", 1 << 20),
        ("mb", 1 << 20),
        ("mib", 1 << 20),
        ("g", 1 << 30),
        ("gb", 1 << 30),
        ("gib", 1 << 30),
    ];
    let units = match path.rsplit('_').next()? {
        "ms" => TIMES,
        "bytes" => SIZES,
        _ => return None,
    };
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let unit = unit.trim().to_ascii_lowercase();
    let (_, factor) = units.iter().find(|(known, _)| *known == unit)?;
    number.parse::<i64>().ok()?.checked_mul(*factor)
}

/// The key that was probably meant, named as in the place where the wrong one stands.
fn similar(given: &Given) -> Option<String> {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let name = last(&given.path);
    let paths = || KEYS.iter().map(|key| key.path);
    let elsewhere = paths().find(|path| last(path) == name);
    let meant = elsewhere.or_else(|| nearest(&given.path, paths()))?;
    Some(match given.source {
        Source::Environment => format!("did you mean {}?", variable(meant)),
        Source::Default | Source::File | Source::Flag => format!("did you mean {meant}?"),
    })
}
