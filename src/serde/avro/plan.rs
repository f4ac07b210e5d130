//! Avro's schema resolution, compiled: how bytes of a writer schema become bytes of the reader schema.
//!
//! apache-avro can resolve too, but through a generic value that takes a text cut short for null, loses field
//! aliases and costs several microseconds per record. Rules: Avro specification, "Schema Resolution"; where it leaves
//! a choice, as Java's `org.apache.avro.Resolver`.

use apache_avro::Schema;
use apache_avro::schema::{EnumSchema, InnerDecimalSchema, NamesRef, RecordSchema, ResolvedSchema, UuidSchema};
use rustc_hash::FxHashMap;

use super::default;

/// The steps from one writer schema to the reader schema.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) root: Step,
    /// Records by number; named types may contain themselves.
    pub(super) records: Vec<Option<Record>>,
}

/// One value of the writer to one value of the reader.
#[derive(Debug)]
pub(super) enum Step {
    /// So many bytes as they are.
    Fixed(usize),
    Boolean,
    /// Int or long as it is, also int as long.
    Varint,
    /// Length and bytes as they are: bytes and strings.
    Delimited,
    /// Int or long to float.
    IntegerToFloat,
    /// Int or long to double.
    IntegerToDouble,
    FloatToDouble,
    /// Writer's symbol number to ours; `None`: we have neither the symbol nor a default.
    Enum(Box<[Option<i64>]>),
    Array(Box<Step>),
    Map(Box<Step>),
    /// By the writer's branch; `None`: the branch does not resolve.
    Union(Box<[Option<Step>]>),
    /// Our union's branch, then the value.
    Branch(i64, Box<Step>),
    /// A record, by its number.
    Record(usize),
}

/// The fields of a record in the writer's order, with our missing ones between.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) fields: Vec<Field>,
    /// When the order differs: for each of our fields the number of its piece, dropped fields not counted.
    pub(super) order: Option<Vec<usize>>,
}

/// One field of a record.
#[derive(Debug)]
pub(super) enum Field {
    /// Both have it.
    Take(Step),
    /// Only the writer has it.
    Drop(Step),
    /// Only we have it: our default, encoded.
    Put(Vec<u8>),
}

impl Plan {
    /// The plan, or why the schemas do not resolve, with the path of the field.
    pub(super) fn resolve(writer: &Schema, reader: &Schema) -> Result<Self, String> {
        let writer_names = ResolvedSchema::try_from(writer).map_err(|error| error.to_string())?;
        let reader_names = ResolvedSchema::try_from(reader).map_err(|error| error.to_string())?;
        let mut resolver = Resolver {
            writer_names: writer_names.get_names(),
            reader_names: reader_names.get_names(),
            dropping: false,
            numbers: FxHashMap::default(),
            records: Vec::new(),
        };
        let root = resolver.step(writer, reader, "")?;
        Ok(Self { root, records: resolver.records })
    }
}

struct Resolver<'a> {
    writer_names: &'a NamesRef<'a>,
    reader_names: &'a NamesRef<'a>,
    /// Within a field that we do not have: the writer's schema stands on both sides.
    dropping: bool,
    numbers: FxHashMap<(bool, String, String), usize>,
    records: Vec<Option<Record>>,
}

fn named<'a>(names: &NamesRef<'a>, schema: &'a Schema) -> Result<&'a Schema, String> {
    match schema {
        Schema::Ref { name } => names.get(name).copied().ok_or_else(|| format!("type '{name}' is not defined")),
        schema => Ok(schema),
    }
}

impl<'a> Resolver<'a> {
    fn step(&mut self, writer: &'a Schema, reader: &'a Schema, path: &str) -> Result<Step, String> {
        let writer = named(self.writer_names, writer)?;
        let reader = named(if self.dropping { self.writer_names } else { self.reader_names }, reader)?;
        match (writer, reader) {
            (Schema::Union(branches), _) => {
                let steps: Vec<_> = branches.variants().iter().map(|branch| self.step(branch, reader, path)).collect();
                match steps.iter().all(Result::is_err) {
                    true => steps.into_iter().next().unwrap_or_else(|| Err(at(path, "an empty union"))),
                    false => Ok(Step::Union(steps.into_iter().map(Result::ok).collect())),
                }
            }
            (_, Schema::Union(branches)) => self.branch(writer, branches.variants(), path),
            (Schema::Array(writer), Schema::Array(reader)) => {
                self.step(&writer.items, &reader.items, path).map(|step| Step::Array(Box::new(step)))
            }
            (Schema::Map(writer), Schema::Map(reader)) => {
                self.step(&writer.types, &reader.types, path).map(|step| Step::Map(Box::new(step)))
            }
            (Schema::Enum(writer), Schema::Enum(reader)) => symbols(writer, reader, path),
            (Schema::Record(writer), Schema::Record(reader)) => self.record(writer, reader, path),
            _ => plain(writer, reader, path),
        }
    }

