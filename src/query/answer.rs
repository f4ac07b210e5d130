//! The shape of answers: headers and JSON that say who answered, in which role, at which position, with which lag.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::query::error::Error;
use crate::query::read::Row;
use crate::query::snapshot::Role;
use crate::types::Timestamp;

/// Id of the instance that answered.
pub const SERVED_BY: HeaderName = HeaderName::from_static("thalweg-served-by");
/// Role of the replica that answered.
pub const ROLE: HeaderName = HeaderName::from_static("thalweg-role");
/// Input offsets that the answer reflects, `<topic>-<partition>:<offset>,...`.
pub const POSITION: HeaderName = HeaderName::from_static("thalweg-position");
/// Records that the replica lacks; absent while unknown.
pub const LAG: HeaderName = HeaderName::from_static("thalweg-lag");
/// `local`: the rows are those of the answering instance's partitions only.
pub const SCOPE: HeaderName = HeaderName::from_static("thalweg-scope");
/// The partitions that a range covers, ascending, separated by commas.
pub const PARTITIONS: HeaderName = HeaderName::from_static("thalweg-partitions");
/// Marks a forwarded request with the id of the instance that forwards.
pub const FORWARDED: HeaderName = HeaderName::from_static("thalweg-forwarded");

/// Who answered and how fresh the answer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Instance id.
    pub by: String,
    /// Role of the replica.
    pub role: Role,
    /// Position text.
    pub position: String,
    /// Records behind, if known.
    pub lag: Option<u64>,
}

impl Served {
    fn to_body(&self) -> ServedBody<'_> {
        ServedBody { by: &self.by, role: self.role.as_str(), position: &self.position, lag: self.lag }
    }

    /// Adds the headers to `response`.
    pub fn stamp(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        insert(headers, SERVED_BY, &self.by);
        headers.insert(ROLE, HeaderValue::from_static(self.role.as_str()));
        insert(headers, POSITION, &self.position);
        if let Some(lag) = self.lag {
            headers.insert(LAG, HeaderValue::from(lag));
        }
        response
    }
}

/// Adds a header unless its value has bytes that a header cannot carry.
pub fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Who answered, as it looks in JSON.
#[derive(Serialize)]
struct ServedBody<'a> {
    by: &'a str,
    role: &'static str,
    position: &'a str,
    lag: Option<u64>,
}

#[derive(Serialize)]
struct PointBody<'a> {
    view: &'a str,
    key: &'a str,
    timestamp: Option<Timestamp>,
    partition: i32,
    served: ServedBody<'a>,
}

#[derive(Serialize)]
struct RowBody<'a> {
    key: &'a str,
    timestamp: Option<Timestamp>,
    partition: i32,
}

/// The rows of a page as the start of its JSON text: written as they are read, so that a page takes little more memory
/// than its text.
#[derive(Debug)]
pub struct Rows {
    text: Vec<u8>,
    count: usize,
}

impl Default for Rows {
    fn default() -> Self {
        Self { text: b"{\"rows\":[".to_vec(), count: 0 }
    }
}

impl Rows {
    /// Adds a row of `partition`.
    pub fn push(
        &mut self,
        partition: i32,
        key: &str,
        timestamp: Option<Timestamp>,
        value: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.count > 0 {
            self.text.push(b',');
        }
        self.count += 1;
        with_value(&mut self.text, &RowBody { key, timestamp, partition }, value)
    }

    /// Number of rows.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Bytes of their text.
    pub const fn bytes(&self) -> usize {
        self.text.len()
    }
}

/// Writes `members`, which has at least one, as a JSON object whose last member is the value, which writes itself.
fn with_value(
    text: &mut Vec<u8>,
    members: &impl Serialize,
    value: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
) -> Result<(), Error> {
    serde_json::to_writer(&mut *text, members).map_err(|_| Error::Undecodable("json"))?;
    text.pop();
    text.extend_from_slice(b",\"value\":");
    value(text)?;
    text.push(b'}');
    Ok(())
}

fn json_response(text: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}

/// The answer to a point read.
pub fn point(view: &str, partition: i32, served: &Served, row: Result<Row, Error>) -> Response {
    let response = match row {
        Ok(Row { key, value, timestamp }) => {
            let mut text = Vec::with_capacity(value.len() + 512);
            let members = PointBody { view, key: &key, timestamp, partition, served: served.to_body() };
            let written = with_value(&mut text, &members, |out| {
                out.extend_from_slice(&value);
                Ok(())
            });
            written.map_or_else(Error::into_response, |()| json_response(text))
        }
        Err(error) => error.into_response(),
    };
    served.stamp(response)
}

/// The answer to a range read over `partitions` of `total`.
pub fn page(view: &str, served: &Served, partitions: &[i32], total: i32, rows: Rows, cursor: Option<&str>) -> Response {
    let rest = json!({
        "view": view,
        "scope": "local",
        "partitions": partitions,
        "partitions_total": total,
        "cursor": cursor,
        "served": served.to_body(),
    });
    let mut body = rows.text;
    // The members behind the rows, without their opening brace.
    body.extend_from_slice(b"],");
    body.extend_from_slice(&rest.to_string().as_bytes()[1..]);
    body.shrink_to_fit();
    let mut response = served.stamp(json_response(body));
    let listed: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    response.headers_mut().insert(SCOPE, HeaderValue::from_static("local"));
    insert(response.headers_mut(), PARTITIONS, &listed.join(","));
    response
}
