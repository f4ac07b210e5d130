//! An OpenTelemetry collector that keeps the spans it gets (OTLP over HTTP, protobuf).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use prost::Message as _;

/// A span as it arrived; ids are hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Attributes of who sent it.
    pub resource: BTreeMap<String, String>,
    /// Id of the trace.
    pub trace_id: String,
    /// Its own id.
    pub span_id: String,
    /// The span that caused it.
    pub parent: String,
    /// Name.
    pub name: String,
    /// Kind, a number of OTLP.
    pub kind: i32,
    /// From begin to end, nanoseconds since the epoch.
    pub time: (u64, u64),
    /// Attributes, values as text.
    pub attributes: BTreeMap<String, String>,
}

/// A running collector; it ends with the process.
#[derive(Debug, Clone)]
pub struct Collector {
    url: String,
    spans: Arc<Mutex<Vec<Received>>>,
}

impl Collector {
    /// Starts on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let collector = Self { url, spans: Arc::default() };
        let shared = collector.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let collector = shared.clone();
                std::thread::spawn(move || collector.serve(stream));
            }
        });
        collector
    }

    /// Base URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The spans so far, in the order of their arrival.
    pub fn spans(&self) -> Vec<Received> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some((head, body)) = request(&mut reader) {
            let status = match self.take(&head, &body) {
                Ok(()) => "200 OK",
                Err(reason) => reason,
            };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            if reader.get_mut().write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn take(&self, head: &[String], body: &[u8]) -> Result<(), &'static str> {
        if head[0] != "post /v1/traces http/1.1" {
            return Err("404 Not Found");
        }
        if !head.iter().any(|line| line == "content-type: application/x-protobuf") {
            return Err("415 Unsupported Media Type");
        }
        let request = ExportTraceServiceRequest::decode(body).map_err(|_| "400 Bad Request")?;
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        for of_resource in request.resource_spans {
            let resource = attributes(&of_resource.resource.unwrap_or_default().attributes);
            let all = of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans);
            spans.extend(all.map(|span| Received {
                resource: resource.clone(),
                trace_id: hex(&span.trace_id),
                span_id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                name: span.name,
                kind: span.kind,
                time: (span.start_time_unix_nano, span.end_time_unix_nano),
                attributes: attributes(&span.attributes),
            }));
        }
        Ok(())
    }
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| match pair.value.as_ref().and_then(|value| value.value.clone()) {
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => panic!("{}: {other:?} is neither a text nor a number", pair.key),
    };
    pairs.iter().map(|pair| (pair.key.clone(), text(pair))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The lines before the body in lower case, and the body; `None` at the end of the connection.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(Vec<String>, Vec<u8>)> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let length = head.iter().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}
