//! Where the fetched services are, and Java programs among them.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::child::Program;

/// Java options that make a small service start fast and leave nothing outside its directory.
const QUICK: [&str; 3] = ["-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1"];

/// `target/services`, found upwards from the test executable; `cargo xtask test` fills it.
pub fn directory() -> PathBuf {
    find().unwrap_or_else(|| panic!("no services above {:?}: run `cargo xtask test` once", env::current_exe()))
}

/// As [`directory`], for programs that say themselves what is missing.
pub fn find() -> Option<PathBuf> {
    let executable = env::current_exe().ok()?;
    let folders = executable.ancestors().map(|folder| folder.join("services"));
    folders.into_iter().find(|folder| folder.join("kafka").is_dir() && folder.join("registry").is_dir())
}

/// A Java program with `heap_mb` of heap, whose files and log are in `dir`.
pub(crate) fn java(name: &str, heap_mb: u32, dir: &Path, args: &[OsString]) -> Program {
    let mut all: Vec<OsString> = QUICK.map(OsString::from).to_vec();
    all.push(format!("-Xmx{heap_mb}m").into());
    all.push(format!("-Djava.io.tmpdir={}", dir.display()).into());
    all.extend_from_slice(args);
    Program::new(name, jdk_tool("java"), all, &dir.join(format!("{name}.log")))
}

/// A tool of the JDK, such as `java`: that of `JAVA_HOME`, else the one on the path.
pub fn jdk_tool(name: &str) -> PathBuf {
    env::var_os("JAVA_HOME").map_or_else(|| PathBuf::from(name), |home| Path::new(&home).join("bin").join(name))
}

/// Arguments that start the class `main` of the Kafka jars.
pub(crate) fn kafka_class(main: &str, options: &[String], args: &[String]) -> Vec<OsString> {
    let mut all: Vec<OsString> = options.iter().map(OsString::from).collect();
    all.extend(["-cp".into(), directory().join("kafka/*").into_os_string(), main.into()]);
    all.extend(args.iter().map(OsString::from));
    all
}

/// The one jar in `folder` that is made to be run; its version is the pom's business.
pub(crate) fn runner(folder: &Path) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files = entries.flatten().map(|entry| entry.path());
    files
        .find(|file| file.to_string_lossy().ends_with("-runner.jar"))
        .ok_or_else(|| format!("no *-runner.jar in {}", folder.display()))
}
