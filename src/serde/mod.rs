//! Serdes: types to bytes of a topic and back.

mod arc;
pub(crate) mod avro;
mod json;
mod optional;
mod primitive;
mod view;

pub use arc::ArcSerde;
pub use avro::{AvroSerde, EncodedList, EncodedListSerde, RegistryOptions, SchemaRegistry};
pub use json::JsonSerde;
pub use optional::OptionalSerde;
pub use primitive::{BytesSerde, F64Serde, I32Serde, I64Serde, StringSerde};
pub use view::{SerdeViewCodec, ViewCodec};

/// Why bytes did not become a value, or a value bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SerdeError {
    /// Null where the type has no null.
    #[error("null where a {expected} is required")]
    Null {
        /// What was expected instead.
        expected: &'static str,
    },
    /// The bytes do not decode, or the value does not encode. The text never quotes record content.
    #[error("{0}")]
    Malformed(String),
    /// The schema registry has no such id.
    #[error("schema id {0} is unknown to the registry")]
    UnknownSchema(u32),
    /// The schema registry cannot be asked now; trying again later may succeed. Says which schema, and why.
    #[error("schema registry unavailable: {0}")]
    Unavailable(String),
    /// The schema registry is being asked; trying again soon may succeed. Says which schema.
    #[error("the schema registry has not answered yet: {0}")]
    Pending(String),
}

impl SerdeError {
    /// The stable word for this error in metrics and dead-letter headers.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Null { .. } => "null",
            Self::Malformed(_) => "malformed",
            Self::UnknownSchema(_) => "unknown_schema",
            Self::Unavailable(_) => "registry_unavailable",
            Self::Pending(_) => "registry_pending",
        }
    }

    /// Whether the same call may succeed later without any change of the record.
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Pending(_))
    }
}

/// Writes values of type `T` as the bytes of a topic.
pub trait Serializer<T: ?Sized>: Send + Sync + 'static {
    /// Starts what the first record of `topic` would have to wait for, such as registering a schema.
    ///
    /// Never waits: an error that is retriable ([`SerdeError::is_retriable`]) asks to be called again. A task takes no
    /// record before this has succeeded, so that nothing is waited for in the middle of a chain.
    fn prepare(&self, topic: &str) -> Result<(), SerdeError> {
        let _ = topic;
        Ok(())
    }

    /// Appends the bytes of `value` to `out`; `Ok(false)` means the value is Kafka's null and nothing was appended.
    ///
    /// `topic` matters only to serdes with a schema per topic. On an error the content appended so far is
    /// discarded by the caller.
    fn serialize(&self, topic: &str, value: &T, out: &mut Vec<u8>) -> Result<bool, SerdeError>;
}

/// Reads values of type `T` from the bytes of a topic.
pub trait Deserializer<T>: Send + Sync + 'static {
    /// Decodes `bytes`, `None` being Kafka's null. May wait for what it lacks, such as a schema.
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<T, SerdeError>;

    /// As [`Deserializer::deserialize`], but never waits: [`SerdeError::Pending`] asks to try again. Whoever reads a
    /// source calls this, so that a slow registry holds up one partition and not its thread.
    fn try_deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        self.deserialize(topic, bytes)
    }
}

/// Both directions; cheap to clone, shared by all tasks.
pub trait Serde<T>: Serializer<T> + Deserializer<T> + Clone {}

impl<T, S: Serializer<T> + Deserializer<T> + Clone> Serde<T> for S {}

/// A type that may be Kafka's null, seen as an option of its non-null part: both `T` and `Option<T>` are.
pub trait Nullable<T> {
    /// Borrows the non-null part.
    fn as_option(&self) -> Option<&T>;
    /// Takes the non-null part.
    fn into_option(self) -> Option<T>;
}

impl<T> Nullable<T> for T {
    fn as_option(&self) -> Option<&T> {
        Some(self)
    }

    fn into_option(self) -> Option<T> {
        Some(self)
    }
}

impl<T> Nullable<T> for Option<T> {
    fn as_option(&self) -> Option<&T> {
        self.as_ref()
    }

    fn into_option(self) -> Option<T> {
        self
    }
}

impl<T: ?Sized, S: Serializer<T> + ?Sized> Serializer<T> for std::sync::Arc<S> {
    fn prepare(&self, topic: &str) -> Result<(), SerdeError> {
        (**self).prepare(topic)
    }

    fn serialize(&self, topic: &str, value: &T, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        (**self).serialize(topic, value, out)
    }
}

impl<T, S: Deserializer<T> + ?Sized> Deserializer<T> for std::sync::Arc<S> {
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        (**self).deserialize(topic, bytes)
    }

    fn try_deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        (**self).try_deserialize(topic, bytes)
    }
}
