//! Avro serde of a type: our schema writes and reads, writer schemas by id are resolved to ours.

use std::marker::PhantomData;
use std::sync::Arc;

use apache_avro::Schema;
use arc_swap::ArcSwap;
use rustc_hash::FxHashMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_avro_fast::de::read::SliceRead;
use serde_avro_fast::de::{DeserializerConfig, DeserializerState};
use serde_avro_fast::ser::SerializerConfig;

use super::super::{Deserializer, SerdeError, Serializer};
use super::client::Failure;
use super::frame;
use super::plan::Plan;
use super::registry::{SchemaRegistry, Waits};

/// Which part of a record; names the subject (TopicName strategy).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Key,
    Value,
}

/// Values of `T` as Avro in Confluent framing, made by [`SchemaRegistry::serde`].
///
/// Ids and schemas are looked up once and then cached without a lock; cheap to clone, clones share the cache.
/// Structs match fields by name, so rename them to the schema's names with serde's attributes.
pub struct AvroSerde<T> {
    shared: Arc<Shared>,
    types: PhantomData<fn() -> T>,
}

struct Shared {
    registry: SchemaRegistry,
    part: Part,
    text: Arc<str>,
    schema: Schema,
    canonical: String,
    name: String,
    codec: serde_avro_fast::Schema,
    /// Writer schemas met so far, by id; bounded by what the registry holds.
    writers: ArcSwap<FxHashMap<u32, Arc<Writer>>>,
    /// Our schema's id per topic written to.
    ids: ArcSwap<Vec<(Box<str>, u32)>>,
}

/// How to read what one writer schema wrote.
enum Writer {
    /// The layout is ours.
    Same,
    /// The layout is turned into ours first.
    Other(Plan),
    /// It does not resolve to ours; the text says why.
    Unresolvable(String),
}

impl<T> Clone for AvroSerde<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), types: PhantomData }
    }
}

impl<T> AvroSerde<T> {
    pub(super) fn new(registry: SchemaRegistry, part: Part, text: &str) -> Result<Self, SerdeError> {
        let invalid = |reason: String| SerdeError::Malformed(format!("our Avro schema is not valid: {reason}"));
        let schema = Schema::parse_str(text).map_err(|error| invalid(error.to_string()))?;
        let codec = text.parse().map_err(|error| invalid(format!("{error}")))?;
        let shared = Shared {
            registry,
            part,
            text: text.into(),
            canonical: schema.canonical_form(),
            name: schema.name().map_or_else(|| "Avro value".to_owned(), |name| name.name().to_owned()),
            schema,
            codec,
            writers: ArcSwap::default(),
            ids: ArcSwap::default(),
        };
        Ok(Self { shared: Arc::new(shared), types: PhantomData })
    }
}

#[cfg(any(test, feature = "fuzzing"))]
impl<T> AvroSerde<T> {
    /// With these writer schemas under the ids from 0, the first of them our own, so that no registry is asked.
    pub(super) fn knowing(self, topic: &str, writers: &[&str]) -> Self {
        self.shared.know(topic, writers);
        self
    }
}

impl<T: Serialize + 'static> Serializer<T> for AvroSerde<T> {
    fn prepare(&self, topic: &str) -> Result<(), SerdeError> {
        self.shared.id_of(topic, Waits::No).map(|_| ())
    }

    fn serialize(&self, topic: &str, value: &T, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        frame::put_header(self.shared.id_of(topic, Waits::ForAnswer)?, out);
        let mut config = SerializerConfig::new(&self.shared.codec);
        match serde_avro_fast::to_datum(value, out, &mut config) {
            Ok(_) => Ok(true),
            // The cause may quote the value.
            Err(_) => {
                let (value, schema) = (std::any::type_name::<T>(), &self.shared.name);
                Err(SerdeError::Malformed(format!("avro: a {value} does not fit schema '{schema}'")))
            }
        }
    }
}

impl<T: DeserializeOwned + 'static> Deserializer<T> for AvroSerde<T> {
    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        self.shared.deserialize(bytes, Waits::ForAnswer)
    }

    fn try_deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        self.shared.deserialize(bytes, Waits::No)
    }
}

impl Shared {
    fn deserialize<T: DeserializeOwned>(&self, bytes: Option<&[u8]>, waits: Waits) -> Result<T, SerdeError> {
        let bytes = bytes.ok_or(SerdeError::Null { expected: "Avro value" })?;
        let (id, datum) = frame::split(bytes)?;
        let writers = self.writers.load();
        match writers.get(&id) {
            Some(writer) => self.read(id, writer, datum),
            None => self.read(id, &*self.writer_of(id, waits)?, datum),
        }
    }

    /// Our schema's id for `topic`.
    fn id_of(&self, topic: &str, waits: Waits) -> Result<u32, SerdeError> {
        match self.ids.load().iter().find(|(known, _)| **known == *topic) {
            Some((_, id)) => Ok(*id),
            None => self.register(topic, waits),
        }
    }

