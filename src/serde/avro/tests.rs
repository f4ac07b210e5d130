//! The serde against a registry: bytes, caching, hostile input, failures.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::{Deserializer, SerdeError, Serializer};
use super::AvroSerde;
use super::registry::Patience;
use super::stub::{Mood, Stub};

const ORDER: &str = r#"{
  "type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "id", "type": "string"},
    {"name": "amount", "type": "long"},
    {"name": "count", "type": "int"},
    {"name": "paid", "type": "boolean"},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["PLACED", "DELIVERED"]}},
    {"name": "note", "type": ["null", "string"], "default": null},
    {"name": "rate", "type": "double"},
    {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
      {"name": "sku", "type": "string"}, {"name": "quantity", "type": "int"}]}}},
    {"name": "tags", "type": {"type": "map", "values": "string"}},
    {"name": "blob", "type": "string"}
  ]}"#;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    id: String,
    amount: i64,
    count: i32,
    paid: bool,
    state: State,
    note: Option<String>,
    rate: f64,
    items: Vec<Item>,
    tags: std::collections::BTreeMap<String, String>,
    blob: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Placed,
    Delivered,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Item {
    sku: String,
    quantity: i32,
}

fn order() -> Order {
    Order {
        id: "o-1".into(),
        amount: -65,
        count: 3,
        paid: true,
        state: State::Delivered,
        note: Some("é".into()),
        rate: 1.0,
        items: vec![Item { sku: "a".into(), quantity: 64 }],
        tags: [("k".to_owned(), "v".to_owned())].into(),
        blob: String::new(),
    }
}

/// `order()` by hand, from the Avro specification.
fn datum() -> Vec<u8> {
    let mut bytes = vec![6, b'o', b'-', b'1']; // id: length 3
    bytes.extend([0x81, 0x01]); // amount: zigzag(-65) = 129
    bytes.extend([6, 1, 2]); // count 3, paid, symbol 1
    bytes.extend([2, 4, 0xc3, 0xa9]); // branch 1, length 2
    bytes.extend([0, 0, 0, 0, 0, 0, 0xf0, 0x3f]); // rate, little-endian
    bytes.extend([2, 2, b'a', 0x80, 0x01, 0]); // one item: length 1, zigzag(64) = 128; end
    bytes.extend([2, 2, b'k', 2, b'v', 0]); // one entry; end
    bytes.push(0); // blob
    bytes
}

fn framed(id: u32, datum: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], datum].concat()
}

/// Remembers every answer, so that those who do not wait for it meet it.
fn remembering(stub: &Stub) -> AvroSerde<Order> {
    let long = Duration::from_secs(20);
    stub.registry_with(Patience { answer: long, refused: long, unavailable: long }).serde(ORDER).unwrap()
}

/// What an attempt that never waits comes to.
fn answered<T>(attempt: impl Fn() -> Result<T, SerdeError>) -> Result<T, SerdeError> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match attempt() {
            Err(SerdeError::Pending(what)) => assert!(Instant::now() < deadline, "no answer about {what}"),
            result => return result,
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn reason<T: std::fmt::Debug>(result: Result<T, SerdeError>) -> &'static str {
    result.unwrap_err().reason()
}

#[test]
fn bytes_are_confluents_framing_of_avro() {
    let stub = Stub::start();
    let serde: AvroSerde<Order> = stub.serde(ORDER);
    let mut out = b"kept".to_vec();
    assert_eq!(serde.serialize("orders", &order(), &mut out), Ok(true));
    assert_eq!(out[..4], *b"kept");
    assert_eq!(out[4..], framed(1, &datum()));
    assert_eq!(serde.deserialize("orders", Some(&out[4..])), Ok(order()));
    assert_eq!(reason(serde.deserialize("orders", None)), "null");
}

