#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| thalweg::fuzzing::avro(data));
