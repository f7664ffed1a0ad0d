#![no_main]
use bellwether::trace::propagator::XRay;
use bellwether_fuzz::check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check(&XRay, &[], &["x-amzn-trace-id"], data));
