//! A small application whose views tell what was lost, repeated or mixed up, and the model of them.
//!
//! An event is `<number>:<padding>`; the numbers of a key count from 1. The view `seen` follows the numbers of each key:
//! a missing one is a gap, and the chain depends on all of them in their order. The view `groups`, behind a repartition
//! topic, keeps the newest number of each key of a group. Both pass a number over that they have had.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thalweg::cli::{App, Describe};
use thalweg::dsl::{Consumed, Grouped, Joined, KStream, KTable, Materialized, Source, StreamsBuilder};
use thalweg::serde::{JsonSerde, StringSerde};

/// Names the topic of events.
pub const EVENTS: &str = "THALWEG_FAULTS_EVENTS";
/// Names what the application does with them.
pub const SHAPE: &str = "THALWEG_FAULTS_SHAPE";

/// Events become `seen` and nothing else.
pub const SEEN_ONLY: &str = "seen";
/// Events are joined with the table in the topic `<events>-table`.
pub const JOIN: &str = "join";

pub const SEEN: &str = "seen";
pub const GROUPS: &str = "groups";
const GROUP_COUNT: u64 = 10;

pub const APP: App = App { name: "faults", about: "Follows numbered events", describe: Describe::Plain(describe) };

/// A row of `seen`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub last: u64,
    pub chain: u64,
    pub gaps: u64,
    /// Whether the last event was a new one. The only field that repeats change.
    pub fresh: bool,
    /// That of the newest event.
    pub padding: String,
}

/// A row of `groups`: the newest number of each key.
pub type Group = BTreeMap<String, u64>;

type Events = KStream<String, String, Source<String, String, StringSerde, StringSerde>>;

fn describe(builder: &StreamsBuilder) {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let topic = variable(EVENTS);
    let events = builder.stream(&topic, Consumed::with(StringSerde, StringSerde));
    match variable(SHAPE).as_str() {
        SEEN_ONLY => drop(seen(events)),
        JOIN => join(builder, events, &topic),
        _ => groups(seen(events)),
    }
}

fn seen(events: Events) -> KTable<String, Seen> {
    events.group_by_key(Grouped::with(StringSerde, StringSerde)).aggregate(
        Seen::default,
        |_: &String, event: String, seen: Seen| seen.with(&event),
        JsonSerde::<Seen>::new(),
        Materialized::named(SEEN).view(),
    )
}

/// Only news go on: what was lost behind a store that has seen it stays lost, and is missed in the view.
fn groups(seen: KTable<String, Seen>) {
    seen.to_stream()
        .filter(|_, seen: &Option<Seen>| seen.as_ref().is_some_and(|seen| seen.fresh))
        .map(|key: String, seen: Option<Seen>| {
            let last = seen.unwrap_or_default().last;
            (group_of(&key), format!("{key} {last}"))
        })
        .group_by_key(Grouped::with(StringSerde, StringSerde).named(GROUPS))
        .aggregate(
            Group::new,
            |_: &String, news: String, mut group: Group| {
                let (key, last) = news.split_once(' ').unwrap_or_default();
                let known = group.entry(key.to_owned()).or_default();
                *known = (*known).max(last.parse().unwrap_or(0));
                group
            },
            JsonSerde::<Group>::new(),
            Materialized::named(GROUPS).view(),
        );
}

fn join(builder: &StreamsBuilder, events: Events, topic: &str) {
    let consumed = Consumed::with(StringSerde, StringSerde);
    let table: KTable<String, String> =
        builder.table(&format!("{topic}-table"), consumed, Materialized::named("table"));
    events
        .join(&table, |_: &String, event: String, row: String| event + &row, Joined::with(StringSerde, StringSerde))
        .group_by_key(Grouped::with(StringSerde, StringSerde))
        .count(Materialized::named("joined"));
}

impl Seen {
    /// The row after `event`.
    pub fn with(mut self, event: &str) -> Self {
        let (number, padding) = event.split_once(':').unwrap_or((event, ""));
        let number: u64 = number.parse().unwrap_or(0);
        self.fresh = number > self.last;
        if self.fresh {
            self.gaps += number - self.last - 1;
            self.chain = chain(self.chain, number);
            self.last = number;
            padding.clone_into(&mut self.padding);
        }
        self
    }

    /// Whether all events until the last one were taken in order: what every answer must say at any time.
    pub fn is_whole(&self) -> bool {
        self.gaps == 0 && self.chain == (1..=self.last).fold(0, chain)
    }
}

/// 53 bits, which every JSON library keeps.
fn chain(before: u64, number: u64) -> u64 {
    before.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(number) >> 11
}

/// The group of a key.
pub fn group_of(key: &str) -> String {
    format!("group-{}", key.bytes().map(u64::from).sum::<u64>() % GROUP_COUNT)
}
