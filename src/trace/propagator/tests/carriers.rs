//! Maps, lists, messages and environment variables.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    process::Command,
};

use super::*;
use crate::trace::propagator::{B3, Environment, Injector, Propagators};

/// What a carrier holds after a context went through it.
fn through<C: Injector + Extractor + Default>() -> (C, Context) {
    let propagators = Propagators::default().with(B3::multi());
    let mut carrier = C::default();
    let context = member_of_all();
    propagators.inject(&context, &mut carrier);
    let again = propagators.extract(&carrier);
    (carrier, again)
}

fn member_of_all() -> Context {
    let span = context(true).span().clone().with_state(TraceState::parse("a=1").unwrap());
    Context::new(span.into_remote(), crate::context::Baggage::EMPTY.with("tenant", "acme & sons"))
}

#[test]
fn a_context_goes_through_every_carrier() {
    let expected = member_of_all();
    assert_eq!(through::<Vec<(String, String)>>().1, expected);
    assert_eq!(through::<Vec<(String, Vec<u8>)>>().1, expected);
    assert_eq!(through::<Vec<(&'static str, String)>>().1, expected);
    assert_eq!(through::<HashMap<String, String>>().1, expected);
    assert_eq!(through::<BTreeMap<String, String>>().1, expected);
    assert_eq!(through::<Environment>().1, expected);
}

fn check_replaces<C: Injector + Extractor>(mut carrier: C) {
    carrier.set("x-trace", "new");
    let mut values = Vec::new();
    carrier.values("x-trace", &mut |value| values.push(value.to_vec()));
    assert_eq!(values, [b"new"]);
    carrier.remove("x-trace");
    let mut n = 0;
    carrier.values("x-trace", &mut |_| n += 1);
    carrier.values("other", &mut |_| n += 10);
    assert_eq!(n, 10);
}

#[test]
fn a_header_that_is_set_is_the_only_one_of_its_name() {
    let pairs =
        ["X-Trace", "other", "x-trace", "X-TRACE"].map(|name| (name.to_owned(), "old".to_owned()));
    let bytes = pairs.clone().map(|(name, value)| (name, value.into_bytes()));
    check_replaces(Vec::from(pairs.clone()));
    check_replaces(Vec::from(bytes));
    check_replaces(HashMap::from(pairs.clone()));
    check_replaces(BTreeMap::from(pairs));
}

#[test]
fn values_keep_their_place_and_their_order() {
    let mut list: Vec<(String, String)> =
        [("a", "1"), ("X", "1"), ("b", "1"), ("x", "2")].map(|(k, v)| (k.into(), v.into())).into();
    list.set("x", "new");
    let shown: Vec<_> = list.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(shown, ["a=1", "X=new", "b=1"]);
    let headers = [("tracestate", "a=1"), ("other", ""), ("TraceState", "b=2")];
    let mut seen = Vec::new();
    headers.values("tracestate", &mut |value| seen.push(value));
    assert_eq!(seen, [b"a=1", b"b=2"]);
}

#[test]
fn a_header_is_an_environment_variable_of_its_name_in_upper_case() {
    let environment: Environment = [
        ("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("traceparent", "00-00000000000000000000000000000001-0000000000000001-01"),
        ("BAGGAGE", "tenant=acme"),
        ("X_B3_SAMPLED", "0"),
        ("_3SCALE_ID", "7"),
        ("http_proxy", "none"),
    ]
    .into_iter()
    .collect();
    let context = Propagators::default().extract(&environment);
    assert_eq!(context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(context.baggage().get("tenant").as_deref(), Some("acme"));
    assert_eq!(B3::multi().extract(&environment).span().decided(), Some(false));
    let mut seen = Vec::new();
    environment.values("3scale-id", &mut |value| seen.push(value));
    assert_eq!(seen, [b"7"]);
    assert_eq!(environment.iter().count(), 4);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_no_context_and_harms_nobody() {
    use std::os::unix::ffi::OsStringExt as _;
    let value = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let environment: Environment =
        [("TRACEPARENT", value(b"00-\xff")), ("BAGGAGE", value(b"a=1,b=\xff"))]
            .into_iter()
            .collect();
    let context = Propagators::default().extract(&environment);
    assert_eq!(*context.span(), SpanContext::NONE);
    assert_eq!(context.baggage().as_str(), "a=1");
    assert_eq!(environment.iter().count(), 0);
}

#[test]
fn a_command_gets_the_variables_and_loses_stale_ones() {
    let mut command = Command::new("true");
    command.env("TRACESTATE", "stale=1").env("PATH", "/bin");
    Propagators::default().inject(&context(true), &mut command);
    let mut variables: Vec<_> = command
        .get_envs()
        .map(|(name, value)| (name.to_str().unwrap(), value.map(|value| value.to_str().unwrap())))
        .collect();
    variables.sort();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert_eq!(
        variables,
        [("PATH", Some("/bin")), ("TRACEPARENT", Some(parent)), ("TRACESTATE", None)]
    );
}

#[test]
fn the_process_has_an_environment() {
    let path = std::env::var("PATH").unwrap();
    assert!(Environment::of_process().iter().any(|(name, value)| (name, value) == ("PATH", &path)));
}
