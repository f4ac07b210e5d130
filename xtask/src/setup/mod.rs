//! What a fresh machine lacks: looked for, installed with apt when allowed, else named in one command.

mod needs;
mod plan;
mod probe;

use std::process::Command;

use crate::Stop;
use crate::run::{self, Run, say};
pub use needs::Parts;
use plan::{Plan, Rights};

/// Makes sure that everything `parts` needs is installed. Takes well under a second when it is.
pub fn prepare(parts: Parts) -> Result<(), Stop> {
    let missing = probe::missing(parts);
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        say(&format!("missing: {} ({})", need.what, need.why));
    }
    let rights = probe::rights();
    if matches!(rights, Rights::Root | Rights::Sudo) {
        say("Installing with apt-get: about 2 minutes.");
        // Older lists may still do; the installation tells.
        let _ = run::status(plan::apt_update(rights));
    }
    match plan::plan(&missing, rights, probe::apt_knows) {
        Plan::Install { packages } => run::status(plan::apt_install(rights, &packages))?,
        Plan::Ask { text } => return Err(Stop::Unable(text)),
    }
    let still: Vec<_> = probe::missing(parts).iter().map(|need| need.what).collect();
    if still.is_empty() {
        return Ok(());
    }
    Err(Stop::Unable(format!("still missing after the installation: {}", still.join(", "))))
}

/// Makes sure that cargo has its `fmt` and `clippy`: a minimal toolchain lacks them.
pub fn components(run: &Run) -> Result<(), Stop> {
    for (tool, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !probe::succeeds(run.cargo(&[tool, "--version"])) {
            say(&format!("Adding {component} to the toolchain."));
            let mut rustup = Command::new("rustup");
            rustup.args(["component", "add", component]);
            run::status(rustup)?;
        }
    }
    Ok(())
}
