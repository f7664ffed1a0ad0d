#![no_main]
//! All formats at once: each line is a header, `name: value`.
use bellwether::trace::propagator::{
    B3, BaggageHeader, Datadog, Jaeger, OtTrace, Propagator, Propagators, RequestId, TraceContext,
    XRay,
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let lines = data.split(|&byte| byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        Some((std::str::from_utf8(&line[..colon]).ok()?, &line[colon + 1..]))
    });
    let headers: Vec<(&str, &[u8])> = lines.collect();
    let all = Propagators::none()
        .with(TraceContext)
        .with(BaggageHeader)
        .with(B3::single())
        .with(B3::multi())
        .with(Jaeger)
        .with(XRay)
        .with(OtTrace)
        .with(Datadog)
        .with(RequestId::new().generated());
    let first = all.extract(&headers);
    let mut written: Vec<(String, String)> = Vec::new();
    all.inject(&first, &mut written);
    let second = all.extract(&written);
    assert_eq!(second.trace_id(), first.trace_id());
    assert_eq!(second.baggage().as_str(), first.baggage().as_str());
});
