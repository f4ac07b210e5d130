//! What a configured text may be.

use std::net::SocketAddr;

/// The values that a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text that is not empty.
    Text,
    /// Letters, digits, `.`, `_` and `-`, at most so many: part of topic names.
    Name(usize),
    /// A path.
    Path,
    /// A whole number within both bounds.
    Integer(i64, i64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// IP address and port to listen on.
    Listen,
    /// `host:port`.
    Address,
    /// `host:port`, several separated by commas.
    Addresses,
    /// `http://` or `https://` and a host.
    Url,
    /// Directives of `tracing_subscriber::EnvFilter`.
    LogFilter,
}

/// A value that its key takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "{number}"),
        }
    }
}

impl Kind {
    /// What is expected, for messages and documentation.
    pub fn expected(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Name(length) => format!("letters, digits, '.', '_' and '-', at most {length}"),
            Self::Path => "a path".to_owned(),
            Self::Integer(least, i64::MAX) => format!("a whole number of at least {least}"),
            Self::Integer(least, most) => format!("a whole number from {least} to {most}"),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Listen => "an IP address and port such as 127.0.0.1:8080".to_owned(),
            Self::Address => "host:port".to_owned(),
            Self::Addresses => "host:port, several separated by commas".to_owned(),
            Self::Url => "a URL such as http://localhost:8081".to_owned(),
            Self::LogFilter => "a log filter such as info,thalweg=debug".to_owned(),
        }
    }

    /// The value that `text` stands for; `None` when it is not of this kind.
    pub(super) fn read(self, text: &str) -> Option<Value> {
        if let Self::Integer(least, most) = self {
            return text.parse().ok().filter(|number| (least..=most).contains(number)).map(Value::Integer);
        }
        self.takes(text).then(|| Value::Text(text.to_owned()))
    }

    fn takes(self, text: &str) -> bool {
        match self {
            Self::Integer(..) => false,
            Self::Text | Self::Path => !text.trim().is_empty(),
            Self::Name(length) => {
                let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                (1..=length).contains(&text.len()) && text.chars().all(legal) && text != "." && text != ".."
            }
            Self::Choice(words) => words.contains(&text),
            Self::Listen => text.parse::<SocketAddr>().is_ok(),
            Self::Address => is_address(text),
            Self::Addresses => text.split(',').all(|address| is_address(address.trim())),
            Self::Url => {
                let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
                // Credentials have keys of their own, which are masked.
                host.is_some_and(|host| {
                    !host.is_empty() && !host.starts_with('/') && !host.contains(['@', ' ', '?', '#'])
                })
            }
            Self::LogFilter => !text.is_empty() && tracing_subscriber::EnvFilter::try_new(text).is_ok(),
        }
    }
}

fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let legal = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c) || (bracketed && ":[]%".contains(c));
    !host.is_empty() && host.chars().all(legal) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_takes_what_it_says() {
        let table: [(Kind, &[&str], &[&str]); 9] = [
            (Kind::Text, &["x", "a b"], &["", " "]),
            (Kind::Name(5), &["a.b-c", "A_1"], &["", "abcdef", "a b", "a/b", "..", "é"]),
            (Kind::Integer(-1, 10), &["-1", "0", "10"], &["-2", "11", "", "1.0", "1s", "99999999999999999999"]),
            (Kind::Choice(&["a", "b"]), &["a", "b"], &["", "A", "ab"]),
            (Kind::Listen, &["127.0.0.1:0", "[::]:8080"], &["localhost:80", "127.0.0.1", ":80"]),
            (
                Kind::Address,
                &["host:1", "a.b-c:65535", "[::1]:80"],
                &["host", "host:0", "host:65536", ":1", "a b:1", "a:b:1"],
            ),
            (Kind::Addresses, &["a:1", "a:1,b:2", "a:1, b:2"], &["", "a:1,", "a:1;b:2"]),
            (Kind::Url, &["http://a", "https://a.b:1/c"], &["a", "http://", "http:///x", "ftp://a", "http://u:p@a"]),
            (Kind::LogFilter, &["info", "info,thalweg=debug"], &["", "thalweg=loud"]),
        ];
        for (kind, good, bad) in table {
            for text in good {
                assert!(kind.read(text).is_some(), "{kind:?} takes {text:?}");
            }
            for text in bad {
                assert!(kind.read(text).is_none(), "{kind:?} does not take {text:?}");
            }
        }
    }
}
