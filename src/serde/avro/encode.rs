//! Values into bytes by a [`Codec`].
//!
//! What it accepts, `serde_avro_fast` writes in the same bytes; what it refuses may still be fine, and then the bytes
//! written so far are of no use.

use std::slice::Iter;

use serde::ser::{self, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple};

use super::binary::{put_delimited, put_varint};
use super::codec::{Codec, Field, Name, Node, Unfit};

impl Codec {
    /// Appends the datum of `value`.
    pub(super) fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), Unfit> {
        self.encode_node(&self.root, value, out)
    }

    /// Appends `value` as a value of `node`.
    pub(super) fn encode_node<T: Serialize + ?Sized>(
        &self,
        node: &Node,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), Unfit> {
        value.serialize(Encoder { codec: self, node, out })
    }
}

struct Encoder<'c, 'o> {
    codec: &'c Codec,
    node: &'c Node,
    out: &'o mut Vec<u8>,
}

impl<'c> Encoder<'c, '_> {
    /// Puts the branch of a value that is not null; then the node is no union.
    #[inline]
    fn some(&mut self) -> &'c Node {
        if let Node::Option(optional) = self.node {
            put_varint(i64::from(1 - optional.null), self.out);
            self.node = &optional.some;
        }
        self.node
    }

    fn integer(mut self, number: i64) -> Result<(), Unfit> {
        match self.some() {
            Node::Long => put_varint(number, self.out),
            Node::Int if i32::try_from(number).is_ok() => put_varint(number, self.out),
            _ => return Err(Unfit),
        }
        Ok(())
    }

    fn symbol(mut self, find: impl FnOnce(&[Name]) -> Option<usize>) -> Result<(), Unfit> {
        match self.some() {
            Node::Enum(symbols) => put_varint(find(symbols).ok_or(Unfit)? as i64, self.out),
            _ => return Err(Unfit),
        }
        Ok(())
    }
}

impl<'c, 'o> ser::Serializer for Encoder<'c, 'o> {
    type Ok = ();
    type Error = Unfit;
    type SerializeSeq = Items<'c, 'o>;
    type SerializeTuple = Items<'c, 'o>;
    type SerializeTupleStruct = Impossible<(), Unfit>;
    type SerializeTupleVariant = Impossible<(), Unfit>;
    type SerializeMap = Items<'c, 'o>;
    type SerializeStruct = Fields<'c, 'o>;
    type SerializeStructVariant = Impossible<(), Unfit>;

