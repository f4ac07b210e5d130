//! A list whose items stay encoded: what is not looked at is not decoded, what is not changed is not encoded again.
//!
//! Reading and writing such a list costs about what copying its bytes costs. It is for aggregates that keep many
//! items of a key and change one at a time. In its bytes each item is a block of its own that tells its size, so that
//! it can be passed (Avro specification, "Arrays"); every Avro reader reads them, and lists in other blocks are read.

use std::marker::PhantomData;
use std::sync::Arc;

use apache_avro::Schema;
use serde::de::{Deserialize, DeserializeOwned};
use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer as JsonSerializer};

use super::super::{Deserializer, SerdeError, Serializer};
use super::binary::{Reader, put_delimited, put_varint};
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
    blocks: Blocks,
    /// Why a change could not be made: from then on the list cannot be written.
    fault: Option<SerdeError>,
    types: PhantomData<fn() -> T>,
}

/// About the least that an item of several fields takes.
const ITEM_BYTES: usize = 32;

/// A block's count of one item, negative because its size follows.
const ONE_SIZED: i64 = -1;

/// Blocks of one item each.
#[derive(Debug, Clone, Default)]
struct Blocks {
    bytes: Vec<u8>,
    /// Where each block ends.
    ends: Vec<u32>,
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

    /// The blocks of a datum.
    fn split(&self, datum: &[u8]) -> Result<Blocks, Stop> {
        match ends_of_blocks(datum) {
            Some(ends) => Ok(Blocks { bytes: datum[..datum.len() - 1].to_vec(), ends }),
            None => self.split_blocks(datum),
        }
    }

    /// The same for a datum whose blocks are not those that are written here.
    fn split_blocks(&self, datum: &[u8]) -> Result<Blocks, Stop> {
        let mut reader = Reader::new(datum);
        let stop = |reader: &Reader<'_>, what| Stop { at: datum.len() - reader.rest().len(), what };
        let mut blocks = Blocks::default();
        loop {
            let count = reader.block().map_err(|unread| stop(&reader, unread.into()))?;
            if count == 0 {
                let whole = reader.rest().is_empty();
                return if whole { Ok(blocks) } else { Err(stop(&reader, "bytes left over")) };
            }
            for _ in 0..count {
                let item = reader.rest();
                let skipped = self.item.skip(&self.item.root, &mut reader);
                skipped.map_err(|_| stop(&reader, "bytes that do not decode"))?;
                blocks.push(&item[..item.len() - reader.rest().len()]);
            }
        }
    }
}

