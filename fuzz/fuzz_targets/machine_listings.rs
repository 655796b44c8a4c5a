#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::machine_listings::check(data));
