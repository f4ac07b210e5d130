//! The fast way against `serde_avro_fast`: the same bytes, the same values, and nothing else is read.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::BufRead;

use apache_avro::Schema;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_avro_fast::de::read::SliceRead;
use serde_avro_fast::de::{DeserializerConfig, DeserializerState};

use super::codec::{Codec, Unfit};

const SCHEMA: &str = r#"{"type": "record", "name": "Order", "fields": [
  {"name": "id", "type": "string"},
  {"name": "nothing", "type": "null"},
  {"name": "paid", "type": "boolean"},
  {"name": "count", "type": "int"},
  {"name": "amount", "type": "long"},
  {"name": "small", "type": "float"},
  {"name": "rate", "type": "double"},
  {"name": "blob", "type": "bytes"},
  {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["PLACED", "LOST", "DELIVERED"]}},
  {"name": "note", "type": ["null", "string"]},
  {"name": "was", "type": ["State", "null"]},
  {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
    {"name": "sku", "type": "string"}, {"name": "quantity", "type": "int"}, {"name": "state", "type": "State"}]}}},
  {"name": "tags", "type": {"type": "map", "values": "long"}},
  {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
  {"name": "next", "type": ["null", "Order"]}]}"#;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    id: String,
    nothing: (),
    paid: bool,
    count: i32,
    amount: i64,
    small: f32,
    rate: f64,
    #[serde(with = "blob")]
    blob: Vec<u8>,
    state: State,
    note: Option<String>,
    was: Option<State>,
    items: Vec<Item>,
    tags: BTreeMap<String, i64>,
    at: i64,
    next: Option<Box<Order>>,
}

/// Not in the order of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Delivered,
    Placed,
    Lost,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Item {
    sku: String,
    quantity: i32,
    state: State,
}

/// Bytes as bytes, not as a sequence of numbers.
mod blob {
    use std::fmt;

