//! Rust text without its comments and the content of its strings, line for line, and where its test code is.

use std::ops::RangeInclusive;

/// A source file, ready for rules that look at code only.
#[derive(Debug)]
pub struct Code {
    /// The text; blanks stand where comments and string contents were, so that lines and columns stay.
    pub text: String,
    tests: Vec<RangeInclusive<usize>>,
}

impl Code {
    /// Reads `source`.
    pub fn new(source: &str) -> Self {
        let text = blank(source);
        let tests = test_ranges(&text);
        Self { text, tests }
    }

    /// Whether `line`, from 1, is in an item under `#[cfg(test)]`.
    pub fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&line))
    }

    /// Names of the modules that are declared for tests and lie in files of their own.
    pub fn test_modules(&self) -> impl Iterator<Item = &str> {
        let declared = self.lines().filter(|(line, _)| self.is_test(*line));
        declared.filter_map(|(_, content)| content.strip_prefix("mod ")?.trim_end().strip_suffix(';'))
    }

    /// Lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

fn blank(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let (kept, end) = skip(&chars, at);
        let hidden = end - kept;
        out.extend(&chars[at..kept]);
        out.extend(chars[kept..kept + hidden].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    out
}

/// What begins at `at`: it is kept until the first index and blanked until the second.
fn skip(chars: &[char], at: usize) -> (usize, usize) {
    let rest = &chars[at..];
    match rest {
        ['/', '/', ..] => (at, at + rest.iter().position(|c| *c == '\n').unwrap_or(rest.len())),
        ['/', '*', ..] => (at, at + block_comment(rest)),
        ['r', '"' | '#', ..] if !continues_word(chars, at) => match raw_string(rest) {
            Some(length) => (at, at + length),
            None => (at + 1, at + 1),
        },
        ['"', ..] => (at, at + string(rest)),
        ['\'', '\\', ..] => (at, at + 2 + rest.iter().skip(3).position(|c| *c == '\'').map_or(1, |quote| quote + 2)),
        ['\'', _, '\'', ..] => (at, at + 3),
        _ => (at + 1, at + 1),
    }
}

fn continues_word(chars: &[char], at: usize) -> bool {
    // `br"..."` is a raw string too.
    let before = |back: usize| at.checked_sub(back).map(|index| chars[index]);
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if before(1) == Some('b') { is_word(before(2)) } else { is_word(before(1)) }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn raw_string(rest: &[char]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return None;
    }
    let mut end: Vec<char> = vec!['"'];
    end.resize(1 + hashes, '#');
    let body = 2 + hashes;
    let length = rest[body..].windows(end.len()).position(|window| window == end);
    Some(length.map_or(rest.len(), |length| body + length + end.len()))
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Line ranges of the items under `#[cfg(test)]` in the first column: with rustfmt an item ends at the first `}` or
/// `;` that is back there.
fn test_ranges(text: &str) -> Vec<RangeInclusive<usize>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if lines[at].starts_with("#[cfg(test)]") {
            let first = lines[..at].iter().rposition(|line| !line.starts_with("#[")).map_or(0, |before| before + 1);
            let length = lines[at..].iter().position(|line| ends_item(line)).unwrap_or(lines.len() - at - 1);
            ranges.push(first + 1..=at + length + 1);
            at += length;
        }
        at += 1;
    }
    ranges
}

fn ends_item(line: &str) -> bool {
    let whole = !line.starts_with([' ', '#']);
    whole && (line.starts_with('}') || line.trim_end().ends_with([';', '}']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blanked_and_lines_stay() {
        let check = |source: &str, expected: &str| assert_eq!(blank(source), expected, "{source}");
        check("a // tokio\nb", "a         \nb");
        check("a /* x /* y */ z */ b", "a                   b");
        check(r#"f("a\"b", c)"#, "f(      , c)");
        check("f(r#\"a\"b\"#, c)", "f(        , c)");
        check("f(br\"x\", c)", "f(b    , c)");
        check("let x: &'a str = '\"';", "let x: &'a str =    ;");
        check(r"['\'', '\\', '\u{7f}']", "[    ,     ,         ]");
        check("for_r#type", "for_r#type");
        check("r#type", "r#type");
    }

    #[test]
    fn test_code_is_found_with_its_attributes() {
        let code = Code::new("fn a() {\n}\n#[allow(x)]\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
        let lines: Vec<usize> = (1..=8).filter(|line| code.is_test(*line)).collect();
        assert_eq!(lines, [3, 4, 5, 6, 7]);
        let code = Code::new("#[cfg(test)]\nmod tests;\nfn c() {}\n");
        assert!(code.is_test(2) && !code.is_test(3));
    }
}
