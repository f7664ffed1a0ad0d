#![no_main]
use bellwether::trace::propagator::TraceContext;
use bellwether_fuzz::check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    check(&TraceContext, &[], &["traceparent"], data);
    check(&TraceContext, &[], &["traceparent", "tracestate"], data);
});
