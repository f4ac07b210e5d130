//! Sorts the stacks of a profile into the parts of a record's life.
//!
//! A stack belongs to the first row of the table that one of its frames matches, wherever the frame stands: so the
//! memory that a serializer takes counts as serialising, and the writes of a commit count as commit.

use serde::Serialize;

/// A part of a record's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// From the broker into the task's queues.
    Fetch,
    /// Bytes into keys and values.
    Decode,
    /// Operators, and choosing the next record.
    Chain,
    /// Rows: overlay, RocksDB with its background threads.
    Store,
    /// Keys and values into bytes, records into the outbox.
    Serialise,
    /// From the outbox to the broker.
    Produce,
    /// Offsets, and applying the rows of a commit.
    Commit,
    /// Everything else: group, HTTP, metrics, the kernel's own work.
    Other,
}

impl Part {
    /// All parts in the order of a record's life.
    pub const ALL: [Self; 8] = [
        Self::Fetch,
        Self::Decode,
        Self::Chain,
        Self::Store,
        Self::Serialise,
        Self::Produce,
        Self::Commit,
        Self::Other,
    ];

    /// The word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Decode => "decode",
            Self::Chain => "chain",
            Self::Store => "store",
            Self::Serialise => "serialise",
            Self::Produce => "produce",
            Self::Commit => "commit",
            Self::Other => "other",
        }
    }
}

/// Parts of function names, the most telling first. librdkafka's threads come before everything, because a client does
/// one thing only; what a commit encloses before what it calls; then from the inside of a record's life outwards.
const PATTERNS: &[(&str, Part)] = &[
    // The main thread reads all stores when the run is over.
    ("streams_bench::side", Part::Other),
    ("rd_kafka_broker_producer_serve", Part::Produce),
    ("rd_kafka_broker_consumer_serve", Part::Fetch),
    ("rd_kafka_produce", Part::Produce),
    ("rd_kafka_msgset_writer", Part::Produce),
    ("rd_kafka_msgset_reader", Part::Fetch),
    ("rd_kafka_consume", Part::Fetch),
    ("rd_kafka_fetch", Part::Fetch),
    ("RdProducer", Part::Produce),
    ("RdConsumer", Part::Fetch),
    ("RunningTask::send", Part::Produce),
    ("RunningTask::fetch", Part::Fetch),
    ("TaskState::apply", Part::Commit),
    ("runtime::commit", Part::Commit),
    ("coordinator::", Part::Commit),
    ("Publication::publish", Part::Commit),
    ("::serialize", Part::Serialise),
    // An inlined function has no path.
    (";serialize", Part::Serialise),
    ("RecordArena::write", Part::Serialise),
    ("RecordArena::push", Part::Serialise),
    ("task::outbox", Part::Serialise),
    ("partition_of", Part::Serialise),
    ("murmur2", Part::Serialise),
    ("::deserialize", Part::Decode),
    (";deserialize", Part::Decode),
    ("Entry>::decode", Part::Decode),
    ("thalweg_state::", Part::Store),
    ("rocksdb", Part::Store),
    ("task::store", Part::Store),
    ("task::cache", Part::Store),
    ("SourceBatch", Part::Fetch),
    ("thalweg::dsl::", Part::Chain),
    ("thalweg::task::", Part::Chain),
    ("orders::", Part::Chain),
];

/// The part that a stack belongs to; frames are separated by semicolons, the outermost first.
pub fn part_of(stack: &str) -> Part {
    PATTERNS.iter().find(|(pattern, _)| stack.contains(pattern)).map_or(Part::Other, |(_, part)| *part)
}

/// The share of each part, all together 1, from lines of `frame;frame;frame count`; `None` when nothing was counted.
pub fn shares<'a>(folded: impl IntoIterator<Item = &'a str>) -> Option<Vec<(Part, f64)>> {
    let mut counts = Part::ALL.map(|part| (part, 0_u64));
    for line in folded {
        let Some((stack, count)) = line.rsplit_once(' ') else { continue };
        let part = part_of(stack);
        if let Some((_, sum)) = counts.iter_mut().find(|(known, _)| *known == part) {
            *sum += count.parse::<u64>().unwrap_or_default();
        }
    }
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    (all > 0).then(|| counts.iter().map(|(part, count)| (*part, *count as f64 / all as f64)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_belongs_to_its_most_telling_frame() {
        let process = "stream-0;thalweg::runtime::stream_thread::StreamThread::turn;thalweg::task::Task::process";
        let table = [
            ("rdk:broker1;rd_kafka_broker_thread_main;rd_kafka_broker_producer_serve;send", Part::Produce),
            ("rdk:broker1;rd_kafka_broker_thread_main;rd_kafka_broker_consumer_serve;memcpy", Part::Fetch),
            ("thalweg::runtime::running_task::RunningTask::fetch;rd_kafka_consume_batch_queue", Part::Fetch),
            (
                &format!(
                    "{process};<thalweg::dsl::source::Source>::decode;<BytesSerde as Deserializer>::deserialize;malloc"
                ),
                Part::Decode,
            ),
            (&format!("{process};thalweg::dsl::grouped_stream::Aggregate::push"), Part::Chain),
            (
                &format!(
                    "{process};thalweg::dsl::grouped_stream::Aggregate::push;thalweg_state::overlay::Overlay::get"
                ),
                Part::Store,
            ),
            (
                &format!("{process};thalweg::task::store::KeyValueStore::put;<I64Serde as Serializer>::serialize"),
                Part::Serialise,
            ),
            (&format!("{process};process<Vec<u8>>;deserialize;to_vec<u8>"), Part::Decode),
            (&format!("{process};thalweg::task::store::KeyValueStore<K,V,KS,VS>::get_serialized;malloc"), Part::Store),
            ("rocksdb:low;rocksdb::CompactionJob::Run", Part::Store),
            (
                "stream-0;thalweg::runtime::commit::apply;thalweg_state::task_state::TaskState::apply;rocksdb::DBImpl::Write",
                Part::Commit,
            ),
            ("http;tokio::runtime::park;epoll_wait", Part::Other),
        ];
        for (stack, part) in table {
            assert_eq!(part_of(stack), part, "{stack}");
        }
    }

    #[test]
    fn shares_add_up_to_one() {
        let folded = ["a;rocksdb::Get 3", "a;thalweg::dsl::x 5", "a;b 2", "not a folded line"];
        let shares = shares(folded).unwrap_or_default();
        let of = |part| shares.iter().find(|(known, _)| *known == part).map(|(_, share)| *share);
        assert_eq!((of(Part::Store), of(Part::Chain), of(Part::Other)), (Some(0.3), Some(0.5), Some(0.2)));
        assert!((shares.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-9);
        assert_eq!(super::shares(["nothing"]), None);
    }
}
