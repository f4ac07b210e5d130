//! Bytes into values by a [`Codec`].
//!
//! What it accepts, `serde_avro_fast` accepts as the same value; what it refuses may still be fine. A struct whose
//! fields are fields of the record in their order is read as a sequence, without a look at names.

use std::slice::Iter;
use std::str;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::binary::{DEPTH_MAX, Reader};
use super::codec::{Codec, Field, Node, Optional, Record, Unfit, deeper};

impl Codec {
    /// Decodes a datum; every byte must be used.
    pub(super) fn decode<'de, T: Deserialize<'de>>(&self, datum: &'de [u8]) -> Result<T, Unfit> {
        let mut reader = Reader::new(datum);
        let decoder = Decoder { codec: self, node: &self.root, reader: &mut reader, depth: DEPTH_MAX };
        let value = T::deserialize(decoder)?;
        if reader.rest().is_empty() { Ok(value) } else { Err(Unfit) }
    }

    /// Decodes what `T` wants to know of the value of `node` that `bytes` are; what comes behind it is not read. A `T`
    /// with all fields must use every byte.
    pub(super) fn decode_front<'de, T: Deserialize<'de>>(&self, node: &Node, bytes: &'de [u8]) -> Result<T, Unfit> {
        T::deserialize(Front(Decoder { codec: self, node, reader: &mut Reader::new(bytes), depth: DEPTH_MAX }))
    }
}

struct Decoder<'c, 'r, 'de> {
    codec: &'c Codec,
    node: &'c Node,
    reader: &'r mut Reader<'de>,
    depth: usize,
}

impl<'c, 'r, 'de> Decoder<'c, 'r, 'de> {
    /// The value of a union of null and one type.
    fn within(self, optional: &'c Optional) -> Result<Option<Self>, Unfit> {
        let depth = deeper(self.depth)?;
        Ok(optional.branch(self.reader)?.map(|node| Self { node, depth, ..self }))
    }

    fn text(reader: &mut Reader<'de>) -> Result<&'de str, Unfit> {
        str::from_utf8(reader.delimited()?).map_err(|_| Unfit)
    }

    fn items<V: Visitor<'de>>(self, item: &'c Node, visitor: V) -> Result<V::Value, Unfit> {
        let mut blocks = Blocks::begin(self, item)?;
        let value = visitor.visit_seq(Items(&mut blocks))?;
        blocks.end().map(|()| value)
    }

