//! Keeps the house in order: who may name whom, what must be absent, how large a file may be.
//!
//! It reads text, not types: cheap, and good enough for rules that people keep on purpose.

mod arrows;
mod code;
mod paths;
mod size;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use code::Code;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Path from the workspace's folder.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Name of the rule.
    pub rule: &'static str,
    /// What is wrong and what to do.
    pub advice: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.rule, self.advice)
    }
}

/// A file of the tree; `path` with slashes, from the workspace's folder.
#[derive(Debug, Clone)]
pub struct File {
    path: String,
    bytes: Vec<u8>,
    /// Its module is declared under `#[cfg(test)]`.
    test_module: bool,
}

impl File {
    fn new(path: &str, bytes: Vec<u8>) -> Self {
        Self { path: path.to_owned(), bytes, test_module: false }
    }

    /// Whether the whole file is test code.
    fn is_test(&self) -> bool {
        self.test_module || self.path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "fuzz"))
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn violation(&self, line: usize, rule: &'static str, advice: impl Into<String>) -> Violation {
        Violation { file: self.path.clone(), line, rule, advice: advice.into() }
    }
}

/// Endings of the files that people write, and the names of those without one.
const ENDINGS: [&str; 11] = [".rs", ".toml", ".md", ".xml", ".yaml", ".yml", ".json", ".avsc", ".sh", ".txt", ".java"];
const NAMES: [&str; 3] = ["run", ".gitignore", "Dockerfile"];
const SKIPPED: [&str; 4] = [".git", "target", "node_modules", "corpus"];

/// Checks every file that people write below `root`.
pub fn check_folder(root: &Path) -> io::Result<Vec<Violation>> {
    let mut files = Vec::new();
    collect(root, "", &mut files)?;
    Ok(check(files))
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file()
            && (ENDINGS.iter().any(|ending| name.ends_with(ending)) || NAMES.contains(&name.as_str()))
        {
            files.push(File::new(&path, fs::read(entry.path())?));
        }
    }
    Ok(())
}

/// Marks the files of modules that are declared for tests only.
fn mark_test_modules(files: &mut [File]) {
    let modules: Vec<String> = files
        .iter()
        .filter(|file| file.is_rust())
        .filter_map(|file| Some((file, text::decode(file).ok()?)))
        .flat_map(|(file, text)| {
            let folder = file.path.strip_suffix(".rs").unwrap_or(&file.path);
            let folder = ["/mod", "/lib", "/main"].iter().find_map(|root| folder.strip_suffix(root)).unwrap_or(folder);
            Code::new(text).test_modules().map(|name| format!("{folder}/{name}")).collect::<Vec<_>>()
        })
        .collect();
    for file in files {
        let rest = modules.iter().find_map(|module| file.path.strip_prefix(module.as_str()));
        file.test_module = rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'));
    }
}

/// All violations of all rules, by file and line.
fn check(mut files: Vec<File>) -> Vec<Violation> {
    mark_test_modules(&mut files);
    let mut found = size::check(&files);
    let mut environment = Vec::new();
    for file in &files {
        let text = match text::decode(file) {
            Ok(text) => text,
            Err(violation) => {
                found.push(violation);
                continue;
            }
        };
        found.extend(text::check(file, text));
        if file.is_rust() {
            let code = Code::new(text);
            let paths = paths::paths(&code.text);
            found.extend(text::check_code(file, &code));
            found.extend(arrows::check(file, &code, &paths));
            environment.extend(arrows::environment_reads(file, &code, &paths));
        }
    }
    found.extend(arrows::one_file_reads_the_environment(environment));
    found.sort();
    found
}
