#![allow(clippy::unwrap_used)]

//! A running task over a consumer that always has more: what waits is bounded.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use thalweg_state::{SharedMemory, TaskState};

use super::*;
use crate::dsl::{Consumed, Produced, StreamsBuilder};
use crate::serde::StringSerde;
use crate::task::{DecodePolicy, TaskOptions};
use crate::types::{HeadersView, RecordView, SourceBatch, TaskId};

/// Always has records of `a-0`, with values of this many bytes, and none of other partitions.
struct Endless {
    value_bytes: usize,
    next: Offset,
}

impl Consumer for Endless {
    fn assign(&mut self, _: &TopicPartition, _: Offset) -> Result<(), wire::Error> {
        Ok(())
    }

    fn unassign(&mut self, _: &TopicPartition) -> Result<(), wire::Error> {
        Ok(())
    }

    fn read(
        &mut self,
        partition: &TopicPartition,
        max_records: usize,
        batch: &mut SourceBatch,
    ) -> Result<Option<PartitionEvent>, wire::Error> {
        let count = if *partition.topic == *"a" { max_records as Offset } else { 0 };
        let value = vec![b'v'; self.value_bytes];
        for offset in self.next..self.next + count {
            let (key, value, headers) = (Some(&b"k"[..]), Some(&value[..]), HeadersView::default());
            batch.push(RecordView { offset, timestamp: 1, leader_epoch: None, key, value, headers });
        }
        self.next += count;
        Ok(None)
    }

    fn wait(&mut self, _: Duration) -> bool {
        true
    }

    fn offsets(&mut self, _: &TopicPartition, _: Duration) -> Result<Range<Offset>, wire::Error> {
        Ok(0..self.next)
    }

    fn fetched_end(&self, _: &TopicPartition) -> Option<Offset> {
        Some(self.next)
    }

    fn close(self: Box<Self>, _: Duration) {}
}

/// A task of `a-0` and `b-0` whose queues may hold `queue_bytes` each.
fn running(queue_bytes: usize, metrics: &Arc<Metrics>) -> RunningTask {
    let builder = StreamsBuilder::new();
    let events = |topic| builder.stream::<String, String, _, _>(topic, Consumed::with(StringSerde, StringSerde));
    events("a").merge(events("b")).to("out", Produced::with(StringSerde, StringSerde));
    let recipes = builder.build("app").unwrap();
    let state = TaskState::open(Path::new(""), &[], &SharedMemory::new(1 << 20).unwrap()).unwrap().state;
    let input = |topic| Input { partition: TopicPartition::new(topic, 0), position: 0, partition_time: None };
    let inputs = ["a", "b"].map(input);
    let options = TaskOptions {
        decode_policy: DecodePolicy::Fail,
        dead_letter_topic: None,
        max_task_idle_ms: 0,
        cache_max_bytes: 0,
        timestamp_ahead_max_ms: i64::MAX,
    };
    let (id, partitions) = (TaskId::new(0, 0), BTreeMap::from([("out".to_owned(), 1)]));
    let task = Task::start(&recipes, id, state, &inputs, &partitions, &options, 0);
    RunningTask::new(task, &inputs, ProgressCell::default(), metrics.task(id), &recipes, queue_bytes)
}

#[test]
fn a_partition_whose_queue_is_full_is_left_unread_until_there_is_room() {
    // By their number, and by their bytes: one more read comes whole.
    for (queue_bytes, value_bytes, full) in [(4 << 20, 10, 2_000), (16 << 10, 1_000, 1_000), (2 << 20, 1_500, 2_000)] {
        let metrics = Metrics::new().unwrap();
        let mut running = running(queue_bytes, &metrics);
        let mut consumer = Endless { value_bytes, next: 0 };
        // Nothing is processed: `b` may still have older records.
        for _ in 0..10 {
            running.fetch(&mut consumer, &metrics).unwrap();
            assert_eq!(running.task.process(1_000, 0).unwrap().records, 0);
        }
        assert_eq!((running.task.queues()[0].len(), consumer.next), (full as usize, full), "{queue_bytes} bytes");
        running.task.reached_end(1, 0);
        assert_eq!(running.task.process(1_000, 0).unwrap().records, 1_000);
        running.fetch(&mut consumer, &metrics).unwrap();
        assert_eq!(consumer.next, full + 1_000, "{queue_bytes} bytes");
    }
}
