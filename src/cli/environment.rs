//! The only file that reads the process's environment and arguments.

/// First part of every variable that we read; double underscores separate the parts of a key.
pub(super) const PREFIX: &str = "THALWEG__";

/// Our variables, sorted by name. A value that is not UTF-8 has its invalid parts replaced.
pub fn variables() -> Vec<(String, String)> {
    let all = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    let mut ours: Vec<_> = all.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    ours.sort();
    ours
}

/// The arguments of the process, its own name first. One that is not UTF-8 has its invalid parts replaced.
pub fn arguments() -> Vec<String> {
    std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect()
}
