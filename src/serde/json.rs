//! JSON by serde.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::{Deserializer, SerdeError, Serializer};

/// Values as compact JSON in UTF-8.
///
/// Strict: no byte order mark, no comments, nothing after the value. What happens to unknown and repeated fields is
/// decided by the type's own `Deserialize`.
pub struct JsonSerde<T> {
    types: PhantomData<fn() -> T>,
}

impl<T> JsonSerde<T> {
    /// The serde of `T`.
    pub const fn new() -> Self {
        Self { types: PhantomData }
    }
}

impl<T> Default for JsonSerde<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for JsonSerde<T> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T: Serialize + 'static> Serializer<T> for JsonSerde<T> {
    fn serialize(&self, _topic: &str, value: &T, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        match serde_json::to_writer(out, value) {
            Ok(()) => Ok(true),
            Err(_) => Err(SerdeError::Malformed("json: the value has a part that JSON cannot hold".to_owned())),
        }
    }
}

impl<T: DeserializeOwned + 'static> Deserializer<T> for JsonSerde<T> {
    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        let bytes = bytes.ok_or(SerdeError::Null { expected: "JSON value" })?;
        serde_json::from_slice(bytes).map_err(|error| malformed(&error))
    }
}

/// Says what and where; serde_json's own text quotes the value it did not like.
fn malformed(error: &serde_json::Error) -> SerdeError {
    let what = match error.classify() {
        Category::Data => "a field is missing or has another type",
        Category::Eof => "the text ends too early",
        Category::Syntax | Category::Io => "the text is not JSON",
    };
    SerdeError::Malformed(format!("json: {what} at line {} column {}", error.line(), error.column()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Order {
        id: u32,
    }

    #[test]
    fn a_value_reads_back() {
        let serde = JsonSerde::<Order>::new();
        let mut out = b"kept".to_vec();
        assert_eq!(serde.serialize("t", &Order { id: 7 }, &mut out), Ok(true));
        assert_eq!(out, b"kept{\"id\":7}");
        assert_eq!(serde.deserialize("t", Some(&out[4..])), Ok(Order { id: 7 }));
    }

    #[test]
    fn errors_say_where_and_quote_nothing() {
        let text = |bytes: &[u8]| JsonSerde::<Order>::new().deserialize("t", Some(bytes)).unwrap_err().to_string();
        assert_eq!(text(br#"{"id":"secret"}"#), "json: a field is missing or has another type at line 1 column 14");
        assert_eq!(text(br#"{"id":1"#), "json: the text ends too early at line 1 column 7");
        assert_eq!(text(br#"{"id":1} 2"#), "json: the text is not JSON at line 1 column 10");
        assert_eq!(text(b"\xef\xbb\xbf{\"id\":1}"), "json: the text is not JSON at line 1 column 1");
        assert_eq!(
            text(br#"{"id":1,"id":2}"#),
            "json: a field is missing or has another type at line 1 column 12",
            "a repeated field"
        );
    }
}
