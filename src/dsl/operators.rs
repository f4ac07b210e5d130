//! The stateless operators: what each does with one record.

use super::plan::Operator;
use crate::serde::Nullable;
use crate::task::{Cx, Fault, Push, Record, push_new};

/// A user's function: cloned once per task, shared by no two threads at work.
pub trait Function: Clone + Send + Sync + 'static {}

impl<F: Clone + Send + Sync + 'static> Function for F {}

/// Keeps the records for which the predicate is `WANTED`.
#[derive(Clone)]
pub struct Filter<F, const WANTED: bool>(pub(super) F);

impl<K, V, F: Fn(&K, &V) -> bool + Function, const WANTED: bool> Operator<K, V, K, V> for Filter<F, WANTED> {
    fn apply<D: Push<K, V>>(&mut self, record: Record<K, V>, down: &mut D, cx: &mut Cx) -> Result<(), Fault> {
        if (self.0)(&record.key, &record.value) == WANTED { push_new(down, record, cx) } else { Ok(()) }
    }
}

/// Replaces key and value.
#[derive(Clone)]
pub struct Map<F>(pub(super) F);

impl<K, V, KO, VO, F: Fn(K, V) -> (KO, VO) + Function> Operator<K, V, KO, VO> for Map<F> {
    fn apply<D: Push<KO, VO>>(&mut self, record: Record<K, V>, down: &mut D, cx: &mut Cx) -> Result<(), Fault> {
        let (key, value) = (self.0)(record.key, record.value);
        push_new(down, Record { key, value, timestamp: record.timestamp }, cx)
    }
}

/// Replaces the value.
#[derive(Clone)]
pub struct MapValues<F>(pub(super) F);

impl<K, V, VO, F: Fn(&K, V) -> VO + Function> Operator<K, V, K, VO> for MapValues<F> {
    fn apply<D: Push<K, VO>>(&mut self, record: Record<K, V>, down: &mut D, cx: &mut Cx) -> Result<(), Fault> {
        let value = (self.0)(&record.key, record.value);
        push_new(down, Record { key: record.key, value, timestamp: record.timestamp }, cx)
    }
}

/// Replaces a record by any number of records.
#[derive(Clone)]
pub struct FlatMap<F>(pub(super) F);

impl<K, V, KO, VO, I, F> Operator<K, V, KO, VO> for FlatMap<F>
where
    I: IntoIterator<Item = (KO, VO)>,
    F: Fn(K, V) -> I + Function,
{
    fn apply<D: Push<KO, VO>>(&mut self, record: Record<K, V>, down: &mut D, cx: &mut Cx) -> Result<(), Fault> {
        let timestamp = record.timestamp;
        for (key, value) in (self.0)(record.key, record.value) {
            push_new(down, Record { key, value, timestamp }, cx)?;
        }
        Ok(())
    }
}

/// Replaces a value by any number of values under the same key.
#[derive(Clone)]
pub struct FlatMapValues<F>(pub(super) F);

impl<K, V, VO, I, F> Operator<K, V, K, VO> for FlatMapValues<F>
where
    K: Clone,
    I: IntoIterator<Item = VO>,
    F: Fn(&K, V) -> I + Function,
{
    fn apply<D: Push<K, VO>>(&mut self, record: Record<K, V>, down: &mut D, cx: &mut Cx) -> Result<(), Fault> {
        let Record { key, value, timestamp } = record;
        for value in (self.0)(&key, value) {
            push_new(down, Record { key: key.clone(), value, timestamp }, cx)?;
        }
        Ok(())
    }
}

/// Replaces the key.
#[derive(Clone)]
pub struct SelectKey<F>(pub(super) F);

impl<K, V, KO, F: Fn(&K, &V) -> KO + Function> Operator<K, V, KO, V> for SelectKey<F> {
    fn apply<D: Push<KO, V>>(&mut self, record: Record<K, V>, down: &mut D, cx: &mut Cx) -> Result<(), Fault> {
        let key = (self.0)(&record.key, &record.value);
        push_new(down, record.with_key(key), cx)
    }
}

/// Looks at each record.
#[derive(Clone)]
pub struct Peek<F>(pub(super) F);

impl<K, V, F: Fn(&K, &V) + Function> Operator<K, V, K, V> for Peek<F> {
    fn apply<D: Push<K, V>>(&mut self, record: Record<K, V>, down: &mut D, cx: &mut Cx) -> Result<(), Fault> {
        (self.0)(&record.key, &record.value);
        push_new(down, record, cx)
    }
}

/// The same records, with types that may be null.
#[derive(Clone)]
pub struct AsNullable;

impl<K: Nullable<NK>, V: Nullable<NV>, NK, NV> Operator<K, V, Option<NK>, Option<NV>> for AsNullable {
    fn apply<D: Push<Option<NK>, Option<NV>>>(
        &mut self,
        record: Record<K, V>,
        down: &mut D,
        cx: &mut Cx,
    ) -> Result<(), Fault> {
        let (key, value) = (record.key.into_option(), record.value.into_option());
        down.push(Record { key, value, timestamp: record.timestamp }, cx)
    }
}
