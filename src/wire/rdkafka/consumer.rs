//! Reads assigned partitions, each from a queue of its own.
//!
//! It is librdkafka's consumer without a group: starting and stopping a partition are its only assignments. Stopping
//! is synchronous, so nothing fetched under an older assignment can surface; the group variant stops in the
//! background.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::closing::close_within;
use super::error::{error, with_text};
use super::native::{Client, Code, Message, Messages, OK, PartitionQueue, Topic, Wakeup, partition_count};
use crate::types::{Headers, Offset, RecordView, SourceBatch, TopicPartition};
use crate::wire::{Consumer, Error, ErrorKind, PartitionEvent};

/// Messages taken from a queue in one call.
const CHUNK: usize = 512;
/// A read stops after the chunk that brings its batch over this many bytes.
const BATCH_BYTES_MAX: usize = 8 << 20;

/// A consumer of the adapter.
pub(super) struct RdConsumer {
    name: String,
    // Order of fields: queues and topics go before the client that made them.
    messages: Messages,
    assigned: HashMap<TopicPartition, Assigned>,
    topics: HashMap<Arc<str>, Topic>,
    client: Client,
    wakeup: Arc<Wakeup>,
    headers: Headers,
}

struct Assigned {
    queue: PartitionQueue,
    next: Offset,
}

impl RdConsumer {
    pub(super) fn new(client: Client, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            messages: Messages::new(CHUNK),
            assigned: HashMap::new(),
            topics: HashMap::new(),
            client,
            wakeup: Arc::default(),
            headers: Headers::new(),
        }
    }

    fn start(&mut self, partition: &TopicPartition, from: Offset) -> Result<Assigned, Code> {
        if !self.topics.contains_key(&partition.topic) {
            let topic = Topic::new(&self.client, &partition.topic)?;
            self.topics.insert(Arc::clone(&partition.topic), topic);
        }
        let topic = &self.topics[&partition.topic];
        // The queue first: a record that arrives before its wake-up is set would raise none.
        let queue = PartitionQueue::new(&self.client, &partition.topic, partition.partition, &self.wakeup)
            .ok_or(Code::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)?;
        topic.start(partition.partition, from)?;
        Ok(Assigned { queue, next: from })
    }
}

impl Consumer for RdConsumer {
    fn assign(&mut self, partition: &TopicPartition, from: Offset) -> Result<(), Error> {
        self.unassign(partition)?;
        let assigned =
            self.start(partition, from).map_err(|code| error(code, format!("assigning {partition} from {from}")))?;
        self.assigned.insert(partition.clone(), assigned);
        Ok(())
    }

    fn unassign(&mut self, partition: &TopicPartition) -> Result<(), Error> {
        let Some(assigned) = self.assigned.remove(partition) else { return Ok(()) };
        let Some(topic) = self.topics.get(&partition.topic) else { return Ok(()) };
        topic.stop(partition.partition).map_err(|code| error(code, format!("unassigning {partition}")))?;
        // What is queued is outdated now: one read frees it and returns nothing.
        assigned.queue.take(&mut self.messages, CHUNK);
        debug_assert_eq!(self.messages.len(), 0, "a stopped partition has nothing to read");
        self.messages.clear();
        Ok(())
    }

    fn read(
        &mut self,
        partition: &TopicPartition,
        max_records: usize,
        batch: &mut SourceBatch,
    ) -> Result<Option<PartitionEvent>, Error> {
        let Some(assigned) = self.assigned.get_mut(partition) else {
            let context = format!("reading {partition}");
            return Err(Error { kind: ErrorKind::Fatal, context, reason: "it is not assigned".to_owned() });
        };
        self.client.reports().error = None;
        let mut event = None;
        let mut left = max_records;
        while left > 0 && batch.bytes() < BATCH_BYTES_MAX {
            let wanted = left.min(CHUNK);
            assigned.queue.take(&mut self.messages, wanted);
            for message in self.messages.iter() {
                if message.code() == OK {
                    // A record after an event makes the event old news: the end moved on, the failure healed.
                    event = None;
                    push(&message, assigned, &mut self.headers, batch);
                } else {
                    event = Some(event_of(&message));
                }
            }
            let taken = self.messages.len();
            self.messages.clear();
            if taken < wanted {
                break;
            }
            left -= taken;
        }
        // An error that came without a message, such as a topic that does not exist.
        let failed = self.client.reports().error.take();
        Ok(event.or(failed.map(PartitionEvent::Failed)))
    }

    fn wait(&mut self, timeout: Duration) -> bool {
        self.client.poll(Duration::ZERO);
        self.wakeup.wait(timeout)
    }

    fn offsets(&mut self, partition: &TopicPartition, timeout: Duration) -> Result<Range<Offset>, Error> {
        self.client.offsets(&partition.topic, partition.partition, timeout).map_err(|code| {
            // librdkafka asks the leader of its metadata cache, 15 minutes long also one that died: it looks for
            // another leader only of what it reads. To ask for the topic brings the new one into the cache.
            let _ = partition_count(&self.client, &partition.topic, timeout);
            error(code, format!("asking the offsets of {partition}"))
        })
    }

    fn fetched_end(&self, partition: &TopicPartition) -> Option<Offset> {
        // Of another one librdkafka would begin to keep track.
        self.assigned.contains_key(partition).then(|| self.client.fetched_end(&partition.topic, partition.partition))?
    }

    fn close(self: Box<Self>, deadline: Duration) {
        let name = self.name.clone();
        close_within(self, deadline, &name);
    }
}

impl Drop for RdConsumer {
    fn drop(&mut self) {
        for partition in self.assigned.keys() {
            if let Some(topic) = self.topics.get(&partition.topic) {
                // The client goes away next; a partition that does not stop goes with it.
                let _ = topic.stop(partition.partition);
            }
        }
    }
}

fn push(message: &Message<'_>, assigned: &mut Assigned, headers: &mut Headers, batch: &mut SourceBatch) {
    let offset = message.offset();
    // Never happens as far as known; a repeated record would be counted twice by every task.
    if offset < assigned.next {
        return;
    }
    assigned.next = offset + 1;
    message.headers(headers);
    batch.push(RecordView {
        offset,
        timestamp: message.timestamp(),
        leader_epoch: message.leader_epoch(),
        key: message.key(),
        value: message.value(),
        headers: headers.view(),
    });
}

fn event_of(message: &Message<'_>) -> PartitionEvent {
    match message.code() {
        Code::RD_KAFKA_RESP_ERR__PARTITION_EOF => PartitionEvent::End { offset: message.offset() },
        Code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET => PartitionEvent::OffsetOutOfRange,
        code => PartitionEvent::Failed(with_text(code, message.error_text(), "fetching").to_string()),
    }
}
