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
use super::codec::Codec;
use super::frame;
use super::plan::Plan;
use super::registry::{SchemaRegistry, Waits};
use super::transcode::Stop;

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

/// Our schema, and what is known of others.
pub(super) struct Shared {
    registry: SchemaRegistry,
    part: Part,
    text: Arc<str>,
    pub(super) schema: Schema,
    canonical: String,
    pub(super) name: String,
    /// The fast way, for what it does.
    codec: Option<Codec>,
    /// The way for everything else, and for errors.
    general: serde_avro_fast::Schema,
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

/// Makes a value of a datum of our layout.
pub(super) trait Decode<T>: FnOnce(&[u8]) -> Result<T, Stop> {}

impl<T, F: FnOnce(&[u8]) -> Result<T, Stop>> Decode<T> for F {}

impl<T> Clone for AvroSerde<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), types: PhantomData }
    }
}

impl<T> AvroSerde<T> {
    pub(super) fn new(registry: SchemaRegistry, part: Part, text: &str) -> Result<Self, SerdeError> {
        Ok(Self { shared: Arc::new(Shared::new(registry, part, text)?), types: PhantomData })
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
        self.shared.prepare(topic)
    }

    fn serialize(&self, topic: &str, value: &T, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        self.shared.put_header(topic, out)?;
        self.shared.encode(value, out).map(|()| true)
    }
}

impl<T: DeserializeOwned + 'static> Deserializer<T> for AvroSerde<T> {
    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        self.shared.deserialize(bytes, Waits::ForAnswer, |datum| self.shared.decode(datum))
    }

    fn try_deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        self.shared.deserialize(bytes, Waits::No, |datum| self.shared.decode(datum))
    }
}

impl Shared {
    pub(super) fn new(registry: SchemaRegistry, part: Part, text: &str) -> Result<Self, SerdeError> {
        let invalid = |reason: String| SerdeError::Malformed(format!("our Avro schema is not valid: {reason}"));
        let schema = Schema::parse_str(text).map_err(|error| invalid(error.to_string()))?;
        let general = text.parse().map_err(|error| invalid(format!("{error}")))?;
        Ok(Self {
            registry,
            part,
            text: text.into(),
            canonical: schema.canonical_form(),
            name: schema.name().map_or_else(|| "Avro value".to_owned(), |name| name.name().to_owned()),
            codec: Codec::compile(&schema),
            schema,
            general,
            writers: ArcSwap::default(),
            ids: ArcSwap::default(),
        })
    }

    /// Hands the datum, in our layout, to `decode`.
    pub(super) fn deserialize<T>(
        &self,
        bytes: Option<&[u8]>,
        waits: Waits,
        decode: impl Decode<T>,
    ) -> Result<T, SerdeError> {
        let bytes = bytes.ok_or(SerdeError::Null { expected: "Avro value" })?;
        let (id, datum) = frame::split(bytes)?;
        let writers = self.writers.load();
        match writers.get(&id) {
            Some(writer) => self.read(id, writer, datum, decode),
            None => self.read(id, &*self.writer_of(id, waits)?, datum, decode),
        }
    }

    /// Asks for our schema's id for `topic`; never waits.
    pub(super) fn prepare(&self, topic: &str) -> Result<(), SerdeError> {
        self.id_of(topic, Waits::No).map(|_| ())
    }

    /// Appends what stands before a datum for `topic`.
    pub(super) fn put_header(&self, topic: &str, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        frame::put_header(self.id_of(topic, Waits::ForAnswer)?, out);
        Ok(())
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
    pub(super) fn know(&self, topic: &str, writers: &[&str]) {
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

    fn read<T>(&self, id: u32, writer: &Writer, datum: &[u8], decode: impl Decode<T>) -> Result<T, SerdeError> {
        let fault = |Stop { at, what }, length: usize| {
            let name = &self.name;
            let text = format!("avro: {what} at byte {at} of {length} of a '{name}' written with schema id {id}");
            SerdeError::Malformed(text)
        };
        match writer {
            Writer::Same => decode(datum).map_err(|stop| fault(stop, datum.len())),
            Writer::Other(plan) => {
                let ours = plan.apply(datum).map_err(|stop| fault(stop, datum.len()))?;
                decode(&ours).map_err(|stop| fault(stop, ours.len()))
            }
            Writer::Unresolvable(reason) => Err(SerdeError::Malformed(format!(
                "avro: schema id {id} does not resolve to our '{}': {reason}",
                self.name
            ))),
        }
    }

    /// Decodes a datum of our layout: the fast way, or else the general one.
    fn decode<T: DeserializeOwned>(&self, datum: &[u8]) -> Result<T, Stop> {
        if let Some(Ok(value)) = self.codec.as_ref().map(|codec| codec.decode(datum)) {
            return Ok(value);
        }
        let mut config = DeserializerConfig::new(&self.general);
        // Every item takes a byte, so more items than bytes are a lie.
        config.max_seq_size = datum.len();
        let mut state = DeserializerState::with_config(SliceRead::new(datum), config);
        let decoded = T::deserialize(state.deserializer());
        let rest = unread(state);
        match decoded {
            Ok(value) if rest == 0 => Ok(value),
            Ok(_) => Err(Stop { at: datum.len() - rest, what: "bytes left over" }),
            // The cause may quote the value.
            Err(_) => Err(Stop { at: datum.len() - rest, what: "bytes that do not decode" }),
        }
    }

    /// Appends the datum of a value.
    fn encode<T: Serialize>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        let start = out.len();
        if let Some(Ok(())) = self.codec.as_ref().map(|codec| codec.encode(value, out)) {
            return Ok(());
        }
        out.truncate(start);
        let written = serde_avro_fast::to_datum(value, out, &mut SerializerConfig::new(&self.general));
        // The cause may quote the value.
        written.map(|_| ()).map_err(|_| self.misfit::<T>())
    }

    /// What to say of a value that the schema has no place for.
    pub(super) fn misfit<T>(&self) -> SerdeError {
        let (value, schema) = (std::any::type_name::<T>(), &self.name);
        SerdeError::Malformed(format!("avro: a {value} does not fit schema '{schema}'"))
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
