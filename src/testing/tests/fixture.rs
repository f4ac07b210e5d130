//! What the specification tests share: text and numbers as keys and values, short ways to say them.

use crate::dsl::{Consumed, Grouped, Joined, KStream, KTable, Materialized, Produced, Source, StreamsBuilder};
use crate::serde::{I64Serde, OptionalSerde, StringSerde};
use crate::task::Recipes;
use crate::testing::{DriverOptions, TestInputTopic, TestOutputTopic, TopologyTestDriver};
use crate::types::Timestamp;

pub type Text = OptionalSerde<StringSerde>;

pub const TEXT: Text = OptionalSerde(StringSerde);
pub const NUMBER: OptionalSerde<I64Serde> = OptionalSerde(I64Serde);

pub type TextInput = TestInputTopic<String, String, StringSerde, StringSerde>;
/// Key, value and time of records whose parts may be null.
pub type Texts = TestOutputTopic<Option<String>, Option<String>, Text, Text>;
pub type Numbers = TestOutputTopic<Option<String>, Option<i64>, Text, OptionalSerde<I64Serde>>;
/// What a test expects: `None` is null.
pub type Expected<'a, V> = [(Option<&'a str>, Option<V>, Timestamp)];

pub type TextStream = KStream<String, String, Source<String, String, StringSerde, StringSerde>>;
pub type NullableText = KStream<Option<String>, Option<String>, Source<Option<String>, Option<String>, Text, Text>>;

/// A stream of text without nulls.
pub fn stream(builder: &StreamsBuilder, topic: &str) -> TextStream {
    builder.stream(topic, Consumed::with(StringSerde, StringSerde))
}

/// A stream of text with nulls.
pub fn nullable(builder: &StreamsBuilder, topic: &str) -> NullableText {
    builder.stream(topic, Consumed::with(TEXT, TEXT))
}

/// A table of text that is kept only when somebody needs it.
pub fn table(builder: &StreamsBuilder, topic: &str) -> KTable<String, String> {
    builder.table(topic, Consumed::with(StringSerde, StringSerde), Materialized::unnamed())
}

pub fn produced() -> Produced<StringSerde, StringSerde> {
    Produced::with(StringSerde, StringSerde)
}

/// Writes keys, and values that may be null.
pub fn produced_nullable() -> Produced<StringSerde, Text> {
    Produced::with(StringSerde, TEXT)
}

pub fn produced_numbers() -> Produced<StringSerde, OptionalSerde<I64Serde>> {
    Produced::with(StringSerde, NUMBER)
}

pub fn grouped() -> Grouped<String, String, StringSerde, StringSerde> {
    Grouped::with(StringSerde, StringSerde)
}

pub fn joined() -> Joined<StringSerde, StringSerde> {
    Joined::with(StringSerde, StringSerde)
}

pub fn build(builder: StreamsBuilder) -> Recipes {
    builder.build("app").unwrap()
}

pub fn start(builder: StreamsBuilder) -> TopologyTestDriver {
    start_with(builder, DriverOptions::default())
}

/// Without record caches: every update goes on, also the deletion of a row that nobody was told about.
pub fn start_uncached(builder: StreamsBuilder) -> TopologyTestDriver {
    start_with(builder, DriverOptions::default().cache_max_bytes(0))
}

pub fn start_with(builder: StreamsBuilder, options: DriverOptions) -> TopologyTestDriver {
    TopologyTestDriver::new(build(builder), options).unwrap()
}

pub fn input(driver: &TopologyTestDriver, topic: &str) -> TextInput {
    driver.create_input_topic(topic, StringSerde, StringSerde)
}

pub fn texts(driver: &TopologyTestDriver, topic: &str) -> Texts {
    driver.create_output_topic(topic, TEXT, TEXT)
}

pub fn numbers(driver: &TopologyTestDriver, topic: &str) -> Numbers {
    driver.create_output_topic(topic, TEXT, NUMBER)
}

/// What is left to read of a topic: keys, values and times.
#[track_caller]
pub fn expect(output: &Texts, expected: &Expected<'_, &str>) {
    let records = output.read_records_to_list();
    let records: Vec<_> = records.iter().map(|r| (r.key.as_deref(), r.value.as_deref(), r.timestamp)).collect();
    assert_eq!(records, expected);
}

/// As [`expect`], for numbers.
#[track_caller]
pub fn expect_numbers(output: &Numbers, expected: &Expected<'_, i64>) {
    let records = output.read_records_to_list();
    let records: Vec<_> = records.iter().map(|r| (r.key.as_deref(), r.value, r.timestamp)).collect();
    assert_eq!(records, expected);
}
