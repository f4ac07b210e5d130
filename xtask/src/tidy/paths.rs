//! Every path that a source names, with the groups of `use` taken apart.

/// A path such as `std::time::Instant`, and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPath {
    /// Line, from 1.
    pub line: usize,
    /// The names between the colons.
    pub names: Vec<String>,
}

impl NamedPath {
    /// Whether the path begins with `prefix`, written with colons.
    pub fn starts_with(&self, prefix: &str) -> bool {
        let mut names = self.names.iter();
        prefix.split("::").all(|part| names.next().is_some_and(|name| name == part))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Name(String),
    Colons,
    Sign(char),
}

/// The paths of `code`, which has no comments and strings any more.
pub fn paths(code: &str) -> Vec<NamedPath> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = matches!(tokens[at].1, Token::Name(_))
            && !matches!(at.checked_sub(1).map(|before| &tokens[before].1), Some(Token::Sign('.')));
        at = if begins { read(&tokens, at, &[], &mut found) } else { at + 1 };
    }
    found
}

/// Reads one path or use tree at `at` below `prefix`; returns the index after it.
fn read(tokens: &[(usize, Token)], mut at: usize, prefix: &[String], found: &mut Vec<NamedPath>) -> usize {
    let mut names = prefix.to_vec();
    let line = tokens[at].0;
    loop {
        match tokens.get(at).map(|token| &token.1) {
            Some(Token::Name(name)) => names.push(name.clone()),
            Some(Token::Sign('{')) => return read_group(tokens, at + 1, &names, found),
            _ => break,
        }
        at += 1;
        let goes_on =
            matches!(tokens.get(at..at + 2), Some([(_, Token::Colons), (_, Token::Name(_) | Token::Sign('{'))]));
        if !goes_on {
            break;
        }
        at += 1;
    }
    found.push(NamedPath { line, names });
    at
}

fn read_group(tokens: &[(usize, Token)], mut at: usize, prefix: &[String], found: &mut Vec<NamedPath>) -> usize {
    while let Some((_, token)) = tokens.get(at) {
        match token {
            Token::Sign('}') => return at + 1,
            Token::Name(name) if name == "as" => at += 2,
            Token::Name(_) => at = read(tokens, at, prefix, found),
            _ => at += 1,
        }
    }
    at
}

fn tokens(code: &str) -> Vec<(usize, Token)> {
    let mut all = Vec::new();
    for (line, text) in (1..).zip(code.lines()) {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if first.is_alphanumeric() || first == '_' {
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                all.push((line, Token::Name(rest[..length].to_owned())));
                length
            } else if rest.starts_with("::") {
                all.push((line, Token::Colons));
                2
            } else {
                all.push((line, Token::Sign(first)));
                first.len_utf8()
            };
            rest = rest[length..].trim_start();
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_groups_are_taken_apart() {
        let source = "use crate::{\n    task::{self, Queue as Q},\n    wire,\n};\nfn f() { std::thread::spawn(g::<u8>()); a.tokio }\n";
        let all: Vec<(usize, String)> =
            paths(source).into_iter().map(|path| (path.line, path.names.join("::"))).collect();
        for expected in [
            (2, "crate::task::self"),
            (2, "crate::task::Queue"),
            (3, "crate::wire"),
            (5, "std::thread::spawn"),
            (5, "g"),
        ] {
            assert!(all.contains(&(expected.0, expected.1.to_owned())), "{expected:?} in {all:?}");
        }
        assert!(!all.iter().any(|(_, path)| path.contains("tokio")), "{all:?}");
    }

    #[test]
    fn prefixes_are_whole_names() {
        let path = NamedPath { line: 1, names: vec!["std".into(), "time".into(), "Instant".into()] };
        assert!(path.starts_with("std::time") && path.starts_with("std::time::Instant"));
        assert!(!path.starts_with("std::tim") && !path.starts_with("std::time::Instant::now"));
    }
}
