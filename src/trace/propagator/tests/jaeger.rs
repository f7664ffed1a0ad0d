//! `uber-trace-id`.

use proptest::prelude::*;

use super::*;
use crate::trace::propagator::Jaeger;

fn digits(text: &str, most: usize) -> Option<u128> {
    let is_legal = !text.is_empty()
        && text.chars().count() <= most
        && text.chars().all(|c| c.is_ascii_hexdigit());
    is_legal.then(|| u128::from_str_radix(text, 16).unwrap())
}

/// Field by field.
fn naive(headers: &[(&'static str, Vec<u8>)]) -> Said {
    let read = || {
        let text = text_of(headers, "uber-trace-id")?;
        let text = text.replace("%3A", ":").replace("%3a", ":");
        let fields: Vec<&str> = text.splitn(4, ':').collect();
        let [trace, span, _parent, flags] = fields[..] else { return None };
        let (trace, span) = (digits(trace, 32)?, digits(span, 16)? as u64);
        let flags = digits(flags, 2)?;
        let state = if flags & 3 == 3 { "b3=d".to_owned() } else { String::new() };
        (trace != 0 && span != 0).then_some(Said {
            trace,
            span,
            sampled: Some(flags & 1 == 1),
            state,
        })
    };
    read().unwrap_or_default()
}

fn check(headers: Sent) {
    assert_eq!(said(&Jaeger, &headers), naive(&headers), "{headers:?}");
}

#[test]
fn headers_say_what_the_specification_has_them_say() {
    for (header, trace, sampled) in [
        ("0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:1", "0af7651916cd43dd", true),
        (
            "0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:53995c3f42cd8ad8:00",
            "0af7651916cd43dd",
            false,
        ),
        ("8448eb211c80319c:b7ad6b7169203331::01", "0", true),
        ("1c80319c%3AB7AD%3A0%3a9", "0", true),
    ] {
        let said = said(&Jaeger, &[("uber-trace-id", header.into())]);
        let upper = u64::from_str_radix(trace, 16).unwrap();
        assert_eq!(((said.trace >> 64) as u64, said.sampled), (upper, Some(sampled)), "{header}");
        assert!(said.span != 0 && said.state.is_empty(), "{header}");
    }
    let debug = said(&Jaeger, &[("uber-trace-id", b"1:2:0:3".into())]);
    assert_eq!(debug, Said { trace: 1, span: 2, sampled: Some(true), state: "b3=d".into() });
    let long = format!("1:2:{}:1", "0".repeat(200));
    for refused in ["", "1", "1:2", "1:2:3", "0:2:0:1", "1:0:0:1", "1:2:0:100", "1:2:0:", &long] {
        assert_eq!(
            said(&Jaeger, &[("uber-trace-id", refused.into())]),
            Said::default(),
            "{refused}"
        );
    }
}

#[test]
fn every_change_agrees_with_a_plain_reader() {
    each_change(
        &[("uber-trace-id", "0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:01")],
        check,
    );
    each_change(&[("uber-trace-id", "1a%3AB7%3a53995c3f42cd8ad8%3A3")], check);
}

#[test]
fn a_context_comes_back_as_it_went() {
    contexts().for_each(|context| assert_round_trip(&Jaeger, &context));
    let debug = Jaeger.extract(&[("uber-trace-id", "1:2:0:3")]);
    assert_round_trip(&Jaeger, &debug);
    assert!(written(&Jaeger, &debug)[0].1.ends_with(":0:03"));
}

#[test]
fn what_is_left_to_the_receiver_goes_out_as_not_sampled() {
    let deferred = context(true).span().clone().into_remote().with_deferred_sampling();
    let header = &written(&Jaeger, &deferred.into())[0].1;
    assert_eq!(header, "0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:00");
    assert!(written(&Jaeger, &SpanContext::decision(true).into()).is_empty());
}

proptest! {
    #[test]
    fn any_text_of_pieces_agrees_with_a_plain_reader(pieces in prop::collection::vec(
        prop::sample::select(vec![
            "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "0", "1", "03", "Ff", ":", ":",
            ":", "%3A", "%3", "%", "g", " ", "é",
        ]),
        0..10,
    )) {
        let value = pieces.concat();
        if value.trim_matches([' ', '\t']).len() <= 128 {
            check(vec![("uber-trace-id", value.into_bytes())]);
        }
    }
}
