#![no_main]
use bellwether::trace::propagator::Jaeger;
use bellwether_fuzz::check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check(&Jaeger, &[], &["uber-trace-id"], data));
