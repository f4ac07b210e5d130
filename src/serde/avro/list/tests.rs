//! The list against a plain vector and the serde of the whole record.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::super::{Deserializer, SerdeError, Serializer};
use super::super::binary::put_varint;
use super::super::stub::{Mood, Stub};
use super::super::{AvroSerde, frame};
use super::{EncodedList, EncodedListSerde};

const PAGE: &str = r#"{"type": "record", "name": "Page", "fields": [
  {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
    {"name": "id", "type": "string"},
    {"name": "state", "type": ["null", {"type": "enum", "name": "State", "symbols": ["NEW", "OLD"]}]},
    {"name": "at", "type": "long"},
    {"name": "text", "type": "string"}]}}}]}"#;

/// A field less, one more, another order, a narrower number.
const OLDER: &str = r#"{"type": "record", "name": "Page", "fields": [
  {"name": "count", "type": "int"},
  {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
    {"name": "at", "type": "int"},
    {"name": "id", "type": "string"},
    {"name": "text", "type": "string"}]}}}]}"#;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Page {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Line {
    id: String,
    state: Option<State>,
    at: i64,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    New,
    Old,
}

/// Both serdes, without a registry to ask; id 0 is ours.
fn serdes(writers: &[&str]) -> (EncodedListSerde<Line>, AvroSerde<Page>) {
    let registry = Stub::start().registry();
    let list = registry.list_serde(PAGE).unwrap();
    list.layout.shared.know("t", writers);
    (list, registry.serde(PAGE).unwrap().knowing("t", writers))
}

fn written<T, S: Serializer<T>>(serde: &S, value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    assert_eq!(serde.serialize("t", value, &mut out), Ok(true));
    out
}

fn framed(id: u32, datum: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::put_header(id, &mut bytes);
    bytes.extend_from_slice(datum);
    bytes
}

/// A datum with a block for each line, from the bytes that the serde of the whole record gives a page of one line.
fn blocks(whole: &AvroSerde<Page>, page: &Page) -> Vec<u8> {
    let mut datum = Vec::new();
    for line in &page.lines {
        let alone = written(whole, &Page { lines: vec![line.clone()] });
        let item = &alone[frame::HEADER + 1..alone.len() - 1];
        datum.push(1);
        put_varint(item.len() as i64, &mut datum);
        datum.extend_from_slice(item);
    }
    datum.push(0);
    datum
}

fn lines(list: &EncodedList<Line>) -> Vec<Line> {
    (0..list.len()).map(|index| list.get(index).unwrap()).collect()
}

#[derive(Debug, Clone)]
enum Edit {
    Insert(prop::sample::Index, Line),
    Replace(prop::sample::Index, Line),
    Truncate(prop::sample::Index),
    ThroughBytes,
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let state = prop_oneof![Just(None), Just(Some(State::New)), Just(Some(State::Old))];
    let line = (".{0,80}", state, any::<i64>(), any::<String>());
    let line = line.prop_map(|(id, state, at, text)| Line { id, state, at, text });
    let at = || any::<prop::sample::Index>();
    let edit = prop_oneof![
        6 => (at(), line.clone()).prop_map(|(at, line)| Edit::Insert(at, line)),
        4 => (at(), line).prop_map(|(at, line)| Edit::Replace(at, line)),
        1 => at().prop_map(Edit::Truncate),
        1 => Just(Edit::ThroughBytes),
    ];
    prop::collection::vec(edit, 0..60)
}

