//! All hand-written cases and 300 random ones are equal on both sides. One Java process answers them all.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use thalweg_conformance::original::Original;
use thalweg_conformance::random::{self, Plan};
use thalweg_conformance::side_by_side::{compare, files, read};

/// Random cases of the normal run; `cargo xtask conformance --cases N --seed S` runs others.
const RANDOM_CASES: u64 = 300;
const SEED: u64 = 1;

#[test]
fn the_cases_and_300_random_ones_are_equal() {
    let mut original = Original::prepare().unwrap();
    let mut differences = Vec::new();
    let all = files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"))).unwrap();
    assert!(!all.is_empty(), "there are cases");
    for file in all {
        let case = read(&file).unwrap();
        assert_eq!(file.file_stem().and_then(|stem| stem.to_str()), Some(case.name.as_str()), "a case is its file");
        if let Some(difference) = compare(&mut original, &case).unwrap() {
            differences.push(format!("case '{}' differs: {}\n{difference}", case.name, case.about));
        }
    }
    let plan = Plan { cases: RANDOM_CASES, seed: SEED, save: None };
    let found = random::run(&plan, &mut original, &mut Vec::new()).unwrap();
    for (case, difference) in found.different {
        differences.push(format!("case '{}' differs\n{difference}", case.name));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
