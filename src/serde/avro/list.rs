//! A list whose items stay encoded: what is not looked at is not decoded, what is not changed is not encoded again.
//!
//! Reading and writing such a list costs about what copying its bytes costs. It is for aggregates that keep many
//! items of a key and change one at a time. The bytes are those that [`AvroSerde`](super::AvroSerde) writes.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use apache_avro::Schema;
use serde::de::{Deserialize, DeserializeOwned};
use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer as JsonSerializer};

use super::super::{Deserializer, SerdeError, Serializer};
use super::binary::{Reader, put_varint};
use super::codec::Codec;
use super::registry::{SchemaRegistry, Waits};
use super::transcode::Stop;
use super::value::{Part, Shared};

/// Values of [`EncodedList`] as Avro in Confluent framing, made by [`SchemaRegistry::list_serde`]; cheap to clone.
pub struct EncodedListSerde<T> {
    layout: Arc<Layout>,
    types: PhantomData<fn() -> T>,
}

/// Items of type `T` in their order, encoded. Made by an [`EncodedListSerde`].
///
/// As JSON it is what its schema says: an object with one list.
pub struct EncodedList<T> {
    layout: Arc<Layout>,
    items: Vec<u8>,
    /// Where each item ends.
    ends: Vec<u32>,
    /// Why a change could not be made: from then on the list cannot be written.
    fault: Option<SerdeError>,
    types: PhantomData<fn() -> T>,
}

/// The schema: a record of one field, an array.
struct Layout {
    shared: Shared,
    field: Box<str>,
    item: Codec,
}

impl Layout {
    fn new(shared: Shared) -> Result<Self, SerdeError> {
        match list_of(&shared.schema) {
            Some((field, item)) => Ok(Self { shared, field, item }),
            None => {
                let name = &shared.name;
                let text = format!("our Avro schema '{name}' is not a record of one array, or has rare types");
                Err(SerdeError::Malformed(text))
            }
        }
    }

    /// The items of a datum, and where each of them ends.
    fn split(&self, datum: &[u8]) -> Result<(Vec<u8>, Vec<u32>), Stop> {
        let mut reader = Reader::new(datum);
        let stop = |reader: &Reader<'_>, what| Stop { at: datum.len() - reader.rest().len(), what };
        let (mut items, mut ends) = (Vec::new(), Vec::new());
        loop {
            let count = reader.block().map_err(|unread| stop(&reader, unread.into()))?;
            if count == 0 {
                let whole = reader.rest().is_empty();
                return if whole { Ok((items, ends)) } else { Err(stop(&reader, "bytes left over")) };
            }
            let (block, before) = (reader.rest(), items.len());
            // With room for one item more.
            items.reserve(block.len() + block.len() / count);
            ends.reserve(count + 1);
            for _ in 0..count {
                let skipped = self.item.skip(&self.item.root, &mut reader);
                skipped.map_err(|_| stop(&reader, "bytes that do not decode"))?;
                ends.push((before + block.len() - reader.rest().len()) as u32);
            }
            items.extend_from_slice(&block[..block.len() - reader.rest().len()]);
        }
    }
}

fn list_of(schema: &Schema) -> Option<(Box<str>, Codec)> {
    let Schema::Record(record) = schema else { return None };
    match record.fields.as_slice() {
        [field] => match &field.schema {
            Schema::Array(array) => Some((field.name.as_str().into(), Codec::compile(&array.items)?)),
            _ => None,
        },
        _ => None,
    }
}

impl<T> EncodedListSerde<T> {
    pub(super) fn new(registry: SchemaRegistry, part: Part, text: &str) -> Result<Self, SerdeError> {
        let layout = Layout::new(Shared::new(registry, part, text)?)?;
        Ok(Self { layout: Arc::new(layout), types: PhantomData })
    }

    /// A list without items.
    pub fn empty(&self) -> EncodedList<T> {
        self.list(Vec::new(), Vec::new())
    }

    fn list(&self, items: Vec<u8>, ends: Vec<u32>) -> EncodedList<T> {
        EncodedList { layout: Arc::clone(&self.layout), items, ends, fault: None, types: PhantomData }
    }

    fn read(&self, bytes: Option<&[u8]>, waits: Waits) -> Result<EncodedList<T>, SerdeError> {
        let (items, ends) = self.layout.shared.deserialize(bytes, waits, |datum| self.layout.split(datum))?;
        Ok(self.list(items, ends))
    }
}

impl<T> Clone for EncodedListSerde<T> {
    fn clone(&self) -> Self {
        Self { layout: Arc::clone(&self.layout), types: PhantomData }
    }
}

