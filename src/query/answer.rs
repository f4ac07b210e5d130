//! The shape of answers: headers and JSON that say who answered, in which role, at which position, with which lag.

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::query::error::Error;
use crate::query::read::Row;
use crate::query::snapshot::Role;

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
    fn to_json(&self) -> Value {
        json!({"by": self.by, "role": self.role.as_str(), "position": self.position, "lag": self.lag})
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

/// The answer to a point read.
pub fn point(view: &str, partition: i32, served: &Served, row: Result<Row, Error>) -> Response {
    let response = match row {
        Ok(Row { key, value, timestamp }) => Json(json!({
            "view": view,
            "key": key,
            "value": value,
            "timestamp": timestamp,
            "partition": partition,
            "served": served.to_json(),
        }))
        .into_response(),
        Err(error) => error.into_response(),
    };
    served.stamp(response)
}

/// The answer to a range read over `partitions` of `total`.
pub fn page(
    view: &str,
    served: &Served,
    partitions: &[i32],
    total: i32,
    rows: Vec<(i32, Row)>,
    cursor: Option<&str>,
) -> Response {
    let rows: Vec<Value> = rows
        .into_iter()
        .map(|(partition, Row { key, value, timestamp })| {
            json!({"key": key, "value": value, "timestamp": timestamp, "partition": partition})
        })
        .collect();
    let body = json!({
        "view": view,
        "scope": "local",
        "partitions": partitions,
        "partitions_total": total,
        "rows": rows,
        "cursor": cursor,
        "served": served.to_json(),
    });
    let mut response = served.stamp(Json(body).into_response());
    let listed: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    response.headers_mut().insert(SCOPE, HeaderValue::from_static("local"));
    insert(response.headers_mut(), PARTITIONS, &listed.join(","));
    response
}
