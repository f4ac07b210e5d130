//! Who may name whom (ARCHITECTURE.md: arrows and absences), as tables.

use super::code::Code;
use super::paths::NamedPath;
use super::{File, Violation};

/// Rooms of `src/` and the rooms that each may name, itself aside.
const ARROWS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("serde", &["types"]),
    ("topology", &["types"]),
    ("task", &["types", "serde", "topology"]),
    ("dsl", &["types", "serde", "topology", "task"]),
    ("group", &["types"]),
    ("wire", &["types", "group"]),
    ("query", &["types", "serde", "topology"]),
    ("testing", &["types", "serde", "topology", "task", "dsl"]),
    ("runtime", &["types", "serde", "topology", "task", "dsl", "group", "wire", "query"]),
    ("cli", &["types", "serde", "topology", "task", "dsl", "group", "wire", "query", "runtime"]),
];

/// Paths that a room never names, and why.
const ABSENCES: &[(&[&str], &[&str], &str)] = &[
    (
        &["src/group/", "src/topology/"],
        &["tokio", "std::thread", "std::time::Instant", "std::time::SystemTime", "std::net", "rand"],
        "a room that decides has no runtime, thread, clock, socket or random source: take time and chance as arguments",
    ),
    (
        &["src/types/", "src/serde/", "src/group/", "src/wire/"],
        &["thalweg_state"],
        "this room knows no stores: let the task or the runtime hand over what it needs",
    ),
    (
        &["src/types/", "src/serde/", "src/task/", "src/dsl/", "src/query/", "src/wire/", "src/testing/", "state/src/"],
        &["std::time::SystemTime"],
        "only the runtime's clock reads the time of day, which steps when it is set: take the time as an argument",
    ),
    (&["state/src/"], &["thalweg"], "the store crate lies below the library: move what both need into the store crate"),
];

/// Crates that one place alone may name.
const BINDINGS: &[(&str, &str)] = &[
    ("rocksdb", "state/src/rocks/"),
    ("librocksdb_sys", "state/src/rocks/"),
    ("rdkafka", "src/wire/"),
    ("rdkafka_sys", "src/wire/"),
];

/// Rooms in which `unsafe` is allowed.
const UNSAFE_ROOMS: [&str; 2] = ["src/wire/", "state/src/rocks/"];

/// Folders of the product, as opposed to its tools and tests.
const PRODUCT: [&str; 3] = ["src/", "state/src/", "topologies/src/"];

/// Checks one source file.
pub fn check(file: &File, code: &Code, paths: &[NamedPath]) -> Vec<Violation> {
    let mut found = Vec::new();
    for path in paths.iter().filter(|path| !file.is_test() && !code.is_test(path.line)) {
        found.extend(check_arrow(file, path));
        found.extend(check_absence(file, path));
        found.extend(check_binding(file, path));
        let is_unsafe = path.names.iter().any(|name| name == "unsafe" || name == "unsafe_code");
        if is_unsafe && !UNSAFE_ROOMS.iter().any(|room| file.path.starts_with(room)) {
            let advice = format!("only {} may: call a safe function there instead", UNSAFE_ROOMS.join(" and "));
            found.push(file.violation(path.line, "unsafe", advice));
        }
    }
    found
}

fn check_arrow(file: &File, path: &NamedPath) -> Option<Violation> {
    let room = room_of(file)?;
    let target = named_room(file, path)?;
    let allowed = ARROWS.iter().find(|(name, _)| *name == room)?.1;
    if target == room || allowed.contains(&target) {
        return None;
    }
    let advice = format!(
        "`{room}` names `{target}` but may only name [{}]: move the shared part down, or pass a value in",
        allowed.join(", ")
    );
    Some(file.violation(path.line, "arrow", advice))
}

fn room_of(file: &File) -> Option<&str> {
    let (room, rest) = file.path.strip_prefix("src/")?.split_once('/')?;
    (!rest.is_empty()).then_some(room)
}

/// The room of `src/` that a path leads to, from the crate's root or through `super`.
fn named_room(file: &File, path: &NamedPath) -> Option<&'static str> {
    let supers = path.names.iter().take_while(|name| *name == "super").count();
    let first = path.names.first()?;
    let name = if first == "crate" || first == "thalweg" {
        path.names.get(1)?
    } else if supers > 0 && supers >= depth(file) {
        path.names.get(supers)?
    } else {
        return None;
    };
    ARROWS.iter().map(|(room, _)| *room).find(|room| room == name)
}

/// How many modules lie between the crate's root and the file's items.
fn depth(file: &File) -> usize {
    let parts = file.path.split('/').count() - 1;
    if file.path.ends_with("/mod.rs") { parts - 1 } else { parts }
}

fn check_absence(file: &File, path: &NamedPath) -> Option<Violation> {
    let (_, absent, why) = ABSENCES.iter().find(|(rooms, absent, _)| {
        rooms.iter().any(|room| file.path.starts_with(room)) && absent.iter().any(|name| path.starts_with(name))
    })?;
    let name = absent.iter().find(|name| path.starts_with(name))?;
    Some(file.violation(path.line, "absence", format!("names `{name}`: {why}")))
}

fn check_binding(file: &File, path: &NamedPath) -> Option<Violation> {
    let (name, room) = BINDINGS.iter().find(|(name, _)| path.names.len() > 1 && path.starts_with(name))?;
    if file.path.starts_with(room) {
        return None;
    }
    Some(file.violation(path.line, "binding", format!("only {room} names the crate `{name}`: use that room's types")))
}

/// Where a product file reads the environment.
pub fn environment_reads(file: &File, code: &Code, paths: &[NamedPath]) -> Vec<Violation> {
    if file.is_test() || !PRODUCT.iter().any(|folder| file.path.starts_with(folder)) {
        return Vec::new();
    }
    let reads = |path: &&NamedPath| {
        let names: Vec<&str> = path.names.iter().map(String::as_str).skip_while(|name| *name == "std").collect();
        !code.is_test(path.line)
            && matches!(names.as_slice(), ["env", "var" | "var_os" | "vars" | "vars_os" | "set_var" | "remove_var", ..])
    };
    let advice = "several files read the environment: read it in one and pass values down";
    paths.iter().filter(reads).map(|path| file.violation(path.line, "environment", advice)).collect()
}

/// Keeps the reads when they are in more than one file.
pub fn one_file_reads_the_environment(reads: Vec<Violation>) -> Vec<Violation> {
    let one_file = reads.windows(2).all(|pair| pair[0].file == pair[1].file);
    if one_file { Vec::new() } else { reads }
}
