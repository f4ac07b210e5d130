//! One client of librdkafka with its callbacks.
#![allow(unsafe_code, reason = "clients without a group and delivery callbacks without a box per record")]

use std::cell::{RefCell, RefMut};
use std::ffi::{c_char, c_int, c_void};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use rdkafka::bindings as c;

use super::{Code, Conf, ErrorText, OK, c_string, copied, millis, text_of};
use crate::types::Offset;

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire::rdkafka) enum ClientType {
    Producer,
    Consumer,
}

/// What the callbacks were told; they run on the owner's thread, inside its calls that poll, flush or read a queue.
#[derive(Debug, Default)]
pub(in crate::wire::rdkafka) struct Reports {
    /// Offset after the newest acknowledged record, by the slot that its producer gave to the partition.
    pub(in crate::wire::rdkafka) next_offsets: Vec<Option<Offset>>,
    /// Slot and error of the first record that was not taken.
    pub(in crate::wire::rdkafka) failed: Option<(usize, Code)>,
    /// The newest error of the client or, while a partition's queue is read, of that partition.
    pub(in crate::wire::rdkafka) error: Option<String>,
}

/// A client; its calls come from one thread at a time.
pub(in crate::wire::rdkafka) struct Client {
    raw: *mut c::rd_kafka_t,
    // The callbacks' opaque pointer points into it; it is freed after the client.
    reports: Rc<RefCell<Reports>>,
}

// SAFETY: librdkafka's handle may be used from any thread. The reports are touched by the callbacks, which
// librdkafka runs on the thread that polls, and by the owner; both are the one thread that holds the client. The
// `Rc` is never cloned: it only keeps the address while the client moves.
unsafe impl Send for Client {}

impl Client {
    /// Makes a client of `conf`; on failure returns librdkafka's text.
    pub(in crate::wire::rdkafka) fn new(client_type: ClientType, conf: Conf) -> Result<Self, String> {
        let reports = Rc::new(RefCell::new(Reports::default()));
        let kind = match client_type {
            ClientType::Producer => c::rd_kafka_type_t::RD_KAFKA_PRODUCER,
            ClientType::Consumer => c::rd_kafka_type_t::RD_KAFKA_CONSUMER,
        };
        let mut text: ErrorText = [0; _];
        // SAFETY: the configuration is ours until the client takes it; the opaque pointer outlives the client,
        // because `Drop` destroys the client before the field is dropped.
        let raw = unsafe {
            c::rd_kafka_conf_set_opaque(conf.raw(), Rc::as_ptr(&reports).cast_mut().cast());
            c::rd_kafka_conf_set_log_cb(conf.raw(), Some(log));
            c::rd_kafka_conf_set_error_cb(conf.raw(), Some(client_error));
            if client_type == ClientType::Producer {
                c::rd_kafka_conf_set_dr_msg_cb(conf.raw(), Some(delivered));
            }
            c::rd_kafka_new(kind, conf.raw(), text.as_mut_ptr(), text.len())
        };
        if raw.is_null() {
            return Err(text_of(&text));
        }
        conf.taken();
        Ok(Self { raw, reports })
    }

    pub(super) fn raw(&self) -> *mut c::rd_kafka_t {
        self.raw
    }

    /// Serves delivery reports and the client's errors, waiting at most `timeout` for the first.
    pub(in crate::wire::rdkafka) fn poll(&self, timeout: Duration) {
        // SAFETY: the client is alive.
        unsafe { c::rd_kafka_poll(self.raw, millis(timeout)) };
    }

    /// Sends what lingers at once and waits until every record is acknowledged or given up.
    pub(in crate::wire::rdkafka) fn flush(&self, timeout: Duration) -> Result<(), Code> {
        // SAFETY: the client is alive.
        match unsafe { c::rd_kafka_flush(self.raw, millis(timeout)) } {
            OK => Ok(()),
            code => Err(code),
        }
    }