    fn entries<V: Visitor<'de>>(self, value: &'c Node, visitor: V) -> Result<V::Value, Unfit> {
        let mut blocks = Blocks::begin(self, value)?;
        let value = visitor.visit_map(Entries(&mut blocks))?;
        blocks.end().map(|()| value)
    }

    fn named_fields<V: Visitor<'de>>(self, record: &'c Record, visitor: V) -> Result<V::Value, Unfit> {
        let mut fields = record.fields.iter();
        let depth = deeper(self.depth)?;
        let named = NamedFields { codec: self.codec, fields: &mut fields, value: None, reader: self.reader, depth };
        let value = visitor.visit_map(named)?;
        if fields.as_slice().is_empty() { Ok(value) } else { Err(Unfit) }
    }

    /// The fields called `names`, which the record has in this order.
    fn fields(self, record: &'c Record, names: &'static [&'static str]) -> Result<Fields<'c, 'r, 'de>, Unfit> {
        let names = (names.len() < record.fields.len()).then_some(names);
        let (codec, depth) = (self.codec, deeper(self.depth)?);
        Ok(Fields { codec, fields: record.fields.iter(), names, reader: self.reader, depth })
    }
}

impl<'de> de::Deserializer<'de> for Decoder<'_, '_, 'de> {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.node {
            Node::Null => visitor.visit_unit(),
            Node::Boolean => match self.reader.chunk()? {
                [0] => visitor.visit_bool(false),
                [1] => visitor.visit_bool(true),
                _ => Err(Unfit),
            },
            Node::Int => visitor.visit_i32(i32::try_from(self.reader.varint()?).map_err(|_| Unfit)?),
            Node::Long => visitor.visit_i64(self.reader.varint()?),
            Node::Float => visitor.visit_f32(f32::from_le_bytes(*self.reader.chunk()?)),
            Node::Double => visitor.visit_f64(f64::from_le_bytes(*self.reader.chunk()?)),
            Node::Bytes => visitor.visit_borrowed_bytes(self.reader.delimited()?),
            Node::String => visitor.visit_borrowed_str(Self::text(self.reader)?),
            Node::Fixed(size) => visitor.visit_borrowed_bytes(self.reader.bytes(*size)?),
            Node::Enum(symbols) => visitor.visit_str(symbols.get(self.reader.index()?).ok_or(Unfit)?.text()),
            Node::Array(item) => self.items(item, visitor),
            Node::Map(value) => self.entries(value, visitor),
            Node::Option(optional) => match self.within(optional)? {
                Some(some) => some.deserialize_any(visitor),
                None => visitor.visit_unit(),
            },
            Node::Record(number) => {
                let record = &self.codec.records[*number];
                self.named_fields(record, visitor)
            }
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.node {
            Node::Long => visitor.visit_i64(self.reader.varint()?),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.node {
            Node::String => visitor.visit_borrowed_str(Self::text(self.reader)?),
            // Text in bytes is a matter of its own.
            Node::Bytes | Node::Fixed(_) => Err(Unfit),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.node {
            Node::Null => visitor.visit_none(),
            Node::Option(optional) => match self.within(optional)? {
                Some(some) => visitor.visit_some(some),
                None => visitor.visit_none(),
            },
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        match self.node {
            Node::Record(number) => {
                let record = &self.codec.records[*number];
                if !record.has_in_order(names) {
                    return self.named_fields(record, visitor);
                }
                let mut fields = self.fields(record, names)?;
                let value = visitor.visit_seq(&mut fields)?;
                fields.skip_rest().map(|()| value)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        match self.node {
            Node::Enum(symbols) => visitor.visit_enum(Symbol(symbols.get(self.reader.index()?).ok_or(Unfit)?.text())),
            _ => Err(Unfit),
        }
    }

    /// A number that names a symbol or a variant.
    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.node {
            Node::Enum(_) => Err(Unfit),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unfit> {
        Err(Unfit)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.codec.skip_within(self.node, self.reader, self.depth)?;
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i128 u8 u16 u32 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct map
    }
}

/// A record of which nothing is read behind the last field that is wanted.
struct Front<'c, 'r, 'de>(Decoder<'c, 'r, 'de>);

impl<'de> de::Deserializer<'de> for Front<'_, '_, 'de> {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unfit> {
        Err(Unfit)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        let Node::Record(number) = self.0.node else { return Err(Unfit) };
        let record = &self.0.codec.records[*number];
        if !record.has_in_order(names) {
            return self.0.named_fields(record, visitor);
        }
        let mut fields = self.0.fields(record, names)?;
        let value = visitor.visit_seq(&mut fields)?;
        let Fields { names, reader, .. } = fields.end()?;
        if names.is_some() || reader.rest().is_empty() { Ok(value) } else { Err(Unfit) }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The fields of a record that a struct has, as a sequence.
struct Fields<'c, 'r, 'de> {
    codec: &'c Codec,
    fields: Iter<'c, Field>,
    /// What is still wanted; `None`: all of them.
    names: Option<&'static [&'static str]>,
    reader: &'r mut Reader<'de>,
    depth: usize,
}

impl<'c> Fields<'c, '_, '_> {
    fn next_wanted(&mut self) -> Result<Option<&'c Field>, Unfit> {
        let Some(names) = self.names else { return Ok(self.fields.next()) };
        let Some((name, names)) = names.split_first() else { return Ok(None) };
        self.names = Some(names);
        for field in self.fields.by_ref() {
            if field.name.is(name) {
                return Ok(Some(field));
            }
            self.codec.skip_within(&field.node, self.reader, self.depth)?;
        }
        Err(Unfit)
    }

    /// A struct that leaves names unread gives one field several names: then only names can tell.
    fn end(self) -> Result<Self, Unfit> {
        let is_read = self.names.map_or(self.fields.as_slice().is_empty(), <[_]>::is_empty);
        if is_read { Ok(self) } else { Err(Unfit) }
    }

    fn skip_rest(self) -> Result<(), Unfit> {
        let Self { codec, mut fields, reader, depth, .. } = self.end()?;
        fields.try_for_each(|field| codec.skip_within(&field.node, reader, depth))
    }
}

impl<'de> SeqAccess<'de> for &mut Fields<'_, '_, 'de> {
    type Error = Unfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unfit> {
        let Some(field) = self.next_wanted()? else { return Ok(None) };
        let decoder = Decoder { codec: self.codec, node: &field.node, reader: self.reader, depth: self.depth };
        seed.deserialize(decoder).map(Some)
    }
}

