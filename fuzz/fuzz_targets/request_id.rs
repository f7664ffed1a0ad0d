#![no_main]
use bellwether::trace::propagator::RequestId;
use bellwether_fuzz::check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check(&RequestId::new(), &[], &["x-request-id"], data));
