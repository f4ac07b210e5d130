//! Compares with Kafka Streams, case by case; and proves that the comparison sees bugs, by planting some.
//!
//! A planted bug is a patch in `tests/conformance/planted`. It is applied to a copy of the sources, which has a target
//! folder of its own: the dependencies in it are hard links to those that are built already, so that only the
//! workspace's packages are compiled.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use crate::Stop;
use crate::run::{Run, say, status, target};
use crate::services;
use crate::setup::{self, Parts};

const PROGRAM: &str = "thalweg-conformance";
const BUILD: [&str; 5] = ["build", "--locked", "--package", PROGRAM, "--bins"];
const PATCHES: &str = "tests/conformance/planted";
/// Random cases in which a planted bug must show, and their seed.
const CASES: &str = "300";
const SEED: &str = "1";
/// What the program's line about the first difference begins with.
const DIFFERENCE: &str = "difference in ";

/// Builds and runs the comparison; `arguments` are its own.
pub fn compare(run: &Run, arguments: &[OsString]) -> Result<(), Stop> {
    prepare(run)?;
    run.step("build", run.cargo(&BUILD))?;
    let mut program = Command::new(target().join("debug").join(PROGRAM));
    program.args(arguments);
    // It takes this process's place, and so its terminal, its signals and its exit code.
    Err(crate::run::replace_by(program))
}

fn prepare(run: &Run) -> Result<(), Stop> {
    setup::prepare(Parts::NativeAndJava)?;
    run.timed("services", || services::fetch(&run.root, &target()))?;
    run.announce_build();
    Ok(())
}

/// What became of one planted bug.
struct Planted {
    name: String,
    /// The program's line about the first difference; `None`: all cases were equal.
    difference: Option<String>,
    seconds: f64,
}

/// Plants each bug and expects a difference; fails when one is not found.
pub fn planted(run: &Run) -> Result<(), Stop> {
    prepare(run)?;
    run.step("build", run.cargo(&BUILD))?;
    let copy = Copy::new(run.root.clone(), &target())?;
    let mut all = Vec::new();
    for patch in patches(&run.root)? {
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        say(&format!("== {name}"));
        let started = Instant::now();
        copy.restore()?;
        copy.apply(&patch)?;
        let difference = copy.first_difference()?;
        all.push(Planted { name, difference, seconds: started.elapsed().as_secs_f64() });
    }
    print_table(&all);
    verdict(&all)
}

/// Fails unless every bug was found, of which there is at least one.
fn verdict(all: &[Planted]) -> Result<(), Stop> {
    let found = !all.is_empty() && all.iter().all(|planted| planted.difference.is_some());
    if found { Ok(()) } else { Err(Stop::Failed(1)) }
}

fn print_table(all: &[Planted]) {
    let width = all.iter().map(|planted| planted.name.len()).max().unwrap_or(0);
    say("");
    for Planted { name, difference, seconds } in all {
        let found = difference.as_deref().map_or("NOT FOUND", |line| line.trim_start_matches(DIFFERENCE));
        say(&format!("{name:width$} {seconds:>6.1} s  {found}"));
    }
}

fn patches(root: &Path) -> Result<Vec<PathBuf>, Stop> {
    let entries = fs::read_dir(root.join(PATCHES)).map_err(|error| failed("reading the patches", &error))?;
    let mut patches: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    patches.retain(|path| path.extension() == Some(OsStr::new("patch")));
    patches.sort();
    Ok(patches)
}

fn failed(what: &str, error: &io::Error) -> Stop {
    Stop::Unable(format!("{what}: {error}"))
}

/// A copy of the sources with a target folder of its own.
struct Copy {
    root: PathBuf,
    source: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// The copy below `target`; made when it is not there yet.
    fn new(root: PathBuf, target: &Path) -> Result<Self, Stop> {
        let copy = Self { root, source: target.join("planted/source"), target: target.join("planted/target") };
        // What is built may have changed since the last time.
        remove(&copy.target).map_err(|error| failed("removing the last copy", &error))?;
        link_dependencies(&target.join("debug"), &copy.target.join("debug"))?;
        std::os::unix::fs::symlink(target.join("services"), copy.target.join("services"))
            .map_err(|error| failed("linking the services", &error))?;
        Ok(copy)
    }

