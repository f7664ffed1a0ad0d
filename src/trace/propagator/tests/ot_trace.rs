//! `ot-tracer-*`.

use proptest::prelude::*;

use super::*;
use crate::trace::propagator::OtTrace;

const NAMES: [&str; 3] = ["ot-tracer-traceid", "ot-tracer-spanid", "ot-tracer-sampled"];

/// Header by header.
fn naive(headers: &[(&'static str, Vec<u8>)]) -> Said {
    let read = || {
        let [trace, span, sampled] = NAMES.map(|name| text_of(headers, name));
        let trace = trace?;
        let trace = id(&trace, 32).or_else(|| id(&trace, 16))?;
        let span = id(&span?, 16)? as u64;
        let sampled = match sampled.map(|word| word.to_ascii_lowercase()).as_deref() {
            None => None,
            Some("1" | "true") => Some(true),
            Some("0" | "false") => Some(false),
            Some(_) => return None,
        };
        Some(Said { trace, span, sampled, ..Said::default() })
    };
    read().unwrap_or_default()
}

fn check(headers: Sent) {
    assert_eq!(said(&OtTrace, &headers), naive(&headers), "{headers:?}");
}

#[test]
fn every_change_agrees_with_a_plain_reader() {
    let [trace, span, sampled] = NAMES;
    each_change(
        &[(trace, "8448eb211c80319c"), (span, "b7ad6b7169203331"), (sampled, "true")],
        check,
    );
    let long = "0af7651916cd43dd8448eb211c80319c";
    each_change(&[(trace, long), (span, "b7ad6b7169203331"), (sampled, "0")], check);
    each_change(&[(trace, long), (span, "b7ad6b7169203331")], check);
}

#[test]
fn the_lower_half_of_a_trace_id_goes_out() {
    let headers = written(&OtTrace, &context(true));
    let values: Vec<&str> = headers.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["8448eb211c80319c", "b7ad6b7169203331", "true"]);

    let span = SpanContext::new(
        TraceId::from_u128(1 << 64),
        SpanId::from_u64(1),
        TraceFlags::SAMPLED,
        TraceState::EMPTY,
    );
    assert!(written(&OtTrace, &span.into()).is_empty(), "zero would be no trace");
    let half = |context: &Context| context.trace_id().to_u128() >> 64 == 0;
    for context in contexts().filter(half) {
        assert_round_trip(&OtTrace, &context);
        assert_round_trip(
            &OtTrace,
            &remote(&context).span().clone().with_deferred_sampling().into(),
        );
    }
}

proptest! {
    #[test]
    fn any_headers_of_pieces_agree_with_a_plain_reader(headers in prop::collection::vec((
        prop::sample::select(NAMES.to_vec()),
        prop::sample::select(vec![
            "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "0000000000000000", "1", "0",
            "true", "False", "", " ", "é",
        ]),
    ), 0..6)) {
        check(headers.into_iter().map(|(name, value)| (name, value.into())).collect());
    }
}
