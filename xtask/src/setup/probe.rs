//! Looks at the machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::needs::{Check, Need, Parts, is_libclang, java_major, needs};
use super::plan::Rights;

/// What `parts` needs and is not there.
pub fn missing(parts: Parts) -> Vec<&'static Need> {
    needs(parts).filter(|need| !is_there(need.check)).collect()
}

/// What this user may install.
pub fn rights() -> Rights {
    if !on_path("apt-get") {
        Rights::NoApt
    } else if printed(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0") {
        Rights::Root
    } else if on_path("sudo") && succeeds(command("sudo", &["-n", "true"])) {
        Rights::Sudo
    } else {
        Rights::User
    }
}

/// Whether apt's lists have `package`.
pub fn apt_knows(package: &str) -> bool {
    succeeds(command("apt-cache", &["show", package]))
}

/// Whether a command can be run and ends well; it prints nothing.
pub fn succeeds(mut command: Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn is_there(check: Check) -> bool {
    match check {
        Check::Program(name) => on_path(name),
        Check::Library(name) => succeeds(command("pkg-config", &["--exists", name])),
        Check::Libclang => libclang_folders().iter().any(|folder| has_libclang(folder)),
        Check::Jdk(oldest) => {
            // The compiler proves that it is more than a runtime.
            let java = printed(Command::new(java_program("java")).arg("-version")).and_then(|text| java_major(&text));
            java_program("javac").is_file() && java.is_some_and(|major| major >= oldest)
        }
    }
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Both outputs of a command that ends well: Java prints its version on standard error.
fn printed(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn on_path(program: &str) -> bool {
    find_on_path(program).is_some()
}

fn find_on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn java_program(name: &str) -> PathBuf {
    match env::var_os("JAVA_HOME") {
        Some(home) => Path::new(&home).join("bin").join(name),
        None => find_on_path(name).unwrap_or_else(|| PathBuf::from(name)),
    }
}

/// Where bindgen looks (clang-sys): the folder it is told, the libraries' folders, LLVM's own.
fn libclang_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = env::var_os("LIBCLANG_PATH").map(PathBuf::from).into_iter().collect();
    folders.extend(["/usr/local/lib", "/usr/lib64", "/usr/lib"].map(PathBuf::from));
    for entry in fs::read_dir("/usr/lib").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("llvm") {
            folders.push(entry.path().join("lib"));
        } else if name.contains("-linux-") {
            folders.push(entry.path());
        }
    }
    folders
}

fn has_libclang(folder: &Path) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| is_libclang(&entry.file_name().to_string_lossy()))
}
