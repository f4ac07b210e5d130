//! The Processor API inside the DSL: `process` and `process_values` with connected stores and punctuations.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use super::builder::StoreHandle;
use super::operators::Function;
use super::plan::{Plan, Seam};
use super::stream::KStream;
use crate::serde::Serde;
use crate::task::{
    Cx, Due, Fault, KeyValueStore, Punctuate, PunctuationType, Push, Record, RecordMetadata, ScheduleId, Wiring,
    push_new,
};
use crate::topology::{NodeId, StoreId};
use crate::types::{Headers, Timestamp};

/// A processing step of the user's own; one instance per task.
pub trait Processor<K, V, KO, VO>: 'static {
    /// Runs once before the first record; the place to set up schedules.
    fn init(&mut self, _: &mut ProcessorContext<'_, KO, VO>) {}

    /// Processes one record; [`ProcessorContext::forward`] sends records on.
    fn process(&mut self, record: Record<K, V>, context: &mut ProcessorContext<'_, KO, VO>) -> Result<(), Fault>;

    /// Runs when one of its schedules is due; `timestamp` is the time of the schedule's clock, in ms.
    fn punctuate(
        &mut self,
        _schedule: ScheduleId,
        _timestamp: Timestamp,
        _: &mut ProcessorContext<'_, KO, VO>,
    ) -> Result<(), Fault> {
        Ok(())
    }
}

/// A processing step that cannot change the key; one instance per task.
pub trait FixedKeyProcessor<K, V, VO>: 'static {
    /// Runs once before the first record.
    fn init(&mut self, _: &mut FixedKeyContext<'_, '_, K, VO>) {}

    /// Processes one record; [`FixedKeyContext::forward`] sends values on under the same key.
    fn process(&mut self, key: &K, value: V, context: &mut FixedKeyContext<'_, '_, K, VO>) -> Result<(), Fault>;
}

/// What a processor may do besides computing.
pub struct ProcessorContext<'a, KO, VO> {
    cx: &'a mut Cx,
    down: &'a mut dyn Push<KO, VO>,
    index: usize,
}

impl<KO, VO> ProcessorContext<'_, KO, VO> {
    /// Sends a record on, to the end of the chain, before it returns. It shares its headers with the record in hand: what
    /// is done to them further down is seen here and by what follows, as where Java forwards the record that it was given.
    pub fn forward(&mut self, record: Record<KO, VO>) -> Result<(), Fault> {
        self.down.push(record, self.cx)
    }

    /// As [`ProcessorContext::forward`], with headers of its own: they begin as those of the record in hand, and nothing
    /// done to them further down is seen here. As where Java forwards a copy (`Record.with...`).
    pub fn forward_copy(&mut self, record: Record<KO, VO>) -> Result<(), Fault> {
        push_new(&mut self.down, record, self.cx)
    }

    /// Calls `punctuate` every `interval_ms` of `kind`: stream time on a grid anchored at 0, wall clock first after
    /// one interval; missed intervals fire once.
    pub fn schedule(&mut self, interval_ms: i64, kind: PunctuationType) -> ScheduleId {
        let now = self.cx.steady;
        self.cx.schedules.add(self.index, interval_ms, kind, now)
    }

    /// Ends a schedule.
    pub fn cancel(&mut self, schedule: ScheduleId) {
        self.cx.schedules.cancel(schedule);
    }

    /// Asks for a commit at the end of the current loop iteration.
    pub fn commit(&mut self) {
        self.cx.request_commit();
    }

    /// Headers of the record in hand.
    pub fn headers(&mut self) -> &mut Headers {
        self.cx.headers()
    }

    /// Topic, partition and offset of the input record; `None` inside a punctuation.
    pub fn record_metadata(&self) -> Option<RecordMetadata<'_>> {
        self.cx.record_metadata()
    }

    /// Highest record timestamp the task has seen, in ms.
    pub fn current_stream_time_ms(&self) -> Option<Timestamp> {
        self.cx.stream_time()
    }

    /// The machine's time in ms, read once per loop iteration.
    pub fn current_system_time_ms(&self) -> Timestamp {
        self.cx.wall_clock()
    }

    /// What the stores of [`Stores::open`] take.
    pub fn stores(&mut self) -> &mut Cx {
        self.cx
    }
}

