//! How a store's bytes look to a person: keys as text in a URL, values as JSON.

use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use super::{Deserializer, SerdeError, Serializer};

/// How often, and how far apart, a reader looks for a schema that is being asked for: never for as long as a slow
/// registry takes, because reads are limited in number.
const LOOKS: u32 = 10;
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Translates between the bytes of a view's store and HTTP.
pub trait ViewCodec: Send + Sync {
    /// Key bytes of the text of one URL segment (already percent-decoded).
    fn key_from_text(&self, text: &str) -> Result<Vec<u8>, SerdeError>;

    /// Text of key bytes.
    fn key_to_text(&self, key: &[u8]) -> Result<String, SerdeError>;

    /// Appends the JSON text of value bytes (without the timestamp that a timestamped store keeps in front) to `out`.
    /// After an error a part of it may be there.
    fn value_to_json(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), SerdeError>;
}

/// The codec that follows from a store's serdes.
pub struct SerdeViewCodec<K, V, KS, VS> {
    topic: String,
    keys: KS,
    values: VS,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V, KS, VS> SerdeViewCodec<K, V, KS, VS> {
    /// A codec over a store's serdes; `topic` is what the serdes are asked about (the changelog).
    pub fn new(topic: impl Into<String>, keys: KS, values: VS) -> Self {
        Self { topic: topic.into(), keys, values, types: PhantomData }
    }
}

impl<K, V, KS, VS: Deserializer<V>> SerdeViewCodec<K, V, KS, VS> {
    fn value(&self, bytes: &[u8]) -> Result<V, SerdeError> {
        let mut looks = 0;
        loop {
            looks += 1;
            match self.values.try_deserialize(&self.topic, Some(bytes)) {
                Err(SerdeError::Pending(_)) if looks < LOOKS => std::thread::sleep(LOOK_AGAIN),
                decoded => return decoded,
            }
        }
    }
}

impl<K, V, KS, VS> ViewCodec for SerdeViewCodec<K, V, KS, VS>
where
    K: FromStr + Display,
    V: Serialize,
    KS: Serializer<K> + Deserializer<K>,
    VS: Deserializer<V>,
{
    fn key_from_text(&self, text: &str) -> Result<Vec<u8>, SerdeError> {
        let key: K = text.parse().map_err(|_| {
            let expected = std::any::type_name::<K>().rsplit("::").next().unwrap_or_default();
            SerdeError::Malformed(format!("the key is not a valid {expected}"))
        })?;
        let mut bytes = Vec::new();
        match self.keys.serialize(&self.topic, &key, &mut bytes)? {
            true => Ok(bytes),
            false => Err(SerdeError::Null { expected: "key" }),
        }
    }

    fn key_to_text(&self, key: &[u8]) -> Result<String, SerdeError> {
        self.keys.deserialize(&self.topic, Some(key)).map(|key| key.to_string())
    }

    fn value_to_json(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), SerdeError> {
        let value = self.value(value)?;
        serde_json::to_writer(out, &value).map_err(|error| SerdeError::Malformed(error.to_string()))
    }
}