/// All fields of a record with their names.
struct NamedFields<'c, 'f, 'r, 'de> {
    codec: &'c Codec,
    fields: &'f mut Iter<'c, Field>,
    value: Option<&'c Node>,
    reader: &'r mut Reader<'de>,
    depth: usize,
}

impl<'de> MapAccess<'de> for NamedFields<'_, '_, '_, 'de> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unfit> {
        let Some(field) = self.fields.next() else { return Ok(None) };
        self.value = Some(&field.node);
        let name: StrDeserializer<'_, Unfit> = field.name.text().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        let node = self.value.take().ok_or(Unfit)?;
        seed.deserialize(Decoder { codec: self.codec, node, reader: self.reader, depth: self.depth })
    }
}

/// The blocks of an array or map.
struct Blocks<'c, 'r, 'de> {
    codec: &'c Codec,
    item: &'c Node,
    reader: &'r mut Reader<'de>,
    depth: usize,
    /// Items left in this block.
    left: usize,
}

impl<'c, 'r, 'de> Blocks<'c, 'r, 'de> {
    fn begin(array: Decoder<'c, 'r, 'de>, item: &'c Node) -> Result<Self, Unfit> {
        let Decoder { codec, reader, depth, .. } = array;
        let left = reader.block()?;
        Ok(Self { codec, item, reader, depth: deeper(depth)?, left })
    }

    fn has_next(&self) -> bool {
        self.left > 0
    }

    /// Decodes an item, and after the last one of a block the next block's count.
    fn decode<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Unfit> {
        let decoder = Decoder { codec: self.codec, node: self.item, reader: self.reader, depth: self.depth };
        let value = seed.deserialize(decoder)?;
        self.left -= 1;
        if self.left == 0 {
            self.left = self.reader.block()?;
        }
        Ok(value)
    }

    /// A visitor must take all there is.
    fn end(self) -> Result<(), Unfit> {
        if self.left == 0 { Ok(()) } else { Err(Unfit) }
    }
}

struct Items<'b, 'c, 'r, 'de>(&'b mut Blocks<'c, 'r, 'de>);

impl<'de> SeqAccess<'de> for Items<'_, '_, '_, 'de> {
    type Error = Unfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unfit> {
        if self.0.has_next() { self.0.decode(seed).map(Some) } else { Ok(None) }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.left)
    }
}

struct Entries<'b, 'c, 'r, 'de>(&'b mut Blocks<'c, 'r, 'de>);

impl<'de> MapAccess<'de> for Entries<'_, '_, '_, 'de> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unfit> {
        if !self.0.has_next() {
            return Ok(None);
        }
        let Blocks { codec, reader, depth, .. } = &mut *self.0;
        seed.deserialize(Decoder { codec, node: &Node::String, reader, depth: *depth }).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        self.0.decode(seed)
    }
}

/// A variant without content, by its name.
struct Symbol<'c>(&'c str);

impl<'de> EnumAccess<'de> for Symbol<'_> {
    type Error = Unfit;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Unfit> {
        let name: StrDeserializer<'_, Unfit> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Symbol<'_> {
    type Error = Unfit;

    fn unit_variant(self) -> Result<(), Unfit> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Unfit> {
        Err(Unfit)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Unfit> {
        Err(Unfit)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Unfit> {
        Err(Unfit)
    }
}
