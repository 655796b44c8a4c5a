#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::option_lists::check(data));
