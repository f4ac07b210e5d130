//! Every exception still differs: one that became equal is no exception any more.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use thalweg_conformance::original::Original;
use thalweg_conformance::side_by_side::{compare, files, read};

#[test]
fn what_is_listed_as_an_exception_differs() {
    let mut original = Original::prepare().unwrap();
    let all = files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/exceptions"))).unwrap();
    assert!(!all.is_empty(), "there are exceptions");
    for file in all {
        let case = read(&file).unwrap();
        assert_eq!(file.file_stem().and_then(|stem| stem.to_str()), Some(case.name.as_str()), "a case is its file");
        assert!(compare(&mut original, &case).unwrap().is_some(), "case '{}' is equal: {}", case.name, case.about);
    }
}
