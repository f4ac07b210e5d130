//! Each rule on a small tree: one that keeps it, one that breaks it. And all rules on the real one.

use super::*;

fn file(path: &str, text: &str) -> File {
    File::new(path, text.as_bytes().to_vec())
}

/// The violations of a tree, as `path:line rule`.
fn broken(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<File> = files.iter().map(|(path, text)| file(path, text)).collect();
    check(files).iter().map(|violation| format!("{}:{} {}", violation.file, violation.line, violation.rule)).collect()
}

fn kept(files: &[(&str, &str)]) {
    assert_eq!(broken(files), Vec::<String>::new());
}

#[test]
fn the_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder");
    let violations = check_folder(root).expect("a readable tree");
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}", lines.join("\n"));
}

#[test]
fn an_empty_tree_is_tidy() {
    kept(&[]);
    kept(&[("src/group/mod.rs", "//! Decides.\n")]);
}

#[test]
fn a_room_names_only_the_rooms_below_it() {
    kept(&[("src/dsl/stream.rs", "use crate::task::Queue;\nuse crate::{topology, types::Offset};\n")]);
    kept(&[("src/wire/codec.rs", "use crate::group::Member;\n"), ("src/cli/mod.rs", "use crate::runtime::App;\n")]);
    assert_eq!(broken(&[("src/task/mod.rs", "\nuse crate::wire::Kafka;\n")]), ["src/task/mod.rs:2 arrow"]);
    assert_eq!(
        broken(&[("src/query/a.rs", "use crate::{\n    types,\n    task::Task,\n};\n")]),
        ["src/query/a.rs:3 arrow"]
    );
    assert_eq!(broken(&[("src/group/a.rs", "fn f() { crate::runtime::go() }\n")]), ["src/group/a.rs:1 arrow"]);
    assert_eq!(broken(&[("src/types/a.rs", "use crate::serde::Serde;\n")]), ["src/types/a.rs:1 arrow"]);
}

#[test]
fn a_room_reached_through_super_is_named_too() {
    kept(&[("src/dsl/stream.rs", "use super::wire::x;\n"), ("src/dsl/ops/map.rs", "use super::super::wire;\n")]);
    assert_eq!(broken(&[("src/dsl/stream.rs", "use super::super::wire;\n")]), ["src/dsl/stream.rs:1 arrow"]);
    assert_eq!(broken(&[("src/dsl/mod.rs", "use super::wire;\n")]), ["src/dsl/mod.rs:1 arrow"]);
}

#[test]
fn comments_strings_and_tests_may_name_anything() {
    kept(&[("src/group/mod.rs", "// use tokio::spawn;\nconst A: &str = \"crate::wire\";\n")]);
    kept(&[("src/group/mod.rs", "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::wire::Kafka;\n}\n")]);
    kept(&[("src/group/tests.rs", "use std::time::Instant;\n")]);
    let after = "#[cfg(test)]\nmod tests {\n}\n\nuse crate::wire::Kafka;\n";
    assert_eq!(broken(&[("src/group/mod.rs", after)]), ["src/group/mod.rs:5 arrow"]);
}

#[test]
fn a_module_declared_for_tests_is_test_code() {
    let uses = "use crate::wire::Kafka;\n";
    let parent = ("src/serde/avro/mod.rs", "#[cfg(test)]\nmod stub;\nmod real;\n");
    kept(&[parent, ("src/serde/avro/stub.rs", uses), ("src/serde/avro/stub/part.rs", uses)]);
    assert_eq!(broken(&[parent, ("src/serde/avro/real.rs", uses)]), ["src/serde/avro/real.rs:1 arrow"]);
    kept(&[("src/serde/avro.rs", "#[cfg(test)]\nmod stub;\n"), ("src/serde/avro/stub.rs", uses)]);
}

#[test]
fn a_room_that_decides_has_no_clock_thread_socket_or_chance() {
    kept(&[("src/group/a.rs", "use std::time::Duration;\nfn f(now: Instant) {}\n")]);
    for name in [
        "tokio::time",
        "std::thread",
        "std::time::Instant",
        "std::time::{Duration, SystemTime}",
        "std::net::*",
        "rand::Rng",
    ] {
        for room in ["group", "topology"] {
            let path = format!("src/{room}/a.rs");
            let expected = format!("{path}:1 absence");
            assert_eq!(broken(&[(&path, &format!("use {name};\n"))]), [expected], "{name}");
        }
    }
}

#[test]
fn one_place_names_each_native_crate() {
    kept(&[
        ("state/src/rocks/db.rs", "use rocksdb::DB;\n"),
        ("src/wire/rdkafka/mod.rs", "use rdkafka::ClientConfig;\n"),
    ]);
    kept(&[("src/runtime/a.rs", "use crate::wire::rdkafka::Adapter;\n")]);
    assert_eq!(broken(&[("state/src/lib.rs", "use rocksdb::DB;\n")]), ["state/src/lib.rs:1 binding"]);
    assert_eq!(broken(&[("topologies/src/demo.rs", "use rdkafka::mocking;\n")]), ["topologies/src/demo.rs:1 binding"]);
}

