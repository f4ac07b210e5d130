//! Asking a service over HTTP.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder};
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(10);

/// An answer, read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers with lower-case names, in order.
    pub headers: Vec<(String, String)>,
    /// Body text.
    pub body: String,
}

impl Answer {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; panics with the body when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("status {}, body is no JSON ({error}): {}", self.status, self.body))
    }
}

/// GET, within 10 s. An error means that there was no answer, never a status.
pub fn get(url: &str) -> Result<Answer, String> {
    exchange(|client| client.get(url))
}

/// GET with these headers, within 10 s.
pub fn get_with(url: &str, headers: &[(&str, String)]) -> Result<Answer, String> {
    exchange(|client| headers.iter().fold(client.get(url), |request, (name, value)| request.header(*name, value)))
}

/// POST of a JSON body, within 10 s.
pub fn post(url: &str, body: &Value) -> Result<Answer, String> {
    exchange(|client| client.post(url).json(body))
}

/// GET that must be answered with 200 and JSON; panics otherwise.
#[track_caller]
pub fn get_json(url: &str) -> Value {
    let answer = get(url).unwrap_or_else(|reason| panic!("GET {url}: {reason}"));
    assert_eq!(answer.status, 200, "GET {url}: {}", answer.body);
    answer.json()
}

fn exchange(request: impl FnOnce(&Client) -> RequestBuilder) -> Result<Answer, String> {
    let response = request(client()).send().map_err(describe)?;
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let body = response.text().map_err(describe)?;
    Ok(Answer { status, headers, body })
}

/// One client for all: making one costs more than a hundred requests.
fn client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    // No proxy of the surroundings may stand between a test and its services.
    let make = || Client::builder().no_proxy().timeout(TIMEOUT).build().expect("an HTTP client");
    CLIENT.get_or_init(make)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn describe(error: reqwest::Error) -> String {
    format!("{error:?}")
}
