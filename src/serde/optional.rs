//! `Option<T>` over a serde of `T`: `None` is Kafka's null.

use super::{Deserializer, SerdeError, Serializer};

/// Lets a value be Kafka's null: `None` is null, `Some` is the inner serde's bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct OptionalSerde<S>(
    /// The serde of the non-null part.
    pub S,
);

impl<T, S: Serializer<T>> Serializer<Option<T>> for OptionalSerde<S> {
    fn prepare(&self, topic: &str) -> Result<(), SerdeError> {
        self.0.prepare(topic)
    }

    fn serialize(&self, topic: &str, value: &Option<T>, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        match value {
            Some(value) => self.0.serialize(topic, value, out),
            None => Ok(false),
        }
    }
}

impl<T, S: Deserializer<T>> Deserializer<Option<T>> for OptionalSerde<S> {
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<Option<T>, SerdeError> {
        match bytes {
            Some(_) => self.0.deserialize(topic, bytes).map(Some),
            None => Ok(None),
        }
    }

    fn try_deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<Option<T>, SerdeError> {
        match bytes {
            Some(_) => self.0.try_deserialize(topic, bytes).map(Some),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::I32Serde;
    use super::*;

    #[test]
    fn none_is_null_and_back() {
        let serde = OptionalSerde(I32Serde);
        let mut out = Vec::new();
        assert_eq!(serde.serialize("t", &None, &mut out), Ok(false));
        assert!(out.is_empty());
        assert_eq!(serde.serialize("t", &Some(7), &mut out), Ok(true));
        assert_eq!(out, [0, 0, 0, 7]);
        assert_eq!(serde.deserialize("t", None), Ok(None));
        assert_eq!(serde.deserialize("t", Some(&out)), Ok(Some(7)));
        assert!(serde.deserialize("t", Some(b"")).is_err(), "empty is not null");
    }
}
