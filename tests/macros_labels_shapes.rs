//! Sets of labels that `#[derive(Labels)]` makes, of every shape, against a twin that writes down
//! what each field says: the place and its inverse, the texts, the keys, under hostile values.

use std::{borrow::Cow, collections::HashSet, fmt::Debug, sync::Arc};

use bellwether::{
    Counter, Labels,
    label::{LabelValue, MAX_VALUE_BYTES},
    testing,
};
use proptest::prelude::*;

#[derive(Labels, Clone, Copy, Debug)]
#[label(rename_all = "SCREAMING_SNAKE_CASE")]
enum Method {
    Get,
    PatchAll,
    #[label(name = "delete \"\\\n\u{0}")]
    Delete,
}

/// A field of each kind that has a place.
#[derive(Labels, Clone, Debug)]
#[label(rename_all = "camelCase")]
struct Closed<'a> {
    is_cached: bool,
    #[label(range = -2..=3)]
    small_shard: i8,
    #[label(range = 400..600, other = "none", name = "http.status")]
    status: Option<u16>,
    #[label(values = ["GET", "", "é\"\\\n"], other = "_OTHER")]
    verb: &'a str,
    method: Option<Method>,
    #[label(skip)]
    #[expect(dead_code, reason = "is no label")]
    at: std::time::Duration,
}

/// Declared fields of every type they stand at.
#[derive(Labels, Clone, Debug)]
struct Types<'a> {
    #[label(values = ["a", "b"])]
    string: String,
    #[label(values = ["a", "b"])]
    cow: Option<Cow<'a, str>>,
    #[label(values = ["a"])]
    boxed: Box<str>,
    #[label(values = ["a"])]
    shared: Option<Arc<str>>,
    #[label(range = 18446744073709551614..=18446744073709551615)]
    largest: u64,
    #[label(range = -9223372036854775808..=-9223372036854775807)]
    least: &'a i64,
}

/// A range that is all of its type.
#[derive(Labels, Clone, Debug)]
struct Byte {
    #[label(range = 0..=255)]
    byte: u8,
}

/// Sets within a set, two of one type by their prefixes, one behind a reference.
#[derive(Labels, Clone, Debug)]
struct Nested<'a> {
    #[label(flatten)]
    whole: Small,
    before: bool,
    #[label(flatten, prefix = "client.")]
    client: Small,
    #[label(flatten, prefix = "server_")]
    server: &'a Small,
    #[label(flatten)]
    nothing: (),
}

#[derive(Labels, Clone, Debug)]
struct Small {
    #[label(range = 0..3)]
    zone: u32,
    #[label(flatten, prefix = "deep.")]
    method: Method,
}

/// A set around any other.
#[derive(Labels, Clone, Debug)]
struct Around<L: Clone, V> {
    #[label(flatten, prefix = "inner.")]
    inner: L,
    value: Option<V>,
}

/// What a set says of a value, without the derive.
trait Twin: Labels + Debug {
    fn texts(&self) -> Vec<String>;
}

fn text(value: impl ToString) -> String {
    value.to_string()
}

fn number_or(value: i128, range: std::ops::Range<i128>, other: &str) -> String {
    if range.contains(&value) { value.to_string() } else { other.to_owned() }
}

fn listed_or(value: &str, list: &[&str], other: &str) -> String {
    if list.contains(&value) { value.to_owned() } else { other.to_owned() }
}

impl Method {
    fn text(self) -> String {
        text(match self {
            Self::Get => "GET",
            Self::PatchAll => "PATCH_ALL",
            Self::Delete => "delete \"\\\n\u{0}",
        })
    }
}

impl Twin for Closed<'_> {
    fn texts(&self) -> Vec<String> {
        vec![
            text(self.is_cached),
            number_or(self.small_shard.into(), -2..4, "other"),
            self.status.map_or(String::new(), |status| number_or(status.into(), 400..600, "none")),
            listed_or(self.verb, &["GET", "", "é\"\\\n"], "_OTHER"),
            self.method.map_or(String::new(), Method::text),
        ]
    }
}

impl Twin for Types<'_> {
    fn texts(&self) -> Vec<String> {
        let optional = |value: Option<&str>, list: &[&str]| {
            value
                .filter(|value| !value.is_empty())
                .map_or(String::new(), |value| listed_or(value, list, "other"))
        };
        let (most, least) = (i128::from(u64::MAX), i128::from(i64::MIN));
        vec![
            listed_or(&self.string, &["a", "b"], "other"),
            optional(self.cow.as_deref(), &["a", "b"]),
            listed_or(&self.boxed, &["a"], "other"),
            optional(self.shared.as_deref(), &["a"]),
            number_or(self.largest.into(), most - 1..most + 1, "other"),
            number_or((*self.least).into(), least..least + 2, "other"),
        ]
    }
}

