#![no_main]
use bellwether::trace::propagator::B3;
use bellwether_fuzz::check;

const NAMES: [&str; 6] =
    ["x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags", "x-b3-parentspanid", "b3"];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for n in 1..=NAMES.len() {
        check(&B3::multi(), &[&B3::single()], &NAMES[..n], data);
    }
});
