//! Where log lines go and how they look: text for people on a terminal, else one JSON object per line.
//!
//! A warning or error that repeats is said once, and then at most once per interval with a count: the call sites just
//! say what happened each time.

use std::fmt::{self, Write as _};
use std::hash::Hasher;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustc_hash::FxHasher;
use tracing::field::{Field, Visit};
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{self, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::repeats::{Repeats, Verdict};
use super::settings::{Log, LogFormat};

/// How often the same warning or error is said.
const REPEAT_EVERY: Duration = Duration::from_secs(30);
/// Fields that name a thing: lines about two things are two lines. The digits of all others are not looked at.
const NAMES: [&str; 4] = ["task", "partition", "client", "thread"];

/// Sends log lines to standard error as the settings say; only the first call of a process has an effect.
pub fn log(settings: &Log) {
    // A second initialisation is refused and changes nothing.
    let _ = dispatch(settings, std::io::stderr().is_terminal(), std::io::stderr, Instant::now).try_init();
}

/// Log lines to `writer`, which is a terminal or not. `clock` tells what is a repeat.
fn dispatch<W>(settings: &Log, terminal: bool, writer: W, clock: fn() -> Instant) -> Dispatch
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse_lossy(&settings.filter);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let json = match settings.format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    if json {
        let format = Calm::new(Form::Json, clock, format::format().json());
        Dispatch::new(lines.with_ansi(false).fmt_fields(JsonFields::new()).event_format(format).finish())
    } else {
        // Colours are for a person at a terminal; in a file they are noise.
        Dispatch::new(lines.with_ansi(terminal).event_format(Calm::new(Form::Text, clock, format::format())).finish())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

/// A format that says warnings and errors once per interval.
struct Calm<F> {
    form: Form,
    clock: fn() -> Instant,
    inner: F,
    repeats: Mutex<Repeats>,
}

impl<F> Calm<F> {
    fn new(form: Form, clock: fn() -> Instant, inner: F) -> Self {
        Self { form, clock, inner, repeats: Mutex::new(Repeats::new(REPEAT_EVERY)) }
    }

    fn judge(&self, event: &Event<'_>) -> Verdict {
        if *event.metadata().level() > Level::WARN {
            return Verdict::Say { hushed: 0 };
        }
        let kind = kind_of(event);
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner).judge((self.clock)(), kind)
    }
}

impl<S, N, F> FormatEvent<S, N> for Calm<F>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, cx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        match (self.judge(event), self.form) {
            (Verdict::Hush, _) => Ok(()),
            (Verdict::Say { hushed: 0 }, _) => self.inner.format_event(cx, writer, event),
            (Verdict::Say { hushed }, Form::Text) => {
                write!(writer, "({hushed} more like this since) ")?;
                self.inner.format_event(cx, writer, event)
            }
            (Verdict::Say { hushed }, Form::Json) => {
                let mut line = String::new();
                self.inner.format_event(cx, Writer::new(&mut line), event)?;
                let object = line.trim_end().strip_suffix('}').ok_or(fmt::Error)?;
                writeln!(writer, "{object},\"more_like_this\":{hushed}}}")
            }
        }
    }
}

/// Equal for lines of one place that say the same of the same thing, numbers aside: times and counts in a text differ
/// at each repeat.
fn kind_of(event: &Event<'_>) -> u64 {
    let mut kind = Kind { hasher: FxHasher::default(), with_digits: true };
    let metadata = event.metadata();
    // What a line says is its message; librdkafka's lines all come from one place.
    let _ = write!(kind, "{}:{:?}", metadata.target(), metadata.line());
    event.record(&mut kind);
    kind.hasher.finish()
}

struct Kind {
    hasher: FxHasher,
    with_digits: bool,
}

impl Visit for Kind {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.with_digits = NAMES.contains(&field.name());
        // Hashing cannot fail; a value that cannot be printed is printed as far as it can.
        let _ = write!(self, "{value:?}");
    }
}

impl fmt::Write for Kind {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes().filter(|byte| self.with_digits || !byte.is_ascii_digit()) {
            self.hasher.write_u8(byte);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use super::*;

    thread_local! {
        static SECONDS: Cell<u64> = const { Cell::new(0) };
    }

    /// The real clock, moved on by the test.
    fn clock() -> Instant {
        Instant::now() + Duration::from_secs(SECONDS.get())
    }

    /// What is written, as text.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, terminal: bool, say: impl FnOnce()) -> Vec<String> {
        let lines = Lines::default();
        let writer = lines.clone();
        let settings = Log { filter: "info".to_owned(), format };
        tracing::dispatcher::with_default(&dispatch(&settings, terminal, move || writer.clone(), clock), say);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn people_get_text_and_machines_get_json() {
        let say = || tracing::info!(task = "0_1", "running");
        let is_json = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
        for (format, terminal, json) in [
            (LogFormat::Auto, true, false),
            (LogFormat::Auto, false, true),
            (LogFormat::Text, false, false),
            (LogFormat::Json, true, true),
        ] {
            let lines = logged(format, terminal, say);
            assert_eq!(lines.len(), 1);
            assert_eq!(is_json(&lines[0]), json, "{format:?} {terminal}: {}", lines[0]);
            assert!(lines[0].contains("running") && lines[0].contains("0_1"));
            let colours = lines[0].contains('\u{1b}');
            assert_eq!(colours, terminal && !json, "{format:?} {terminal}");
        }
    }

    fn retry(attempt: u64) {
        tracing::warn!(task = "0_1", reason = format!("no answer after {attempt} ms"), attempt, "trying again");
    }

    #[test]
    fn a_warning_that_repeats_is_said_once() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = logged(format, false, || (0..100).for_each(retry));
            assert_eq!(lines.len(), 1, "{lines:?}");
        }
    }

    #[test]
    fn what_differs_is_said_each_time() {
        let say = || {
            retry(1);
            tracing::warn!(task = "0_2", reason = "no answer after 1 ms", attempt = 1, "trying again");
            tracing::warn!(task = "0_1", reason = "connection refused", attempt = 1, "trying again");
            tracing::warn!(task = "0_1", reason = "no answer after 1 ms", attempt = 1, "giving up");
            (0..3).for_each(|_| tracing::info!("the same news"));
        };
        assert_eq!(logged(LogFormat::Text, false, say).len(), 7);
    }

    #[test]
    fn the_line_after_the_interval_tells_how_many_were_like_it() {
        let say = || {
            (0..150).for_each(retry);
            SECONDS.set(SECONDS.get() + 31);
            retry(31_000);
        };
        let lines = logged(LogFormat::Text, false, say);
        assert!(lines.len() == 2 && lines[1].starts_with("(149 more like this since) "), "{lines:?}");
        let lines = logged(LogFormat::Json, false, say);
        assert_eq!(lines.len(), 2);
        let line: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
        assert_eq!((&line["more_like_this"], &line["fields"]["task"]), (&149.into(), &"0_1".into()));
    }
}
