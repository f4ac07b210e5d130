//! Fetches the services of the tests (`tests/pom.xml`) with Maven, once, into `target/services`.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::Stop;
use crate::run::{say, status};

const ATTEMPTS: usize = 2;

/// Makes `target/services` hold what `tests/pom.xml` names. A copy of the pom there says what it holds, so that
/// nothing is asked of Maven, nor of the network, while the pom stays the same.
pub fn fetch(root: &Path, target: &Path) -> Result<(), Stop> {
    let pom = root.join("tests/pom.xml");
    let ready = target.join("services");
    let stamp = fs::read(ready.join("pom.xml")).ok();
    let wanted = fs::read(&pom).map_err(|error| failed("reading tests/pom.xml", &error))?;
    if stamp.is_some_and(|stamp| stamp == wanted) {
        return Ok(());
    }
    say("Fetching Kafka and the schema registry from Maven Central: 270 MB, about a minute.");
    let fresh = target.join("services.new");
    remove(&fresh)?;
    let mut outcome = Ok(());
    for _ in 0..ATTEMPTS {
        outcome = status(maven(&pom, &fresh));
        if outcome.is_ok() {
            break;
        }
    }
    outcome?;
    fs::write(fresh.join("pom.xml"), &wanted).map_err(|error| failed("writing the stamp", &error))?;
    remove(&ready)?;
    fs::rename(&fresh, &ready).map_err(|error| failed("moving the services into place", &error))
}

fn maven(pom: &Path, into: &Path) -> Command {
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "-Dstyle.color=never", "-f"]).arg(pom);
    maven.arg(format!("-Dservices={}", into.display())).arg("package");
    maven
}

fn remove(folder: &Path) -> Result<(), Stop> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("removing old services", &error)),
        _ => Ok(()),
    }
}

fn failed(what: &str, error: &io::Error) -> Stop {
    Stop::Unable(format!("{what}: {error}"))
}
