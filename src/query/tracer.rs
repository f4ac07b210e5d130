//! Spans of what this instance does for traces that others began, as plain data; somebody else sends them.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::types::{Offset, Span, Spans, TaskId, TopicPartition, TraceContext};

/// What was done in a span. Never a key or a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// A record was processed.
    Process {
        /// By this task.
        task: TaskId,
        /// From here.
        partition: TopicPartition,
        /// At this offset.
        offset: Offset,
        /// Why it could not be, a word of the code; `None`: it was.
        fault: Option<&'static str>,
    },
    /// A request was answered.
    Answer {
        /// Method.
        method: Method,
        /// Route template; `None`: there is no such path.
        route: Option<String>,
        /// Status code.
        status: StatusCode,
    },
}

/// Where spans go. Only what carries a sampled trace gets one.
pub struct Tracer {
    spans: Spans,
    send: Box<dyn Fn(Span, Work) + Send + Sync>,
}

impl Tracer {
    /// Hands spans over to `send`, which must not block.
    pub fn new(spans: Spans, send: impl Fn(Span, Work) + Send + Sync + 'static) -> Self {
        Self { spans, send: Box::new(send) }
    }

    /// Begins and ends spans.
    pub const fn spans(&self) -> &Spans {
        &self.spans
    }

    /// Hands a span over.
    pub fn send(&self, span: Span, work: Work) {
        (self.send)(span, work);
    }

    /// Begins the span of a request and puts it into the request's headers, in place of its parent: a request that is
    /// forwarded carries it on.
    pub(super) fn continue_trace(&self, headers: &mut HeaderMap) -> Option<Span> {
        let mut values = headers.get_all(TraceContext::HEADER).iter();
        // Of two, none can be believed.
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let span = self.spans.begin(value.as_bytes())?;
        headers.insert(TraceContext::HEADER, HeaderValue::from_bytes(&span.context.text()).ok()?);
        Some(span)
    }
}
