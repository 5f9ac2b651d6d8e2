//! The target `backup` of the room `fuzz-targets`, under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::backup::run(data));
