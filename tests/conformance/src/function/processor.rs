//! Processors: what they are called, which types they make and which stores they need.

use std::str::FromStr;

use super::{UnknownFunction, integer, split, word};
use crate::case::Type;

/// A processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Processor {
    /// Forwards the record.
    Pass,
    /// Forwards it twice.
    Twice,
    /// Forwards it with a shifted timestamp.
    Shift(i64),
    /// Forwards it under the text of the value.
    KeyFromValue,
    /// Adds a header of this name.
    Header(String),
    /// Forwards where the input record came from.
    Metadata,
    /// Forwards the stream time.
    StreamTime,
    /// Counts the records of each key.
    Count,
    /// Forwards what differs from the last value of the key.
    Dedup,
    /// Forwards all rows every so many ms of stream time.
    OnStreamTime(i64),
    /// Forwards all rows every so many ms of wall-clock time.
    OnWallClock(i64),
}

impl FromStr for Processor {
    type Err = UnknownFunction;

    fn from_str(name: &str) -> Result<Self, UnknownFunction> {
        let unknown = || UnknownFunction { family: "processor", name: name.to_owned() };
        Ok(match split(name) {
            ("pass", None) => Self::Pass,
            ("twice", None) => Self::Twice,
            ("shift", argument) => Self::Shift(integer(argument, i64::MIN).ok_or_else(unknown)?),
            ("key_from_value", None) => Self::KeyFromValue,
            ("header", argument) => Self::Header(word(argument).ok_or_else(unknown)?.to_owned()),
            ("metadata", None) => Self::Metadata,
            ("stream_time", None) => Self::StreamTime,
            ("count", None) => Self::Count,
            ("dedup", None) => Self::Dedup,
            ("on_stream_time", argument) => Self::OnStreamTime(integer(argument, 1).ok_or_else(unknown)?),
            ("on_wall_clock", argument) => Self::OnWallClock(integer(argument, 1).ok_or_else(unknown)?),
            _ => return Err(unknown()),
        })
    }
}

impl Processor {
    /// Types of the keys and values it forwards.
    pub fn result(&self, key: Type, value: Type) -> (Type, Type) {
        match self {
            Self::Pass
            | Self::Twice
            | Self::Shift(_)
            | Self::Header(_)
            | Self::Dedup
            | Self::OnStreamTime(_)
            | Self::OnWallClock(_) => (key, value),
            Self::KeyFromValue => (Type::String, value),
            Self::Metadata => (key, Type::String),
            Self::StreamTime | Self::Count => (key, Type::Int64),
        }
    }

    /// Type of the values of its one store, which has the keys of the stream, if it needs one.
    pub fn store(&self, value: Type) -> Option<Type> {
        match self {
            Self::Count => Some(Type::Int64),
            Self::Dedup | Self::OnStreamTime(_) | Self::OnWallClock(_) => Some(value),
            Self::Pass
            | Self::Twice
            | Self::Shift(_)
            | Self::KeyFromValue
            | Self::Header(_)
            | Self::Metadata
            | Self::StreamTime => None,
        }
    }

    /// Whether only `process` runs it, not `process_values`.
    pub fn needs_process(&self) -> bool {
        matches!(self, Self::Shift(_) | Self::KeyFromValue | Self::OnStreamTime(_) | Self::OnWallClock(_))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn processors_are_those_of_the_table() {
        use Type::{Int64, Record, String};
        let table = [
            ("pass", (Int64, Record), None, false),
            ("twice", (Int64, Record), None, false),
            ("shift:-5", (Int64, Record), None, true),
            ("key_from_value", (String, Record), None, true),
            ("header:h", (Int64, Record), None, false),
            ("metadata", (Int64, String), None, false),
            ("stream_time", (Int64, Int64), None, false),
            ("count", (Int64, Int64), Some(Int64), false),
            ("dedup", (Int64, Record), Some(Record), false),
            ("on_stream_time:10", (Int64, Record), Some(Record), true),
            ("on_wall_clock:10", (Int64, Record), Some(Record), true),
        ];
        for (name, result, store, needs_process) in table {
            let processor: Processor = name.parse().unwrap();
            assert_eq!(processor.result(Int64, Record), result, "{name}");
            assert_eq!((processor.store(Record), processor.needs_process()), (store, needs_process), "{name}");
        }
        for bad in ["on_wall_clock:0", "header", "header:a b", "shift"] {
            assert!(bad.parse::<Processor>().is_err(), "{bad}");
        }
    }
}
