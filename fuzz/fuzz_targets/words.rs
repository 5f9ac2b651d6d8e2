//! The target `words` of the room `fuzz-targets`, under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::words::run(data));
