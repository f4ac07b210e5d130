//! The processors of a case, as processors of our own API.

use std::ops::{Bound, ControlFlow};

use thalweg::dsl::{FixedKeyContext, FixedKeyProcessor, Processor, ProcessorContext, StoreHandle, Stores};
use thalweg::task::{Cx, Fault, KeyValueStore, PunctuationType, Record, RecordMetadata, ScheduleId, ValueAndTimestamp};
use thalweg::types::Timestamp;

use super::build::Maybe;
use crate::case::Datum;
use crate::datum::{DatumSerde, made, made_text, text_of};
use crate::function;

type Handle = StoreHandle<Datum, Datum, DatumSerde, DatumSerde>;
type Store = KeyValueStore<Datum, Datum, DatumSerde, DatumSerde>;

/// What a processor does, with the store that it opens.
#[derive(Clone)]
pub(super) struct Step {
    processor: function::Processor,
    store: Option<Handle>,
}

/// A processor of one task.
pub(super) struct Running {
    processor: function::Processor,
    store: Option<Store>,
}

impl Step {
    pub(super) fn new(processor: function::Processor, store: Option<Handle>) -> Self {
        Self { processor, store }
    }

    pub(super) fn open(&self, stores: &mut Stores<'_, '_>) -> Running {
        let store = self.store.as_ref().map(|handle| stores.open(handle));
        Running { processor: self.processor.clone(), store }
    }
}

/// What both kinds of processors may ask.
trait Asked {
    fn metadata(&self) -> Option<RecordMetadata<'_>>;
    fn stream_time(&self) -> Option<Timestamp>;
    fn add_header(&mut self, name: &str, value: &str);
    fn cx(&mut self) -> &mut Cx;
}

impl Asked for ProcessorContext<'_, Maybe, Maybe> {
    fn metadata(&self) -> Option<RecordMetadata<'_>> {
        self.record_metadata()
    }

    fn stream_time(&self) -> Option<Timestamp> {
        self.current_stream_time_ms()
    }

    fn add_header(&mut self, name: &str, value: &str) {
        self.headers().push(name, Some(value.as_bytes()));
    }

    fn cx(&mut self) -> &mut Cx {
        self.stores()
    }
}

impl Asked for FixedKeyContext<'_, '_, Maybe, Maybe> {
    fn metadata(&self) -> Option<RecordMetadata<'_>> {
        self.record_metadata()
    }

    fn stream_time(&self) -> Option<Timestamp> {
        self.current_stream_time_ms()
    }

    fn add_header(&mut self, name: &str, value: &str) {
        self.headers().push(name, Some(value.as_bytes()));
    }

    fn cx(&mut self) -> &mut Cx {
        self.stores()
    }
}

impl Running {
    fn store(&self) -> &Store {
        self.store.as_ref().expect("the case was checked: the processor has a store")
    }

    /// What to forward instead of the value; `None`: nothing.
    fn value(
        &self,
        key: &Maybe,
        value: Maybe,
        timestamp: Timestamp,
        context: &mut impl Asked,
    ) -> Result<Option<Maybe>, Fault> {
        use function::Processor as P;
        match &self.processor {
            P::Header(name) => {
                context.add_header(name, &made_text(&text_of(value.as_ref())));
                Ok(Some(value))
            }
            P::Metadata => Ok(Some(Some(metadata(context.metadata())))),
            P::StreamTime => Ok(Some(Some(Datum::Int64(context.stream_time().unwrap_or(-1))))),
            P::Count => self.count(key.as_ref(), timestamp, context.cx()),
            P::Dedup => self.dedup(key.as_ref(), value, timestamp, context.cx()),
            P::OnStreamTime(_) | P::OnWallClock(_) => {
                if let Some(key) = key {
                    self.store().put(key, value.as_ref(), timestamp, context.cx())?;
                }
                Ok(None)
            }
            P::Pass | P::Twice | P::Shift(_) | P::KeyFromValue => Ok(Some(value)),
        }
    }

