//! Continues the traces of sampled records: what a record causes carries the span of its processing.

use crate::types::{Headers, HeadersView, Offset, Span, Spans, TraceContext};

/// The processing of one sampled record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSpan {
    /// The span, as derived records carry it.
    pub span: Span,
    /// Index of the input.
    pub input: usize,
    /// Offset of the record.
    pub offset: Offset,
    /// Why it could not be processed, a word of the code; `None`: it was.
    pub fault: Option<&'static str>,
}

/// The spans of a task since they were last taken: at most one per record processed.
#[derive(Debug)]
pub(super) struct RecordSpans {
    spans: Spans,
    ended: Vec<RecordSpan>,
}

impl RecordSpans {
    pub(super) fn new(spans: Spans) -> Self {
        Self { spans, ended: Vec::new() }
    }

    /// The span of a record with these headers; `None` unless it is of a sampled trace.
    pub(super) fn begin(&self, headers: HeadersView<'_>) -> Option<Span> {
        self.spans.begin(headers.last(TraceContext::HEADER)?.value?)
    }

    pub(super) fn end(&mut self, span: Span, input: usize, offset: Offset, fault: Option<&'static str>) {
        self.ended.push(RecordSpan { span: self.spans.end(span), input, offset, fault });
    }

    pub(super) fn take(&mut self) -> impl Iterator<Item = RecordSpan> {
        self.ended.drain(..)
    }
}

/// Puts a span into the headers that derived records get, in place of the one that the record came with.
pub(super) fn carry(span: &Span, headers: &mut Headers) {
    headers.remove(TraceContext::HEADER);
    headers.push(TraceContext::HEADER, Some(&span.context.text()));
}
