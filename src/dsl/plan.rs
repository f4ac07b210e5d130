//! How a stream closes over its downstream: static segments between dynamic seams.
//!
//! A stream carries a plan. Closing it with a recipe for the downstream registers, at the source, a recipe for
//! one concrete nested chain. Inside a segment every call is static; see `ARCHITECTURE.md` for the three seams.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::task::{Cx, Fault, Nothing, Push, Record, Wiring};
use crate::topology::NodeId;

/// How many nodes the topology had when an operator was added to it.
pub type Place = usize;

/// A stream whose downstream is not known yet.
pub trait Plan<K: 'static, V: 'static>: Sized + 'static {
    /// Ends this stream: `make` builds the downstream, once per task, on the task's thread.
    fn close<D: Push<K, V> + 'static>(self, make: impl Fn(&mut Wiring<'_>) -> D + Send + Sync + 'static);

    /// Notes the place of the operator that follows among all operators, before the stream ends somewhere: records go to
    /// receivers in the order of the operators that follow, not of where their streams end.
    fn begin(&mut self, place: Place);

    /// A joint where the stream continues in any number of receivers.
    fn fan_out(self) -> Seam<K, V>
    where
        K: Clone,
        V: Clone,
    {
        let seam = Seam::new();
        let same = seam.clone();
        self.close(move |w| same.wire(w));
        seam
    }

    /// Ends this stream without a downstream; its operators still run for their effects.
    fn abandon(self) {
        self.close(|_| Nothing);
    }
}

/// One processing step that needs nothing from its task: what it does with a record, given its downstream.
pub trait Operator<K, V, KO, VO>: Clone + Send + Sync + 'static {
    /// Processes one record.
    fn apply<D: Push<KO, VO>>(&mut self, record: Record<K, V>, down: &mut D, cx: &mut Cx) -> Result<(), Fault>;
}

/// A plan followed by an operator.
pub struct Then<P, O, K, V> {
    prev: P,
    op: O,
    types: PhantomData<fn(K, V)>,
}

impl<P, O, K, V> Then<P, O, K, V> {
    pub(super) fn new(prev: P, op: O) -> Self {
        Self { prev, op, types: PhantomData }
    }
}

impl<P, O, K, V, KO, VO> Plan<KO, VO> for Then<P, O, K, V>
where
    K: 'static,
    V: 'static,
    KO: 'static,
    VO: 'static,
    P: Plan<K, V>,
    O: Operator<K, V, KO, VO>,
{
    fn close<D: Push<KO, VO> + 'static>(self, make: impl Fn(&mut Wiring<'_>) -> D + Send + Sync + 'static) {
        let op = self.op;
        self.prev.close(move |w| Link { op: op.clone(), down: make(w), types: PhantomData });
    }

    fn begin(&mut self, place: Place) {
        self.prev.begin(place);
    }
}

/// An operator with its downstream, inside a task.
struct Link<O, D, KO, VO> {
    op: O,
    down: D,
    types: PhantomData<fn(KO, VO)>,
}

impl<K, V, KO, VO, O: Operator<K, V, KO, VO>, D: Push<KO, VO>> Push<K, V> for Link<O, D, KO, VO> {
    fn push(&mut self, record: Record<K, V>, cx: &mut Cx) -> Result<(), Fault> {
        self.op.apply(record, &mut self.down, cx)
    }
}

type Receiver<K, V> = Box<dyn Push<K, V>>;
type ReceiverRecipe<K, V> = Box<dyn Fn(&mut Wiring<'_>) -> Receiver<K, V> + Send + Sync>;
/// In order of places.
type Receivers<K, V> = Vec<(Place, ReceiverRecipe<K, V>)>;

/// A joint where a stream continues in any number of receivers, registered later.
pub struct Seam<K, V> {
    receivers: Arc<Mutex<Receivers<K, V>>>,
    /// Of the operator that follows this handle, once there is one.
    place: Option<Place>,
}

impl<K, V> Clone for Seam<K, V> {
    fn clone(&self) -> Self {
        Self { receivers: Arc::clone(&self.receivers), place: None }
    }
}

impl<K: 'static, V: 'static> Seam<K, V> {
    pub(super) fn new() -> Self {
        Self { receivers: Arc::default(), place: None }
    }

    /// A handle with the same operator following.
    pub(super) fn same_place(&self) -> Self {
        Self { place: self.place, ..self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Receivers<K, V>> {
        self.receivers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Builds the receivers that are registered by now.
    pub(super) fn wire(&self, w: &mut Wiring<'_>) -> FanOut<K, V> {
        FanOut { receivers: self.lock().iter().map(|(_, recipe)| recipe(w)).collect() }
    }
}

impl<K: 'static, V: 'static> Plan<K, V> for Seam<K, V> {
    fn close<D: Push<K, V> + 'static>(self, make: impl Fn(&mut Wiring<'_>) -> D + Send + Sync + 'static) {
        let place = self.place.expect("whoever ends a stream has said which operator follows");
        let mut receivers = self.lock();
        let at = receivers.partition_point(|(other, _)| *other <= place);
        receivers.insert(at, (place, Box::new(move |w| Box::new(make(w)))));
    }

    fn begin(&mut self, place: Place) {
        self.place.get_or_insert(place);
    }

    fn abandon(self) {}
}

/// Hands each record to several receivers, in the order in which they were declared; clones for all but the last.
pub struct FanOut<K, V> {
    receivers: Vec<Receiver<K, V>>,
}

impl<K, V> FanOut<K, V> {
    /// Whether nobody receives.
    pub(super) fn is_empty(&self) -> bool {
        self.receivers.is_empty()
    }
}

impl<K: Clone, V: Clone> Push<K, V> for FanOut<K, V> {
    fn push(&mut self, record: Record<K, V>, cx: &mut Cx) -> Result<(), Fault> {
        let Some((last, others)) = self.receivers.split_last_mut() else { return Ok(()) };
        for receiver in others {
            receiver.push(record.clone(), cx)?;
        }
        last.push(record, cx)
    }
}

/// Two streams that continue as one.
pub struct Merged<L, R> {
    pub(super) node: NodeId,
    /// Both sides are the same node, which forwards each record once (as in Kafka Streams).
    pub(super) is_one: bool,
    pub(super) left: L,
    pub(super) right: R,
}

impl<K: 'static, V: 'static, L: Plan<K, V>, R: Plan<K, V>> Plan<K, V> for Merged<L, R> {
    fn close<D: Push<K, V> + 'static>(self, make: impl Fn(&mut Wiring<'_>) -> D + Send + Sync + 'static) {
        let node = self.node;
        if self.is_one {
            self.right.abandon();
            return self.left.close(make);
        }
        let make = Arc::new(make);
        let same = Arc::clone(&make);
        self.left.close(move |w| FanIn(w.shared(node, |w| make(w))));
        self.right.close(move |w| FanIn(w.shared(node, |w| same(w))));
    }

    // Both sides have begun: the merge follows them.
    fn begin(&mut self, _: Place) {}
}

/// One of several upstreams of a shared downstream. A task lives on one thread and a chain has no cycle, so the
/// cell is never borrowed twice.
pub struct FanIn<D>(pub(super) Rc<RefCell<D>>);

impl<K, V, D: Push<K, V>> Push<K, V> for FanIn<D> {
    fn push(&mut self, record: Record<K, V>, cx: &mut Cx) -> Result<(), Fault> {
        self.0.borrow_mut().push(record, cx)
    }
}