impl Twin for Byte {
    fn texts(&self) -> Vec<String> {
        vec![text(self.byte)]
    }
}

impl Twin for Small {
    fn texts(&self) -> Vec<String> {
        vec![number_or(self.zone.into(), 0..3, "other"), self.method.text()]
    }
}

impl Twin for Nested<'_> {
    fn texts(&self) -> Vec<String> {
        let mut texts = self.whole.texts();
        texts.push(text(self.before));
        texts.extend(self.client.texts());
        texts.extend(self.server.texts());
        texts
    }
}

impl<L: Twin + Clone, V: LabelValue + ToString + Debug> Twin for Around<L, V> {
    fn texts(&self) -> Vec<String> {
        let mut texts = self.inner.texts();
        texts.push(self.value.as_ref().map_or(String::new(), V::to_string));
        texts
    }
}

fn visited(labels: &impl Labels) -> Vec<String> {
    let mut values = Vec::new();
    labels.visit(&mut |value| values.push(value.to_owned()));
    values
}

/// The texts are the twin's, one for each key.
fn check<L: Twin>(labels: &L) -> Result<(), TestCaseError> {
    let texts = labels.texts();
    prop_assert_eq!(texts.len(), L::KEYS.len());
    prop_assert_eq!(&visited(labels), &texts);
    Ok(())
}

/// And these texts are at the place, which is one of a closed set.
fn check_closed<L: Twin>(labels: &L) -> Result<(), TestCaseError> {
    check(labels)?;
    prop_assert!(labels.index() < L::CARDINALITY.unwrap_or(0), "{:?}", labels);
    prop_assert_eq!(L::at(labels.index()), labels.texts());
    Ok(())
}

/// Each place has values that no other has.
fn assert_places_differ<L: Labels>() {
    let places = L::CARDINALITY.expect("a closed set");
    let values: HashSet<_> = (0..places).map(L::at).collect();
    assert_eq!(values.len(), places);
    assert!(values.iter().all(|values| values.len() == L::KEYS.len()));
}

fn methods() -> impl Strategy<Value = Method> + Clone {
    prop_oneof![Just(Method::Get), Just(Method::PatchAll), Just(Method::Delete)]
}

/// What is declared somewhere, what is nearly so, and what a stranger may send.
fn hostile_texts() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "",
            "a",
            "b",
            "GET",
            "get",
            "GET ",
            "GET\0",
            "other",
            "_OTHER",
            "é\"\\\n",
            "é",
            "\u{202e}",
            "{}",
            "a\",b=\"c",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
        ("[a-zé\\\\\"\n\u{0}]", 0..3_000_usize).prop_map(|(part, n)| part.repeat(n)),
    ]
}

fn smalls() -> impl Strategy<Value = Small> + Clone {
    (prop_oneof![0..5_u32, any::<u32>()], methods())
        .prop_map(|(zone, method)| Small { zone, method })
}

proptest! {
    #[test]
    fn a_closed_set_says_what_its_fields_say(
        is_cached: bool,
        small_shard: i8,
        status in prop::option::of(prop_oneof![any::<u16>(), 398..402_u16, 598..602_u16]),
        verb in hostile_texts(),
        method in prop::option::of(methods()),
    ) {
        let at = std::time::Duration::ZERO;
        check_closed(&Closed { is_cached, small_shard, status, verb: &verb, method, at })?;
    }

    #[test]
    fn declared_fields_of_every_type_say_the_same(
        string in hostile_texts(),
        cow in prop::option::of(hostile_texts()),
        boxed in hostile_texts(),
        shared in prop::option::of(hostile_texts()),
        largest in prop_oneof![any::<u64>(), u64::MAX - 3..=u64::MAX],
        least in prop_oneof![any::<i64>(), i64::MIN..i64::MIN + 3],
        byte: u8,
    ) {
        let (boxed, shared) = (boxed.into_boxed_str(), shared.map(Arc::from));
        let cow = cow.map(Cow::Owned);
        check_closed(&Types { string, cow, boxed, shared, largest, least: &least })?;
        check_closed(&Byte { byte })?;
    }

    #[test]
    fn nested_sets_say_what_is_in_them(
        whole in smalls(),
        before: bool,
        client in smalls(),
        server in smalls(),
        flag in prop::option::of(any::<bool>()),
        open in prop::option::of(hostile_texts()),
    ) {
        let nested = Nested { whole, before, client, server: &server, nothing: () };
        check_closed(&nested)?;
        check_closed(&Around { inner: server.clone(), value: flag })?;
        check(&Around { inner: nested.clone(), value: open })?;
        check(&Around { inner: Around { inner: server.clone(), value: flag }, value: Some(7_u8) })?;
    }
}

