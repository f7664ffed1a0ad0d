#![no_main]
use bellwether::trace::propagator::Datadog;
use bellwether_fuzz::{check_lossy, is_same_span};

const NAMES: [&str; 5] = [
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-origin",
    "x-datadog-tags",
];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    check_lossy(&Datadog, &NAMES, data, is_same_span);
});
