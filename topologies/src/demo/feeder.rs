//! Writes generated events to the source topics, on a thread of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thalweg::serde::Serializer;
use thalweg::types::{HeadersView, RecordArena, TopicPartition, partition_of};
use thalweg::wire::Producer;

use super::generator::{Event, Generator};
use crate::model::{Input, Millis};
use crate::serdes::Serdes;
use crate::topics;

/// Pause between looks at what is due.
const TICK: Duration = Duration::from_millis(20);
/// How long the cluster may take to acknowledge a batch.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running feeder.
pub struct Feeder {
    events: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), String>>,
}

impl Feeder {
    /// Starts to write what the generator gives.
    pub fn start(generator: Generator, serdes: Serdes, producer: Box<dyn Producer>) -> std::io::Result<Self> {
        let (events, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let work = Work { generator, serdes, producer, lanes: BTreeMap::new(), key: Vec::new() };
        let (counter, stopped) = (Arc::clone(&events), Arc::clone(&stop));
        let thread =
            std::thread::Builder::new().name("generator".to_owned()).spawn(move || work.run(&counter, &stopped))?;
        Ok(Self { events, stop, thread })
    }

    /// Events acknowledged so far.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Whether it ended by itself, which is a failure.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Stops and waits; an error is what it failed of.
    pub fn stop(self) -> Result<(), String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Err("the generator panicked".to_owned()))
    }
}

struct Work {
    generator: Generator,
    serdes: Serdes,
    producer: Box<dyn Producer>,
    lanes: BTreeMap<(&'static str, i32), RecordArena>,
    key: Vec<u8>,
}

impl Work {
    fn run(mut self, events: &AtomicU64, stop: &AtomicBool) -> Result<(), String> {
        while !stop.load(Ordering::Relaxed) {
            let now = now();
            let mut batch = 0;
            while let Some(event) = self.generator.next_due(now) {
                self.write(&event).map_err(|error| error.to_string())?;
                batch += 1;
            }
            if batch > 0 {
                self.send().map_err(|error| error.to_string())?;
                events.fetch_add(batch, Ordering::Relaxed);
            }
            std::thread::sleep(TICK);
        }
        self.producer.close(TIMEOUT);
        Ok(())
    }

    fn write(&mut self, event: &Event) -> Result<(), thalweg::serde::SerdeError> {
        let topic = event.topic();
        self.key.clear();
        self.serdes.id.serialize(topic, &event.key, &mut self.key)?;
        let arena = self.lanes.entry((topic, partition_of(&self.key, topics::PARTITIONS))).or_default();
        arena.write(event.timestamp, Some(&self.key), HeadersView::default(), |out| match &event.input {
            Input::Order(order) => self.serdes.order_event.serialize(topic, order, out),
            Input::Payment(payment) => self.serdes.payment_event.serialize(topic, payment, out),
        })
    }

    fn send(&mut self) -> Result<(), thalweg::wire::Error> {
        for ((topic, partition), arena) in self.lanes.iter_mut().filter(|(_, arena)| !arena.is_empty()) {
            self.producer.send(&TopicPartition::new(*topic, *partition), arena, TIMEOUT)?;
            arena.clear();
        }
        self.producer.flush(TIMEOUT).map(|_| ())
    }
}

/// The machine's time in ms since the epoch.
pub fn now() -> Millis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since_epoch.as_millis()).unwrap_or(Millis::MAX)
}
