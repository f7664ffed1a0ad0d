#![no_main]
use bellwether::{context::TraceState, trace::propagator::TraceContext};
use bellwether_fuzz::{headers, read};

const PARENT: (&str, &[u8]) =
    ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut all = headers(&["tracestate"], data);
    all.push(PARENT);
    let context = bellwether::extract(&all);
    assert!(context.span().is_valid());
    let state = context.span().state();
    assert_eq!(TraceState::parse(state.as_str()).ok().as_ref(), Some(state));

    // An entry that is set is the first one, and the only one of its key.
    let pair = std::str::from_utf8(data).ok().and_then(|text| text.split_once('='));
    if let Some((key, value)) = pair
        && let Ok(with) = state.with(key, value)
    {
        assert_eq!(with.iter().next(), Some((key, value)));
        assert_eq!(TraceState::parse(with.as_str()).ok().as_ref(), Some(&with));
        assert_eq!(with.without(key).get(key), None);
    }
    read(&TraceContext, &["tracestate"], data);
});
