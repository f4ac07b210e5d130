//! Continues the traces of sampled records: what a record causes carries the span of its processing.

use super::fault::Fault;
use crate::types::{Headers, Offset, Span, Spans, TraceContext};

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
    /// That of the record in hand.
    open: Option<RecordSpan>,
    ended: Vec<RecordSpan>,
}

impl RecordSpans {
    pub(super) fn new(spans: Spans) -> Self {
        Self { spans, open: None, ended: Vec::new() }
    }

    /// Begins the span of a record of a sampled trace, and puts it into the headers that derived records get, in place
    /// of the one that the record came with.
    pub(super) fn begin(&mut self, headers: &mut Headers, input: usize, offset: Offset) {
        let came = headers.view().last(TraceContext::HEADER).and_then(|header| header.value);
        let span = came.and_then(|came| self.spans.begin(came));
        if let Some(span) = &span {
            headers.remove(TraceContext::HEADER);
            headers.push(TraceContext::HEADER, Some(&span.context.text()));
        }
        self.open = span.map(|span| RecordSpan { span, input, offset, fault: None });
    }

    /// Ends the span of the record in hand.
    pub(super) fn end(&mut self, fault: Option<&Fault>) {
        if let Some(open) = self.open.take() {
            self.ended.push(RecordSpan { span: self.spans.end(open.span), fault: fault.map(Fault::reason), ..open });
        }
    }

    pub(super) fn take(&mut self) -> impl Iterator<Item = RecordSpan> {
        self.ended.drain(..)
    }
}
