//! The only file that reads the process's environment and arguments.

use super::key::KEYS;

/// First part of every variable of our own; double underscores separate the parts of a key.
pub(super) const PREFIX: &str = "THALWEG__";

/// The variables that are ours, and those of others that a key takes its value from unless they are empty, which means
/// that they are not set. In this order: the later one wins. A value that is not UTF-8 has its invalid parts replaced.
pub fn variables() -> Vec<(String, String)> {
    let all = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    let is_common = |name: &str| KEYS.iter().any(|key| key.common_variable == Some(name));
    let (mut ours, others): (Vec<_>, Vec<_>) = all
        .filter(|(name, value)| name.starts_with(PREFIX) || (is_common(name) && !value.is_empty()))
        .partition(|(name, _)| name.starts_with(PREFIX));
    ours.sort();
    [others, ours].concat()
}

/// The arguments of the process, its own name first. One that is not UTF-8 has its invalid parts replaced.
pub fn arguments() -> Vec<String> {
    std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect()
}