impl<T: 'static> Serializer<EncodedList<T>> for EncodedListSerde<T> {
    fn prepare(&self, topic: &str) -> Result<(), SerdeError> {
        self.layout.shared.prepare(topic)
    }

    fn serialize(&self, topic: &str, list: &EncodedList<T>, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        if let Some(fault) = &list.fault {
            return Err(fault.clone());
        }
        self.layout.shared.put_header(topic, out)?;
        if !list.is_empty() {
            put_varint(list.len() as i64, out);
        }
        out.extend_from_slice(&list.items);
        out.push(0);
        Ok(true)
    }
}

impl<T: 'static> Deserializer<EncodedList<T>> for EncodedListSerde<T> {
    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<EncodedList<T>, SerdeError> {
        self.read(bytes, Waits::ForAnswer)
    }

    fn try_deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<EncodedList<T>, SerdeError> {
        self.read(bytes, Waits::No)
    }
}

impl<T> EncodedList<T> {
    /// Number of items.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Item `index`, or what `P` has of it: a struct with some of its fields, in their order, which may borrow. Fields
    /// behind the last one of `P` cost nothing.
    ///
    /// Panics when there is no such item. Fails when the bytes do not decode.
    pub fn get<'a, P: Deserialize<'a>>(&'a self, index: usize) -> Result<P, SerdeError> {
        let (item, bytes) = (&self.layout.item, &self.items[self.range(index)]);
        item.decode_front(&item.root, bytes).map_err(|_| {
            let (list, part) = (&self.layout.shared.name, std::any::type_name::<P>());
            SerdeError::Malformed(format!("avro: item {index} of a '{list}' does not decode as {part}"))
        })
    }

    /// Removes the items from `length` on.
    pub fn truncate(&mut self, length: usize) {
        if length < self.len() {
            self.items.truncate(self.range(length).start);
            self.ends.truncate(length);
        }
    }

    /// Makes a change where errors cannot be returned, as within an aggregator: after an error the list cannot be
    /// serialized, and that says why.
    #[must_use]
    pub fn edited(mut self, change: impl FnOnce(&mut Self) -> Result<(), SerdeError>) -> Self {
        self.fault = change(&mut self).err().or(self.fault);
        self
    }

    fn range(&self, index: usize) -> Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        start..self.ends[index] as usize
    }
}

impl<T: Serialize> EncodedList<T> {
    /// Puts an item before item `index`, or at the end. Panics when there are fewer items; fails when `item` does not
    /// fit the schema, its fields not being in the order of the schema included.
    pub fn insert(&mut self, index: usize, item: &T) -> Result<(), SerdeError> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let length = self.put(start, item)?;
        self.ends[index..].iter_mut().for_each(|end| *end += length);
        self.ends.insert(index, start as u32 + length);
        Ok(())
    }

    /// Puts another item in the place of item `index`; panics and fails as [`EncodedList::insert`].
    pub fn replace(&mut self, index: usize, item: &T) -> Result<(), SerdeError> {
        let Range { start, end } = self.range(index);
        let length = self.put(start, item)?;
        self.items.drain(start + length as usize..end + length as usize);
        let removed = (end - start) as u32;
        self.ends[index..].iter_mut().for_each(|end| *end = *end + length - removed);
        Ok(())
    }

    /// Puts the bytes of `item` at `start`; returns how many.
    fn put(&mut self, start: usize, item: &T) -> Result<u32, SerdeError> {
        let before = self.items.len();
        let Layout { shared, item: codec, .. } = &*self.layout;
        if codec.encode(item, &mut self.items).is_err() || u32::try_from(self.items.len()).is_err() {
            self.items.truncate(before);
            return Err(shared.misfit::<T>());
        }
        let length = self.items.len() - before;
        self.items[start..].rotate_right(length);
        Ok(length as u32)
    }
}

impl<T> Clone for EncodedList<T> {
    fn clone(&self) -> Self {
        let Self { layout, items, ends, fault, .. } = self;
        let (layout, items, ends, fault) = (Arc::clone(layout), items.clone(), ends.clone(), fault.clone());
        Self { layout, items, ends, fault, types: PhantomData }
    }
}

impl<T: DeserializeOwned + Serialize> Serialize for EncodedList<T> {
    fn serialize<S: JsonSerializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_map(Some(1))?;
        record.serialize_entry(&*self.layout.field, &Decoded(self))?;
        record.end()
    }
}

/// The items as a sequence, each decoded when its turn comes.
struct Decoded<'a, T>(&'a EncodedList<T>);

impl<T: DeserializeOwned + Serialize> Serialize for Decoded<'_, T> {
    fn serialize<S: JsonSerializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut items = serializer.serialize_seq(Some(self.0.len()))?;
        for index in 0..self.0.len() {
            items.serialize_element(&self.0.get::<T>(index).map_err(S::Error::custom)?)?;
        }
        items.end()
    }
}

#[cfg(test)]
mod tests;
