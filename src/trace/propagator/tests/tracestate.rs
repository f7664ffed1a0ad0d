//! `tracestate` beside a valid `traceparent`.

use proptest::prelude::*;

use super::*;
use crate::trace::propagator::TraceContext;

const PARENT: (&str, &str) =
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");

/// The list of the specification, member by member; what is kept of it, as the header that goes out.
fn naive(headers: &[(&'static str, Vec<u8>)]) -> String {
    let values = headers.iter().filter(|(name, _)| *name == "tracestate");
    let values: Vec<String> = values.map(|(_, value)| latin1(value)).collect();
    if values.iter().map(String::len).sum::<usize>() > 8_192 {
        return String::new();
    }
    let mut kept: Vec<(&str, &str)> = Vec::new();
    let mut n = 0;
    for member in values.iter().flat_map(|value| value.split(',')) {
        let member = member.trim_matches([' ', '\t']);
        if member.is_empty() {
            continue;
        }
        n += 1;
        match member.split_once('=') {
            Some((key, value)) if is_key(key) && is_value(value) && n <= 32 => {
                if kept.iter().all(|(other, _)| *other != key) {
                    kept.push((key, value));
                }
            }
            _ => return String::new(),
        }
    }
    kept.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// One character for each byte.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn is_key(key: &str) -> bool {
    let allowed = "abcdefghijklmnopqrstuvwxyz0123456789_-*/@";
    let is_begun = key.starts_with(|c: char| allowed[..36].contains(c));
    is_begun && key.len() <= 256 && key.chars().all(|c| allowed.contains(c))
}

fn is_value(value: &str) -> bool {
    let is_legal = |c| (' '..='~').contains(&c) && c != ',' && c != '=';
    !value.is_empty() && value.len() <= 256 && !value.ends_with(' ') && value.chars().all(is_legal)
}

fn check(mut headers: Sent) {
    let expected = naive(&headers);
    headers.push((PARENT.0, PARENT.1.into()));
    assert_eq!(said(&TraceContext, &headers).state, expected, "{headers:?}");
}

#[test]
fn every_change_agrees_with_a_plain_reader() {
    each_change(&[("tracestate", "rojo=00f0@:;, congo/a@b=t61rc WkgMz \t,a=\"1")], check);
    each_change(&[("tracestate", "a=1,b=2"), ("tracestate", "c=3")], check);
}

proptest! {
    #[test]
    fn any_list_of_pieces_agrees_with_a_plain_reader(headers in prop::collection::vec(
        prop::collection::vec(prop::sample::select(vec![
            "a", "b2", "key", "@", "-", "=", "=", ",", ",", " ", "\t", "1", "~", "A", "é", "\u{1}",
        ]), 0..12),
        0..4,
    )) {
        let headers = headers.into_iter().map(|pieces| ("tracestate", pieces.concat().into_bytes()));
        check(headers.collect());
    }

    #[test]
    fn the_limits_are_those_of_a_plain_reader(
        lengths in prop::collection::vec((1..260_usize, 1..260_usize), 1..40),
        n_members in 1..36_usize,
    ) {
        let member = |(at, (key, value)): (usize, (usize, usize))| {
            let key = format!("{}{at}", "k".repeat(key));
            format!("{key}={}", "v".repeat(value))
        };
        let members: Vec<String> = lengths.into_iter().enumerate().map(member).collect();
        check(vec![("tracestate", members.join(",").into_bytes())]);
        let short: Vec<String> = (0..n_members).map(|at| format!("k{at}=v")).collect();
        check(vec![("tracestate", short.join(" ,\t").into_bytes())]);
    }
}