#[test]
fn stores_are_known_to_those_that_hold_them() {
    kept(&[("src/task/a.rs", "use thalweg_state::Store;\n")]);
    assert_eq!(broken(&[("src/group/a.rs", "use thalweg_state::Store;\n")]), ["src/group/a.rs:1 absence"]);
    assert_eq!(broken(&[("state/src/a.rs", "use thalweg::types;\n")]), ["state/src/a.rs:1 absence"]);
}

#[test]
fn the_time_of_day_is_read_by_the_runtime_alone() {
    let read = "use std::time::{Instant, SystemTime};\n";
    kept(&[("src/runtime/clock.rs", read), ("src/cli/a.rs", read), ("src/query/a.rs", "use std::time::Instant;\n")]);
    for path in ["src/task/a.rs", "src/dsl/a.rs", "src/query/a.rs", "src/wire/a.rs", "state/src/a.rs"] {
        assert_eq!(broken(&[(path, read)]), [format!("{path}:1 absence")]);
    }
}

#[test]
fn unsafe_stays_in_the_binding_rooms() {
    kept(&[
        ("src/wire/native.rs", "fn f() { unsafe { g() } }\n"),
        ("state/tests/allocation.rs", "unsafe impl A for B {}\n"),
    ]);
    assert_eq!(broken(&[("src/task/a.rs", "fn f() {\n    unsafe { g() }\n}\n")]), ["src/task/a.rs:2 unsafe"]);
}

#[test]
fn one_file_reads_the_environment() {
    let read = "fn f() { std::env::var(\"A\"); }\n";
    kept(&[("src/cli/environment.rs", read), ("xtask/src/run.rs", read), ("tests/support/a.rs", read)]);
    kept(&[("src/cli/environment.rs", read), ("src/runtime/a.rs", "fn f() { std::env::args(); }\n")]);
    let two = broken(&[
        ("src/cli/environment.rs", read),
        ("topologies/src/main.rs", "use std::env;\nfn f() { env::vars(); }\n"),
    ]);
    assert_eq!(two, ["src/cli/environment.rs:1 environment", "topologies/src/main.rs:2 environment"]);
}

#[test]
fn a_file_has_a_largest_size_and_few_are_large() {
    let lines = |count: usize| "\n".repeat(count);
    let mut files: Vec<File> = (0..18).map(|index| file(&format!("src/a/{index}.rs"), "\n")).collect();
    files.push(file("src/a/large.rs", &lines(451)));
    files.push(file("tests/huge.rs", &lines(5_000)));
    files.push(file("src/a/tests.rs", &lines(5_000)));
    files.push(file("src/a/wall.rs", &lines(700)));
    assert_eq!(size::check(&files), []);
    files.push(file("src/a/over.rs", &lines(701)));
    let found: Vec<String> = size::check(&files).iter().map(|violation| violation.file.clone()).collect();
    assert_eq!(found, ["src/a/over.rs", "src/a/large.rs", "src/a/wall.rs", "src/a/over.rs"]);
}

#[test]
fn leftovers_and_places_of_one_machine_are_found() {
    kept(&[("a.md", "Todos are no leftovers; so is a/home/b and https://host/work/x and ${X}/work/y.\n")]);
    let text = format!("x\n// {}: later\n", concat!("TO", "DO"));
    assert_eq!(broken(&[("src/a/b.rs", &text)]), ["src/a/b.rs:2 leftover"]);
    assert_eq!(broken(&[("src/a/b.rs", "fn f() {\n    dbg!(1);\n}\n")]), ["src/a/b.rs:2 leftover"]);
    let text = format!("cd {}me/x\n", "/ho");
    assert_eq!(broken(&[("README.md", &text)]), ["README.md:1 place"]);
}

#[test]
fn tests_run_and_exceptions_have_reasons() {
    assert_eq!(broken(&[("tests/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n")]), ["tests/a.rs:2 ignored test"]);
    kept(&[("tests/a.rs", "#[test]\n#[ignore = \"long: 5 M records\"]\nfn a() {}\n")]);
    kept(&[(
        "src/a/b.rs",
        "#[allow(x, reason = \"y\")]\nfn f() { g().expect(\"z\") }\n#[expect(\n    x,\n    reason = \"y\"\n)]\nfn h() {}\n",
    )]);
    kept(&[("src/a/b.rs", "#[cfg(test)]\n#[allow(clippy::unwrap_used)]\nmod tests {\n}\n")]);
    for source in ["#[allow(x)]\nfn f() {}\n", "#![allow(x)]\n", "#[cfg_attr(y, expect(x))]\nfn f() {}\n"] {
        assert_eq!(broken(&[("src/a/b.rs", source)]), ["src/a/b.rs:1 silent exception"], "{source}");
    }
}

#[test]
fn text_is_plain_utf8() {
    kept(&[("a.md", "\u{e9}\tx\n"), ("b.md", "")]);
    let found = check(vec![File::new("a.md", b"x\n\xff\n".to_vec())]);
    assert_eq!((found.len(), found[0].line, found[0].rule), (1, 2, "encoding"));
    for text in ["x\r\n", "a\u{200b}b\n", "\u{feff}a\n", "\u{7}\n", "no end"] {
        assert_eq!(broken(&[("a.md", text)]), ["a.md:1 encoding"], "{text:?}");
    }
}
