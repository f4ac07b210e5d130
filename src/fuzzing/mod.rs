//! What fuzzers and property tests call: each function takes hostile bytes and panics when a promise is broken.
//!
//! The promises: nothing panics, nothing reserves much more memory than the input has bytes, and what was read reads
//! back equal after it was written again. `fuzz/` has a target per function, the tests here run the same functions.

mod changelog;
mod configuration;
mod cursor;
mod group;
#[cfg(test)]
mod tests;

pub use crate::serde::avro::fuzzing::avro;
pub use changelog::changelog;
pub use configuration::configuration;
pub use cursor::cursor;
pub use group::{answers, group};

/// Memory in bytes that reading `data` may need: a part whatever the input is, and a part per byte of it.
pub fn memory_max(data: &[u8]) -> u64 {
    (256 << 10) + 256 * data.len() as u64
}
