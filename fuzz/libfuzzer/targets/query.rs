#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    pawl_fuzz::check_query(data);
});