    use serde::{Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl de::Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// Both ways to read and write one schema.
struct Both {
    fast: Codec,
    general: serde_avro_fast::Schema,
}

impl Both {
    fn new(schema: &str) -> Self {
        let fast = Codec::compile(&Schema::parse_str(schema).unwrap()).expect("a schema that the codec does");
        Self { fast, general: schema.parse().unwrap() }
    }

    fn read<T: DeserializeOwned>(&self, datum: &[u8]) -> Result<T, ()> {
        let mut config = DeserializerConfig::new(&self.general);
        config.max_seq_size = datum.len();
        let mut state = DeserializerState::with_config(SliceRead::new(datum), config);
        let value = T::deserialize(state.deserializer()).map_err(|_| ())?;
        let mut rest = state.into_reader();
        if rest.fill_buf().unwrap().is_empty() { Ok(value) } else { Err(()) }
    }

    fn write<T: Serialize>(&self, value: &T) -> Result<Vec<u8>, ()> {
        let mut config = serde_avro_fast::ser::SerializerConfig::new(&self.general);
        serde_avro_fast::to_datum_vec(value, &mut config).map_err(|_| ())
    }

    fn write_fast<T: Serialize>(&self, value: &T) -> Result<Vec<u8>, Unfit> {
        let mut out = Vec::new();
        self.fast.encode(value, &mut out).map(|()| out)
    }

    /// Both ways write `value` in the same bytes and read it from them; cut anywhere they are nothing.
    fn agree<T: Serialize + DeserializeOwned + PartialEq + Debug>(&self, value: &T) {
        let bytes = self.write(value).unwrap();
        assert_eq!(self.write_fast(value).as_ref(), Ok(&bytes));
        assert_eq!(self.fast.decode::<T>(&bytes).as_ref(), Ok(value));
        assert_eq!(self.read::<T>(&bytes).as_ref(), Ok(value));
        // Everywhere in short ones, at some hundred places in long ones.
        for length in (0..bytes.len()).step_by(1 + bytes.len() / 300) {
            assert_eq!(self.fast.decode::<T>(&bytes[..length]), Err(Unfit), "cut at {length}");
        }
    }

    /// What the fast way reads of hostile bytes, the general way reads as well.
    fn agree_on_bytes<T: DeserializeOwned + Serialize>(&self, bytes: &[u8]) {
        if let Ok(value) = self.fast.decode::<T>(bytes) {
            let general = self.read(bytes);
            let general: T = general.unwrap_or_else(|()| panic!("only the fast way reads {bytes:?}"));
            // By their bytes, because NaN is not equal to itself.
            assert_eq!(self.write(&general), self.write(&value));
        }
    }
}

fn states() -> impl Strategy<Value = State> {
    prop_oneof![Just(State::Delivered), Just(State::Placed), Just(State::Lost)]
}

fn flat_orders() -> impl Strategy<Value = Order> {
    let item =
        (any::<String>(), any::<i32>(), states()).prop_map(|(sku, quantity, state)| Item { sku, quantity, state });
    let numbers = (any::<bool>(), any::<i32>(), any::<i64>(), -1e30..1e30f32, -1e300..1e300, any::<i64>());
    let states = (states(), proptest::option::of(states()));
    let texts = (any::<String>(), any::<Option<String>>(), prop::collection::vec(any::<u8>(), 0..100));
    let many = (prop::collection::vec(item, 0..20), prop::collection::btree_map(any::<String>(), any::<i64>(), 0..3));
    (numbers, states, texts, many).prop_map(
        |((paid, count, amount, small, rate, at), (state, was), (id, note, blob), (items, tags))| Order {
            id,
            nothing: (),
            paid,
            count,
            amount,
            small,
            rate,
            blob,
            state,
            note,
            was,
            items,
            tags,
            at,
            next: None,
        },
    )
}

fn orders() -> impl Strategy<Value = Order> {
    prop::collection::vec(flat_orders(), 1..4).prop_map(|orders| {
        let chained = orders.into_iter().fold(None, |next, order| Some(Box::new(Order { next, ..order })));
        *chained.unwrap()
    })
}

fn run<S: Strategy>(cases: u32, strategy: S, check: impl Fn(S::Value)) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let rng = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    let outcome = TestRunner::new_with_rng(config, rng).run(&strategy, |value| {
        check(value);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn both_ways_write_and_read_the_same() {
    let both = Both::new(SCHEMA);
    run(60, orders(), |order| both.agree(&order));
}

#[test]
fn hostile_bytes_are_read_by_both_ways_or_refused() {
    let both = Both::new(SCHEMA);
    let noise = (flat_orders(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4));
    run(400, noise, |(order, flips)| {
        let mut bytes = both.write(&order).unwrap();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        both.agree_on_bytes::<Order>(&bytes);
    });
    run(400, prop::collection::vec(0..8u8, 0..60), |bytes| both.agree_on_bytes::<Order>(&bytes));
}

#[test]
fn a_chain_of_records_deeper_than_allowed_is_refused() {
    let both = Both::new(r#"{"type": "record", "name": "R", "fields": [{"name": "next", "type": ["null", "R"]}]}"#);
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Chain {
        next: Option<Box<Chain>>,
    }
    assert_eq!(both.fast.decode::<Chain>(&[&[2; 20][..], &[0]].concat()).map(|_| ()), Ok(()));
    assert_eq!(both.fast.decode::<Chain>(&[&[2; 9_000][..], &[0]].concat()), Err(Unfit));
    both.agree_on_bytes::<Chain>(&[&[2; 31][..], &[0]].concat());
}

/// A part of a record's fields, read from all of its bytes.
#[test]
fn a_struct_may_want_fewer_fields() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Some {
        paid: bool,
        amount: i64,
        items: Vec<SomeItem>,
        at: i64,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct SomeItem {
        quantity: i32,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Front<'a> {
        id: &'a str,
        amount: i64,
    }
    let both = Both::new(SCHEMA);
    run(50, orders(), |order| {
        let bytes = both.write(&order).unwrap();
        let items = order.items.iter().map(|item| SomeItem { quantity: item.quantity }).collect();
        let expected = Some { paid: order.paid, amount: order.amount, items, at: order.at };
        assert_eq!(both.read::<Some>(&bytes).as_ref(), Ok(&expected));
        assert_eq!(both.fast.decode::<Some>(&bytes).as_ref(), Ok(&expected));
        let front = Ok(Front { id: &order.id, amount: order.amount });
        assert_eq!(both.fast.decode_front::<Front<'_>>(&both.fast.root, &bytes), front);
    });
}

/// Whatever serde's attributes make of a struct: the same value as the general way reads, or none.
#[test]
fn structs_that_do_not_look_like_the_record_are_read_by_name_or_not_at_all() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Turned {
        c: i64,
        a: i64,
        b: i64,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct More {
        a: i64,
        b: i64,
        c: i64,
        #[serde(default, skip_serializing)]
        d: Option<i64>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Skipped {
        a: i64,
        #[serde(skip)]
        x: i64,
        b: i64,
        c: i64,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Alias {
        #[serde(alias = "b")]
        a: i64,
        c: i64,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        a: i64,
        #[serde(flatten)]
        rest: BTreeMap<String, i64>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Missing {
        a: i64,
        z: i64,
    }
    let both = Both::new(
        r#"{"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "long"}, {"name": "b", "type": "long"}, {"name": "c", "type": "long"}]}"#,
    );
    let bytes = [2, 4, 6];
    let rest: BTreeMap<String, i64> = [("b".to_owned(), 2), ("c".to_owned(), 3)].into();
    assert_eq!(both.fast.decode(&bytes), Ok(Turned { c: 3, a: 1, b: 2 }));
    assert_eq!(both.fast.decode(&bytes), Ok(More { a: 1, b: 2, c: 3, d: None }));
    assert_eq!(both.fast.decode(&bytes), Ok(Skipped { a: 1, x: 0, b: 2, c: 3 }));
    assert_eq!(both.fast.decode(&bytes), Ok(Flat { a: 1, rest: rest.clone() }));
    assert_eq!((both.fast.decode::<Alias>(&bytes), both.read::<Alias>(&bytes)), (Err(Unfit), Err(())));
    assert_eq!((both.fast.decode::<Missing>(&bytes), both.read::<Missing>(&bytes)), (Err(Unfit), Err(())));
    let written = |fast: Result<Vec<u8>, Unfit>| fast.unwrap_or_default();
    assert_eq!(written(both.write_fast(&Skipped { a: 1, x: 0, b: 2, c: 3 })), bytes);
    assert_eq!(written(both.write_fast(&More { a: 1, b: 2, c: 3, d: None })), bytes);
    assert_eq!(both.write_fast(&Turned { c: 3, a: 1, b: 2 }), Err(Unfit), "left to the general way");
    assert_eq!(both.write_fast(&Alias { a: 1, c: 3 }), Err(Unfit), "a field is missing");
    both.agree_on_bytes::<Turned>(&bytes);
    both.agree_on_bytes::<Flat>(&bytes);
}

#[test]
fn an_alias_of_a_variant_is_a_name_not_a_number() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Aliased {
        #[serde(alias = "B")]
        A,
        C,
    }
    let both = Both::new(r#"{"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}"#);
    for (byte, expected) in [(0, Ok(Aliased::A)), (2, Ok(Aliased::A)), (4, Ok(Aliased::C)), (6, Err(Unfit))] {
        assert_eq!(both.fast.decode::<Aliased>(&[byte]), expected);
        both.agree_on_bytes::<Aliased>(&[byte]);
    }
    assert_eq!(both.write_fast(&Aliased::C), Ok(vec![4]));
}

#[test]
fn types_that_no_codec_does_are_left_alone() {
    for schema in [
        r#"["null", "int", "string"]"#,
        r#"{"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}"#,
        r#"{"type": "string", "logicalType": "uuid"}"#,
        r#"{"type": "array", "items": ["int", "string"]}"#,
    ] {
        assert!(Codec::compile(&Schema::parse_str(schema).unwrap()).is_none(), "{schema}");
    }
}

/// Blocks as other writers make them: several, and with their size in bytes.
#[test]
fn an_array_may_come_in_blocks() {
    let both = Both::new(r#"{"type": "array", "items": "long"}"#);
    for (bytes, expected) in [
        (vec![0], Ok(vec![])),
        (vec![2, 2, 4, 4, 6, 0], Ok(vec![1, 2, 3])),
        (vec![3, 4, 2, 4, 2, 6, 0], Ok(vec![1, 2, 3])),
        (vec![4, 2, 4], Err(Unfit)),
        (vec![0, 0], Err(Unfit)),
    ] {
        assert_eq!(both.fast.decode::<Vec<i64>>(&bytes), expected);
        both.agree_on_bytes::<Vec<i64>>(&bytes);
    }
    assert_eq!(both.fast.decode(&[4, 2, 4, 0]), Ok([1_i64, 2]));
    assert_eq!(both.fast.decode::<[i64; 2]>(&[6, 2, 4, 6, 0]), Err(Unfit), "a tuple leaves an item unread");
    assert_eq!(both.write_fast(&[1_i64, 2]), Ok(vec![4, 2, 4, 0]));
}
