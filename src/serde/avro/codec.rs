//! A schema compiled for the fast way between values and bytes.
//!
//! A [`Codec`] has what records are made of most of the time: plain types, enums, arrays, maps, records, and unions of
//! null and one type. Names are resolved, fields stand in their order, so that nothing is looked up per value. Other
//! types have no codec, and what a codec cannot do it refuses ([`Unfit`]): `serde_avro_fast` does both.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use apache_avro::Schema;
use apache_avro::schema::{NamesRef, RecordSchema, ResolvedSchema, UnionSchema};
use rustc_hash::FxHashMap;

use super::binary::{DEPTH_MAX, Reader, Unread};

/// A compiled schema.
#[derive(Debug)]
pub(super) struct Codec {
    pub(super) root: Node,
    /// Records by number; named types may contain themselves.
    pub(super) records: Vec<Record>,
}

/// One type.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    /// By its symbols.
    Enum(Box<[Name]>),
    Array(Box<Node>),
    Map(Box<Node>),
    Option(Box<Optional>),
    /// A record, by its number.
    Record(usize),
}

/// A union of null and one type.
#[derive(Debug)]
pub(super) struct Optional {
    /// The branch of null: 0 or 1; the type has the other one.
    pub(super) null: u8,
    pub(super) some: Node,
}

/// The fields of a record, in their order.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) fields: Box<[Field]>,
    /// Place of the last list of names that was found to be in order.
    in_order: AtomicUsize,
}

/// One field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: Name,
    pub(super) node: Node,
}

/// The name of a field or symbol.
#[derive(Debug)]
pub(super) struct Name {
    text: Box<str>,
    /// Address of the last name that was found to be equal.
    known: AtomicUsize,
}

/// The codec does not do this; carries nothing, because a cause may quote the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unfit;

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not for this codec")
    }
}

impl std::error::Error for Unfit {}

impl serde::de::Error for Unfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl serde::ser::Error for Unfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl From<Unread> for Unfit {
    fn from(_: Unread) -> Self {
        Self
    }
}

impl Codec {
    /// The codec of `schema`, unless it has types that no codec does.
    pub(super) fn compile(schema: &Schema) -> Option<Self> {
        let names = ResolvedSchema::try_from(schema).ok()?;
        let mut compiler = Compiler { names: names.get_names(), numbers: FxHashMap::default(), records: Vec::new() };
        let root = compiler.node(schema)?;
        Some(Self { root, records: compiler.records.into_iter().collect::<Option<_>>()? })
    }

    /// Passes one value of `node` without looking into it more than is needed to find its end.
    pub(super) fn skip(&self, node: &Node, reader: &mut Reader<'_>) -> Result<(), Unfit> {
        self.skip_within(node, reader, DEPTH_MAX)
    }

    pub(super) fn skip_within(&self, node: &Node, reader: &mut Reader<'_>, depth: usize) -> Result<(), Unfit> {
        match node {
            Node::Null => Ok(()),
            Node::Boolean => Ok(reader.bytes(1).map(|_| ())?),
            Node::Int | Node::Long | Node::Enum(_) => Ok(reader.skip_varint()?),
            Node::Float => Ok(reader.bytes(4).map(|_| ())?),
            Node::Double => Ok(reader.bytes(8).map(|_| ())?),
            Node::Bytes | Node::String => Ok(reader.delimited().map(|_| ())?),
            Node::Fixed(size) => Ok(reader.bytes(*size).map(|_| ())?),
            Node::Option(optional) => match optional.branch(reader)? {
                Some(some) => self.skip_within(some, reader, deeper(depth)?),
                None => Ok(()),
            },
            Node::Record(number) => self.skip_record(&self.records[*number], reader, deeper(depth)?),
            Node::Array(item) => self.skip_blocks(item, false, reader, deeper(depth)?),
            Node::Map(value) => self.skip_blocks(value, true, reader, deeper(depth)?),
        }
    }

    /// The common fields without a call for each, on a reader of its own that can stay in registers.
    fn skip_record(&self, record: &Record, reader: &mut Reader<'_>, depth: usize) -> Result<(), Unfit> {
        let mut front = reader.clone();
        for field in &record.fields {
            match &field.node {
                Node::Int | Node::Long | Node::Enum(_) => front.skip_varint()?,
                Node::Bytes | Node::String => drop(front.delimited()?),
                Node::Option(optional) => match (optional.branch(&mut front)?, &optional.some) {
                    (None, _) => {}
                    (Some(_), Node::Int | Node::Long | Node::Enum(_)) => front.skip_varint()?,
                    (Some(some), _) => self.skip_within(some, &mut front, deeper(depth)?)?,
                },
                other => self.skip_within(other, &mut front, depth)?,
            }
        }
        *reader = front;
        Ok(())
    }

