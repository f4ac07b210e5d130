//! Writes arenas of records; acknowledgements are counted per partition by the delivery callback.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::closing::close_within;
use super::error::{error, with_text};
use super::native::{Client, Code, OutgoingRecord, Topic};
use crate::types::{RecordArena, TopicPartition};
use crate::wire::{Acknowledged, Error, ErrorKind, Producer};

/// One wait for room in the client's queue; a delivery report ends it early.
const ROOM_WAIT: Duration = Duration::from_millis(10);

/// A producer of the adapter.
pub(super) struct RdProducer {
    name: String,
    // Order of fields: topics go before the client that made them.
    topics: HashMap<Arc<str>, Topic>,
    client: Client,
    slots: HashMap<TopicPartition, usize>,
    // By slot. A slot is the place of a partition in the delivery reports.
    partitions: Vec<TopicPartition>,
    // The first error; afterwards nothing is taken, because what was taken before is not known.
    failed: Option<Error>,
}

impl RdProducer {
    pub(super) fn new(client: Client, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            topics: HashMap::new(),
            client,
            slots: HashMap::new(),
            partitions: Vec::new(),
            failed: None,
        }
    }

    fn usable(&self) -> Result<(), Error> {
        match &self.failed {
            None => Ok(()),
            Some(first) => {
                let context = format!("using producer {} after it failed", self.name);
                Err(Error { kind: first.kind, context, reason: first.to_string() })
            }
        }
    }

    /// Notes the first error and returns it; a cause that the client itself calls fatal replaces its symptom.
    fn fail(&mut self, mut first: Error) -> Error {
        if let Some((code, text)) = self.client.fatal_error() {
            first = with_text(code, text, first.context);
        }
        first.kind = match first.kind {
            // Trying again with this producer could repeat or reorder records.
            ErrorKind::Retriable => ErrorKind::Fatal,
            kind => kind,
        };
        self.failed = Some(first.clone());
        first
    }

    fn slot(&mut self, to: &TopicPartition) -> Result<usize, Code> {
        if let Some(slot) = self.slots.get(to) {
            return Ok(*slot);
        }
        if !self.topics.contains_key(&to.topic) {
            self.topics.insert(Arc::clone(&to.topic), Topic::new(&self.client, &to.topic)?);
        }
        let slot = self.partitions.len();
        self.partitions.push(to.clone());
        self.slots.insert(to.clone(), slot);
        self.client.reports().next_offsets.push(None);
        Ok(slot)
    }

    /// Hands over the records; polls while the client's queue is full.
    fn produce(&mut self, to: &TopicPartition, arena: &RecordArena, timeout: Duration) -> Result<(), Code> {
        let slot = self.slot(to)?;
        let deadline = Instant::now() + timeout;
        let mut outgoing = OutgoingRecord::new(&self.topics[&to.topic], to.partition, slot);
        for record in arena.iter() {
            outgoing.fill(record);
            while let Err(code) = outgoing.produce(&self.client) {
                let left = deadline.saturating_duration_since(Instant::now());
                if code != Code::RD_KAFKA_RESP_ERR__QUEUE_FULL || left.is_zero() {
                    return Err(code);
                }
                self.client.poll(left.min(ROOM_WAIT));
            }
        }
        self.client.poll(Duration::ZERO);
        Ok(())
    }

    /// The error of the first record that was not taken, if the delivery reports told one.
    fn undelivered(&self) -> Option<Error> {
        let (slot, code) = self.client.reports().failed?;
        Some(error(code, format!("writing to {}", self.partitions[slot])))
    }

    fn acknowledged(&mut self) -> Vec<Acknowledged> {
        let mut reports = self.client.reports();
        let newest = reports.next_offsets.iter_mut().map(Option::take);
        self.partitions
            .iter()
            .zip(newest)
            .filter_map(|(partition, next)| Some(Acknowledged { partition: partition.clone(), next_offset: next? }))
            .collect()
    }
}

impl Producer for RdProducer {
    fn send(&mut self, to: &TopicPartition, arena: &RecordArena, timeout: Duration) -> Result<(), Error> {
        self.usable()?;
        let sent = self.produce(to, arena, timeout).map_err(|code| error(code, format!("sending to {to}")));
        match self.undelivered().map_or(sent, Err) {
            Ok(()) => Ok(()),
            Err(first) => Err(self.fail(first)),
        }
    }

    fn flush(&mut self, timeout: Duration) -> Result<Vec<Acknowledged>, Error> {
        self.usable()?;
        let flushed = self.client.flush(timeout).map_err(|code| error(code, "waiting for acknowledgements"));
        match self.undelivered().map_or(flushed, Err) {
            Ok(()) => Ok(self.acknowledged()),
            Err(first) => Err(self.fail(first)),
        }
    }

    fn close(self: Box<Self>, deadline: Duration) {
        let name = self.name.clone();
        close_within(self, deadline, &name);
    }
}
