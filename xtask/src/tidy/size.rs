//! How large a source file may be; tests aside.

use super::{File, Violation};

const LINES_MAX: usize = 700;
const LINES_P90: usize = 450;

/// Checks the sizes of all source files together.
pub fn check(files: &[File]) -> Vec<Violation> {
    let sizes: Vec<(&File, usize)> =
        files.iter().filter(|file| file.is_rust() && !file.is_test()).map(|file| (file, lines(file))).collect();
    let mut found = Vec::new();
    for (file, lines) in sizes.iter().filter(|(_, lines)| *lines > LINES_MAX) {
        let advice = format!("{lines} lines, at most {LINES_MAX}: find the second concept and give it a file");
        found.push(file.violation(*lines, "size", advice));
    }
    let large: Vec<_> = sizes.iter().filter(|(_, lines)| *lines > LINES_P90).collect();
    if large.len() * 10 > sizes.len() {
        for (file, lines) in large {
            let advice = format!("{lines} lines; more than a tenth of all files have over {LINES_P90}: split this one");
            found.push(file.violation(*lines, "size", advice));
        }
    }
    found
}

fn lines(file: &File) -> usize {
    file.bytes.iter().filter(|byte| **byte == b'\n').count()
}
