//! The queue of one partition, and the flag that its arrivals raise.
#![allow(unsafe_code, reason = "partition queues with wake-ups and batch reads are not wrapped")]

use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::bindings as c;

use super::{Client, Messages, c_string};

/// Raised by librdkafka's threads when an empty queue got something, taken by the owner of the consumer.
#[derive(Debug, Default)]
pub(in crate::wire::rdkafka) struct Wakeup {
    raised: Mutex<bool>,
    changed: Condvar,
}

impl Wakeup {
    pub(in crate::wire::rdkafka) fn raise(&self) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    /// Waits at most `timeout` until it is raised, and lowers it. Returns whether it was raised.
    pub(in crate::wire::rdkafka) fn wait(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        while !*raised {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            raised = self.changed.wait_timeout(raised, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut *raised)
    }
}

/// The queue into which one partition's records are fetched.
pub(in crate::wire::rdkafka) struct PartitionQueue {
    raw: *mut c::rd_kafka_queue_t,
    // The callback's opaque pointer points to it.
    _wakeup: Arc<Wakeup>,
}

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for PartitionQueue {}

impl PartitionQueue {
    /// The queue of `partition`; raises `wakeup` whenever it was empty and got something. `None`: no such topic.
    pub(in crate::wire::rdkafka) fn new(
        client: &Client,
        topic: &str,
        partition: i32,
        wakeup: &Arc<Wakeup>,
    ) -> Option<Self> {
        let topic = c_string(topic);
        // SAFETY: the client is alive. The callback's pointer stays valid because the queue keeps the flag, and
        // `Drop` takes the callback away first.
        unsafe {
            let raw = c::rd_kafka_queue_get_partition(client.raw(), topic.as_ptr(), partition);
            if raw.is_null() {
                return None;
            }
            c::rd_kafka_queue_cb_event_enable(raw, Some(arrived), Arc::as_ptr(wakeup).cast_mut().cast());
            Some(Self { raw, _wakeup: Arc::clone(wakeup) })
        }
    }

    /// Takes what is there, at most `max` messages, into `messages` without waiting.
    pub(in crate::wire::rdkafka) fn take(&self, messages: &mut Messages, max: usize) {
        messages.refill(max, |slots| {
            // SAFETY: the queue is alive and the slots are writable; librdkafka fills the first `n` of them.
            unsafe { c::rd_kafka_consume_batch_queue(self.raw, 0, slots.as_mut_ptr(), slots.len()) }
        });
    }
}

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        // SAFETY: the last use of the queue; taking the callback away locks the queue, so none runs afterwards.
        unsafe {
            c::rd_kafka_queue_cb_event_enable(self.raw, None, ptr::null_mut());
            c::rd_kafka_queue_destroy(self.raw);
        }
    }
}

unsafe extern "C" fn arrived(_: *mut c::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: the pointer is the flag that the queue keeps alive.
    unsafe { &*opaque.cast::<Wakeup>() }.raise();
}