#[test]
fn a_schema_is_registered_once_per_topic_and_part() {
    let stub = Stub::start();
    let registry = stub.registry();
    let values: AvroSerde<Order> = registry.serde(ORDER).unwrap();
    let keys: AvroSerde<i64> = registry.key_serde(r#""long""#).unwrap();
    answered(|| values.prepare("a")).unwrap();
    let asked = stub.requests().len();
    for topic in ["a", "a", "b"] {
        values.clone().serialize(topic, &order(), &mut Vec::new()).unwrap();
        keys.serialize(topic, &7, &mut Vec::new()).unwrap();
    }
    let subject = |name: &str, id| (name.to_owned(), id);
    assert_eq!(
        stub.subjects(),
        [subject("a-value", 1), subject("a-key", 2), subject("b-value", 1), subject("b-key", 2)]
    );
    assert_eq!((asked, stub.requests().len()), (1, 4));
}

#[test]
fn a_writer_schema_is_fetched_once_for_all_serdes() {
    let stub = Stub::start();
    stub.put(9, ORDER);
    let registry = stub.registry();
    let (one, two): (AvroSerde<Order>, AvroSerde<Order>) =
        (registry.serde(ORDER).unwrap(), registry.serde(ORDER).unwrap());
    for _ in 0..3 {
        assert_eq!(one.deserialize("t", Some(&framed(9, &datum()))), Ok(order()));
        assert_eq!(two.deserialize("t", Some(&framed(9, &datum()))), Ok(order()));
    }
    assert_eq!(stub.requests().len(), 1);
    stub.set(Mood::Says(500, "gone"));
    assert_eq!(one.deserialize("t", Some(&framed(9, &datum()))), Ok(order()), "cached ids need no registry");
}

#[test]
fn what_an_older_schema_wrote_becomes_a_value_of_ours() {
    let stub = Stub::start();
    let older = ORDER.replace(r#""name": "amount", "type": "long""#, r#""name": "amount", "type": "int""#);
    let older = older.replace(r#"{"name": "note", "type": ["null", "string"], "default": null},"#, "");
    stub.put(1, &older);
    let serde: AvroSerde<Order> = stub.serde(ORDER);
    let mut bytes = datum();
    bytes.drain(9..13); // no note
    assert_eq!(serde.deserialize("t", Some(&framed(1, &bytes))), Ok(Order { note: None, ..order() }));
}

#[test]
fn a_record_cut_anywhere_or_too_long_is_malformed() {
    let stub = Stub::start();
    stub.put(1, ORDER);
    // A writer that resolves through the plan: one field more.
    stub.put(2, &ORDER.replacen("\"fields\": [", "\"fields\": [{\"name\": \"extra\", \"type\": \"null\"},", 1));
    let serde: AvroSerde<Order> = stub.serde(ORDER);
    for id in [1, 2] {
        let whole = framed(id, &datum());
        assert_eq!(serde.deserialize("t", Some(&whole)), Ok(order()));
        for length in 0..whole.len() {
            assert_eq!(reason(serde.deserialize("t", Some(&whole[..length]))), "malformed", "id {id}, {length} bytes");
        }
        let longer = [&whole[..], &[0]].concat();
        let text = serde.deserialize("t", Some(&longer)).unwrap_err().to_string();
        assert!(text.contains("bytes left over"), "{text}");
        let mut foreign = whole;
        foreign[0] = 1;
        assert_eq!(reason(serde.deserialize("t", Some(&foreign))), "malformed");
    }
}

#[test]
fn lengths_beyond_the_record_are_malformed_and_allocate_nothing() {
    let stub = Stub::start();
    stub.put(1, r#""string""#);
    stub.put(2, r#""bytes""#);
    stub.put(3, r#"{"type": "array", "items": "string"}"#);
    stub.put(4, r#"{"type": "array", "items": "null"}"#);
    stub.put(5, r#"{"type": "map", "values": "string"}"#);
    // i64::MAX, i64::MIN, 2^40, an endless number
    let numbers: [&[u8]; 4] = [
        &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x40],
        &[0xff; 12],
    ];
    let text: AvroSerde<String> = stub.serde(r#""string""#);
    let list: AvroSerde<Vec<String>> = stub.serde(r#"{"type": "array", "items": "string"}"#);
    let nulls: AvroSerde<Vec<()>> = stub.serde(r#"{"type": "array", "items": "null"}"#);
    let map: AvroSerde<std::collections::BTreeMap<String, String>> =
        stub.serde(r#"{"type": "map", "values": "string"}"#);
    for number in numbers {
        assert_eq!(reason(text.deserialize("t", Some(&framed(1, number)))), "malformed");
        assert_eq!(reason(text.deserialize("t", Some(&framed(2, number)))), "malformed");
        assert_eq!(reason(list.deserialize("t", Some(&framed(3, number)))), "malformed");
        assert_eq!(reason(nulls.deserialize("t", Some(&framed(4, number)))), "malformed");
        assert_eq!(reason(map.deserialize("t", Some(&framed(5, number)))), "malformed");
    }
    // A million items that take no byte, and the end.
    let mut million = Vec::new();
    super::binary::put_varint(1_000_000, &mut million);
    million.push(0);
    assert_eq!(reason(nulls.deserialize("t", Some(&framed(4, &million)))), "malformed");
    stub.put(6, r#"["int", {"type": "array", "items": "null"}]"#);
    let planned = [&[2], &million[..]].concat();
    assert_eq!(reason(nulls.deserialize("t", Some(&framed(6, &planned)))), "malformed");
}

#[test]
fn no_error_quotes_the_record() {
    let stub = Stub::start();
    stub.put(1, r#"{"type": "record", "name": "R", "fields": [{"name": "phone", "type": "string"}]}"#);
    #[derive(Debug, Serialize, Deserialize)]
    struct Record {
        phone: u32,
    }
    let serde: AvroSerde<Record> =
        stub.serde(r#"{"type": "record", "name": "R", "fields": [{"name": "phone", "type": "string"}]}"#);
    let error = serde.deserialize("t", Some(&framed(1, b"\x0csecret"))).unwrap_err();
    assert_eq!(error.to_string(), "avro: bytes that do not decode at byte 7 of 7 of a 'R' written with schema id 1");
    let error = serde.serialize("t", &Record { phone: 8_210_123 }, &mut Vec::new()).unwrap_err();
    assert!(!error.to_string().contains("8210123"), "{error}");
}

#[test]
fn an_unknown_id_is_not_asked_about_again_for_a_while() {
    let stub = Stub::start();
    let long = Duration::from_secs(20);
    let patience = Patience { answer: long, refused: Duration::from_secs(600), unavailable: long };
    let serde: AvroSerde<Order> = stub.registry_with(patience).serde(ORDER).unwrap();
    for _ in 0..3 {
        let error = serde.deserialize("t", Some(&framed(77, &datum()))).unwrap_err();
        assert_eq!(error, SerdeError::UnknownSchema(77));
    }
    assert_eq!(stub.requests().len(), 1);

    let beyond = framed(0x8000_0000, &datum());
    assert_eq!(serde.deserialize("t", Some(&beyond)), Err(SerdeError::UnknownSchema(0x8000_0000)));
    assert_eq!(stub.requests().len(), 1, "no registry has an id that is no Java int");

    let forgetful: AvroSerde<Order> = stub.serde(ORDER);
    assert_eq!(reason(forgetful.deserialize("t", Some(&framed(77, &datum())))), "unknown_schema");
    stub.put(77, ORDER);
    assert_eq!(forgetful.deserialize("t", Some(&framed(77, &datum()))), Ok(order()), "the registry caught up");
}

#[test]
fn a_registry_that_fails_is_unavailable_and_heals() {
    let stub = Stub::start();
    stub.put(1, ORDER);
    let serde: AvroSerde<Order> = stub.serde(ORDER);
    let html = "<html>sorry</html>";
    let moods = [(500, html), (503, html), (401, html), (403, "{}"), (404, html), (429, "{}"), (302, ""), (200, html)];
    for (status, body) in moods.into_iter().chain([(200, "{}"), (200, "{\"schema\": 3}"), (200, "")]) {
        stub.set(Mood::Says(status, body));
        let read = serde.deserialize("t", Some(&framed(1, &datum()))).unwrap_err();
        assert!(read.is_retriable(), "{status} {body}: {read:?}");
        let written = serde.serialize("t", &order(), &mut Vec::new()).unwrap_err();
        assert!(written.is_retriable(), "{status} {body}: {written:?}");
    }
    stub.set(Mood::Fine);
    assert_eq!(serde.deserialize("t", Some(&framed(1, &datum()))), Ok(order()));
    assert_eq!(serde.serialize("t", &order(), &mut Vec::new()), Ok(true));
}

#[test]
fn a_silent_registry_holds_nobody_longer_than_its_patience() {
    let stub = Stub::start();
    stub.set(Mood::Silent);
    let long = Duration::from_secs(600);
    let patience = Patience { answer: Duration::ZERO, refused: long, unavailable: long };
    let serde: AvroSerde<Order> = stub.registry_with(patience).serde(ORDER).unwrap();
    let error = serde.deserialize("t", Some(&framed(1, &datum()))).unwrap_err();
    assert_eq!(error, SerdeError::Pending("schema id 1".to_owned()));
    assert_eq!(serde.prepare("t"), Err(SerdeError::Pending("subject 't-value'".to_owned())));
}

#[test]
fn a_source_never_waits_for_the_registry_and_meets_its_answer_later() {
    let stub = Stub::start();
    stub.put(1, ORDER);
    stub.set(Mood::Silent);
    let serde = remembering(&stub);
    let bytes = framed(1, &datum());
    let started = Instant::now();
    for _ in 0..3 {
        assert_eq!(serde.try_deserialize("t", Some(&bytes)), Err(SerdeError::Pending("schema id 1".to_owned())));
    }
    assert!(started.elapsed() < Duration::from_secs(10), "less than one answer is waited for otherwise");
    let healthy = Stub::start();
    healthy.put(1, ORDER);
    let serde = remembering(&healthy);
    assert_eq!(reason(serde.try_deserialize("t", Some(&bytes))), "registry_pending");
    assert_eq!(answered(|| serde.try_deserialize("t", Some(&bytes))), Ok(order()));
    assert_eq!(serde.try_deserialize("t", Some(&bytes)), Ok(order()), "from now on at once");
    assert_eq!(healthy.requests().len(), 1);
    assert_eq!(reason(serde.try_deserialize("t", Some(&bytes[..7]))), "malformed", "what needs no registry is known");
}

#[test]
fn a_failed_call_is_told_and_counted_and_the_next_one_says_what_was_before() {
    let stub = Stub::start();
    stub.put(1, ORDER);
    let html = "<html>sorry</html>";
    stub.set(Mood::Says(401, html));
    let (long, soon) = (Duration::from_secs(20), Duration::from_millis(200));
    let registry = stub.registry_with(Patience { answer: long, refused: long, unavailable: soon });
    let serde: AvroSerde<Order> = registry.serde(ORDER).unwrap();
    let read = || serde.try_deserialize("t", Some(&framed(1, &datum())));
    let failed = answered(read).unwrap_err();
    assert!(matches!(&failed, SerdeError::Unavailable(text) if text.starts_with("schema id 1: ")), "{failed:?}");
    assert_eq!((read().unwrap_err(), registry.failures()), (failed, 1), "remembered for a moment");
    stub.set(Mood::Fine);
    std::thread::sleep(soon);
    let again = read().unwrap_err().to_string();
    let expected = "the schema registry has not answered yet: schema id 1, asked again after: ";
    assert!(again.starts_with(expected), "{again}");
    assert_eq!((answered(read), registry.failures()), (Ok(order()), 1));
}

#[test]
fn questions_beyond_the_bound_take_their_turn() {
    let stub = Stub::start();
    (1..=30).for_each(|id| stub.put(id, ORDER));
    let serde = remembering(&stub);
    let read = |id| serde.try_deserialize("t", Some(&framed(id, &datum())));
    for id in 1..=30 {
        assert!(read(id).is_err_and(|error| error.is_retriable()));
    }
    for id in 1..=30 {
        assert_eq!(answered(|| read(id)), Ok(order()));
    }
    assert_eq!(stub.requests().len(), 30);
}

#[test]
fn no_registry_at_all_is_unavailable() {
    let mut stub = Stub::start();
    // A port that was free a moment ago.
    stub.url = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let serde: AvroSerde<Order> = stub.serde(ORDER);
    let error = serde.deserialize("t", Some(&framed(1, &datum()))).unwrap_err();
    assert!(error.is_retriable() && error.to_string().contains("Connection refused"), "{error}");
}

#[test]
fn a_registry_behind_tls_can_be_asked() {
    let mut stub = Stub::start();
    stub.url = stub.url.replace("http://", "https://");
    let serde: AvroSerde<Order> = stub.serde(ORDER);
    let error = serde.serialize("t", &order(), &mut Vec::new()).unwrap_err();
    // The stub answers in plain text, so the handshake fails; without TLS in the build there would be none.
    assert!(error.to_string().contains("SSL routines"), "{error}");
}

#[test]
fn a_refused_schema_names_subject_and_reason() {
    let stub = Stub::start();
    stub.set(Mood::Says(409, r#"{"error_code": 409, "message": "no default for field x"}"#));
    let serde = remembering(&stub);
    let error = answered(|| serde.prepare("orders")).unwrap_err();
    assert_eq!(error.to_string(), "the registry refuses our schema as 'orders-value': no default for field x");
    assert!(!error.is_retriable());
}

#[test]
fn instances_that_register_a_new_schema_at_once_both_get_its_id() {
    let stub = Stub::start();
    stub.set(Mood::SaysOnce(409, r#"{"error_code": 409, "message": "orders-value already exists"}"#));
    let serde: AvroSerde<Order> = stub.serde(ORDER);
    assert_eq!(answered(|| serde.prepare("orders")), Ok(()));
    assert_eq!(stub.subjects(), [("orders-value".to_owned(), 1)]);
}

#[test]
fn asking_within_an_async_context_is_harmless() {
    let stub = Stub::start();
    stub.put(1, ORDER);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let read = runtime.block_on(async {
        let serde: AvroSerde<Order> = stub.serde(ORDER);
        serde.deserialize("t", Some(&framed(1, &datum())))
    });
    assert_eq!(read, Ok(order()));
}

fn orders() -> impl Strategy<Value = Order> {
    let items = prop::collection::vec((any::<String>(), any::<i32>()), 0..4);
    let tags = prop::collection::btree_map(any::<String>(), any::<String>(), 0..3);
    let head = (any::<String>(), any::<i64>(), any::<i32>(), any::<bool>(), any::<bool>());
    let tail = (any::<Option<String>>(), -1e300..1e300, items, tags, any::<String>());
    (head, tail).prop_map(|((id, amount, count, paid, placed), (note, rate, items, tags, blob))| Order {
        id,
        amount,
        count,
        paid,
        state: if placed { State::Placed } else { State::Delivered },
        note,
        rate,
        items: items.into_iter().map(|(sku, quantity)| Item { sku, quantity }).collect(),
        tags,
        blob,
    })
}

/// apache-avro as an independent model of the encoding.
#[test]
fn values_encode_as_apache_avro_encodes_them() {
    let stub = Stub::start();
    let serde: AvroSerde<Order> = stub.serde(ORDER);
    let schema = apache_avro::Schema::parse_str(ORDER).unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let check = |order: Order| {
        let mut out = Vec::new();
        serde.serialize("t", &order, &mut out).unwrap();
        let value = apache_avro::to_value(&order).unwrap().resolve(&schema).unwrap();
        let reader = apache_avro::reader::datum::GenericDatumReader::builder(&schema).build().unwrap();
        let model = reader.read_value(&mut &out[5..]).unwrap();
        prop_assert_eq!(model, value);
        prop_assert_eq!(serde.deserialize("t", Some(&out)).unwrap(), order);
        Ok(())
    };
    runner.run(&orders(), check).unwrap();
}

/// Whatever the bytes are: a value or an error, never a panic and never an endless loop.
#[test]
fn random_bytes_do_no_harm() {
    let stub = Stub::start();
    stub.put(1, ORDER);
    stub.put(2, &ORDER.replacen("\"fields\": [", "\"fields\": [{\"name\": \"extra\", \"type\": \"null\"},", 1));
    let serde: AvroSerde<Order> = stub.serde(ORDER);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let input = (1..3u32, prop::collection::vec(any::<u8>(), 0..200), any::<prop::sample::Index>());
    let check = |(id, noise, at): (u32, Vec<u8>, prop::sample::Index)| {
        let _ = serde.deserialize("t", Some(&framed(id, &noise)));
        let mut flipped = datum();
        let at = at.index(flipped.len());
        flipped[at] ^= noise.first().copied().unwrap_or(1);
        let direct = serde.deserialize("t", Some(&framed(1, &flipped)));
        let planned = serde.deserialize("t", Some(&framed(2, &flipped)));
        prop_assert_eq!(direct.ok(), planned.ok(), "both ways to read agree");
        Ok(())
    };
    runner.run(&input, check).unwrap();
}
