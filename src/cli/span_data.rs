//! Spans as the SDK takes them: names, kinds and attributes by OpenTelemetry's semantic conventions.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::query::Work;
use crate::types::Span;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The methods that the conventions know; others are `_OTHER`, because a client may send anything.
const METHODS: [&str; 10] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"];

/// What a span is about.
struct Description {
    kind: SpanKind,
    name: String,
    attributes: Vec<KeyValue>,
    /// `error.type`, of a span that failed.
    error: Option<String>,
}

/// Who sends the spans.
pub(super) fn resource(service: &str, instance: &str) -> Resource {
    Resource::builder_empty()
        .with_service_name(service.to_owned())
        .with_attribute(KeyValue::new("service.version", VERSION))
        .with_attribute(KeyValue::new("service.instance.id", instance.to_owned()))
        .build()
}

/// The span that the SDK takes; `group` is the consumer group.
pub(super) fn span_data(span: Span, work: Work, group: &str) -> SpanData {
    let Span { context, parent, start_us, end_us } = span;
    let Description { kind, name, mut attributes, error } = describe(work, group);
    let status = if error.is_some() { Status::error("") } else { Status::Unset };
    attributes.extend(error.map(|error| KeyValue::new("error.type", error)));
    SpanData {
        span_context: SpanContext::new(
            TraceId::from_bytes(context.trace_id),
            SpanId::from_bytes(context.span_id),
            TraceFlags::new(context.flags),
            false,
            TraceState::NONE,
        ),
        parent_span_id: SpanId::from_bytes(parent),
        parent_span_is_remote: true,
        span_kind: kind,
        name: name.into(),
        start_time: time(start_us),
        end_time: time(end_us),
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status,
        instrumentation_scope: InstrumentationScope::builder("thalweg").with_version(VERSION).build(),
    }
}

fn time(us: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(us)
}

fn describe(work: Work, group: &str) -> Description {
    match work {
        Work::Process { task, partition, offset, fault } => {
            let topic = partition.topic.to_string();
            Description {
                kind: SpanKind::Consumer,
                name: format!("process {topic}"),
                attributes: vec![
                    KeyValue::new("messaging.system", "kafka"),
                    KeyValue::new("messaging.operation.name", "process"),
                    KeyValue::new("messaging.operation.type", "process"),
                    KeyValue::new("messaging.destination.name", topic),
                    KeyValue::new("messaging.destination.partition.id", partition.partition.to_string()),
                    KeyValue::new("messaging.kafka.offset", offset),
                    KeyValue::new("messaging.consumer.group.name", group.to_owned()),
                    KeyValue::new("thalweg.task", task.to_string()),
                ],
                error: fault.map(str::to_owned),
            }
        }
        Work::Answer { method, route, status } => {
            let known = METHODS.iter().find(|known| **known == method.as_str());
            let name = known.copied().unwrap_or("HTTP");
            let mut attributes = vec![
                KeyValue::new("http.request.method", known.copied().unwrap_or("_OTHER")),
                KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
                KeyValue::new("url.scheme", "http"),
            ];
            // The path itself holds the key.
            attributes.extend(route.as_ref().map(|route| KeyValue::new("http.route", route.clone())));
            Description {
                kind: SpanKind::Server,
                name: route.map_or_else(|| name.to_owned(), |route| format!("{name} {route}")),
                attributes,
                error: status.is_server_error().then(|| status.as_u16().to_string()),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use axum::http::{Method, StatusCode};

    use super::*;
    use crate::types::{TaskId, TopicPartition, TraceContext};

    const SPAN: Span = Span {
        context: TraceContext { trace_id: [1; 16], span_id: [2; 8], flags: 3 },
        parent: [4; 8],
        start_us: 5_000_006,
        end_us: 7_000_008,
    };

    fn attributes(data: &SpanData) -> BTreeMap<&str, String> {
        let text = |pair: &KeyValue| pair.value.to_string();
        data.attributes.iter().map(|pair| (pair.key.as_str(), text(pair))).collect()
    }

    fn texts<const N: usize>(pairs: [(&'static str, &str); N]) -> BTreeMap<&'static str, String> {
        pairs.into_iter().map(|(name, text)| (name, text.to_owned())).collect()
    }

    fn processed(fault: Option<&'static str>) -> SpanData {
        let partition = TopicPartition::new("order.events", 3);
        span_data(SPAN, Work::Process { task: TaskId::new(1, 3), partition, offset: 17, fault }, "orders")
    }

    fn answered(method: &str, route: Option<&str>, status: u16) -> SpanData {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        span_data(SPAN, Work::Answer { method, route: route.map(str::to_owned), status }, "orders")
    }

    #[test]
    fn a_span_keeps_its_place_and_its_times() {
        let data = processed(None);
        assert_eq!(data.span_context.trace_id(), TraceId::from_bytes([1; 16]));
        assert_eq!(data.span_context.span_id(), SpanId::from_bytes([2; 8]));
        assert_eq!(data.span_context.trace_flags().to_u8(), 3);
        assert_eq!(data.parent_span_id, SpanId::from_bytes([4; 8]));
        assert_eq!(data.start_time.duration_since(UNIX_EPOCH).unwrap(), Duration::from_micros(5_000_006));
        assert_eq!(data.end_time.duration_since(UNIX_EPOCH).unwrap(), Duration::from_micros(7_000_008));
    }

    #[test]
    fn a_record_is_described_by_the_conventions_for_messaging() {
        let data = processed(None);
        assert_eq!((&*data.name, &data.span_kind), ("process order.events", &SpanKind::Consumer));
        assert_eq!(data.status, Status::Unset);
        let expected = [
            ("messaging.consumer.group.name", "orders"),
            ("messaging.destination.name", "order.events"),
            ("messaging.destination.partition.id", "3"),
            ("messaging.kafka.offset", "17"),
            ("messaging.operation.name", "process"),
            ("messaging.operation.type", "process"),
            ("messaging.system", "kafka"),
            ("thalweg.task", "1_3"),
        ];
        assert_eq!(attributes(&data), texts(expected));
        let refused = processed(Some("malformed"));
        assert_eq!((&refused.status, &*attributes(&refused)["error.type"]), (&Status::error(""), "malformed"));
    }

    #[test]
    fn a_request_is_described_by_the_conventions_for_http() {
        let route = "/v1/views/{view}/{key}";
        let data = answered("GET", Some(route), 404);
        assert_eq!((&*data.name, &data.span_kind), ("GET /v1/views/{view}/{key}", &SpanKind::Server));
        assert_eq!(data.status, Status::Unset, "a mistake of the client is no error of the server");
        let expected = [
            ("http.request.method", "GET"),
            ("http.response.status_code", "404"),
            ("http.route", route),
            ("url.scheme", "http"),
        ];
        assert_eq!(attributes(&data), texts(expected));
        let failed = answered("GET", Some(route), 503);
        assert_eq!((&failed.status, &*attributes(&failed)["error.type"]), (&Status::error(""), "503"));
        let odd = answered("BREW", None, 405);
        assert_eq!((&*odd.name, &*attributes(&odd)["http.request.method"]), ("HTTP", "_OTHER"));
        assert!(!attributes(&odd).contains_key("http.route"));
    }

    #[test]
    fn the_sender_is_named() {
        let resource = resource("orders", "127.0.0.1:8080");
        let told: BTreeMap<String, String> =
            resource.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let expected =
            [("service.instance.id", "127.0.0.1:8080"), ("service.name", "orders"), ("service.version", VERSION)];
        assert_eq!(told, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    }
}
