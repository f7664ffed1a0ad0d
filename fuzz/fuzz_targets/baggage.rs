#![no_main]
use bellwether::trace::propagator::BaggageHeader;
use bellwether_fuzz::{check, check_value};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    check(&BaggageHeader, &[], &["baggage"], data);
    if let Ok(value) = std::str::from_utf8(data) {
        check_value(value);
    }
});