    fn serialize_bool(mut self, value: bool) -> Result<(), Unfit> {
        match self.some() {
            Node::Boolean => self.out.push(u8::from(value)),
            _ => return Err(Unfit),
        }
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Unfit> {
        self.integer(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Unfit> {
        self.integer(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Unfit> {
        self.integer(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Unfit> {
        self.integer(value)
    }

    fn serialize_u8(self, value: u8) -> Result<(), Unfit> {
        self.integer(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Unfit> {
        self.integer(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Unfit> {
        self.integer(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Unfit> {
        self.integer(i64::try_from(value).map_err(|_| Unfit)?)
    }

    fn serialize_f32(mut self, value: f32) -> Result<(), Unfit> {
        match self.some() {
            Node::Float => self.out.extend_from_slice(&value.to_le_bytes()),
            _ => return Err(Unfit),
        }
        Ok(())
    }

    fn serialize_f64(mut self, value: f64) -> Result<(), Unfit> {
        match self.some() {
            Node::Double => self.out.extend_from_slice(&value.to_le_bytes()),
            _ => return Err(Unfit),
        }
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Unfit> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(mut self, value: &str) -> Result<(), Unfit> {
        match self.some() {
            Node::String => put_delimited(value.as_bytes(), self.out),
            Node::Enum(symbols) => {
                let symbol = symbols.iter().position(|symbol| symbol.text() == value);
                put_varint(symbol.ok_or(Unfit)? as i64, self.out);
            }
            _ => return Err(Unfit),
        }
        Ok(())
    }

    fn serialize_bytes(mut self, value: &[u8]) -> Result<(), Unfit> {
        match self.some() {
            Node::Bytes => put_delimited(value, self.out),
            Node::Fixed(size) if *size == value.len() => self.out.extend_from_slice(value),
            _ => return Err(Unfit),
        }
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Unfit> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unfit> {
        // The branch is put by the value: it may be another option.
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unfit> {
        match self.node {
            Node::Null => {}
            Node::Option(optional) => put_varint(optional.null.into(), self.out),
            _ => return Err(Unfit),
        }
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unfit> {
        Err(Unfit)
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, name: &'static str) -> Result<(), Unfit> {
        self.symbol(|symbols| {
            // Usually the variants stand in the order of the symbols.
            let guess = index as usize;
            match symbols.get(guess) {
                Some(symbol) if symbol.is(name) => Some(guess),
                _ => symbols.iter().position(|symbol| symbol.text() == name),
            }
        })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Unfit> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Unfit> {
        Err(Unfit)
    }

    fn serialize_seq(mut self, length: Option<usize>) -> Result<Items<'c, 'o>, Unfit> {
        match self.some() {
            Node::Array(item) => Items::begin(self, item, length),
            _ => Err(Unfit),
        }
    }

    fn serialize_tuple(self, length: usize) -> Result<Items<'c, 'o>, Unfit> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Impossible<(), Unfit>, Unfit> {
        Err(Unfit)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Unfit>, Unfit> {
        Err(Unfit)
    }

    fn serialize_map(mut self, length: Option<usize>) -> Result<Items<'c, 'o>, Unfit> {
        match self.some() {
            Node::Map(value) => Items::begin(self, value, length),
            _ => Err(Unfit),
        }
    }

    fn serialize_struct(mut self, _: &'static str, _: usize) -> Result<Fields<'c, 'o>, Unfit> {
        match self.some() {
            Node::Record(number) => {
                let fields = self.codec.records[*number].fields.iter();
                Ok(Fields { codec: self.codec, fields, out: self.out })
            }
            _ => Err(Unfit),
        }
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Unfit>, Unfit> {
        Err(Unfit)
    }
}

/// A struct as a record: its fields must come in the order of the record's.
struct Fields<'c, 'o> {
    codec: &'c Codec,
    fields: Iter<'c, Field>,
    out: &'o mut Vec<u8>,
}

impl SerializeStruct for Fields<'_, '_> {
    type Ok = ();
    type Error = Unfit;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Unfit> {
        match self.fields.next() {
            Some(field) if field.name.is(name) => self.codec.encode_node(&field.node, value, self.out),
            _ => Err(Unfit),
        }
    }

    fn end(self) -> Result<(), Unfit> {
        if self.fields.as_slice().is_empty() { Ok(()) } else { Err(Unfit) }
    }
}

/// The items of an array, or the keys and values of a map, as one block.
struct Items<'c, 'o> {
    codec: &'c Codec,
    item: &'c Node,
    out: &'o mut Vec<u8>,
    /// Items that are still to come.
    left: usize,
}

impl<'c, 'o> Items<'c, 'o> {
    fn begin(array: Encoder<'c, 'o>, item: &'c Node, length: Option<usize>) -> Result<Self, Unfit> {
        let (Encoder { codec, out, .. }, left) = (array, length.ok_or(Unfit)?);
        if left > 0 {
            put_varint(left as i64, out);
        }
        Ok(Self { codec, item, out, left })
    }

    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        self.left = self.left.checked_sub(1).ok_or(Unfit)?;
        self.codec.encode_node(self.item, value, self.out)
    }

    fn finish(self) -> Result<(), Unfit> {
        if self.left > 0 {
            return Err(Unfit);
        }
        self.out.push(0);
        Ok(())
    }
}

impl SerializeSeq for Items<'_, '_> {
    type Ok = ();
    type Error = Unfit;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        self.put(value)
    }

    fn end(self) -> Result<(), Unfit> {
        self.finish()
    }
}

impl SerializeTuple for Items<'_, '_> {
    type Ok = ();
    type Error = Unfit;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        self.put(value)
    }

    fn end(self) -> Result<(), Unfit> {
        self.finish()
    }
}

impl SerializeMap for Items<'_, '_> {
    type Ok = ();
    type Error = Unfit;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unfit> {
        self.codec.encode_node(&Node::String, key, self.out)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        self.put(value)
    }

    fn end(self) -> Result<(), Unfit> {
        self.finish()
    }
}
