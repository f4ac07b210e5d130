//! Parses URLs strictly: pure, and the only place that decodes percent-encoding.
//!
//! An unknown, repeated or malformed parameter is an error, never ignored: a misspelt bound must not widen an answer.

use axum::http::Uri;
use percent_encoding::percent_decode_str;

use crate::query::error::Error;
use crate::query::freshness::PositionBound;
use crate::query::route::Consistency;

/// Longest key text, bytes after decoding.
pub const KEY_BYTES_MAX: usize = 4096;
/// Rows of a page when the request names no limit.
pub const LIMIT_DEFAULT: usize = 100;
/// Most rows of a page.
pub const LIMIT_MAX: usize = 1000;

/// A request for one key.
#[derive(Debug, PartialEq, Eq)]
pub struct PointQuery {
    /// Key text, decoded.
    pub key: String,
    /// Which replicas may answer.
    pub consistency: Consistency,
    /// What the replica must have reached.
    pub min_position: PositionBound,
}

/// A request for a page of rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RangeQuery {
    /// First key, inclusive.
    pub from: Option<String>,
    /// Last key, inclusive.
    pub to: Option<String>,
    /// What keys begin with.
    pub prefix: Option<String>,
    /// Most rows.
    pub limit: usize,
    /// Where the last page ended, opaque.
    pub cursor: Option<String>,
}

/// Segment `index` of the path, decoded; segment 0 is the one after the first slash.
fn segment(uri: &Uri, index: usize) -> Result<String, &'static str> {
    decode(uri.path().split('/').nth(index + 1).unwrap_or_default())
}

/// The view that `/v1/views/{view}...` names; a name that does not decode is a name that does not exist.
pub fn view_name(uri: &Uri) -> Option<String> {
    segment(uri, 2).ok()
}

/// The key that `/v1/views/{view}/{key}...` names.
pub fn key_text(uri: &Uri) -> Result<String, Error> {
    let key = segment(uri, 3).map_err(|reason| Error::BadKey(format!("the key {reason}")))?;
    check_key(&key).map_err(Error::BadKey)?;
    Ok(key)
}

fn check_key(key: &str) -> Result<(), String> {
    if key.is_empty() {
        return Err("the key is empty".into());
    }
    if key.len() > KEY_BYTES_MAX {
        return Err(format!("a key may have {KEY_BYTES_MAX} bytes"));
    }
    Ok(())
}

/// Decodes percent-encoding into UTF-8 text without NUL; nothing is normalised.
fn decode(text: &str) -> Result<String, &'static str> {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        match &rest[at + 1..] {
            [high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest = after,
            _ => return Err("has a % that two hexadecimal digits do not follow"),
        }
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| "is not UTF-8")?;
    if decoded.contains('\0') {
        return Err("contains a NUL character");
    }
    Ok(decoded.into_owned())
}

impl PointQuery {
    /// Parses `/v1/views/{view}/{key}?...`.
    pub fn parse(uri: &Uri) -> Result<Self, Error> {
        let key = key_text(uri)?;
        let mut parameters = Parameters::parse(uri, &["consistency", "min_position"])?;
        let consistency = match parameters.take("consistency") {
            None => Consistency::default(),
            Some(word) => [Consistency::Strong, Consistency::Bounded, Consistency::Any]
                .into_iter()
                .find(|consistency| consistency.as_str() == word)
                .ok_or_else(|| bad("consistency", "expected strong, bounded or any"))?,
        };
        let min_position = match parameters.take("min_position") {
            None if consistency == Consistency::Bounded => {
                return Err(bad("consistency", "bounded needs a bound: add min_position"));
            }
            None => PositionBound::default(),
            Some(text) => PositionBound::parse(&text).ok_or_else(|| {
                bad(
                    "min_position",
                    "expected <topic>-<partition>:<offset>, separated by commas, as in thalweg-position",
                )
            })?,
        };
        Ok(Self { key, consistency, min_position })
    }
}

impl RangeQuery {
    /// Parses `/v1/views/{view}?...`.
    pub fn parse(uri: &Uri) -> Result<Self, Error> {
        let mut parameters = Parameters::parse(uri, &["from", "to", "prefix", "limit", "cursor"])?;
        let limit = match parameters.take("limit") {
            None => LIMIT_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=LIMIT_MAX).contains(limit) && text.bytes().all(|byte| byte.is_ascii_digit()))
                .ok_or_else(|| bad("limit", &format!("expected a number from 1 to {LIMIT_MAX}")))?,
        };
        let mut key = |name: &str| match parameters.take(name) {
            None => Ok(None),
            Some(text) => check_key(&text).map_err(|reason| bad(name, &reason)).map(|()| Some(text)),
        };
        let query = Self { from: key("from")?, to: key("to")?, prefix: key("prefix")?, limit, cursor: None };
        if query.prefix.is_some() && (query.from.is_some() || query.to.is_some()) {
            return Err(bad("prefix", "cannot be combined with from or to"));
        }
        Ok(Self { cursor: parameters.take("cursor"), ..query })
    }
}

/// Refuses every parameter.
pub fn no_parameters(uri: &Uri) -> Result<(), Error> {
    Parameters::parse(uri, &[]).map(|_| ())
}

/// An [`Error::BadParameter`].
pub fn bad(name: &str, reason: &str) -> Error {
    Error::BadParameter { name: name.to_owned(), reason: reason.to_owned() }
}

struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn parse(uri: &Uri, known: &[&str]) -> Result<Self, Error> {
        let mut all: Vec<(String, String)> = Vec::new();
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(name) = known.iter().find(|known| **known == name) else {
                let reason = match known {
                    [] => "this path takes no parameters".to_owned(),
                    known => format!("unknown, expected {}", known.join(", ")),
                };
                return Err(bad(&name.chars().take(64).collect::<String>(), &reason));
            };
            if all.iter().any(|(other, _)| other == name) {
                return Err(bad(name, "is given twice"));
            }
            // In a query string + is a space (WHATWG URL, application/x-www-form-urlencoded).
            let value = decode(&value.replace('+', " ")).map_err(|reason| bad(name, reason))?;
            all.push(((*name).to_owned(), value));
        }
        Ok(Self(all))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.swap_remove(at).1)
    }
}
