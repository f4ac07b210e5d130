//! What can go wrong with a request, and the one place that gives it a status and an RFC 9457 body.
//!
//! No text here quotes a key, a value or any other record content.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::query::route::Reason;

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// No such path.
    UnknownPath,
    /// The path does not take this method.
    MethodNotAllowed,
    /// The request target is longer than the limit, bytes.
    UriTooLong(usize),
    /// More headers, or more bytes of them, than are taken.
    HeadersTooLarge {
        /// Most headers.
        headers: usize,
        /// Most bytes of names and values.
        bytes: usize,
    },
    /// The `Host` header is missing, is there twice, or names no host.
    BadHost,
    /// A body where none is taken.
    UnexpectedBody,
    /// A body over the limit, bytes.
    BodyTooLarge(u64),
    /// No view of this name; the names that exist.
    UnknownView(Vec<String>),
    /// The view has no row for the key.
    UnknownKey,
    /// The key is not one of this view; why.
    BadKey(String),
    /// A query parameter is wrong; which, and why.
    BadParameter {
        /// Its name.
        name: String,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// The cursor was not made by this view and these parameters.
    BadCursor,
    /// The cursor is good, but the partitions it walks have moved.
    CursorExpired,
    /// No replica can answer now.
    Unavailable(Reason),
    /// This instance has no active partition of the view.
    NoLocalPartitions,
    /// The task was closed while it was read.
    Closed,
    /// As many reads or forwarded requests, or as many bytes of answers, are under way as are allowed.
    Overloaded,
    /// The replica has not reached `min_position`.
    PositionNotReached,
    /// A forwarded request for a key that is not here: forwarding it again could loop.
    NotHere,
    /// The owner cannot be reached, or did not answer in time.
    PeerUnreachable,
    /// The owner's answer is none of ours.
    BadPeerAnswer,
    /// The store failed; details are in the log.
    StoreFailed,
    /// The stored bytes do not decode; the stable word for why.
    Undecodable(&'static str),
    /// What decoding needs (the schema registry) does not answer.
    CodecUnavailable,
    /// A probe says no; why.
    Unhealthy(Vec<String>),
}

/// Seconds after which a refused request is worth repeating.
const RETRY_AFTER_SECONDS: u64 = 1;

/// Every problem has `urn:thalweg:problem:<slug>` as its type.
const TYPE_PREFIX: &str = "urn:thalweg:problem:";

struct Problem {
    status: StatusCode,
    slug: &'static str,
    title: &'static str,
    detail: String,
}

impl Error {
    /// Status, type, title and detail of each error: the only table of its kind.
    fn problem(&self) -> Problem {
        let (status, slug, title, detail): (u16, _, _, String) = match self {
            Self::UnknownPath => (404, "unknown-path", "No such path", "see /openapi.json for all paths".into()),
            Self::MethodNotAllowed => {
                (405, "method-not-allowed", "Method not allowed", "this path answers GET and HEAD".into())
            }
            Self::UriTooLong(limit) => {
                (414, "uri-too-long", "URI too long", format!("path and query may have {limit} bytes"))
            }
            Self::HeadersTooLarge { headers, bytes } => (
                431,
                "headers-too-large",
                "Headers too large",
                format!("a request may have {headers} headers and {bytes} bytes of them"),
            ),
            Self::BadHost => (400, "bad-host", "Bad Host header", "send one Host header: host or host:port".into()),
            Self::UnexpectedBody => {
                (400, "unexpected-body", "Unexpected body", "this request takes no body: send none".into())
            }
            Self::BodyTooLarge(limit) => {
                (413, "body-too-large", "Body too large", format!("a body may have {limit} bytes"))
            }
            Self::UnknownView(_) => {
                (404, "unknown-view", "No such view", "the views of this application are in `views`".into())
            }
            Self::UnknownKey => (404, "unknown-key", "No such key", "the view has no row for this key".into()),
            Self::BadKey(reason) => (400, "bad-key", "Bad key", reason.clone()),
            Self::BadParameter { name, reason } => {
                (400, "bad-parameter", "Bad query parameter", format!("{name}: {reason}"))
            }
            Self::BadCursor => (
                400,
                "bad-cursor",
                "Bad cursor",
                "use the cursor of the last page with the same view, from, to and prefix".into(),
            ),
            Self::CursorExpired => (
                410,
                "cursor-expired",
                "Cursor expired",
                "the cursor belongs to another instance, or partitions have moved: start without a cursor".into(),
            ),
            Self::Unavailable(reason) => (503, "unavailable", "Not available now", unavailable(*reason).into()),
            Self::NoLocalPartitions => (
                503,
                "no-local-partitions",
                "No partition of this view here",
                "ranges are local: ask an instance that /v1/instances lists as an owner".into(),
            ),
            Self::Closed => {
                (503, "moving", "Partition moving", "the partition is moving to another instance: try again".into())
            }
            Self::Overloaded => {
                (503, "overloaded", "Too many requests at once", "as much as is allowed is under way: try again".into())
            }
            Self::PositionNotReached => (
                409,
                "position-not-reached",
                "Position not reached",
                "the replica is behind min_position: thalweg-position tells where it is, try again".into(),
            ),
            Self::NotHere => {
                (421, "not-here", "Not here", "a forwarded request is not forwarded again: the key has moved".into())
            }
            Self::PeerUnreachable => {
                (503, "owner-unreachable", "Owner unreachable", "the owner of the key did not answer: try again".into())
            }
            Self::BadPeerAnswer => {
                (502, "bad-peer-answer", "Bad answer from the owner", "the owner's answer was rejected".into())
            }
            Self::StoreFailed => {
                (500, "store-failed", "Store failed", "the store could not be read: see the log".into())
            }
            Self::Undecodable(word) => {
                (500, "undecodable-row", "Row does not decode", format!("the stored bytes do not decode: {word}"))
            }
            Self::CodecUnavailable => {
                (503, "codec-unavailable", "Cannot decode now", "the schema registry does not answer: try again".into())
            }
            Self::Unhealthy(_) => (503, "unhealthy", "Not healthy", "see `reasons`".into()),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Problem { status, slug, title, detail }
    }

    fn retry_after(&self, status: StatusCode) -> bool {
        status == StatusCode::SERVICE_UNAVAILABLE || *self == Self::PositionNotReached
    }

    /// Members beyond those of RFC 9457.
    fn extend(&self, body: &mut Value) {
        match self {
            Self::UnknownView(views) => body["views"] = json!(views),
            Self::Unhealthy(reasons) => body["reasons"] = json!(reasons),
            Self::Unavailable(reason) => body["reason"] = json!(word(*reason)),
            Self::BadParameter { name, .. } => body["parameter"] = json!(name),
            _ => {}
        }
    }
}

fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Starting => "starting",
        Reason::NoOwner => "no-owner",
        Reason::Restoring => "restoring",
        Reason::Moving => "moving",
        Reason::NoEndpoint => "no-endpoint",
    }
}

fn unavailable(reason: Reason) -> &'static str {
    match reason {
        Reason::Starting => "the instance has no assignment yet: try again",
        Reason::NoOwner => "no instance owns the partition of this key now: try again",
        Reason::Restoring => "the owner restores the partition of this key from its changelog: try again",
        Reason::Moving => "the partition of this key is moving: try again",
        Reason::NoEndpoint => "the owner of this key has no HTTP endpoint: configure one",
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let Problem { status, slug, title, detail } = self.problem();
        let mut body = json!({"type": format!("{TYPE_PREFIX}{slug}"), "title": title, "status": status.as_u16(), "detail": detail});
        self.extend(&mut body);
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.retry_after(status) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        response
    }
}
