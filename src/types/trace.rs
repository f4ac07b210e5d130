//! W3C trace context: the header `traceparent` of records and of HTTP requests, and the spans that continue it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where a trace stands: the trace and the span that caused what carries it (W3C Trace Context, version 00).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// Id of the trace.
    pub trace_id: [u8; 16],
    /// Id of the span.
    pub span_id: [u8; 8],
    /// Bit 0: the trace is sampled, its spans are wanted. Bit 1: the trace's id is random.
    pub flags: u8,
}

impl TraceContext {
    /// Name of the header.
    pub const HEADER: &'static str = "traceparent";
    /// Bytes of the text of version 00; later versions may append to it.
    pub const TEXT_BYTES: usize = 55;

    const SAMPLED: u8 = 1;
    /// What version 00 knows; other bits are not passed on.
    const KNOWN_FLAGS: u8 = 0b11;

    /// Reads the value of the header; `None` when it is none.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (known, rest) = text.split_at_checked(Self::TEXT_BYTES)?;
        let [version] = hex(&known[..2])?;
        let dashes = [2, 35, 52].iter().all(|at| known[*at] == b'-');
        let ends = rest.is_empty() || (version > 0 && rest[0] == b'-');
        let [flags] = hex(&known[53..])?;
        let context = Self { trace_id: hex(&known[3..35])?, span_id: hex(&known[36..52])?, flags };
        let is_valid = dashes && ends && version != 0xff && context.trace_id != [0; 16] && context.span_id != [0; 8];
        is_valid.then_some(context)
    }

    /// Whether the spans of the trace are wanted.
    pub const fn is_sampled(&self) -> bool {
        self.flags & Self::SAMPLED != 0
    }

    /// The value of the header, in version 00.
    pub fn text(&self) -> [u8; Self::TEXT_BYTES] {
        let mut text = [b'-'; Self::TEXT_BYTES];
        write_hex(&[0], &mut text[..2]);
        write_hex(&self.trace_id, &mut text[3..35]);
        write_hex(&self.span_id, &mut text[36..52]);
        write_hex(&[self.flags], &mut text[53..]);
        text
    }
}

/// Lower-case hexadecimal digits, two per byte.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(digits[0])? << 4 | digit(digits[1])?;
    }
    (text.len() == 2 * N).then_some(bytes)
}

fn write_hex(bytes: &[u8], text: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, digits) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        digits.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// Something that was done for a trace: its place in the trace, what caused it, and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The place that this span gave to what it caused.
    pub context: TraceContext,
    /// The span that caused it.
    pub parent: [u8; 8],
    /// When it began, microseconds since the epoch.
    pub start_us: u64,
    /// When it ended, microseconds since the epoch; never before it began.
    pub end_us: u64,
}

/// Begins and ends spans: gives them ids and times. Clones share the ids.
#[derive(Debug, Clone)]
pub struct Spans {
    ids: Arc<AtomicU64>,
    clock: fn() -> u64,
}

impl Spans {
    /// Ids follow from `seed`, which differs per instance; `clock` tells microseconds since the epoch.
    pub fn new(seed: u64, clock: fn() -> u64) -> Self {
        Self { ids: Arc::new(AtomicU64::new(seed)), clock }
    }

    /// The span of what is done for a carrier of this header; `None` unless it is of a sampled trace: nobody begins a
    /// trace here.
    pub fn begin(&self, header: &[u8]) -> Option<Span> {
        let caused = TraceContext::parse(header).filter(TraceContext::is_sampled)?;
        let flags = caused.flags & TraceContext::KNOWN_FLAGS;
        let context = TraceContext { span_id: self.next_id(), flags, ..caused };
        let start_us = (self.clock)();
        Some(Span { context, parent: caused.span_id, start_us, end_us: start_us })
    }

    /// The span with its end; a clock that was set back meanwhile makes it last no time.
    #[must_use]
    pub fn end(&self, span: Span) -> Span {
        Span { end_us: (self.clock)().max(span.start_us), ..span }
    }

