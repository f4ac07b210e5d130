//! Messages taken from a partition's queue.
#![allow(unsafe_code, reason = "batch reads into a reused array are not wrapped")]

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::slice;

use rdkafka::bindings as c;

use super::{Code, OK, copied};
use crate::types::{Headers, Offset, Timestamp};

/// A reused array of messages; they are freed when the array is refilled or dropped.
pub(in crate::wire::rdkafka) struct Messages {
    slots: Vec<*mut c::rd_kafka_message_t>,
    taken: usize,
}

// SAFETY: messages may be read and freed on any thread.
unsafe impl Send for Messages {}

impl Messages {
    pub(in crate::wire::rdkafka) fn new(capacity: usize) -> Self {
        Self { slots: vec![ptr::null_mut(); capacity], taken: 0 }
    }

    /// Frees what is there and lets `take` fill at most `max` slots; it returns how many it filled.
    pub(super) fn refill(&mut self, max: usize, take: impl FnOnce(&mut [*mut c::rd_kafka_message_t]) -> isize) {
        self.clear();
        let max = max.min(self.slots.len());
        // A negative count is an error of the call as a whole: nothing was taken.
        self.taken = usize::try_from(take(&mut self.slots[..max])).unwrap_or(0);
    }

    /// Frees the messages.
    pub(in crate::wire::rdkafka) fn clear(&mut self) {
        for &message in &self.slots[..self.taken] {
            // SAFETY: the first `taken` slots hold messages that are ours.
            unsafe { c::rd_kafka_message_destroy(message) };
        }
        self.taken = 0;
    }

    pub(in crate::wire::rdkafka) fn len(&self) -> usize {
        self.taken
    }

    pub(in crate::wire::rdkafka) fn iter(&self) -> impl Iterator<Item = Message<'_>> {
        // SAFETY: the first `taken` slots hold messages that live until `clear`, which needs `&mut self`.
        self.slots[..self.taken].iter().map(|&raw| Message { raw: unsafe { &*raw } })
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A record, or an event of its partition that came in its place.
pub(in crate::wire::rdkafka) struct Message<'a> {
    raw: &'a c::rd_kafka_message_t,
}

impl<'a> Message<'a> {
    /// `OK` for a record.
    pub(in crate::wire::rdkafka) fn code(&self) -> Code {
        self.raw.err
    }

    pub(in crate::wire::rdkafka) fn offset(&self) -> Offset {
        self.raw.offset
    }

    pub(in crate::wire::rdkafka) fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: key and length belong to the message, which lives for 'a.
        unsafe { bytes(self.raw.key, self.raw.key_len) }
    }

    pub(in crate::wire::rdkafka) fn value(&self) -> Option<&'a [u8]> {
        // SAFETY: payload and length belong to the message, which lives for 'a.
        unsafe { bytes(self.raw.payload, self.raw.len) }
    }

    /// Record time in ms, -1 when the record has none.
    pub(in crate::wire::rdkafka) fn timestamp(&self) -> Timestamp {
        let mut kind = c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive.
        unsafe { c::rd_kafka_message_timestamp(self.raw, &mut kind) }
    }

    pub(in crate::wire::rdkafka) fn leader_epoch(&self) -> Option<i32> {
        // SAFETY: the message is alive.
        let epoch = unsafe { c::rd_kafka_message_leader_epoch(self.raw) };
        (epoch >= 0).then_some(epoch)
    }

    /// Copies the headers over `headers`.
    pub(in crate::wire::rdkafka) fn headers(&self, headers: &mut Headers) {
        headers.clear();
        let mut list = ptr::null_mut();
        // SAFETY: the message is alive; the list stays its property.
        if unsafe { c::rd_kafka_message_headers(self.raw, &mut list) } != OK {
            return;
        }
        for index in 0.. {
            let (mut key, mut value, mut length) = (ptr::null::<c_char>(), ptr::null::<c_void>(), 0);
            // SAFETY: list and results are alive; past the last header the call returns an error.
            let code = unsafe { c::rd_kafka_header_get_all(list, index, &mut key, &mut value, &mut length) };
            if code != OK {
                return;
            }
            // SAFETY: key and value belong to the message, the key ends in a zero byte.
            let (key, value) = unsafe { (CStr::from_ptr(key), bytes(value, length)) };
            // Borrowed, not copied, when it is UTF-8 as Kafka demands.
            headers.push(&key.to_string_lossy(), value);
        }
    }

    /// librdkafka's text for an event.
    pub(in crate::wire::rdkafka) fn error_text(&self) -> String {
        // SAFETY: the message is alive; the text is its property or static.
        unsafe { copied(c::rd_kafka_message_errstr(self.raw)) }
    }
}

/// # Safety
/// `data` is null or points to `length` bytes that live for 'a.
unsafe fn bytes<'a>(data: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: as the caller promises.
    (!data.is_null()).then(|| unsafe { slice::from_raw_parts(data.cast(), length) })
}