    fn skip_blocks(&self, item: &Node, keyed: bool, reader: &mut Reader<'_>, depth: usize) -> Result<(), Unfit> {
        loop {
            let count = reader.block()?;
            if count == 0 {
                return Ok(());
            }
            for _ in 0..count {
                if keyed {
                    reader.delimited()?;
                }
                self.skip_within(item, reader, depth)?;
            }
        }
    }
}

/// The depth within a value of this depth.
#[inline]
pub(super) fn deeper(depth: usize) -> Result<usize, Unfit> {
    depth.checked_sub(1).ok_or(Unfit)
}

impl Optional {
    /// Reads the branch: the type, or `None` for null.
    #[inline]
    pub(super) fn branch(&self, reader: &mut Reader<'_>) -> Result<Option<&Node>, Unfit> {
        match reader.varint()? {
            branch @ (0 | 1) => Ok((branch != i64::from(self.null)).then_some(&self.some)),
            _ => Err(Unfit),
        }
    }
}

impl Name {
    fn new(text: &str) -> Self {
        Self { text: text.into(), known: AtomicUsize::new(0) }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether this is `name`. A text that lives as long as the process never changes, so its place and length stand for
    /// its content.
    #[inline]
    pub(super) fn is(&self, name: &'static str) -> bool {
        let place = name.as_ptr().addr();
        if self.text.len() == name.len() && self.known.load(Ordering::Relaxed) == place {
            return true;
        }
        let is_equal = *self.text == *name;
        if is_equal {
            self.known.store(place, Ordering::Relaxed);
        }
        is_equal
    }
}

impl Record {
    /// Whether `names` are fields of this record, in their order.
    ///
    /// A list that lives as long as the process never changes, so its place stands for its content: address plus length,
    /// which two lists share only if one begins within the other.
    pub(super) fn has_in_order(&self, names: &'static [&'static str]) -> bool {
        let place = names.as_ptr().addr() + names.len();
        if self.in_order.load(Ordering::Relaxed) == place {
            return true;
        }
        let mut fields = self.fields.iter();
        let found = names.iter().all(|name| fields.any(|field| field.name.text() == *name));
        if found {
            self.in_order.store(place, Ordering::Relaxed);
        }
        found
    }
}

struct Compiler<'a> {
    names: &'a NamesRef<'a>,
    numbers: FxHashMap<String, usize>,
    records: Vec<Option<Record>>,
}

impl<'a> Compiler<'a> {
    fn node(&mut self, schema: &'a Schema) -> Option<Node> {
        Some(match schema {
            Schema::Null => Node::Null,
            Schema::Boolean => Node::Boolean,
            Schema::Int | Schema::Date | Schema::TimeMillis => Node::Int,
            Schema::Long
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Node::Long,
            Schema::Float => Node::Float,
            Schema::Double => Node::Double,
            Schema::Bytes => Node::Bytes,
            Schema::String => Node::String,
            Schema::Fixed(fixed) => Node::Fixed(fixed.size),
            Schema::Enum(schema) => Node::Enum(schema.symbols.iter().map(|symbol| Name::new(symbol)).collect()),
            Schema::Array(array) => Node::Array(Box::new(self.node(&array.items)?)),
            Schema::Map(map) => Node::Map(Box::new(self.node(&map.types)?)),
            Schema::Union(union) => Node::Option(Box::new(self.optional(union)?)),
            Schema::Record(record) => Node::Record(self.record(record)?),
            Schema::Ref { name } => return self.node(self.names.get(name)?),
            Schema::Decimal(_) | Schema::BigDecimal | Schema::Uuid(_) | Schema::Duration(_) => return None,
        })
    }

    fn optional(&mut self, union: &'a UnionSchema) -> Option<Optional> {
        let (null, some) = match union.variants() {
            [Schema::Null, some] => (0, some),
            [some, Schema::Null] => (1, some),
            _ => return None,
        };
        Some(Optional { null, some: self.node(some)? })
    }

    fn record(&mut self, record: &'a RecordSchema) -> Option<usize> {
        let name = record.name.fullname(None);
        if let Some(number) = self.numbers.get(&name) {
            return Some(*number);
        }
        let number = self.records.len();
        self.numbers.insert(name, number);
        self.records.push(None);
        let field = |field: &'a apache_avro::schema::RecordField| {
            Some(Field { name: Name::new(&field.name), node: self.node(&field.schema)? })
        };
        let fields = record.fields.iter().map(field).collect::<Option<_>>()?;
        self.records[number] = Some(Record { fields, in_order: AtomicUsize::new(0) });
        Some(number)
    }
}