#[test]
fn edits_are_those_of_a_vector_and_the_bytes_are_a_block_for_each_item() {
    let (serde, whole) = serdes(&[PAGE]);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let check = |edits: Vec<Edit>| {
        let (mut list, mut model) = (serde.empty(), Page { lines: Vec::new() });
        for edit in edits {
            match edit {
                Edit::Insert(at, line) => {
                    let at = at.index(model.lines.len() + 1);
                    list.insert(at, &line).unwrap();
                    model.lines.insert(at, line);
                }
                Edit::Replace(at, line) if !model.lines.is_empty() => {
                    let at = at.index(model.lines.len());
                    list.replace(at, &line).unwrap();
                    model.lines[at] = line;
                }
                Edit::Truncate(at) => {
                    let length = at.index(model.lines.len() + 2);
                    list.truncate(length);
                    model.lines.truncate(length);
                }
                Edit::Replace(..) | Edit::ThroughBytes => {
                    list = serde.deserialize("t", Some(&written(&serde, &list))).unwrap();
                }
            }
            prop_assert_eq!(lines(&list), model.lines.clone());
        }
        let bytes = written(&serde, &list);
        prop_assert_eq!(&bytes, &framed(0, &blocks(&whole, &model)));
        prop_assert_eq!(whole.deserialize("t", Some(&bytes)), Ok(model.clone()));
        prop_assert_eq!(serde_json::to_string(&list).unwrap(), serde_json::to_string(&model).unwrap());
        for length in 0..bytes.len() {
            prop_assert!(serde.deserialize("t", Some(&bytes[..length])).is_err(), "cut at {}", length);
        }
        Ok(())
    };
    runner.run(&edits(), check).unwrap();
}

#[test]
fn an_older_writer_is_resolved_first() {
    let newer = PAGE.replace(r#""symbols": ["NEW", "OLD"]}]"#, r#""symbols": ["NEW", "OLD"]}], "default": null"#);
    let registry = Stub::start().registry();
    let serde: EncodedListSerde<Line> = registry.list_serde(&newer).unwrap();
    serde.layout.shared.know("t", &[&newer, OLDER]);
    // count 7; two lines: at 1, "a", ""; at -1, "b", "xy"; end
    let datum = [14, 4, 2, 2, b'a', 0, 1, 2, b'b', 4, b'x', b'y', 0];
    let mut list = serde.deserialize("t", Some(&framed(1, &datum))).unwrap();
    let line = |id: &str, at, text: &str| Line { id: id.to_owned(), state: None, at, text: text.to_owned() };
    assert_eq!(lines(&list), [line("a", 1, ""), line("b", -1, "xy")]);
    list.replace(1, &line("b", 2, "z")).unwrap();
    let bytes = written(&serde, &list);
    assert_eq!(bytes, framed(0, &[1, 10, 2, b'a', 0, 2, 0, 1, 12, 2, b'b', 0, 4, 2, b'z', 0]));
    for length in 0..datum.len() {
        assert!(serde.deserialize("t", Some(&framed(1, &datum[..length]))).is_err(), "cut at {length}");
    }
}

#[test]
fn any_blocks_are_read() {
    let (serde, whole) = serdes(&[PAGE]);
    let line = [2, b'a', 0, 2, 0];
    let datum = [&[2][..], &line, &[3, 20], &line, &line, &[1, 10], &line, &[0]].concat();
    let list = serde.deserialize("t", Some(&framed(0, &datum))).unwrap();
    let model = whole.deserialize("t", Some(&framed(0, &datum))).unwrap();
    assert_eq!((lines(&list), list.len()), (model.lines.clone(), 4));
    assert_eq!(written(&serde, &list), framed(0, &blocks(&whole, &model)));
}

#[test]
fn a_block_that_tells_a_wrong_size_does_not_decode() {
    let (serde, _) = serdes(&[PAGE]);
    for datum in [&[1, 12, 2, b'a', 0, 2, 0, 0, 0][..], &[1, 8, 2, b'a', 0, 2, 0]] {
        let list = serde.deserialize("t", Some(&framed(0, datum))).unwrap();
        let error = list.get::<Line>(0).unwrap_err().to_string();
        assert!(error.starts_with("avro: item 0 of a 'Page' does not decode as"), "{error}");
        assert!(serde_json::to_string(&list).is_err());
    }
}

#[test]
fn hostile_bytes_do_no_harm() {
    let (serde, whole) = serdes(&[PAGE]);
    let line = Line { id: "é".into(), state: Some(State::Old), at: -70, text: "text".into() };
    let page = Page { lines: vec![line; 3] };
    let datums = [written(&whole, &page), framed(0, &blocks(&whole, &page))];
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let flips = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let input = (flips, prop::collection::vec(0..8u8, 0..40));
    let check = |(flips, noise): (Vec<(prop::sample::Index, u8)>, Vec<u8>)| {
        let flipped = datums.each_ref().map(|bytes| {
            let mut bytes = bytes.clone();
            let datum = &mut bytes[frame::HEADER..];
            flips.iter().for_each(|(at, byte)| datum[at.index(datum.len())] = *byte);
            bytes
        });
        for bytes in flipped.into_iter().chain([framed(0, &noise)]) {
            let page = whole.deserialize("t", Some(&bytes));
            let Ok(list) = serde.deserialize("t", Some(&bytes)) else { continue };
            let read: Result<Vec<Line>, SerdeError> = (0..list.len()).map(|index| list.get(index)).collect();
            if let Ok(lines) = read {
                prop_assert_eq!(Ok(lines), page.map(|page| page.lines), "what is read is what the record has");
            }
        }
        Ok(())
    };
    runner.run(&input, check).unwrap();
}

#[test]
fn a_part_of_an_item_may_be_read_alone() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Head<'a> {
        id: &'a str,
        at: i64,
    }
    let (serde, _) = serdes(&[PAGE]);
    let mut list = serde.empty();
    list.insert(0, &Line { id: "a".into(), state: None, at: 5, text: String::new() }).unwrap();
    assert_eq!(list.get(0), Ok(Head { id: "a", at: 5 }));
    let error = list.get::<u32>(0).unwrap_err().to_string();
    assert_eq!(error, "avro: item 0 of a 'Page' does not decode as u32");
}

