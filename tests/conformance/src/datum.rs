//! Keys and values as the functions see them: number, text and bytes, and the serde of a type.

use std::borrow::Cow;

use thalweg::serde::{Deserializer, SerdeError, Serializer};

use crate::case::{Datum, Type};

/// Bytes that a made text keeps, from its end.
const TEXT_BYTES_MAX: usize = 40;

/// A text as a function makes it: its last 40 bytes.
pub fn made(text: &str) -> Datum {
    let start = text.len().saturating_sub(TEXT_BYTES_MAX);
    // Texts are ASCII; others are cut at the next character.
    let start = (start..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    Datum::String(text[start..].to_owned())
}

/// As [`made`], for the text of a record.
pub fn made_text(text: &str) -> String {
    match made(text) {
        Datum::String(text) => text,
        Datum::Int64(_) | Datum::Record { .. } => String::new(),
    }
}

impl Datum {
    /// Its type.
    pub const fn kind(&self) -> Type {
        match self {
            Self::String(_) => Type::String,
            Self::Int64(_) => Type::Int64,
            Self::Record { .. } => Type::Record,
        }
    }

    /// Its number.
    pub fn number(&self) -> i64 {
        match self {
            Self::String(text) => text.len() as i64,
            Self::Int64(number) | Self::Record { n: number, .. } => *number,
        }
    }

    /// Its text.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::String(text) => Cow::Borrowed(text),
            Self::Int64(number) => Cow::Owned(number.to_string()),
            Self::Record { n, s } => Cow::Owned(format!("{n}/{s}")),
        }
    }

    /// Appends its bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::String(text) => out.extend_from_slice(text.as_bytes()),
            Self::Int64(number) => out.extend_from_slice(&number.to_be_bytes()),
            Self::Record { n, s } => {
                out.extend_from_slice(&n.to_be_bytes());
                out.extend_from_slice(s.as_bytes());
            }
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// The datum of type `kind` that has these bytes.
    pub fn read(kind: Type, bytes: &[u8]) -> Result<Self, SerdeError> {
        match kind {
            Type::String => Ok(Self::String(text(bytes)?)),
            Type::Int64 => match bytes.try_into() {
                Ok(bytes) => Ok(Self::Int64(i64::from_be_bytes(bytes))),
                Err(_) => Err(SerdeError::Malformed(format!("int64: {} bytes instead of 8", bytes.len()))),
            },
            Type::Record => match bytes.split_first_chunk() {
                Some((n, s)) => Ok(Self::Record { n: i64::from_be_bytes(*n), s: text(s)? }),
                None => Err(SerdeError::Malformed(format!("record: {} bytes, at least 8 needed", bytes.len()))),
            },
        }
    }
}

impl From<i64> for Datum {
    fn from(number: i64) -> Self {
        Self::Int64(number)
    }
}

impl From<Datum> for i64 {
    fn from(datum: Datum) -> Self {
        datum.number()
    }
}

fn text(bytes: &[u8]) -> Result<String, SerdeError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(SerdeError::Malformed(format!("string: {error}"))),
    }
}

/// The text of a datum or of null.
pub fn text_of(datum: Option<&Datum>) -> Cow<'_, str> {
    datum.map_or(Cow::Borrowed("null"), Datum::text)
}

/// The serde of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatumSerde {
    /// The type.
    pub kind: Type,
}

impl Serializer<Datum> for DatumSerde {
    fn serialize(&self, topic: &str, value: &Datum, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        if value.kind() != self.kind {
            let (is, wanted) = (value.kind(), self.kind);
            return Err(SerdeError::Malformed(format!("a value of type {is:?} for '{topic}', which has {wanted:?}")));
        }
        value.write(out);
        Ok(true)
    }
}

impl Deserializer<Datum> for DatumSerde {
    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<Datum, SerdeError> {
        Datum::read(self.kind, bytes.ok_or(SerdeError::Null { expected: "datum" })?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn record(n: i64, s: &str) -> Datum {
        Datum::Record { n, s: s.to_owned() }
    }

    #[test]
    fn bytes_number_and_text_are_those_of_the_table_of_types() {
        let table = [
            (Datum::String("abc".to_owned()), b"abc".to_vec(), 3, "abc"),
            (Datum::Int64(-2), [[0xff; 7].as_slice(), &[0xfe]].concat(), -2, "-2"),
            (record(1, "x"), b"\0\0\0\0\0\0\0\x01x".to_vec(), 1, "1/x"),
            (record(0, ""), vec![0; 8], 0, "0/"),
        ];
        for (datum, bytes, number, text) in table {
            assert_eq!((datum.bytes(), datum.number(), &*datum.text()), (bytes.clone(), number, text));
            assert_eq!(Datum::read(datum.kind(), &bytes), Ok(datum));
        }
        assert_eq!(text_of(None), "null");
    }

    #[test]
    fn bytes_of_another_type_are_refused_both_ways() {
        assert!(Datum::read(Type::Int64, b"1234567").is_err());
        assert!(Datum::read(Type::Record, b"1234567").is_err());
        assert!(Datum::read(Type::String, b"\xff").is_err());
        let mut out = Vec::new();
        assert!(DatumSerde { kind: Type::String }.serialize("t", &Datum::Int64(1), &mut out).is_err());
        assert!(DatumSerde { kind: Type::String }.deserialize("t", None).is_err());
    }

    #[test]
    fn a_made_text_keeps_its_last_forty_bytes() {
        let long: String = ('a'..='z').chain('A'..='Z').collect();
        assert_eq!(made(&long), Datum::String(long[12..].to_owned()));
        assert_eq!(made_text(&long[..40]), long[..40]);
    }
}
