//! What every target does with an input.

use std::sync::Once;

use allocation_counter::measure;
use thalweg::fuzzing::memory_max;

/// Runs `check`, and panics when it needed more memory than `data` allows.
pub fn holds(check: fn(&[u8]), data: &[u8]) {
    static WARM: Once = Once::new();
    // What is made once per process is no cost of an input.
    WARM.call_once(|| check(&[]));
    let used = measure(|| check(data)).bytes_max;
    assert!(used <= memory_max(data), "{used} bytes of memory for {}", data.len());
}
