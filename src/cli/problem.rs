//! One mistake in the configuration, told so that it can be corrected without reading anything else.

use std::fmt;

/// A mistake: where, what, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it is: `file: key`, name of the variable, or flag.
    pub place: String,
    /// What was found and what was expected. Never the value of a secret.
    pub what: String,
    /// What to write instead, where that can be guessed.
    pub suggestion: Option<String>,
}

impl Problem {
    /// A mistake without a suggestion.
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into(), suggestion: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn suggest(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; {suggestion}"),
            None => Ok(()),
        }
    }
}

/// All mistakes as one text for the terminal.
pub fn report(problems: &[Problem]) -> String {
    let count = match problems.len() {
        1 => "1 mistake".to_owned(),
        count => format!("{count} mistakes"),
    };
    let lines: String = problems.iter().map(|problem| format!("  {problem}\n")).collect();
    format!("{count} in the configuration, nothing was started:\n{lines}")
}

/// The name of `known` that `name` is most likely a misspelling of.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|known| (strsim::normalized_damerau_levenshtein(name, known), known));
    scored.filter(|(score, _)| *score >= 0.6).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}
