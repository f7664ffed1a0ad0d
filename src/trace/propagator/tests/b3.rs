//! Both encodings.

use proptest::prelude::*;

use super::*;
use crate::trace::propagator::B3;

const TRACE: &str = "80f198ee56343ba864fe8b2a57d3eff7";
const SPAN: &str = "e457b5a2e4d86bd1";
const PARENT: &str = "05e3ac9a4f6e3b90";
const IDS: (u128, u64) = (0x80f1_98ee_5634_3ba8_64fe_8b2a_57d3_eff7, 0xe457_b5a2_e4d8_6bd1);

fn of_state(state: Option<&str>, ids: (u128, u64)) -> Option<Said> {
    let (sampled, mark) = match state {
        None => (None, ""),
        Some("0") => (Some(false), ""),
        Some("1") => (Some(true), ""),
        Some("d") => (Some(true), "b3=d"),
        Some(_) => return None,
    };
    Some(Said { trace: ids.0, span: ids.1, sampled, state: mark.to_owned() })
}

fn naive_trace(text: &str) -> Option<u128> {
    id(text, 32).or_else(|| id(text, 16))
}

/// The header `b3`, field by field.
fn naive_single(header: &str) -> Option<Said> {
    let fields: Vec<&str> = header.split('-').collect();
    let (trace, span, state) = match fields[..] {
        [state] => return of_state(Some(state), (0, 0)),
        [trace, span] => (trace, span, None),
        [trace, span, parent] if parent.len() == 16 => {
            hex(parent, 16)?;
            (trace, span, None)
        }
        [trace, span, state] => (trace, span, Some(state)),
        [trace, span, state, parent] => {
            hex(parent, 16)?;
            (trace, span, Some(state))
        }
        _ => return None,
    };
    of_state(state, (naive_trace(trace)?, id(span, 16)? as u64))
}

