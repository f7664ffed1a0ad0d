//! `baggage`.

use proptest::prelude::*;

use super::*;
use crate::trace::propagator::BaggageHeader;

/// The list of the specification, member by member; what is kept of it, as the header that goes out.
fn naive(headers: &[(&'static str, Vec<u8>)]) -> String {
    let values: Vec<String> = headers
        .iter()
        .map(|(_, value)| value.iter().map(|&byte| char::from(byte)).collect())
        .collect();
    let header = values.join(",");
    if header.chars().count() > 8_192 {
        return String::new();
    }
    let members = header.split(',').filter_map(member).take(180);
    members.collect::<Vec<_>>().join(",")
}

/// A member without its white space, if it is legal.
fn member(member: &str) -> Option<String> {
    let mut parts = member.split(';').map(trimmed);
    let (key, value) = parts.next()?.split_once('=')?;
    let pair = |key: &str, value: &str| {
        let (key, value) = (trimmed(key), trimmed(value));
        (is_token(key) && is_value(value)).then(|| format!("{key}={value}"))
    };
    let mut kept = vec![pair(key, value)?];
    for property in parts.filter(|property| !property.is_empty()) {
        kept.push(match property.split_once('=') {
            Some((key, value)) => pair(key, value)?,
            None => Some(property.to_owned()).filter(|key| is_token(key))?,
        });
    }
    Some(kept.join(";"))
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn is_token(text: &str) -> bool {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(is_legal)
}

fn is_value(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_graphic() && !"\",;\\".contains(c))
}

fn check(headers: Sent) {
    let context = BaggageHeader.extract(&headers);
    assert_eq!(context.baggage().as_str(), naive(&headers), "{headers:?}");
}

#[test]
fn every_change_agrees_with_a_plain_reader() {
    each_change(&[("baggage", "tenant \t= a%20b ;p;q=1 ; r , k2=\t, k3=a=b")], check);
    each_change(&[("baggage", "a=1;p"), ("baggage", "b=2,a=3")], check);
}

#[test]
fn the_limit_of_bytes_is_over_all_headers_and_the_commas_between_them() {
    let one = "k=".to_owned() + &"v".repeat(4_093); // 4,095 bytes, twice with a comma.
    for (rest, is_kept) in [("", true), ("x", true), ("xx", false)] {
        let headers: Sent =
            vec![("baggage", one.clone().into()), ("baggage", (one.clone() + rest).into())];
        assert_eq!(!BaggageHeader.extract(&headers).baggage().is_empty(), is_kept, "{rest}");
        check(headers);
    }
}

proptest! {
    #[test]
    fn any_list_of_pieces_agrees_with_a_plain_reader(headers in prop::collection::vec(
        prop::collection::vec(prop::sample::select(vec![
            "a", "key", "=", "=", ",", ";", ";p=q", " ", "\t", "%41", "%", "v", "\"", "\\", "(", "é", "\u{1}",
        ]), 0..14),
        0..4,
    )) {
        let headers = headers.into_iter().map(|pieces| ("baggage", pieces.concat().into_bytes()));
        check(headers.collect());
    }
}
