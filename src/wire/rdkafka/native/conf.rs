//! A configuration object of librdkafka.
#![allow(unsafe_code, reason = "reading values back and telling unknown names apart is not wrapped by rust-rdkafka")]

use std::ffi::{CStr, c_char};
use std::ptr;

use rdkafka::bindings as c;

use super::{ErrorText, c_string, text_of};

/// A configuration that no client has taken yet.
pub(in crate::wire::rdkafka) struct Conf {
    raw: *mut c::rd_kafka_conf_t,
}

/// Why librdkafka did not take a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::wire::rdkafka) enum SetError {
    /// It has no setting of this name.
    Unknown,
    /// The value is wrong, or the setting is not part of this build.
    Invalid(String),
}

impl Conf {
    pub(in crate::wire::rdkafka) fn new() -> Self {
        // SAFETY: takes nothing and returns a fresh object.
        Self { raw: unsafe { c::rd_kafka_conf_new() } }
    }

    pub(in crate::wire::rdkafka) fn set(&mut self, key: &str, value: &str) -> Result<(), SetError> {
        let (key, value) = (c_string(key), c_string(value));
        let mut text: ErrorText = [0; _];
        // SAFETY: the object is ours, the strings and the buffer live over the call.
        let result =
            unsafe { c::rd_kafka_conf_set(self.raw, key.as_ptr(), value.as_ptr(), text.as_mut_ptr(), text.len()) };
        match result {
            c::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(()),
            c::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN => Err(SetError::Unknown),
            c::rd_kafka_conf_res_t::RD_KAFKA_CONF_INVALID => Err(SetError::Invalid(text_of(&text))),
        }
    }

    /// The value in librdkafka's own spelling; `None` for a name it does not have, or an unset text.
    pub(in crate::wire::rdkafka) fn get(&self, key: &str) -> Option<String> {
        let key = c_string(key);
        let mut buffer = [0 as c_char; 512];
        let mut size = buffer.len();
        // SAFETY: the object is ours, the buffer has `size` bytes.
        let result = unsafe { c::rd_kafka_conf_get(self.raw, key.as_ptr(), buffer.as_mut_ptr(), &mut size) };
        (result == c::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK).then(|| text_of(&buffer))
    }

    /// The names of all settings.
    pub(in crate::wire::rdkafka) fn names(&self) -> Vec<String> {
        let mut count = 0;
        // SAFETY: the object is ours; what comes back are `count` strings, names and values in turn, which live until
        // they are freed once, below, by the function that is made for it.
        unsafe {
            let dumped = c::rd_kafka_conf_dump(self.raw, &mut count);
            let name = |at| CStr::from_ptr(*dumped.add(at)).to_string_lossy().into_owned();
            let names = (0..count).step_by(2).map(name).collect();
            c::rd_kafka_conf_dump_free(dumped, count);
            names
        }
    }

    /// The object, for a client that takes it; null it on success with [`Conf::taken`].
    pub(super) fn raw(&self) -> *mut c::rd_kafka_conf_t {
        self.raw
    }

    /// A client owns the object now.
    pub(super) fn taken(mut self) {
        self.raw = ptr::null_mut();
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        if !self.raw.is_null() {
            // SAFETY: no client has taken the object.
            unsafe { c::rd_kafka_conf_destroy(self.raw) }
        }
    }
}