/// The headers `x-b3-*`, one by one.
fn naive_multi(headers: &[(&'static str, Vec<u8>)]) -> Option<Said> {
    let state = if text_of(headers, "x-b3-flags").as_deref() == Some("1") {
        Some("d")
    } else {
        match text_of(headers, "x-b3-sampled").map(|word| word.to_ascii_lowercase()).as_deref() {
            None => None,
            Some("1" | "true") => Some("1"),
            Some("0" | "false") => Some("0"),
            Some(_) => return None,
        }
    };
    match (text_of(headers, "x-b3-traceid"), text_of(headers, "x-b3-spanid")) {
        (None, None) => state.and_then(|state| of_state(Some(state), (0, 0))),
        (Some(trace), Some(span)) => of_state(state, (naive_trace(&trace)?, id(&span, 16)? as u64)),
        _ => None,
    }
}

fn naive(headers: &[(&'static str, Vec<u8>)]) -> Said {
    let single = text_of(headers, "b3").and_then(|header| naive_single(&header));
    single.or_else(|| naive_multi(headers)).unwrap_or_default()
}

fn check(headers: Sent) {
    let expected = naive(&headers);
    for propagator in [B3::single(), B3::multi()] {
        assert_eq!(said(&propagator, &headers), expected, "{headers:?}");
    }
}

/// From the specification, and from what Zipkin's own reader takes and refuses.
#[test]
fn headers_say_what_the_specification_has_them_say() {
    let with =
        |sampled, state: &str| Said { trace: IDS.0, span: IDS.1, sampled, state: state.to_owned() };
    let alone = |sampled, state: &str| Said { trace: 0, span: 0, ..with(sampled, state) };
    let half = IDS.0 as u64;
    for (header, expected) in [
        (format!("{TRACE}-{SPAN}-1-{PARENT}"), with(Some(true), "")),
        (format!("{TRACE}-{SPAN}-1"), with(Some(true), "")),
        (format!("{TRACE}-{SPAN}-0-{PARENT}"), with(Some(false), "")),
        (format!("{TRACE}-{SPAN}-d"), with(Some(true), "b3=d")),
        (format!("{TRACE}-{SPAN}"), with(None, "")),
        (format!("{TRACE}-{SPAN}-{PARENT}"), with(None, "")),
        (format!("{TRACE}-{SPAN}-1-0000000000000000"), with(Some(true), "")),
        (format!("{}-{SPAN}-1", &TRACE[16..]), Said { trace: half.into(), ..with(Some(true), "") }),
        ("0".into(), alone(Some(false), "")),
        ("1".into(), alone(Some(true), "")),
        ("d".into(), alone(Some(true), "b3=d")),
    ] {
        assert_eq!(said(&B3::single(), &[("b3", header.clone().into())]), expected, "{header}");
    }
    for refused in [
        "",
        "-",
        "2",
        "not-a-tumor",
        "b970dafd-0d95-40aa-95d8-1d8725aebe40",
        &format!("{TRACE}-{SPAN}-"),
        &format!("{TRACE}-{SPAN}--{PARENT}"),
        &format!("{TRACE}-{SPAN}-d-"),
        &format!("{TRACE}-{SPAN}-1-{PARENT}-"),
        &format!("{TRACE}-{SPAN}-11-{PARENT}"),
        &format!("{TRACE}-{SPAN}-f"),
        &format!("{TRACE}a-{SPAN}"),
        &format!("1-{SPAN}"),
        &format!("{TRACE}--1"),
        &format!("0000000000000000-{SPAN}-1"),
        &format!("{TRACE}-0000000000000000-1"),
        &format!("{}-{SPAN}-1", TRACE.to_uppercase()),
    ] {
        assert_eq!(said(&B3::single(), &[("b3", refused.into())]), Said::default(), "{refused}");
    }
}

#[test]
fn every_change_of_the_single_header_agrees_with_a_plain_reader() {
    for header in [
        format!("{TRACE}-{SPAN}-1-{PARENT}"),
        format!("{}-{SPAN}-d", &TRACE[16..]),
        format!("{TRACE}-{SPAN}"),
        format!("{TRACE}-{SPAN}-{PARENT}"),
        "d".into(),
    ] {
        each_change(&[("b3", &header)], check);
    }
}

#[test]
fn every_change_of_the_headers_agrees_with_a_plain_reader() {
    let (ids, parent) =
        ([("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN)], ("x-b3-parentspanid", PARENT));
    each_change(&[ids[0], ids[1], ("x-b3-sampled", "1"), parent], check);
    each_change(&[ids[0], ids[1], ("x-b3-sampled", "FALSE"), ("x-b3-flags", "1")], check);
    each_change(&[("x-b3-traceid", &TRACE[16..]), ids[1]], check);
    each_change(&[("x-b3-sampled", "true")], check);
    // The single header comes first if it says anything.
    each_change(&[("b3", "0"), ids[0], ids[1], ("x-b3-sampled", "1")], check);
}

#[test]
fn a_context_comes_back_as_it_went() {
    for context in contexts() {
        for propagator in [B3::single(), B3::multi()] {
            assert_round_trip(&propagator, &context);
            let deferred = remote(&context).span().clone().with_deferred_sampling();
            assert_round_trip(&propagator, &deferred.into());
        }
    }
    for sampled in [false, true] {
        for propagator in [B3::single(), B3::multi()] {
            assert_round_trip(&propagator, &SpanContext::decision(sampled).into());
        }
    }
}

#[test]
fn what_is_written_is_what_the_specification_shows() {
    let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
    let single = |context: &Context| written(&B3::single(), context).remove(0).1;
    assert_eq!(single(&context(true)), format!("{ids}-1"));
    assert_eq!(single(&context(false)), format!("{ids}-0"));
    let deferred: Context =
        context(true).span().clone().into_remote().with_deferred_sampling().into();
    assert_eq!(single(&deferred), ids);
    assert_eq!(single(&SpanContext::decision(false).into()), "0");
    assert!(written(&B3::single(), &Context::NONE).is_empty());

    let mut headers: Written = ["X-B3-Flags", "X-B3-ParentSpanId", "X-B3-SpanId", "X-B3-Sampled"]
        .map(|name| (name.into(), "old".into()))
        .into();
    B3::multi().inject(&deferred, &mut headers);
    headers.sort();
    assert_eq!(
        headers,
        [("X-B3-SpanId", "b7ad6b7169203331"), ("x-b3-traceid", &ids[..32])]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn debug_goes_on_while_the_trace_is_sampled() {
    let caller =
        B3::multi().extract(&[("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN), ("X-B3-Flags", "1")]);
    assert_eq!(written(&B3::single(), &caller)[0].1, format!("{TRACE}-{SPAN}-d"));
    let names: Vec<String> =
        written(&B3::multi(), &caller).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["x-b3-traceid", "x-b3-spanid", "x-b3-flags"]);

    // A sampler here has refused it.
    let (ids, state) = (caller.span(), caller.span().state().clone());
    let refused = SpanContext::new(ids.trace_id(), ids.span_id(), TraceFlags::default(), state);
    assert_eq!(written(&B3::single(), &refused.into())[0].1, format!("{TRACE}-{SPAN}-0"));
}

proptest! {
    #[test]
    fn any_text_of_pieces_agrees_with_a_plain_reader(
        single in prop::option::of(pieces()),
        multi in prop::collection::vec((
            prop::sample::select(vec!["x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags"]),
            pieces(),
        ), 0..5),
    ) {
        let single = single.map(|value| ("b3", value));
        let headers = single.into_iter().chain(multi);
        check(headers.map(|(name, value)| (name, value.into_bytes())).collect());
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        TRACE,
        SPAN,
        PARENT,
        "0000000000000000",
        "-",
        "-",
        "-",
        "0",
        "1",
        "d",
        "true",
        "F",
        " ",
        "é",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}