    #[cold]
    fn register(&self, topic: &str, waits: Waits) -> Result<u32, SerdeError> {
        let part = match self.part {
            Part::Key => "key",
            Part::Value => "value",
        };
        let subject = format!("{topic}-{part}");
        let id = match self.registry.register(subject.clone(), Arc::clone(&self.text), waits) {
            Ok(answer) => answer.id,
            Err(Failure::Refused(reason)) => {
                return Err(SerdeError::Malformed(format!("the registry refuses our schema as '{subject}': {reason}")));
            }
            Err(Failure::Unknown) => {
                return Err(SerdeError::Unavailable(format!("the registry does not take subject '{subject}'")));
            }
            Err(Failure::Unavailable(reason)) => return Err(unavailable(&format!("subject '{subject}'"), &reason)),
            Err(Failure::Pending(last)) => return Err(pending(format!("subject '{subject}'"), last)),
        };
        self.ids.rcu(|ids| {
            let mut ids = Vec::clone(ids);
            if !ids.iter().any(|(known, _)| **known == *topic) {
                ids.push((topic.into(), id));
            }
            ids
        });
        self.remember(id, &Arc::new(Writer::Same));
        Ok(id)
    }

    #[cold]
    fn writer_of(&self, id: u32, waits: Waits) -> Result<Arc<Writer>, SerdeError> {
        if i32::try_from(id).is_err() {
            // An id is a Java int from 1 on: a registry would call the question itself wrong, not the id unknown.
            return Err(SerdeError::UnknownSchema(id));
        }
        let writer = match self.registry.schema(id, waits) {
            Ok(answer) => self.compare(&answer.schema),
            Err(Failure::Unknown) => return Err(SerdeError::UnknownSchema(id)),
            Err(Failure::Unavailable(reason)) => return Err(unavailable(&format!("schema id {id}"), &reason)),
            Err(Failure::Pending(last)) => return Err(pending(format!("schema id {id}"), last)),
            Err(Failure::Refused(reason)) => {
                return Err(SerdeError::Malformed(format!("avro: schema id {id} cannot be used: {reason}")));
            }
        };
        let writer = Arc::new(writer);
        self.remember(id, &writer);
        Ok(writer)
    }

    fn remember(&self, id: u32, writer: &Arc<Writer>) {
        self.writers.rcu(|writers| {
            let mut writers = FxHashMap::clone(writers);
            writers.entry(id).or_insert_with(|| Arc::clone(writer));
            writers
        });
    }

    #[cfg(any(test, feature = "fuzzing"))]
    fn know(&self, topic: &str, writers: &[&str]) {
        for (id, writer) in (0..).zip(writers) {
            self.remember(id, &Arc::new(self.compare(writer)));
        }
        self.ids.store(Arc::new(vec![(topic.into(), 0)]));
    }

    fn compare(&self, writer: &str) -> Writer {
        let writer = match Schema::parse_str(writer) {
            Ok(schema) => schema,
            Err(error) => return Writer::Unresolvable(format!("it is not valid Avro: {error}")),
        };
        match Plan::resolve(&writer, &self.schema) {
            // The canonical form holds all that decides the layout, and nothing else (Avro specification).
            Ok(_) if writer.canonical_form() == self.canonical => Writer::Same,
            Ok(plan) => Writer::Other(plan),
            Err(reason) => Writer::Unresolvable(reason),
        }
    }

    fn read<T: DeserializeOwned>(&self, id: u32, writer: &Writer, datum: &[u8]) -> Result<T, SerdeError> {
        let fault = |at: usize, length: usize, what: &str| {
            let name = &self.name;
            let text = format!("avro: {what} at byte {at} of {length} of a '{name}' written with schema id {id}");
            SerdeError::Malformed(text)
        };
        match writer {
            Writer::Same => self.decode(datum).map_err(|(at, what)| fault(at, datum.len(), what)),
            Writer::Other(plan) => {
                let ours = plan.apply(datum).map_err(|stop| fault(stop.at, datum.len(), stop.what))?;
                self.decode(&ours).map_err(|(at, what)| fault(at, ours.len(), what))
            }
            Writer::Unresolvable(reason) => Err(SerdeError::Malformed(format!(
                "avro: schema id {id} does not resolve to our '{}': {reason}",
                self.name
            ))),
        }
    }

    /// Decodes a datum of our layout; an error is a place and a text without content.
    fn decode<T: DeserializeOwned>(&self, datum: &[u8]) -> Result<T, (usize, &'static str)> {
        let mut config = DeserializerConfig::new(&self.codec);
        // Every item takes a byte, so more items than bytes are a lie.
        config.max_seq_size = datum.len();
        let mut state = DeserializerState::with_config(SliceRead::new(datum), config);
        let decoded = T::deserialize(state.deserializer());
        let rest = unread(state);
        match decoded {
            Ok(value) if rest == 0 => Ok(value),
            Ok(_) => Err((datum.len() - rest, "bytes left over")),
            // The cause may quote the value.
            Err(_) => Err((datum.len() - rest, "bytes that do not decode")),
        }
    }
}

fn unavailable(what: &str, reason: &str) -> SerdeError {
    SerdeError::Unavailable(format!("{what}: {reason}"))
}

fn pending(what: String, last: Option<String>) -> SerdeError {
    SerdeError::Pending(match last {
        Some(reason) => format!("{what}, asked again after: {reason}"),
        None => what,
    })
}

fn unread(state: DeserializerState<'_, SliceRead<'_>>) -> usize {
    use std::io::BufRead;
    state.into_reader().fill_buf().map_or(0, <[u8]>::len)
}
