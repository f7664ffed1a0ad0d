#![no_main]
use bellwether::trace::propagator::B3;
use bellwether_fuzz::check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    check(&B3::single(), &[&B3::multi()], &["b3"], data);
});