    /// What the callbacks were told so far. Not to be held over a call of this client.
    pub(in crate::wire::rdkafka) fn reports(&self) -> RefMut<'_, Reports> {
        self.reports.borrow_mut()
    }

    /// The error after which the client is of no use, if it met one.
    pub(in crate::wire::rdkafka) fn fatal_error(&self) -> Option<(Code, String)> {
        let mut text: ErrorText = [0; _];
        // SAFETY: the client is alive, the buffer lives over the call.
        let code = unsafe { c::rd_kafka_fatal_error(self.raw, text.as_mut_ptr(), text.len()) };
        (code != OK).then(|| (code, text_of(&text)))
    }

    /// First and next offset of a partition; under read committed the next one is the last stable offset.
    pub(in crate::wire::rdkafka) fn offsets(
        &self,
        topic: &str,
        partition: i32,
        timeout: Duration,
    ) -> Result<Range<Offset>, Code> {
        let topic = c_string(topic);
        let (mut first, mut next) = (0, 0);
        // SAFETY: the client is alive, the string and the two integers live over the call.
        let code = unsafe {
            c::rd_kafka_query_watermark_offsets(
                self.raw,
                topic.as_ptr(),
                partition,
                &mut first,
                &mut next,
                millis(timeout),
            )
        };
        if code == OK { Ok(first..next) } else { Err(code) }
    }

    /// High watermark of a partition as the last fetch told it; nobody is asked.
    pub(in crate::wire::rdkafka) fn fetched_end(&self, topic: &str, partition: i32) -> Option<Offset> {
        let topic = c_string(topic);
        let (mut first, mut next) = (0, 0);
        // SAFETY: the client is alive, the string and the two integers live over the call.
        let code =
            unsafe { c::rd_kafka_get_watermark_offsets(self.raw, topic.as_ptr(), partition, &mut first, &mut next) };
        // Negative: nothing was fetched yet.
        (code == OK && next >= 0).then_some(next)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: the last use of the client; there is no group to leave.
        unsafe { c::rd_kafka_destroy_flags(self.raw, c::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE) }
    }
}

/// Takes librdkafka's logs, from any of its threads.
unsafe extern "C" fn log(client: *const c::rd_kafka_t, level: c_int, facility: *const c_char, text: *const c_char) {
    // SAFETY: librdkafka passes strings that end in a zero byte, and a live client or null.
    let (name, facility, text) = unsafe {
        let name = if client.is_null() { String::new() } else { copied(c::rd_kafka_name(client)) };
        (name, copied(facility), copied(text))
    };
    match level {
        ..=3 => tracing::error!(target: "librdkafka", client = name, facility, "{text}"),
        4 => tracing::warn!(target: "librdkafka", client = name, facility, "{text}"),
        5 | 6 => tracing::info!(target: "librdkafka", client = name, facility, "{text}"),
        _ => tracing::debug!(target: "librdkafka", client = name, facility, "{text}"),
    }
}

/// Takes errors that come without a message: of the client (broker gone, authentication failed), which goes on by
/// itself, and of a partition (no such topic), which its reader asks for.
unsafe extern "C" fn client_error(client: *mut c::rd_kafka_t, code: c_int, reason: *const c_char, opaque: *mut c_void) {
    // SAFETY: librdkafka passes a live client and a string that ends in a zero byte; for the opaque pointer see
    // `Client::new`.
    let (name, reason, reports) =
        unsafe { (copied(c::rd_kafka_name(client)), copied(reason), &*opaque.cast::<RefCell<Reports>>()) };
    tracing::warn!(target: "librdkafka", client = name, code, "{reason}");
    if let Ok(mut reports) = reports.try_borrow_mut() {
        reports.error = Some(reason);
    }
}

/// Notes one delivery report. The record's opaque value is the slot of its partition.
unsafe extern "C" fn delivered(_: *mut c::rd_kafka_t, message: *const c::rd_kafka_message_t, opaque: *mut c_void) {
    // SAFETY: the opaque pointer is the client's own cell (`Client::new`), the message is alive over the call, and
    // nobody else borrows the cell: the owner's thread is inside `poll` or `flush`.
    let (message, reports) = unsafe { (&*message, &*opaque.cast::<RefCell<Reports>>()) };
    let Ok(mut reports) = reports.try_borrow_mut() else { return };
    let slot = message._private.addr();
    if message.err != OK {
        reports.failed.get_or_insert((slot, message.err));
    } else if let Some(next) = reports.next_offsets.get_mut(slot) {
        *next = (*next).max(Some(message.offset + 1));
    }
}
