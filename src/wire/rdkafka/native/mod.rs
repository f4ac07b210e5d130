//! Thin owners of librdkafka's objects: every call into C, and every `unsafe`, of the adapter is here.
//!
//! rust-rdkafka's own clients are not used: they have no batch reads, no partition queues with wake-ups, no
//! produce call with a cached topic, and their flush waits out polls of 100 ms. Only its bindings are.
//! Each type frees its object when dropped; objects made by a client must be dropped before the client, which
//! their owners do by field order.

mod admin;
mod client;
mod conf;
mod message;
mod mock;
mod queue;
mod topic;

pub(super) use admin::{Failure, create_topics, describe_config, partition_count, topic_ids};
pub(super) use client::{Client, ClientType};
pub(super) use conf::{Conf, SetError};
pub(super) use message::{Message, Messages};
pub(in crate::wire) use mock::MockCluster;
pub(super) use queue::{PartitionQueue, Wakeup};
pub(super) use topic::{OutgoingRecord, Topic};

use std::ffi::{CStr, CString, c_char, c_int};
use std::time::Duration;

/// librdkafka's error code.
pub(super) use rdkafka::types::RDKafkaRespErr as Code;

/// No error.
pub(super) const OK: Code = Code::RD_KAFKA_RESP_ERR_NO_ERROR;

/// Room for an error text of librdkafka.
type ErrorText = [c_char; 512];

/// Milliseconds for a C call; never negative, because -1 means for ever there.
fn millis(duration: Duration) -> c_int {
    c_int::try_from(duration.as_millis()).unwrap_or(c_int::MAX)
}

/// `text` up to its first zero byte, as a C string.
fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// The text that librdkafka wrote into `buffer`.
fn text_of(buffer: &ErrorText) -> String {
    let bytes: Vec<u8> = buffer.iter().map(|&c| c as u8).take_while(|&c| c != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Copies a C string of librdkafka; empty for null.
///
/// # Safety
/// `text` is null or points to a string that ends in a zero byte.
#[allow(unsafe_code, reason = "reads a C string")]
unsafe fn copied(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
