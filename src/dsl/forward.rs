//! Where a kept table's changes go: straight downstream, or into the record cache first.

use super::plan::{FanOut, Seam};
use crate::serde::{Deserializer, Serializer};
use crate::task::{Change, Cx, Fault, Flusher, KeyValueStore, Push, Record, Wiring, push_new};

/// What follows a table (Kafka Streams' `TimestampedTupleForwarder`).
pub(super) enum Forward<K, V> {
    /// Each change at once.
    Now(FanOut<K, Change<V>>),
    /// The record cache forwards when it is flushed.
    AtFlush,
}

impl<K: Clone + 'static, V: Clone + 'static> Forward<K, V> {
    /// Wires what follows a table that is kept in `store`, if it is.
    pub(super) fn wire<KS, VS>(
        w: &mut Wiring<'_>,
        store: Option<&KeyValueStore<K, V, KS, VS>>,
        sends_old: bool,
        down: &Seam<K, Change<V>>,
    ) -> Self
    where
        KS: Serializer<K> + Deserializer<K> + Clone,
        VS: Serializer<V> + Deserializer<V> + Clone,
    {
        let down = down.wire(w);
        match store.filter(|store| store.is_cached()) {
            None => Self::Now(down),
            Some(store) => {
                let down = (!down.is_empty()).then_some(down);
                w.register_flusher(Flusher { store: store.clone(), sends_old, down });
                Self::AtFlush
            }
        }
    }

    /// Whether the table itself hands changes on, and so needs old values when somebody wants them.
    pub(super) fn is_now(&self) -> bool {
        matches!(self, Self::Now(_))
    }
}

impl<K: Clone, V: Clone> Push<K, Change<V>> for Forward<K, V> {
    fn push(&mut self, record: Record<K, Change<V>>, cx: &mut Cx) -> Result<(), Fault> {
        match self {
            Self::Now(down) => push_new(down, record, cx),
            Self::AtFlush => Ok(()),
        }
    }
}
