//! The target `calls` of the room `fuzz-targets`, under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::calls::run(data));