    /// Makes the copy equal to the sources again. A file that is equal stays untouched, so that cargo sees no change.
    fn restore(&self) -> Result<(), Stop> {
        let mut list = Command::new("git");
        list.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(&self.root);
        let Output { stdout, .. } = list.output().map_err(|error| failed("starting git", &error))?;
        let stdout = String::from_utf8_lossy(&stdout).into_owned();
        for file in stdout.split('\0').filter(|file| !file.is_empty()) {
            let (from, to) = (self.root.join(file), self.source.join(file));
            // What was deleted is listed until the deletion is committed.
            let Ok(wanted) = fs::read(&from) else { continue };
            if fs::read(&to).ok().as_ref() == Some(&wanted) {
                continue;
            }
            let write = || fs::create_dir_all(to.parent().unwrap_or(&to)).and_then(|()| fs::write(&to, &wanted));
            write().map_err(|error| failed("copying the sources", &error))?;
        }
        Ok(())
    }

    fn apply(&self, patch: &Path) -> Result<(), Stop> {
        let mut git = Command::new("git");
        git.arg("apply").arg(patch).current_dir(&self.source);
        // The copy may lie inside a repository that ignores it; git would leave its files alone then.
        git.env("GIT_CEILING_DIRECTORIES", self.source.parent().unwrap_or(&self.source));
        status(git)
    }

    /// Builds the copy and compares random cases until the first difference.
    fn first_difference(&self) -> Result<Option<String>, Stop> {
        let mut cargo = Command::new(std::env::var_os("CARGO").as_deref().unwrap_or(OsStr::new("cargo")));
        cargo.args(BUILD).arg("--quiet").current_dir(&self.source).env("CARGO_TARGET_DIR", &self.target);
        status(cargo)?;
        let mut program = Command::new(self.target.join("debug").join(PROGRAM));
        program.args(["--cases", CASES, "--seed", SEED, "--first"]).current_dir(&self.source).stdout(Stdio::piped());
        let output = program.output().map_err(|error| failed("starting the comparison", &error))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| line.starts_with(DIFFERENCE));
        match (output.status.code(), line) {
            (Some(0), _) => Ok(None),
            (Some(1), Some(line)) => Ok(Some(line.to_owned())),
            _ => Err(Stop::Unable(format!("the comparison ended with {} and said: {text}", output.status))),
        }
    }
}

/// Fills a target folder with links to the libraries that are built, and with cargo's notes about them. Members of the
/// workspace are built anew: the notes keep their times, and the copied sources are newer.
fn link_dependencies(from: &Path, to: &Path) -> Result<(), Stop> {
    fs::create_dir_all(to).map_err(|error| failed("making the target folder", &error))?;
    for (folder, how) in [("deps", "-al"), ("build", "-al"), (".fingerprint", "-a")] {
        let mut cp = Command::new("cp");
        cp.arg(how).arg(from.join(folder)).arg(to);
        status(cp)?;
    }
    // Compilers replace libraries, but write notes in place, and those are links.
    let entries = fs::read_dir(to.join("deps")).map_err(|error| failed("reading the target folder", &error))?;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let is_library =
            path.extension().is_some_and(|extension| ["rlib", "rmeta", "so"].iter().any(|kind| extension == *kind));
        if !is_library {
            remove(&path).map_err(|error| failed("removing a link", &error))?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bug_that_is_not_found_fails_and_so_does_a_run_without_bugs() {
        let planted = |difference: Option<&str>| Planted {
            name: "bug".to_owned(),
            difference: difference.map(str::to_owned),
            seconds: 1.0,
        };
        let code = |all: &[Planted]| match verdict(all) {
            Ok(()) => 0,
            Err(Stop::Failed(code)) => code,
            Err(Stop::Unable(what)) => panic!("{what}"),
        };
        let (found, missed) = (Some("difference in outputs"), None);
        assert_eq!(code(&[planted(found), planted(found)]), 0);
        assert_eq!(code(&[planted(found), planted(missed)]), 1);
        assert_eq!(code(&[planted(missed), planted(found)]), 1);
        assert_eq!(code(&[]), 1, "nothing was planted");
    }
}