#[test]
fn a_change_that_fails_is_told_when_the_list_is_written() {
    let registry = Stub::start().registry();
    let serde: EncodedListSerde<String> = registry.list_serde(PAGE).unwrap();
    serde.layout.shared.know("t", &[PAGE]);
    let edited = serde.empty().edited(|list| list.insert(0, &"no line".to_owned()));
    let edited = edited.edited(|_| Ok(()));
    let error = serde.serialize("t", &edited, &mut Vec::new()).unwrap_err().to_string();
    assert_eq!(error, "avro: a alloc::string::String does not fit schema 'Page'");
    assert!(edited.is_empty());
}

#[test]
fn a_change_that_fails_changes_nothing() {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Text {
        Right(String),
        Wrong(i64),
    }
    #[derive(Serialize)]
    struct Rough {
        id: String,
        state: Option<State>,
        at: i64,
        /// The last field: everything before it has been written when it fails.
        text: Text,
    }
    let registry = Stub::start().registry();
    let serde: EncodedListSerde<Rough> = registry.list_serde(PAGE).unwrap();
    serde.layout.shared.know("t", &[PAGE]);
    let line = |text| Rough { id: "a".into(), state: Some(State::New), at: 5, text };
    let mut list = serde.empty();
    list.insert(0, &line(Text::Right("b".into()))).unwrap();
    let before = written(&serde, &list);
    assert!(list.insert(0, &line(Text::Wrong(7))).is_err());
    assert!(list.replace(0, &line(Text::Wrong(7))).is_err());
    assert_eq!((list.len(), written(&serde, &list)), (1, before));
}

#[test]
fn a_source_never_waits_for_the_registry_and_a_task_asks_before_it_writes() {
    let stub = Stub::start();
    stub.set(Mood::Silent);
    let serde: EncodedListSerde<Line> = stub.registry().list_serde(PAGE).unwrap();
    let read = serde.try_deserialize("t", Some(&framed(7, &[0])));
    assert!(matches!(read.map(|list| list.len()), Err(SerdeError::Pending(_))));
    assert!(matches!(serde.prepare("t"), Err(SerdeError::Pending(_))));
}

#[test]
fn a_schema_that_is_no_list_is_refused() {
    let registry = Stub::start().registry();
    for schema in [
        r#""long""#,
        r#"{"type": "array", "items": "long"}"#,
        r#"{"type": "record", "name": "R", "fields": []}"#,
        r#"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "long"}]}"#,
        r#"{"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": ["int", "long"]}}]}"#,
    ] {
        assert!(registry.list_serde::<i64>(schema).is_err(), "{schema}");
    }
}
