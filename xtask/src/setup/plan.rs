//! Decides what to do about missing things. No look at the machine here.

use std::process::Command;

use super::needs::Need;

/// What this user may do to the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Is root.
    Root,
    /// `sudo` asks for no password.
    Sudo,
    /// Has apt, but not the rights to install.
    User,
    /// The system has no apt.
    NoApt,
}

/// What follows.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// Install these packages.
    Install {
        /// Debian package names, each once.
        packages: Vec<&'static str>,
    },
    /// Only a person can do it: this text says what.
    Ask {
        /// For the terminal.
        text: String,
    },
}

/// The plan for `missing`; `known` says whether the distribution has a package.
pub fn plan(missing: &[&Need], rights: Rights, known: impl Fn(&str) -> bool) -> Plan {
    let mut packages: Vec<&'static str> = missing.iter().map(|need| package(need, &known)).collect();
    packages.dedup();
    match rights {
        Rights::Root | Rights::Sudo => Plan::Install { packages },
        Rights::User => Plan::Ask {
            text: format!(
                "Type this, then try again:\n  sudo apt-get update && sudo apt-get install -y --no-install-recommends {}",
                packages.join(" ")
            ),
        },
        Rights::NoApt => {
            let names: Vec<_> = missing.iter().map(|need| need.what).collect();
            Plan::Ask {
                text: format!(
                    "Install these with your system's package manager, then try again: {} (on Debian: {})",
                    names.join(", "),
                    packages.join(" ")
                ),
            }
        }
    }
}

/// The first package that the distribution has; without any list, the last and most general one.
fn package(need: &Need, known: impl Fn(&str) -> bool) -> &'static str {
    let last = need.packages[need.packages.len() - 1];
    need.packages.iter().copied().find(|name| known(name)).unwrap_or(last)
}

/// Refreshes the package lists.
pub fn apt_update(rights: Rights) -> Command {
    apt_get(rights, &["update", "-qq"])
}

/// Installs `packages` without a question.
pub fn apt_install(rights: Rights, packages: &[&str]) -> Command {
    let mut install = apt_get(rights, &["install", "-y", "-qq", "--no-install-recommends"]);
    install.args(packages);
    install
}

fn apt_get(rights: Rights, arguments: &[&str]) -> Command {
    // sudo clears the environment: hence env on its right side.
    let mut words = if rights == Rights::Sudo { vec!["sudo", "-n"] } else { Vec::new() };
    words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::super::needs::{Parts, needs};
    use super::*;

    fn missing(names: &[&str]) -> Vec<&'static Need> {
        needs(Parts::NativeAndJava).filter(|need| names.contains(&need.what)).collect()
    }

    fn words(command: &Command) -> Vec<String> {
        std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn a_package_of_several_needs_is_installed_once() {
        let all = missing(&["C compiler", "C++ compiler", "make", "clang"]);
        assert_eq!(plan(&all, Rights::Root, |_| true), Plan::Install { packages: vec!["build-essential", "clang"] });
    }

    #[test]
    fn the_jdk_is_the_first_that_the_distribution_has() {
        let jdk = missing(&["JDK 17 or newer"]);
        let install = |packages| Plan::Install { packages };
        assert_eq!(plan(&jdk, Rights::Sudo, |_| true), install(vec!["openjdk-17-jdk-headless"]));
        assert_eq!(plan(&jdk, Rights::Sudo, |name| name.contains("21")), install(vec!["openjdk-21-jdk-headless"]));
        assert_eq!(plan(&jdk, Rights::Sudo, |_| false), install(vec!["default-jdk-headless"]));
    }

    #[test]
    fn without_rights_one_command_is_named() {
        let Plan::Ask { text } = plan(&missing(&["clang", "Maven"]), Rights::User, |_| true) else {
            panic!("nothing may be installed")
        };
        let command = "sudo apt-get update && sudo apt-get install -y --no-install-recommends clang maven";
        assert!(text.lines().any(|line| line.trim() == command), "{text}");
    }

    #[test]
    fn without_apt_the_things_are_named() {
        let Plan::Ask { text } = plan(&missing(&["SASL headers"]), Rights::NoApt, |_| false) else {
            panic!("nothing may be installed")
        };
        assert!(text.contains("SASL headers") && text.contains("libsasl2-dev"), "{text}");
    }

    #[test]
    fn apt_asks_no_question() {
        let root = words(&apt_install(Rights::Root, &["clang"])).join(" ");
        let expected = "env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends clang";
        assert_eq!(root, expected);
        assert_eq!(words(&apt_install(Rights::Sudo, &["clang"])).join(" "), format!("sudo -n {expected}"));
    }
}
