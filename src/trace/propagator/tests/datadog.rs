//! `x-datadog-*`.

use proptest::prelude::*;

use super::*;
use crate::trace::propagator::Datadog;

const NAMES: [&str; 5] = [
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-origin",
    "x-datadog-tags",
];
const TRACE: &str = "9532127138774266268"; // 8448eb211c80319c
const PARENT: &str = "13235353014750950193"; // b7ad6b7169203331

fn decimal(text: &str) -> Option<u64> {
    let is_legal = text.chars().all(|c| c.is_ascii_digit()) && text.len() <= 20;
    is_legal.then(|| text.parse().ok())?
}

/// Header by header; the entry of the trace state without the limits of its length.
fn naive(headers: &[(&'static str, Vec<u8>)]) -> Said {
    let read = || {
        let [trace, parent, priority, ..] = NAMES.map(|name| text_of(headers, name));
        let lower = decimal(&trace?).filter(|&lower| lower != 0)?;
        let span = parent.map_or(Some(0), |parent| decimal(&parent))?;
        let priority = match priority {
            None => None,
            Some(text) => {
                let digits = text.strip_prefix('-').unwrap_or(&text);
                let number = decimal(digits).filter(|&number| number <= 127)? as i64;
                Some(if digits.len() < text.len() { -number } else { number })
            }
        };
        let tags = naive_tags(headers);
        let upper = tags.iter().find(|(key, _)| key == "tid");
        let upper = upper.and_then(|(_, value)| hex(value, 16)).unwrap_or(0);
        let mut fields = Vec::new();
        fields.extend(priority.map(|priority| format!("s:{priority}")));
        fields.extend(naive_origin(headers).map(|origin| format!("o:{origin}")));
        let others = tags.iter().filter(|(key, _)| key != "tid");
        fields.extend(others.map(|(key, value)| format!("t.{}:{value}", key.replace(':', "_"))));
        let says_nothing = fields.is_empty() || fields == ["s:0"] || fields == ["s:1"];
        let state = if says_nothing { String::new() } else { format!("dd={}", fields.join(";")) };
        Some(Said {
            trace: upper << 64 | u128::from(lower),
            span,
            sampled: priority.map(|priority| priority > 0),
            state,
        })
    };
    read().unwrap_or_default()
}

/// The first value as it is sent, byte by byte, without white space around it.
fn bytes_of<'a>(headers: &'a [(&'static str, Vec<u8>)], name: &str) -> &'a [u8] {
    let first = headers.iter().find(|(other, _)| *other == name);
    let mut bytes = first.map_or(&[][..], |(_, value)| value);
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

fn naive_encoded(bytes: &[u8]) -> String {
    let encoded = bytes.iter().map(|&byte| match char::from(byte) {
        '=' => '~',
        ',' | ';' | '~' => '_',
        c @ ' '..='}' => c,
        _ => '_',
    });
    encoded.collect()
}

fn naive_origin(headers: &[(&'static str, Vec<u8>)]) -> Option<String> {
    Some(naive_encoded(bytes_of(headers, "x-datadog-origin"))).filter(|origin| !origin.is_empty())
}

fn naive_tags(headers: &[(&'static str, Vec<u8>)]) -> Vec<(String, String)> {
    let tags = bytes_of(headers, "x-datadog-tags");
    if tags.len() > 512 {
        return Vec::new();
    }
    // One character for each byte, so that texts are as long as bytes.
    let text: String = tags.iter().map(|&byte| char::from(byte)).collect();
    let pairs = text.split(',').filter_map(|tag| tag.split_once('='));
    let ours = pairs.filter_map(|(key, value)| {
        let space = [' ', '\t'];
        let key = key.trim_matches(space).strip_prefix("_dd.p.")?.to_owned();
        Some((key, value.trim_matches(space).to_owned())).filter(|(key, _)| !key.is_empty())
    });
    let bytes = |text: &str| -> Vec<u8> { text.chars().map(|c| c as u8).collect() };
    ours.map(|(key, value)| {
        if key == "tid" {
            return (key, value);
        }
        let key = naive_encoded(&bytes(&key)).replace(' ', "_");
        (key, naive_encoded(&bytes(&value)))
    })
    .collect()
}

fn check(headers: Sent) {
    let expected = naive(&headers);
    assert!(expected.state.len() < 256, "{expected:?}");
    assert_eq!(said(&Datadog, &headers), expected, "{headers:?}");
}

fn named(values: [&'static str; 5]) -> [(&'static str, &'static str); 5] {
    std::array::from_fn(|i| (NAMES[i], values[i]))
}

#[test]
fn every_change_agrees_with_a_plain_reader() {
    let tags = "_dd.p.dm=-4,_dd.p.tid=0af7651916cd43dd,any=tag,_dd.p.usr.id=YQ==";
    each_change(&named([TRACE, PARENT, "2", "rum", tags]), check);
    let all = named([TRACE, "0", "-1", "", "_dd.p.tid=0af7651916cd43dd"]);
    each_change(&all[..2], check);
    each_change(&[all[0], all[2], all[4]], check);
}

#[test]
fn headers_say_what_datadogs_own_tracers_read_in_them() {
    let sent = |values: &[(usize, &'static str)]| -> Said {
        let headers: Sent =
            values.iter().map(|&(name, value)| (NAMES[name], value.into())).collect();
        said(&Datadog, &headers)
    };
    let tags = "_dd.p.test=value,_dd.p.tid=0000000000004321,any=tag";
    assert_eq!(
        sent(&[(0, "1234"), (1, "5678"), (2, "1"), (3, "synthetics"), (4, tags)]),
        Said {
            trace: 0x4321 << 64 | 1234,
            span: 5678,
            sampled: Some(true),
            state: "dd=s:1;o:synthetics;t.test:value".into(),
        }
    );
    let malformed = sent(&[(0, "1234"), (1, "5678"), (2, "1"), (4, "_dd.p.tid=4321")]);
    assert_eq!((malformed.trace, malformed.span), (1234, 5678));
    let synthetic = sent(&[(0, "1234"), (1, "0"), (2, "1")]);
    assert_eq!((synthetic.trace, synthetic.span, synthetic.sampled), (1234, 0, Some(true)));
    assert_eq!(sent(&[(0, "1234"), (1, "5678")]).sampled, None);
    for refused in ["", "0", "-1", "+1", "1 2", "0x1", "18446744073709551616"] {
        assert_eq!(sent(&[(0, refused), (1, "5678"), (2, "1")]), Said::default(), "{refused}");
    }
    assert_eq!(sent(&[(2, "1"), (3, "rum")]), Said::default());
}

fn member(context: &Context, state: &str) -> Context {
    let span = context.span().clone().with_state(TraceState::parse(state).unwrap());
    context.clone().with_span(span)
}

fn values(context: &Context) -> [Option<String>; 5] {
    let headers = written(&Datadog, context);
    NAMES.map(|name| {
        headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone())
    })
}

#[test]
fn a_context_comes_back_as_it_went() {
    for context in contexts() {
        assert_round_trip(&Datadog, &context);
        let priority = if context.span().is_sampled() { 2 } else { -1 };
        assert_round_trip(
            &Datadog,
            &member(&context, &format!("dd=s:{priority};o:rum;t.dm:-4;t.k:a~b")),
        );
        assert_round_trip(
            &Datadog,
            &remote(&context).span().clone().with_deferred_sampling().into(),
        );
    }
}

#[test]
fn origin_and_tags_go_on_and_who_decided_only_while_that_holds() {
    let upper = "_dd.p.tid=0af7651916cd43dd";
    let callers =
        member(&context(true), "a=1,dd=s:2;o:r~um;p:00f067aa0ba902b7;t.dm:-4;t.tid:1;t.k:x~~");
    let [trace, parent, priority, origin, tags] = values(&callers);
    assert_eq!((trace.as_deref(), parent.as_deref()), (Some(TRACE), Some(PARENT)));
    assert_eq!((priority.as_deref(), origin.as_deref()), (Some("2"), Some("r=um")));
    assert_eq!(tags.unwrap(), format!("{upper},_dd.p.dm=-4,_dd.p.k=x=="));

    let [_, _, priority, _, tags] = values(&member(&context(false), "dd=s:2;t.dm:-4;t.k:x"));
    assert_eq!((priority.as_deref(), tags), (Some("0"), Some(format!("{upper},_dd.p.k=x"))));
    assert_eq!(values(&context(true))[2].as_deref(), Some("1"));
    assert!(written(&Datadog, &Context::NONE).is_empty());
}

#[test]
fn what_was_there_before_does_not_stay_beside_what_is_written() {
    let mut headers: Written = NAMES.map(|name| (name.to_uppercase(), "old".into())).into();
    let deferred = context(false).span().clone().into_remote().with_deferred_sampling();
    Datadog.inject(&deferred.into(), &mut headers);
    let left: Vec<_> = headers.iter().map(|(name, _)| name.to_lowercase()).collect();
    assert_eq!(left, [NAMES[0], NAMES[1], NAMES[4]]);
    assert!(headers.iter().all(|(_, value)| value != "old"));
}

#[test]
fn an_origin_has_room_to_the_last_character() {
    for (n, kept) in [(250, 256), (251, 0)] {
        let origin = "o".repeat(n);
        let headers = [(NAMES[0], "1"), (NAMES[1], "2"), (NAMES[2], "1"), (NAMES[3], &origin)];
        let context = Datadog.extract(&headers);
        assert_eq!(context.span().state().get("dd").map_or(0, str::len), kept, "{n}");
    }
}

#[test]
fn tags_that_do_not_fit_are_dropped_whole() {
    let tag = |n: usize| format!("_dd.p.k{n:02}={}", "v".repeat(40));
    let all = (0..10).map(tag).collect::<Vec<_>>().join(",");
    let headers = [(NAMES[0], "1"), (NAMES[1], "2"), (NAMES[4], &all)];
    let state = Said::of(&Datadog.extract(&headers)).state;
    assert!(state.len() <= 3 + 256 && state.len() > 200, "{state}");
    assert!(state.split(';').all(|field| field.len() >= 46), "{state}");

    let long = format!("{all},{}", tag(11));
    let too_long = [(NAMES[0], "1"), (NAMES[1], "2"), (NAMES[4], long.as_str())];
    assert!(long.len() > 512 && Said::of(&Datadog.extract(&too_long)).state.is_empty());
}

proptest! {
    #[test]
    fn any_headers_of_pieces_agree_with_a_plain_reader(headers in prop::collection::vec((
        prop::sample::select(NAMES.to_vec()),
        prop::collection::vec(prop::sample::select(vec![
            "1234", TRACE, "0", "-", "1", "2", "_dd.p.", "_dd.p.tid=", "0af7651916cd43dd", "dm=-4",
            "=", ",", ";", ":", "~", " ", "é", "rum",
        ]), 0..5).prop_map(|pieces| pieces.concat()),
    ), 0..7)) {
        check(headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect());
    }
}
