//! `Arc<T>` over a serde of `T`: a value that several branches of a stream have in common.

use std::sync::Arc;

use super::{Deserializer, SerdeError, Serializer};

/// Lets a value be shared: the bytes are the inner serde's, and where a stream fans out nothing but the pointer is
/// cloned.
#[derive(Debug, Clone, Copy, Default)]
pub struct ArcSerde<S>(
    /// The serde of the value itself.
    pub S,
);

impl<T, S: Serializer<T>> Serializer<Arc<T>> for ArcSerde<S> {
    fn prepare(&self, topic: &str) -> Result<(), SerdeError> {
        self.0.prepare(topic)
    }

    fn serialize(&self, topic: &str, value: &Arc<T>, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        self.0.serialize(topic, value, out)
    }
}

impl<T, S: Deserializer<T>> Deserializer<Arc<T>> for ArcSerde<S> {
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<Arc<T>, SerdeError> {
        self.0.deserialize(topic, bytes).map(Arc::new)
    }

    fn try_deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<Arc<T>, SerdeError> {
        self.0.try_deserialize(topic, bytes).map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use super::super::I32Serde;
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_value() {
        let serde = ArcSerde(I32Serde);
        let mut out = Vec::new();
        assert_eq!(serde.serialize("t", &Arc::new(7), &mut out), Ok(true));
        assert_eq!(out, [0, 0, 0, 7]);
        assert_eq!(serde.deserialize("t", Some(&out)), Ok(Arc::new(7)));
        assert!(serde.try_deserialize("t", None).is_err());
    }

    /// Answers each call with another value.
    struct Calls;

    impl Serializer<i32> for Calls {
        fn prepare(&self, topic: &str) -> Result<(), SerdeError> {
            Err(SerdeError::Pending(topic.to_owned()))
        }

        fn serialize(&self, _: &str, _: &i32, _: &mut Vec<u8>) -> Result<bool, SerdeError> {
            Ok(false)
        }
    }

    impl Deserializer<i32> for Calls {
        fn deserialize(&self, _: &str, _: Option<&[u8]>) -> Result<i32, SerdeError> {
            Ok(1)
        }

        fn try_deserialize(&self, _: &str, _: Option<&[u8]>) -> Result<i32, SerdeError> {
            Ok(2)
        }
    }

    #[test]
    fn each_call_is_the_inner_serdes_own() {
        let serde = ArcSerde(Calls);
        assert_eq!(serde.prepare("t"), Err(SerdeError::Pending("t".to_owned())));
        assert_eq!(serde.serialize("t", &Arc::new(7), &mut Vec::new()), Ok(false));
        assert_eq!(serde.deserialize("t", None), Ok(Arc::new(1)), "waits");
        assert_eq!(serde.try_deserialize("t", None), Ok(Arc::new(2)), "never waits");
    }
}