    /// The first branch of the same type, else the first that the value can be promoted to.
    fn branch(&mut self, writer: &'a Schema, branches: &'a [Schema], path: &str) -> Result<Step, String> {
        let same = |branch: &Schema, names: &NamesRef<'a>| {
            let branch = match branch {
                Schema::Ref { name } => names.get(name).copied(),
                branch => Some(branch),
            };
            branch.is_some_and(|branch| type_of(branch) == type_of(writer))
        };
        for exact in [true, false] {
            for (number, branch) in (0..).zip(branches) {
                let names = if self.dropping { self.writer_names } else { self.reader_names };
                if same(branch, names) == exact
                    && let Ok(step) = self.step(writer, branch, path)
                {
                    return Ok(Step::Branch(number, Box::new(step)));
                }
            }
        }
        Err(at(path, &format!("no branch of our union takes {}", type_of(writer))))
    }

    fn record(&mut self, writer: &'a RecordSchema, reader: &'a RecordSchema, path: &str) -> Result<Step, String> {
        check_names(writer.name.name(), reader.name.name(), &aliases(&reader.aliases), path)?;
        let key = (self.dropping, writer.name.fullname(None), reader.name.fullname(None));
        if let Some(number) = self.numbers.get(&key) {
            return Ok(Step::Record(*number));
        }
        let number = self.records.len();
        self.numbers.insert(key.clone(), number);
        self.records.push(None);
        match self.fields(writer, reader, path) {
            Ok(record) => {
                self.records[number] = Some(record);
                Ok(Step::Record(number))
            }
            Err(reason) => {
                self.numbers.remove(&key);
                Err(reason)
            }
        }
    }

    fn fields(&mut self, writer: &'a RecordSchema, reader: &'a RecordSchema, path: &str) -> Result<Record, String> {
        let mut sources = vec![None; writer.fields.len()];
        let mut missing = Vec::new();
        for (ours, field) in reader.fields.iter().enumerate() {
            let names = || std::iter::once(&field.name).chain(field.aliases.iter());
            let theirs = names().find_map(|name| writer.fields.iter().position(|field| field.name == *name));
            match theirs {
                Some(theirs) => sources[theirs] = Some(ours),
                None => {
                    missing.push((ours, self.put(&field.schema, field.default.as_ref(), &join(path, &field.name))?))
                }
            }
        }
        let mut missing = missing.into_iter().peekable();
        let (mut fields, mut pieces) = (Vec::new(), Vec::new());
        for (field, ours) in writer.fields.iter().zip(sources) {
            let path = join(path, &field.name);
            let Some(ours) = ours else {
                fields.push(Field::Drop(self.drop(&field.schema, &path)?));
                continue;
            };
            while let Some((earlier, put)) = missing.next_if(|(missing, _)| *missing < ours) {
                fields.push(put);
                pieces.push(earlier);
            }
            fields.push(Field::Take(self.step(&field.schema, &reader.fields[ours].schema, &path)?));
            pieces.push(ours);
        }
        for (ours, put) in missing {
            fields.push(put);
            pieces.push(ours);
        }
        Ok(Record { fields, order: order(&pieces) })
    }

    fn put(&self, schema: &Schema, value: Option<&serde_json::Value>, path: &str) -> Result<Field, String> {
        let value = value.ok_or_else(|| at(path, "the writer does not have it and we have no default"))?;
        let mut bytes = Vec::new();
        match default::encode(schema, value, self.reader_names, &mut bytes) {
            true => Ok(Field::Put(bytes)),
            false => Err(at(path, "our default is not a value of its type")),
        }
    }

    fn drop(&mut self, schema: &'a Schema, path: &str) -> Result<Step, String> {
        let outer = std::mem::replace(&mut self.dropping, true);
        let step = self.step(schema, schema, path);
        self.dropping = outer;
        step
    }
}

/// For each of our fields the number of its piece; `None` when they come in our order.
fn order(pieces: &[usize]) -> Option<Vec<usize>> {
    if pieces.is_sorted() {
        return None;
    }
    let mut order = vec![0; pieces.len()];
    for (piece, ours) in pieces.iter().enumerate() {
        order[*ours] = piece;
    }
    Some(order)
}

fn symbols(writer: &EnumSchema, reader: &EnumSchema, path: &str) -> Result<Step, String> {
    check_names(writer.name.name(), reader.name.name(), &aliases(&reader.aliases), path)?;
    let number = |symbol: &String| reader.symbols.iter().position(|ours| ours == symbol);
    let default = reader.default.as_ref().and_then(number);
    let numbers: Box<[_]> =
        writer.symbols.iter().map(|symbol| number(symbol).or(default).map(|number| number as i64)).collect();
    match numbers.iter().all(Option::is_none) {
        true => Err(at(path, "our enum has none of the writer's symbols")),
        false => Ok(Step::Enum(numbers)),
    }
}

