//! A field's default, which a schema gives as JSON, as Avro bytes.

use apache_avro::Schema;
use apache_avro::schema::{InnerDecimalSchema, NamesRef, UuidSchema};
use serde_json::Value;

use super::binary::put_varint;

/// Appends `value` as a value of `schema`; `false` when it is none.
///
/// JSON encoding of defaults: Avro specification, "Complex Types / Records". Bytes are text whose code points 0 to 255
/// stand for bytes. A union's default belongs to its first branch; since 1.12 to any, so the first that takes it.
pub(super) fn encode(schema: &Schema, value: &Value, names: &NamesRef<'_>, out: &mut Vec<u8>) -> bool {
    match schema {
        Schema::Null => value.is_null(),
        Schema::Boolean => put(value.as_bool(), |truth| out.push(u8::from(truth))),
        Schema::Int | Schema::Date | Schema::TimeMillis => {
            let number = value.as_i64().filter(|number| i32::try_from(*number).is_ok());
            put(number, |number| put_varint(number, out))
        }
        Schema::Long
        | Schema::TimeMicros
        | Schema::TimestampMillis
        | Schema::TimestampMicros
        | Schema::TimestampNanos
        | Schema::LocalTimestampMillis
        | Schema::LocalTimestampMicros
        | Schema::LocalTimestampNanos => put(value.as_i64(), |number| put_varint(number, out)),
        Schema::Float => put(value.as_f64(), |number| out.extend((number as f32).to_le_bytes())),
        Schema::Double => put(value.as_f64(), |number| out.extend(number.to_le_bytes())),
        Schema::String | Schema::Uuid(UuidSchema::String) => put(value.as_str(), |text| {
            put_varint(text.len() as i64, out);
            out.extend_from_slice(text.as_bytes());
        }),
        Schema::Bytes | Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes) => bytes(value, None, out),
        Schema::Fixed(fixed) | Schema::Uuid(UuidSchema::Fixed(fixed)) | Schema::Duration(fixed) => {
            bytes(value, Some(fixed.size), out)
        }
        Schema::Decimal(decimal) => match &decimal.inner {
            InnerDecimalSchema::Bytes => bytes(value, None, out),
            InnerDecimalSchema::Fixed(fixed) => bytes(value, Some(fixed.size), out),
        },
        Schema::Enum(symbols) => {
            let number = symbols.symbols.iter().position(|symbol| Some(symbol.as_str()) == value.as_str());
            put(number, |number| put_varint(number as i64, out))
        }
        Schema::Ref { name } => names.get(name).is_some_and(|schema| encode(schema, value, names, out)),
        Schema::Array(_) | Schema::Map(_) | Schema::Union(_) | Schema::Record(_) => parts(schema, value, names, out),
    }
}

fn parts(schema: &Schema, value: &Value, names: &NamesRef<'_>, out: &mut Vec<u8>) -> bool {
    match (schema, value) {
        (Schema::Array(array), Value::Array(items)) => {
            block_length(items.len(), out);
            let all = items.iter().all(|item| encode(&array.items, item, names, out));
            out.push(0);
            all
        }
        (Schema::Map(map), Value::Object(entries)) => {
            block_length(entries.len(), out);
            let all = entries.iter().all(|(key, value)| {
                put_varint(key.len() as i64, out);
                out.extend_from_slice(key.as_bytes());
                encode(&map.types, value, names, out)
            });
            out.push(0);
            all
        }
        (Schema::Record(record), Value::Object(fields)) => record.fields.iter().all(|field| {
            let value = fields.get(&field.name).or(field.default.as_ref());
            value.is_some_and(|value| encode(&field.schema, value, names, out))
        }),
        (Schema::Union(union), _) => (0..).zip(union.variants()).any(|(branch, schema)| {
            let start = out.len();
            put_varint(branch, out);
            let fits = encode(schema, value, names, out);
            if !fits {
                out.truncate(start);
            }
            fits
        }),
        _ => false,
    }
}

fn put<T>(value: Option<T>, append: impl FnOnce(T)) -> bool {
    value.map(append).is_some()
}

fn bytes(value: &Value, size: Option<usize>, out: &mut Vec<u8>) -> bool {
    let decode = |text: &str| text.chars().map(|c| u8::try_from(c).ok()).collect::<Option<Vec<u8>>>();
    let Some(bytes) = value.as_str().and_then(decode) else { return false };
    match size {
        Some(size) if size != bytes.len() => return false,
        Some(_) => {}
        None => put_varint(bytes.len() as i64, out),
    }
    out.extend(bytes);
    true
}

fn block_length(items: usize, out: &mut Vec<u8>) {
    if items > 0 {
        put_varint(items as i64, out);
    }
}