#[test]
fn every_place_of_a_closed_set_has_values_of_its_own() {
    assert_places_differ::<Closed<'_>>();
    assert_places_differ::<Nested<'_>>();
    assert_places_differ::<Around<Small, bool>>();
    assert_places_differ::<Around<Around<Small, bool>, Method>>();
    assert_places_differ::<Outcomes>();
    assert_eq!(Types::CARDINALITY, Some(3 * 4 * 2 * 3 * 3 * 3));
    assert_places_differ::<Types<'_>>();
    assert_eq!(Byte::CARDINALITY, Some(256));
    assert_places_differ::<Byte>();
}

#[derive(Labels)]
struct Outcomes {
    outcome: Option<bellwether::context::Outcome>,
}

#[test]
fn keys_of_nested_sets_stand_in_order_after_their_prefixes() {
    assert_eq!(Closed::KEYS, ["isCached", "smallShard", "http.status", "verb", "method"]);
    assert_eq!(
        Nested::KEYS,
        [
            "zone",
            "deep.method",
            "before",
            "client.zone",
            "client.deep.method",
            "server_zone",
            "server_deep.method",
        ]
    );
    assert_eq!(
        Around::<Around<Small, bool>, u8>::KEYS,
        ["inner.inner.zone", "inner.inner.deep.method", "inner.value", "value"]
    );
}

#[test]
fn an_open_field_opens_all_that_is_around_it() {
    assert_eq!(Around::<Small, &str>::CARDINALITY, None);
    assert_eq!(Around::<Around<Small, &str>, bool>::CARDINALITY, None);
    let inner = Small { zone: 1, method: Method::Get };
    let around = Around { inner: Around { inner, value: Some("x") }, value: Some(true) };
    assert_eq!(around.index(), 0);
    assert_eq!(visited(&around), ["1", "GET", "x", "true"]);
}

#[test]
fn the_first_texts_are_interned_and_the_rest_are_other() {
    #[derive(Labels)]
    struct Tenants<'a> {
        #[label(intern = 3)]
        tenant: &'a str,
        #[label(intern = 3, other = "many")]
        user: Option<String>,
    }
    let tenants = |tenant, user: Option<&str>| {
        let labels = Tenants { tenant, user: user.map(str::to_owned) };
        assert_eq!(Tenants::at(labels.index()), visited(&labels));
        visited(&labels).join(",")
    };
    assert_eq!(Tenants::CARDINALITY, Some(4 * 5));
    assert_eq!(tenants("other", None), "other,", "takes no place");
    for (text, expected) in [
        ("a", "a,a"),
        ("\"\n", "\"\n,\"\n"),
        ("", ","), // No user takes no place.
        ("z", "other,z"),
        ("y", "other,many"),
        ("a", "a,a"),
        ("", ","),
    ] {
        assert_eq!(tenants(text, Some(text)), expected);
    }
    assert_places_differ::<Tenants<'_>>();
}

#[test]
fn an_interned_text_is_cut() {
    #[derive(Labels)]
    struct Long {
        #[label(intern = 2)]
        text: String,
    }
    for rest in ["x", "y"] {
        let long = Long { text: "é".repeat(MAX_VALUE_BYTES) + rest };
        assert_eq!(long.index(), 0);
        assert_eq!(visited(&long), Long::at(0));
        assert_eq!(visited(&long)[0].len(), MAX_VALUE_BYTES);
    }
}

#[test]
fn nested_and_declared_labels_select_their_series() {
    static REQUESTS: Counter<Around<Closed<'_>, Method>> =
        Counter::new("shapes.requests", "Requests");
    let scope = testing::scope();
    for (status, n) in [(Some(404), 1), (Some(1), 2), (Some(2), 4), (None, 8)] {
        let inner = Closed {
            is_cached: true,
            small_shard: -2,
            status,
            verb: "BREW",
            method: None,
            at: std::time::Duration::ZERO,
        };
        REQUESTS.bind(Around { inner, value: Some(Method::Get) }).add(n);
    }
    for (status, value) in [("404", 1.0), ("none", 6.0), ("", 8.0)] {
        let labels = [
            ("inner.isCached", "true"),
            ("inner.smallShard", "-2"),
            ("inner.http.status", status),
            ("inner.verb", "_OTHER"),
            ("inner.method", ""),
            ("value", "GET"),
        ];
        scope.assert_value("shapes.requests", &labels, value);
    }
}