    fn count(&self, key: Option<&Datum>, timestamp: Timestamp, cx: &mut Cx) -> Result<Option<Maybe>, Fault> {
        let Some(key) = key else { return Ok(None) };
        let before = self.store().get(key, cx)?.map_or(0, |row| row.value.number());
        let count = Datum::Int64(before.wrapping_add(1));
        self.store().put(key, Some(&count), timestamp, cx)?;
        Ok(Some(Some(count)))
    }

    fn dedup(
        &self,
        key: Option<&Datum>,
        value: Maybe,
        timestamp: Timestamp,
        cx: &mut Cx,
    ) -> Result<Option<Maybe>, Fault> {
        let Some(key) = key else { return Ok(None) };
        let before = self.store().get(key, cx)?.map(|row| row.value);
        if before == value {
            return Ok(None);
        }
        self.store().put(key, value.as_ref(), timestamp, cx)?;
        Ok(Some(value))
    }
}

fn metadata(metadata: Option<RecordMetadata<'_>>) -> Datum {
    made(&match metadata {
        Some(RecordMetadata { partition, offset }) => format!("{}/{}/{offset}", partition.topic, partition.partition),
        None => "null/-1/-1".to_owned(),
    })
}

impl Processor<Maybe, Maybe, Maybe, Maybe> for Running {
    fn init(&mut self, context: &mut ProcessorContext<'_, Maybe, Maybe>) {
        match self.processor {
            function::Processor::OnStreamTime(interval) => context.schedule(interval, PunctuationType::StreamTime),
            function::Processor::OnWallClock(interval) => context.schedule(interval, PunctuationType::WallClockTime),
            _ => return,
        };
    }

    fn process(
        &mut self,
        record: Record<Maybe, Maybe>,
        context: &mut ProcessorContext<'_, Maybe, Maybe>,
    ) -> Result<(), Fault> {
        let Record { key, value, timestamp } = record;
        let Some(value) = self.value(&key, value, timestamp, context)? else { return Ok(()) };
        let record = Record { key, value, timestamp };
        match self.processor {
            function::Processor::Twice => {
                context.forward(record.clone())?;
                context.forward_copy(Record { timestamp: timestamp + 1, ..record })
            }
            function::Processor::Shift(by) => {
                context.forward_copy(Record { timestamp: timestamp.saturating_add(by).max(0), ..record })
            }
            function::Processor::KeyFromValue => {
                let key = record.value.as_ref().map(|value| made(&value.text()));
                context.forward_copy(record.with_key(key))
            }
            function::Processor::Metadata | function::Processor::StreamTime | function::Processor::Count => {
                context.forward_copy(record)
            }
            _ => context.forward(record),
        }
    }

    fn punctuate(
        &mut self,
        _schedule: ScheduleId,
        timestamp: Timestamp,
        context: &mut ProcessorContext<'_, Maybe, Maybe>,
    ) -> Result<(), Fault> {
        let mut rows = Vec::new();
        self.store().range((Bound::Unbounded, Bound::Unbounded), context.stores(), |key, row| {
            let ValueAndTimestamp { value, .. } = row;
            rows.push((key, value));
            ControlFlow::Continue(())
        })?;
        for (key, value) in rows {
            context.forward_copy(Record { key: Some(key), value: Some(value), timestamp })?;
        }
        Ok(())
    }
}

impl FixedKeyProcessor<Maybe, Maybe, Maybe> for Running {
    fn process(
        &mut self,
        key: &Maybe,
        value: Maybe,
        context: &mut FixedKeyContext<'_, '_, Maybe, Maybe>,
    ) -> Result<(), Fault> {
        let timestamp = context.timestamp();
        let Some(value) = self.value(key, value, timestamp, context)? else { return Ok(()) };
        if self.processor == function::Processor::Twice {
            context.forward(value.clone())?;
        }
        context.forward(value)
    }
}