    /// SplitMix64: each seed gives all 2^64 numbers once, in no visible order. Zero is no id.
    fn next_id(&self) -> [u8; 8] {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.ids.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).max(1).to_be_bytes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeSet;

    use super::*;

    /// The example of the specification.
    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    thread_local! {
        static NOW: Cell<u64> = const { Cell::new(1_000) };
    }

    #[test]
    fn the_text_is_that_of_the_specification() {
        let context = TraceContext::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(context.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes());
        assert_eq!((context.span_id, context.flags), (0xb7ad_6b71_6920_3331_u64.to_be_bytes(), 1));
        assert!(context.is_sampled());
        assert_eq!(context.text(), TEXT.as_bytes());
    }

    #[test]
    fn a_later_version_may_append_and_is_written_as_ours() {
        for later in [TEXT.replacen("00", "01", 1), format!("{}-what-comes", TEXT.replacen("00", "cc", 1))] {
            let context = TraceContext::parse(later.as_bytes()).unwrap();
            assert_eq!(context.text(), TEXT.as_bytes(), "{later}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        let zeros = "0".repeat(32);
        let wrong = [
            "",
            &TEXT[..54],
            &format!("{TEXT}-x"),
            &format!("{TEXT}0"),
            &format!("{}0", TEXT.replacen("00", "01", 1)),
            &TEXT.to_uppercase(),
            &TEXT.replacen("00", "ff", 1),
            &TEXT.replacen("00-", "00_", 1),
            &TEXT.replace("-b7", "_b7"),
            &TEXT.replace("-01", "_01"),
            &TEXT.replace("0af7651916cd43dd8448eb211c80319c", &zeros),
            &TEXT.replace("b7ad6b7169203331", &zeros[..16]),
            &TEXT.replace("b7ad", "b7ag"),
            &TEXT.replace("-01", "-0x"),
        ];
        for text in wrong {
            assert_eq!(TraceContext::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(TraceContext::parse(&[0xff; 55]), None);
    }

    #[test]
    fn a_span_continues_a_sampled_trace_and_no_other() {
        let spans = Spans::new(7, || NOW.get());
        let caller = TraceContext::parse(TEXT.as_bytes()).unwrap();
        for (flags, known) in [("01", 1), ("03", 3), ("ff", 3)] {
            let span = spans.begin(TEXT.replace("-01", &format!("-{flags}")).as_bytes()).unwrap();
            assert_eq!((span.context.trace_id, span.parent), (caller.trace_id, caller.span_id));
            assert_eq!(span.context.flags, known, "{flags}");
            assert_ne!(span.context.span_id, caller.span_id);
        }
        for other in [TEXT.replace("-01", "-00"), TEXT.replace("-01", "-02"), "nonsense".to_owned()] {
            assert_eq!(spans.begin(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn ids_differ_between_spans_clones_and_seeds() {
        let (ours, others) = (Spans::new(7, || 0), Spans::new(8, || 0));
        let clone = ours.clone();
        let ids = [&ours, &clone, &others].map(|spans| (0..1_000).map(|_| spans.next_id()).collect::<BTreeSet<_>>());
        assert_eq!(ids.iter().flatten().collect::<BTreeSet<_>>().len(), 3_000);
        assert!(!ids.iter().flatten().any(|id| *id == [0; 8]));
        // The first numbers of SplitMix64 with seed 0, as published with it.
        let zero = Spans::new(0, || 0);
        let first = [zero.next_id(), zero.next_id()].map(u64::from_be_bytes);
        assert_eq!(first, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }

    #[test]
    fn a_span_lasts_from_begin_to_end_and_no_less_than_nothing() {
        let spans = Spans::new(7, || NOW.get());
        let span = spans.begin(TEXT.as_bytes()).unwrap();
        NOW.set(1_250);
        let ended = spans.end(span);
        assert_eq!((ended.start_us, ended.end_us, ended.context), (1_000, 1_250, span.context));
        NOW.set(3);
        assert_eq!(spans.end(span).end_us, 1_000);
    }
}