/// Types without parts.
fn plain(writer: &Schema, reader: &Schema, path: &str) -> Result<Step, String> {
    if let (Some(theirs), Some(ours)) = (logical(writer), logical(reader))
        && theirs != ours
    {
        return Err(at(path, &format!("{theirs} is not {ours}: the numbers would mean something else")));
    }
    if let (Schema::Fixed(writer), Schema::Fixed(reader)) = (writer, reader) {
        check_names(writer.name.name(), reader.name.name(), &aliases(&reader.aliases), path)?;
    }
    use Type::{Boolean, Bytes, Double, Fixed, Float, Int, Long, Null, String};
    match (type_of(writer), type_of(reader)) {
        (Null, Null) => Ok(Step::Fixed(0)),
        (Boolean, Boolean) => Ok(Step::Boolean),
        (Int, Int | Long) | (Long, Long) => Ok(Step::Varint),
        (Int | Long, Float) => Ok(Step::IntegerToFloat),
        (Int | Long, Double) => Ok(Step::IntegerToDouble),
        (Float, Float) => Ok(Step::Fixed(4)),
        (Float, Double) => Ok(Step::FloatToDouble),
        (Double, Double) => Ok(Step::Fixed(8)),
        (Bytes | String, Bytes | String) => Ok(Step::Delimited),
        (Fixed(theirs), Fixed(ours)) if theirs == ours => Ok(Step::Fixed(ours)),
        (theirs, ours) => Err(at(path, &format!("{theirs} does not become {ours}"))),
    }
}

/// A type without its logical type; named types by their kind and name.
#[derive(Debug, PartialEq, Eq)]
enum Type<'a> {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Array,
    Map,
    Union,
    Fixed(usize),
    Named(&'static str, &'a str),
}

impl std::fmt::Display for Type<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "fixed of {size} bytes"),
            Self::Named(kind, name) => write!(f, "{kind} '{name}'"),
            plain => f.write_str(&format!("{plain:?}").to_lowercase()),
        }
    }
}

fn type_of(schema: &Schema) -> Type<'_> {
    match schema {
        Schema::Null => Type::Null,
        Schema::Boolean => Type::Boolean,
        Schema::Int | Schema::Date | Schema::TimeMillis => Type::Int,
        Schema::Long
        | Schema::TimeMicros
        | Schema::TimestampMillis
        | Schema::TimestampMicros
        | Schema::TimestampNanos
        | Schema::LocalTimestampMillis
        | Schema::LocalTimestampMicros
        | Schema::LocalTimestampNanos => Type::Long,
        Schema::Float => Type::Float,
        Schema::Double => Type::Double,
        Schema::Bytes | Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes) => Type::Bytes,
        Schema::String | Schema::Uuid(UuidSchema::String) => Type::String,
        Schema::Array(_) => Type::Array,
        Schema::Map(_) => Type::Map,
        Schema::Union(_) => Type::Union,
        Schema::Fixed(fixed) | Schema::Uuid(UuidSchema::Fixed(fixed)) | Schema::Duration(fixed) => {
            Type::Fixed(fixed.size)
        }
        Schema::Decimal(decimal) => match &decimal.inner {
            InnerDecimalSchema::Bytes => Type::Bytes,
            InnerDecimalSchema::Fixed(fixed) => Type::Fixed(fixed.size),
        },
        Schema::Record(record) => Type::Named("record", record.name.name()),
        Schema::Enum(symbols) => Type::Named("enum", symbols.name.name()),
        Schema::Ref { name } => Type::Named("type", name.name()),
    }
}

/// What the number or the bytes mean beyond their type.
fn logical(schema: &Schema) -> Option<String> {
    let name = match schema {
        Schema::Decimal(decimal) => return Some(format!("decimal({}, {})", decimal.precision, decimal.scale)),
        Schema::BigDecimal => "big-decimal",
        Schema::Uuid(_) => "uuid",
        Schema::Date => "date",
        Schema::TimeMillis => "time-millis",
        Schema::TimeMicros => "time-micros",
        Schema::TimestampMillis => "timestamp-millis",
        Schema::TimestampMicros => "timestamp-micros",
        Schema::TimestampNanos => "timestamp-nanos",
        Schema::LocalTimestampMillis => "local-timestamp-millis",
        Schema::LocalTimestampMicros => "local-timestamp-micros",
        Schema::LocalTimestampNanos => "local-timestamp-nanos",
        Schema::Duration(_) => "duration",
        _ => return None,
    };
    Some(name.to_owned())
}

fn aliases(aliases: &apache_avro::schema::Aliases) -> Vec<&str> {
    aliases.iter().flatten().map(apache_avro::schema::Alias::name).collect()
}

/// Names without their namespace, as the specification has it; our aliases count.
fn check_names(theirs: &str, ours: &str, aliases: &[&str], path: &str) -> Result<(), String> {
    match theirs == ours || aliases.contains(&theirs) {
        true => Ok(()),
        false => Err(at(path, &format!("type '{theirs}' is not our '{ours}'"))),
    }
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

fn at(path: &str, reason: &str) -> String {
    if path.is_empty() { reason.to_owned() } else { format!("field '{path}': {reason}") }
}