/// What a fixed-key processor may do: as [`ProcessorContext`], but only values are forwarded.
pub struct FixedKeyContext<'a, 'b, K, VO> {
    inner: &'a mut ProcessorContext<'b, K, VO>,
    key: Option<&'a K>,
    timestamp: Timestamp,
}

impl<K: Clone, VO> FixedKeyContext<'_, '_, K, VO> {
    /// Sends a value on under the key and the timestamp of the record in hand.
    pub fn forward(&mut self, value: VO) -> Result<(), Fault> {
        match self.key {
            Some(key) => self.inner.forward_copy(Record { key: key.clone(), value, timestamp: self.timestamp }),
            None => Ok(()),
        }
    }

    /// Record time of the record in hand, in ms.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Asks for a commit at the end of the current loop iteration.
    pub fn commit(&mut self) {
        self.inner.commit();
    }

    /// Headers of the record in hand.
    pub fn headers(&mut self) -> &mut Headers {
        self.inner.headers()
    }

    /// Topic, partition and offset of the input record.
    pub fn record_metadata(&self) -> Option<RecordMetadata<'_>> {
        self.inner.record_metadata()
    }

    /// Highest record timestamp the task has seen, in ms.
    pub fn current_stream_time_ms(&self) -> Option<Timestamp> {
        self.inner.current_stream_time_ms()
    }

    /// What the stores of [`Stores::open`] take.
    pub fn stores(&mut self) -> &mut Cx {
        self.inner.stores()
    }
}

/// Opens connected stores while a processor is built.
pub struct Stores<'a, 'b> {
    w: &'a mut Wiring<'b>,
}

impl Stores<'_, '_> {
    /// The task's instance of a store; it must be among the connected ones.
    pub fn open<K: 'static, V: 'static, KS: Serde<K>, VS: Serde<V>>(
        &mut self,
        handle: &StoreHandle<K, V, KS, VS>,
    ) -> KeyValueStore<K, V, KS, VS> {
        self.w.store(handle.id, handle.keys.clone(), handle.values.clone())
    }
}

impl<K: 'static, V: 'static, P: Plan<K, V>> KStream<K, V, P> {
    /// Runs a processor of the user's own, connected to `stores`; a later operation by key repartitions.
    pub fn process<KO, VO, T, F>(mut self, stores: &[StoreId], supplier: F) -> KStream<KO, VO>
    where
        KO: Clone + 'static,
        VO: Clone + 'static,
        T: Processor<K, V, KO, VO>,
        F: Fn(&mut Stores<'_, '_>) -> T + Function,
    {
        let node = self.connect("KSTREAM-PROCESSOR-", stores);
        let seam = Seam::new();
        let down = seam.clone();
        self.take_plan().close(move |w| {
            let processor = supplier(&mut Stores { w });
            let down = down.wire(w);
            Running::wire(node, processor, down, w)
        });
        KStream::new(self.builder.clone(), node, std::mem::take(&mut self.sources), true, seam)
    }

    /// Runs a processor of the user's own that keeps the key, connected to `stores`.
    pub fn process_values<VO, T, F>(mut self, stores: &[StoreId], supplier: F) -> KStream<K, VO>
    where
        K: Clone,
        VO: Clone + 'static,
        T: FixedKeyProcessor<K, V, VO>,
        F: Fn(&mut Stores<'_, '_>) -> T + Function,
    {
        let node = self.connect("KSTREAM-PROCESSVALUES-", stores);
        let seam = Seam::new();
        let down = seam.clone();
        self.take_plan().close(move |w| {
            let processor = FixedKey { inner: supplier(&mut Stores { w }), types: PhantomData };
            let down = down.wire(w);
            Running::wire(node, processor, down, w)
        });
        let sources = std::mem::take(&mut self.sources);
        KStream::new(self.builder.clone(), node, sources, self.repartition_required, seam)
    }

