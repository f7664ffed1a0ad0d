#![no_main]
use bellwether::{context::TraceId, trace::propagator::OtTrace};
use bellwether_fuzz::check_lossy;

const NAMES: [&str; 3] = ["ot-tracer-traceid", "ot-tracer-spanid", "ot-tracer-sampled"];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // Of the trace id the lower half is left, and nothing where that is zero.
    check_lossy(&OtTrace, &NAMES, data, |first, second| {
        let low = |id: TraceId| id.to_u128() as u64;
        low(first.trace_id()) == low(second.trace_id())
            && (low(first.trace_id()) == 0 || first.span_id() == second.span_id())
    });
});
