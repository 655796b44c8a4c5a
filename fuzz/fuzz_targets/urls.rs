#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::urls::check(data));