    // A named processor burns no counter value in Kafka Streams.
    fn connect(&mut self, prefix: &str, stores: &[StoreId]) -> NodeId {
        let mut build = self.builder.build_mut();
        let name = match build.user_name(self.next_name.take()) {
            Some(name) => name,
            None => build.blueprint.new_processor_name(prefix),
        };
        let node = build.processor(&name, &[self.node]);
        for store in stores {
            build.connect(node, *store);
        }
        node
    }
}

/// Lets a fixed-key processor run where a processor runs.
struct FixedKey<T, V, VO> {
    inner: T,
    types: PhantomData<fn(V) -> VO>,
}

impl<K: Clone + 'static, V: 'static, VO: 'static, T: FixedKeyProcessor<K, V, VO>> Processor<K, V, K, VO>
    for FixedKey<T, V, VO>
{
    fn init(&mut self, context: &mut ProcessorContext<'_, K, VO>) {
        self.inner.init(&mut FixedKeyContext { inner: context, key: None, timestamp: 0 });
    }

    fn process(&mut self, record: Record<K, V>, context: &mut ProcessorContext<'_, K, VO>) -> Result<(), Fault> {
        let Record { key, value, timestamp } = record;
        // It is given a record of its own (Kafka Streams' `InternalFixedKeyRecordFactory`).
        context.cx.begin_record();
        let processed =
            self.inner.process(&key, value, &mut FixedKeyContext { inner: &mut *context, key: Some(&key), timestamp });
        context.cx.end_record();
        processed
    }
}

/// A processor inside a task, reachable by records and by schedules.
struct Running<T, D, K, V, KO, VO> {
    processor: T,
    down: D,
    index: usize,
    types: PhantomData<Signature<K, V, KO, VO>>,
}

/// What a processor turns into what.
type Signature<K, V, KO, VO> = fn(K, V) -> (KO, VO);

impl<T, D, K, V, KO, VO> Running<T, D, K, V, KO, VO>
where
    K: 'static,
    V: 'static,
    KO: 'static,
    VO: 'static,
    T: Processor<K, V, KO, VO>,
    D: Push<KO, VO> + 'static,
{
    fn wire(node: NodeId, processor: T, down: D, w: &mut Wiring<'_>) -> Shared<Self> {
        let running = Rc::new(RefCell::new(Self { processor, down, index: 0, types: PhantomData }));
        w.register(node, Rc::clone(&running) as Rc<RefCell<dyn Punctuate>>);
        Shared(running)
    }
}

impl<T, D, K, V, KO, VO> Punctuate for Running<T, D, K, V, KO, VO>
where
    T: Processor<K, V, KO, VO>,
    D: Push<KO, VO>,
{
    fn start(&mut self, index: usize, cx: &mut Cx) {
        self.index = index;
        self.processor.init(&mut ProcessorContext { cx, down: &mut self.down, index });
    }

    fn punctuate(&mut self, due: Due, cx: &mut Cx) -> Result<(), Fault> {
        let mut context = ProcessorContext { cx, down: &mut self.down, index: self.index };
        self.processor.punctuate(due.id, due.timestamp, &mut context)
    }
}

/// The chain's handle on a running processor.
struct Shared<T>(Rc<RefCell<T>>);

impl<K, V, KO, VO, T, D> Push<K, V> for Shared<Running<T, D, K, V, KO, VO>>
where
    T: Processor<K, V, KO, VO>,
    D: Push<KO, VO>,
{
    fn push(&mut self, record: Record<K, V>, cx: &mut Cx) -> Result<(), Fault> {
        let mut running = self.0.borrow_mut();
        let Running { processor, down, index, .. } = &mut *running;
        processor.process(record, &mut ProcessorContext { cx, down, index: *index })
    }
}
