//! The target `records` of the room `fuzz-targets`, under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::records::run(data));
