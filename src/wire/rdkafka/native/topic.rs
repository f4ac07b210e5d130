//! A topic handle: starts and stops reading a partition, and takes outgoing records.
#![allow(unsafe_code, reason = "produce with a cached topic and reading without a group are not wrapped")]

use std::ffi::c_void;
use std::ptr;

use rdkafka::bindings as c;

use super::{Client, Code, OK, c_string};
use crate::types::{HeadersView, Offset};

/// A topic of one client.
pub(in crate::wire::rdkafka) struct Topic {
    raw: *mut c::rd_kafka_topic_t,
}

// SAFETY: librdkafka's topic handle may be used from any thread.
unsafe impl Send for Topic {}

impl Topic {
    pub(in crate::wire::rdkafka) fn new(client: &Client, name: &str) -> Result<Self, Code> {
        let name = c_string(name);
        // SAFETY: the client is alive; a null configuration means the client's default.
        let raw = unsafe { c::rd_kafka_topic_new(client.raw(), name.as_ptr(), ptr::null_mut()) };
        // SAFETY: reads the calling thread's last error.
        if raw.is_null() { Err(unsafe { c::rd_kafka_last_error() }) } else { Ok(Self { raw }) }
    }

    pub(super) fn raw(&self) -> *mut c::rd_kafka_topic_t {
        self.raw
    }

    /// Starts to fetch `partition` from `from`.
    pub(in crate::wire::rdkafka) fn start(&self, partition: i32, from: Offset) -> Result<(), Code> {
        // SAFETY: the topic is alive.
        if unsafe { c::rd_kafka_consume_start(self.raw, partition, from) } == 0 {
            return Ok(());
        }
        // SAFETY: reads the calling thread's last error.
        Err(unsafe { c::rd_kafka_last_error() })
    }

    /// Stops to fetch `partition`; when it returns, nothing fetched before can be read any more.
    pub(in crate::wire::rdkafka) fn stop(&self, partition: i32) -> Result<(), Code> {
        // SAFETY: the topic is alive.
        if unsafe { c::rd_kafka_consume_stop(self.raw, partition) } == 0 {
            return Ok(());
        }
        // SAFETY: reads the calling thread's last error.
        Err(unsafe { c::rd_kafka_last_error() })
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: the last use of the handle.
        unsafe { c::rd_kafka_topic_destroy(self.raw) }
    }
}

/// The arguments of one produce call, reused over the records of one partition.
pub(in crate::wire::rdkafka) struct OutgoingRecord<'a> {
    topic: std::marker::PhantomData<&'a Topic>,
    arguments: [c::rd_kafka_vu_t; 8],
    has_headers: bool,
}

const TIMESTAMP: usize = 4;
const VALUE: usize = 5;
const KEY: usize = 6;
const HEADERS: usize = 7;

impl<'a> OutgoingRecord<'a> {
    /// Records for `partition` of `topic`; their delivery is reported under `slot`.
    pub(in crate::wire::rdkafka) fn new(topic: &'a Topic, partition: i32, slot: usize) -> Self {
        use c::rd_kafka_vtype_t as kind;
        use c::rd_kafka_vu_s__bindgen_ty_1 as value;
        let argument = |vtype, u| c::rd_kafka_vu_t { vtype, u };
        let arguments = [
            argument(kind::RD_KAFKA_VTYPE_RKT, value { rkt: topic.raw }),
            argument(kind::RD_KAFKA_VTYPE_PARTITION, value { i32_: partition }),
            argument(kind::RD_KAFKA_VTYPE_MSGFLAGS, value { i: c::RD_KAFKA_MSG_F_COPY }),
            argument(kind::RD_KAFKA_VTYPE_OPAQUE, value { ptr: ptr::without_provenance_mut(slot) }),
            argument(kind::RD_KAFKA_VTYPE_TIMESTAMP, value { i64_: 0 }),
            argument(kind::RD_KAFKA_VTYPE_VALUE, value { mem: bytes(None) }),
            argument(kind::RD_KAFKA_VTYPE_KEY, value { mem: bytes(None) }),
            argument(kind::RD_KAFKA_VTYPE_HEADERS, value { headers: ptr::null_mut() }),
        ];
        Self { topic: std::marker::PhantomData, arguments, has_headers: false }
    }

    /// Fills in the next record.
    pub(in crate::wire::rdkafka) fn fill(&mut self, record: crate::types::ArenaRecord<'_>) {
        // librdkafka takes 0 for the time of day; 1 ms is the nearest that it can write.
        self.arguments[TIMESTAMP].u.i64_ = if record.timestamp == 0 { 1 } else { record.timestamp };
        self.arguments[VALUE].u.mem = bytes(record.value);
        self.arguments[KEY].u.mem = bytes(record.key);
        self.drop_headers();
        if !record.headers.is_empty() {
            self.arguments[HEADERS].u.headers = native_headers(record.headers);
            self.has_headers = true;
        }
    }

    /// Hands the record to the client, which copies it. After an error it is still filled in.
    ///
    /// The bytes given to `fill` must still be there: callers fill and produce in one breath.
    pub(in crate::wire::rdkafka) fn produce(&mut self, client: &Client) -> Result<(), Code> {
        let count = if self.has_headers { HEADERS + 1 } else { HEADERS };
        // SAFETY: client, topic and the first `count` arguments are alive; librdkafka copies key and value before
        // it returns, and takes the headers only when it succeeds.
        let error = unsafe { c::rd_kafka_produceva(client.raw(), self.arguments.as_ptr(), count) };
        if error.is_null() {
            self.has_headers = false;
            return Ok(());
        }
        // SAFETY: a non-null error is ours to read and to free.
        let code = unsafe {
            let code = c::rd_kafka_error_code(error);
            c::rd_kafka_error_destroy(error);
            code
        };
        Err(if code == OK { Code::RD_KAFKA_RESP_ERR__FAIL } else { code })
    }

    fn drop_headers(&mut self) {
        if self.has_headers {
            // SAFETY: the headers were made by `fill` and no produce call took them.
            unsafe { c::rd_kafka_headers_destroy(self.arguments[HEADERS].u.headers) };
            self.has_headers = false;
        }
    }
}

impl Drop for OutgoingRecord<'_> {
    fn drop(&mut self) {
        self.drop_headers();
    }
}

/// Bytes or null; an empty slice is not null.
fn bytes(slice: Option<&[u8]>) -> c::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
    let (ptr, size) = slice.map_or((ptr::null(), 0), |s| (s.as_ptr(), s.len()));
    c::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: ptr.cast_mut().cast(), size }
}

fn native_headers(headers: HeadersView<'_>) -> *mut c::rd_kafka_headers_t {
    // SAFETY: makes a fresh list; names and values are copied with their lengths, a null value stays null.
    unsafe {
        let list = c::rd_kafka_headers_new(4);
        for header in headers {
            let (value, length) =
                header.value.map_or((ptr::null(), -1), |v| (v.as_ptr().cast::<c_void>(), v.len() as isize));
            c::rd_kafka_header_add(list, header.key.as_ptr().cast(), header.key.len() as isize, value, length);
        }
        list
    }
}
