//! What must not stand in a file: leftovers, places of one machine, silent exceptions, odd characters.

use super::code::Code;
use super::{File, Violation};

/// Notes of unfinished work. Taken apart, so that this file may hold them.
const LEFTOVERS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
const LEFTOVER_MACROS: [&str; 3] = ["todo!", "dbg!", "unimplemented!"];
/// Beginnings of paths that exist on one machine only.
const PLACES: [&str; 4] = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];

/// The text of a file; a violation when it is not UTF-8.
pub fn decode(file: &File) -> Result<&str, Violation> {
    std::str::from_utf8(&file.bytes).map_err(|error| {
        let line = 1 + file.bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        file.violation(line, "encoding", "not UTF-8: save the file as UTF-8")
    })
}

/// Rules for every text file.
pub fn check(file: &File, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for (line, content) in (1..).zip(text.split('\n')) {
        if let Some(word) = LEFTOVERS.iter().find(|word| has_word(content, word)) {
            found.push(file.violation(
                line,
                "leftover",
                format!("{word}: do it now, or open an issue and delete the note"),
            ));
        }
        if let Some(place) = PLACES.iter().find(|place| begins_path(content, place)) {
            found.push(file.violation(
                line,
                "place",
                format!("{place}: name no folder of one machine; use a relative path"),
            ));
        }
        if let Some(odd) = content.chars().find(|c| is_odd(*c)) {
            let advice = format!("character U+{:04X}: delete it, or write it as an escape", odd as u32);
            found.push(file.violation(line, "encoding", advice));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        found.push(file.violation(text.lines().count(), "encoding", "no line end at the end of the file: add it"));
    }
    found
}

/// Rules for Rust code.
pub fn check_code(file: &File, code: &Code) -> Vec<Violation> {
    let mut found = Vec::new();
    for (line, content) in code.lines() {
        if let Some(name) = LEFTOVER_MACROS.iter().find(|name| has_word(content, name)) {
            found.push(file.violation(line, "leftover", format!("{name}: finish the code and delete it")));
        }
        if content.contains("#[ignore") && !is_long(file, line) {
            let advice = "a test that does not run is no test: make it run, delete it, or name why it is long";
            found.push(file.violation(line, "ignored test", advice));
        }
    }
    found.extend(silent_exceptions(file, code));
    found
}

/// Whether the attribute on `line` keeps a test for `cargo xtask test --long`.
fn is_long(file: &File, line: usize) -> bool {
    let content = decode(file).ok().and_then(|text| text.lines().nth(line - 1));
    content.is_some_and(|content| content.contains("#[ignore = \"long: "))
}

/// Attributes that switch a lint off and do not say why. Test code may, for brevity.
fn silent_exceptions(file: &File, code: &Code) -> Vec<Violation> {
    let mut found = Vec::new();
    for (at, _) in code.text.match_indices('#') {
        let inner = code.text[at + 1..].trim_start_matches('!');
        let Some(content) = inner.strip_prefix('[') else { continue };
        let content = &content[..closing(content)];
        let switches = ["allow(", "expect("].iter().any(|word| has_word(content, word));
        let line = 1 + code.text[..at].matches('\n').count();
        if switches && !has_word(content, "reason") && !file.is_test() && !code.is_test(line) {
            found.push(file.violation(line, "silent exception", "say why: add reason = \"...\" to the attribute"));
        }
    }
    found
}

/// Index of the bracket that closes an attribute whose opening one was before `content`.
fn closing(content: &str) -> usize {
    let mut depth = 1;
    for (at, c) in content.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    content.len()
}

/// Whether `word` stands in `text` and no letter, digit or underscore before it, nor after it when it ends with one.
fn has_word(text: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(is_word);
        let after = word.ends_with(is_word) && text[at + word.len()..].chars().next().is_some_and(is_word);
        !before && !after
    })
}

/// Whether a path that begins with `place` stands in `text`; `place` in the middle of a longer path is something else.
fn begins_path(text: &str, place: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || "_-.}>*".contains(c);
    text.match_indices(place).any(|(at, _)| !text[..at].chars().next_back().is_some_and(continues))
}

/// Control characters other than tab, and characters that nobody sees or that turn the direction of writing.
fn is_odd(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
