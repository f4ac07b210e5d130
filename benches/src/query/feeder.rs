//! Writes events of orders and payments, in bulk or at a rate.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use orders::demo::generator::{Event, Generator};
use orders::model::Input;
use orders::serdes::Serdes;
use orders::topics::{ORDER_EVENTS, PARTITIONS, PAYMENT_ORDER};
use thalweg::serde::{SerdeError, Serializer as _};
use thalweg::types::{HeadersView, RecordArena, TopicPartition, partition_of};
use thalweg::wire::{Kafka as _, KafkaClients, Producer};
use thalweg_tests::orders::START;

const TIMEOUT: Duration = Duration::from_secs(60);
/// Events that are encoded before they are sent.
const CHUNK: usize = 10_000;
/// How often a stream writes what has become due.
const TICK: Duration = Duration::from_millis(20);

/// A producer of events.
pub struct Feeder {
    serdes: Serdes,
    producer: Box<dyn Producer>,
    arenas: BTreeMap<(&'static str, i32), RecordArena>,
}

impl Feeder {
    /// A producer of its own.
    pub fn open(clients: &KafkaClients, serdes: &Serdes) -> Self {
        let producer = clients.producer("bench-feeder").expect("a producer");
        Self { serdes: serdes.clone(), producer, arenas: BTreeMap::new() }
    }

    /// Writes `events` in order per partition and waits until all are acknowledged; returns how many.
    pub fn write(&mut self, events: impl IntoIterator<Item = Event>) -> u64 {
        let (mut written, mut chunk) = (0, 0);
        for event in events {
            self.encode(&event).expect("an event that can be encoded");
            (written, chunk) = (written + 1, chunk + 1);
            if chunk == CHUNK {
                self.send();
                chunk = 0;
            }
        }
        self.send();
        self.producer.flush(TIMEOUT).expect("acknowledgements");
        written
    }

    fn encode(&mut self, event: &Event) -> Result<(), SerdeError> {
        let Self { serdes, arenas, .. } = self;
        let key = event.key.as_bytes();
        let arena = arenas.entry((event.topic(), partition_of(key, PARTITIONS))).or_default();
        arena.write(event.timestamp, Some(key), HeadersView::default(), |value| match &event.input {
            Input::Order(order) => serdes.order_event.serialize(ORDER_EVENTS, order, value),
            Input::Payment(payment) => serdes.payment_event.serialize(PAYMENT_ORDER, payment, value),
        })
    }

    fn send(&mut self) {
        for ((topic, partition), arena) in &mut self.arenas {
            self.producer.send(&TopicPartition::new(*topic, *partition), arena, TIMEOUT).expect("room in the producer");
            arena.clear();
        }
    }
}

/// The lives of `orders` orders `prefix-*`.
pub fn lives(seed: u64, prefix: &str, orders: u64) -> Generator {
    Generator::new(seed, START).with_prefix(prefix).with_orders(orders)
}

/// Writes events at a rate until it is stopped.
pub struct Stream {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Stream {
    /// Starts to write `per_second` events per second of new orders `prefix-*`.
    pub fn start(mut feeder: Feeder, prefix: &str, per_second: u32) -> Self {
        let mut events = lives(1, prefix, u64::MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (started, mut written) = (Instant::now(), 0);
            while !stopped.load(Ordering::Relaxed) {
                let due = (started.elapsed().as_secs_f64() * f64::from(per_second)) as u64;
                written += feeder.write(events.by_ref().take((due - written) as usize));
                std::thread::sleep(TICK);
            }
            written
        });
        Self { stop, thread }
    }

    /// Stops; returns how many events were written.
    pub fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("a stream that writes")
    }
}
