#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| thalweg::fuzzing::changelog(data));