/// Where the blocks of a datum end, when each is one item behind its size.
fn ends_of_blocks(datum: &[u8]) -> Option<Vec<u32>> {
    let mut reader = Reader::new(datum);
    let mut ends = Vec::with_capacity(datum.len() / ITEM_BYTES);
    loop {
        match reader.sized_block().ok()? {
            (0, _) => return reader.rest().is_empty().then_some(ends),
            (1, Some(size)) => {
                reader.bytes(size).ok()?;
                ends.push(u32::try_from(datum.len() - reader.rest().len()).ok()?);
            }
            _ => return None,
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
        self.list(Blocks::default())
    }

    fn list(&self, blocks: Blocks) -> EncodedList<T> {
        EncodedList { layout: Arc::clone(&self.layout), blocks, fault: None, types: PhantomData }
    }

    fn read(&self, bytes: Option<&[u8]>, waits: Waits) -> Result<EncodedList<T>, SerdeError> {
        self.layout.shared.deserialize(bytes, waits, |datum| self.layout.split(datum)).map(|blocks| self.list(blocks))
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
        out.extend_from_slice(&list.blocks.bytes);
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
        self.blocks.ends.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.blocks.ends.is_empty()
    }

    /// Item `index`, or what `P` has of it: a struct with some of its fields, in their order, which may borrow. Fields
    /// behind the last one of `P` cost nothing.
    ///
    /// Panics when there is no such item. Fails when the bytes do not decode.
    pub fn get<'a, P: Deserialize<'a>>(&'a self, index: usize) -> Result<P, SerdeError> {
        let item = &self.layout.item;
        item.decode_front(&item.root, self.blocks.item(index)).map_err(|_| {
            let (list, part) = (&self.layout.shared.name, std::any::type_name::<P>());
            SerdeError::Malformed(format!("avro: item {index} of a '{list}' does not decode as {part}"))
        })
    }

    /// Removes the items from `length` on.
    pub fn truncate(&mut self, length: usize) {
        self.blocks.truncate(length);
    }

    /// Makes a change where errors cannot be returned, as within an aggregator: after an error the list cannot be
    /// serialized, and that says why.
    #[must_use]
    pub fn edited(mut self, change: impl FnOnce(&mut Self) -> Result<(), SerdeError>) -> Self {
        self.fault = change(&mut self).err().or(self.fault);
        self
    }
}

impl<T: Serialize> EncodedList<T> {
    /// Puts an item before item `index`, or at the end. Panics when there are fewer items; fails when `item` does not
    /// fit the schema, its fields not being in the order of the schema included.
    pub fn insert(&mut self, index: usize, item: &T) -> Result<(), SerdeError> {
        let start = self.append(item)?;
        self.blocks.insert_last(index, start);
        Ok(())
    }

    /// Puts another item in the place of item `index`; panics and fails as [`EncodedList::insert`].
    pub fn replace(&mut self, index: usize, item: &T) -> Result<(), SerdeError> {
        let start = self.append(item)?;
        self.blocks.replace_by_last(index, start);
        Ok(())
    }

    /// Appends the block of `item`; returns where it starts.
    fn append(&mut self, item: &T) -> Result<usize, SerdeError> {
        let Layout { shared, item: codec, .. } = &*self.layout;
        let bytes = &mut self.blocks.bytes;
        let start = bytes.len();
        if codec.encode(item, bytes).is_err() {
            bytes.truncate(start);
            return Err(shared.misfit::<T>());
        }
        let size = bytes.len() - start;
        put_varint(ONE_SIZED, bytes);
        put_varint(size as i64, bytes);
        bytes[start..].rotate_left(size);
        if u32::try_from(bytes.len()).is_err() {
            bytes.truncate(start);
            return Err(shared.misfit::<T>());
        }
        Ok(start)
    }
}

impl Blocks {
    /// Appends the block of an encoded item. What is read is a record: far less than 4 GiB.
    fn push(&mut self, item: &[u8]) {
        put_varint(ONE_SIZED, &mut self.bytes);
        put_delimited(item, &mut self.bytes);
        self.ends.push(self.bytes.len() as u32);
    }

    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }

    /// The encoded item of a block.
    fn item(&self, index: usize) -> &[u8] {
        let block = &self.bytes[self.start(index)..self.ends[index] as usize];
        let mut reader = Reader::new(block);
        // Count and size were read or written before.
        reader.sized_block().map_or(&[], |_| reader.rest())
    }

    fn truncate(&mut self, length: usize) {
        if length < self.ends.len() {
            self.bytes.truncate(self.start(length));
            self.ends.truncate(length);
        }
    }

    /// Moves the block that starts at `last`, behind all others, to the front of block `index`.
    fn insert_last(&mut self, index: usize, last: usize) {
        let (start, size) = (self.start(index), self.bytes.len() - last);
        self.bytes[start..].rotate_right(size);
        self.ends[index..].iter_mut().for_each(|end| *end += size as u32);
        self.ends.insert(index, (start + size) as u32);
    }

    /// Moves the block that starts at `last`, behind all others, to the place of block `index`.
    fn replace_by_last(&mut self, index: usize, last: usize) {
        let (start, end, size) = (self.start(index), self.ends[index] as usize, self.bytes.len() - last);
        if size == end - start {
            self.bytes.copy_within(last.., start);
            self.bytes.truncate(last);
            return;
        }
        self.bytes[start..].rotate_right(size);
        self.bytes.drain(start + size..end + size);
        let removed = (end - start) as u32;
        self.ends[index..].iter_mut().for_each(|end| *end = *end + size as u32 - removed);
    }
}

impl<T> Clone for EncodedList<T> {
    fn clone(&self) -> Self {
        let Self { layout, blocks, fault, .. } = self;
        Self { layout: Arc::clone(layout), blocks: blocks.clone(), fault: fault.clone(), types: PhantomData }
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
