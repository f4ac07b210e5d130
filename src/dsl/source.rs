//! Where a stream begins: decodes the records of its topics.

use std::marker::PhantomData;
use std::sync::Arc;

use super::builder::StreamsBuilder;
use super::plan::{Place, Plan, Seam};
use crate::serde::{Deserializer, Serde};
use crate::task::{Cx, Entry, Fault, Part, Push, Record, Wiring};
use crate::topology::NodeId;
use crate::types::RecordView;

/// The plan of a stream that reads topics.
pub struct Source<K, V, KS, VS> {
    builder: StreamsBuilder,
    node: NodeId,
    keys: KS,
    values: VS,
    place: Option<Place>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V, KS, VS> Source<K, V, KS, VS> {
    pub(super) fn new(builder: StreamsBuilder, node: NodeId, keys: KS, values: VS) -> Self {
        Self { builder, node, keys, values, place: None, types: PhantomData }
    }
}

impl<K, V, KS, VS> Plan<K, V> for Source<K, V, KS, VS>
where
    K: 'static,
    V: 'static,
    KS: Serde<K>,
    VS: Serde<V>,
{
    fn close<D: Push<K, V> + 'static>(self, make: impl Fn(&mut Wiring<'_>) -> D + Send + Sync + 'static) {
        let Self { builder, node, keys, values, place, .. } = self;
        let recipe = move |w: &mut Wiring<'_>| -> Box<dyn Entry> {
            let (topic, keys, values) = (w.source_topic(node), keys.clone(), values.clone());
            Box::new(Decode { topic, keys, values, down: make(w), decoded: None })
        };
        builder.build_mut().add_entry(node, place, Box::new(recipe));
    }

    /// Streams of one source continue in one order of operators, so they share a seam; the first one's serdes decode, as
    /// in Kafka Streams.
    fn fan_out(self) -> Seam<K, V>
    where
        K: Clone,
        V: Clone,
    {
        let (builder, node) = (self.builder.clone(), self.node);
        if let Some(seam) = builder.build_mut().source_seams.get(&node).and_then(|any| any.downcast_ref::<Seam<K, V>>())
        {
            return seam.clone();
        }
        let seam = Seam::new();
        let same = seam.clone();
        self.close(move |w| same.wire(w));
        builder.build_mut().source_seams.insert(node, Box::new(seam.clone()));
        seam
    }

    fn begin(&mut self, place: Place) {
        self.place.get_or_insert(place);
    }
}

struct Decode<K, V, KS, VS, D> {
    topic: Arc<str>,
    keys: KS,
    values: VS,
    down: D,
    decoded: Option<Record<K, V>>,
}

impl<K, V, KS, VS, D> Entry for Decode<K, V, KS, VS, D>
where
    KS: Deserializer<K>,
    VS: Deserializer<V>,
    D: Push<K, V>,
{
    fn decode(&mut self, record: &RecordView<'_>) -> Result<(), Fault> {
        let fault = |part| move |error| Fault::Decode { part, error };
        let key = self.keys.try_deserialize(&self.topic, record.key).map_err(fault(Part::Key))?;
        let value = self.values.try_deserialize(&self.topic, record.value).map_err(fault(Part::Value))?;
        self.decoded = Some(Record { key, value, timestamp: record.timestamp });
        Ok(())
    }

    fn process(&mut self, cx: &mut Cx) -> Result<(), Fault> {
        self.decoded.take().map_or(Ok(()), |record| self.down.push(record, cx))
    }
}
