//! What a service sends on: the cases of the W3C's test suite of Trace Context, by the names that its
//! tests have there, over HTTP against the service of the example; and the header sets of its self-test.
//!
//! The suite itself is run from outside against the example. Requests are written byte by byte, so that
//! white space, order and doubled headers arrive as they are meant.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rules are the library's own"
)]

#[path = "../examples/trace_context_service.rs"]
#[allow(dead_code, reason = "its `main` is not called here")]
mod service;

use std::{
    collections::HashSet,
    io::Write as _,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
};

use axum::{Router, http::HeaderMap, routing::post};
use bellwether::{Telemetry, trace::propagator::Propagators};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// The service, and who is called by it.
struct Harness {
    service: SocketAddr,
    callback: SocketAddr,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

/// A header that goes out.
type Header = (String, String);

/// The `traceparent` of a call.
#[derive(Debug, PartialEq, Eq)]
struct Parent {
    trace: String,
    span: String,
    flags: u8,
}

/// What the service sent with one call.
#[derive(Debug)]
struct Call {
    parent: Parent,
    state: String,
}

impl Harness {
    async fn start() -> Self {
        static TELEMETRY: OnceLock<Telemetry> = OnceLock::new();
        let builder = || bellwether::builder("test").enabled().propagators(Propagators::default());
        TELEMETRY.get_or_init(|| builder().start().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = listener.local_addr().unwrap();
        tokio::spawn(service::serve(listener));

        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let callback = post(async move |headers: HeaderMap| sink.lock().unwrap().push(headers));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/callback", callback);
        tokio::spawn(async { axum::serve(listener, app).await });
        Self { service, callback: address, seen }
    }

    /// The calls that the service makes when it gets `headers` and is asked for `n` of them.
    async fn calls(&self, headers: &[Header], n: usize) -> Vec<Call> {
        let url = format!("http://{}/callback", self.callback);
        let body = json!(vec![json!({"url": url, "arguments": []}); n]).to_string();
        let mut request = format!(
            "POST /test HTTP/1.1\r\nhost: service\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(&body);
        let mut stream = TcpStream::connect(self.service).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        assert!(serde_json::from_str::<Value>(body).is_ok(), "{answer}");
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        assert_eq!(seen.len(), n);
        seen.iter().map(Call::read).collect()
    }
}

impl Call {
    fn read(headers: &HeaderMap) -> Self {
        let all = |name: &str| -> Vec<&str> {
            headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
        };
        let [parent] = all("traceparent")[..] else { panic!("one traceparent in {headers:?}") };
        let [version, trace, span, flags] = parent.split('-').collect::<Vec<_>>()[..] else {
            panic!("{parent}")
        };
        let is_id = |text: &str, n: usize| {
            text.len() == n
                && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
                && text.bytes().any(|byte| byte != b'0')
        };
        assert!(version == "00" && is_id(trace, 32) && is_id(span, 16), "{parent}");
        let flags = u8::from_str_radix(flags, 16).unwrap();
        let parent = Parent { trace: trace.to_owned(), span: span.to_owned(), flags };
        Self { parent, state: all("tracestate").join(",") }
    }
}

const TRACE: &str = "12345678901234567890123456789012";
const SPAN: &str = "1234567890123456";

/// What becomes of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trace {
    Continued,
    New,
}
use Trace::{Continued, New};

/// A test of the suite: all its header sets have one outcome.
struct Case {
    name: &'static str,
    sets: Vec<Vec<Header>>,
    trace: Trace,
    /// The entries of the trace state that goes out, in their order.
    state: &'static [&'static str],
}

fn header(name: &str, value: impl Into<String>) -> Header {
    (name.to_owned(), value.into())
}

/// A `traceparent` in one header.
fn parent(value: &str) -> Vec<Header> {
    vec![header("traceparent", value.replace("TRACE", TRACE).replace("SPAN", SPAN))]
}

/// With a valid parent before `headers` of trace state.
fn states(headers: &[&str]) -> Vec<Header> {
    let states = headers.iter().map(|value| header("tracestate", *value));
    parent("00-TRACE-SPAN-00").into_iter().chain(states).collect()
}

fn named(name: &str, value: &str) -> Vec<Header> {
    parent("00-TRACE-SPAN-00").into_iter().chain([header(name, value)]).collect()
}

fn case(name: &'static str, trace: Trace, sets: Vec<Vec<Header>>) -> Case {
    Case { name, sets, trace, state: &[] }
}

fn parents(name: &'static str, trace: Trace, values: &[&str]) -> Case {
    case(name, trace, values.iter().map(|value| parent(value)).collect())
}

fn kept(name: &'static str, state: &'static [&'static str], sets: Vec<Vec<Header>>) -> Case {
    Case { name, sets, trace: Continued, state }
}

fn cases_of_traceparent() -> Vec<Case> {
    let value = format!("00-{TRACE}-{SPAN}-01");
    let under = |names: &[&str]| names.iter().map(|name| vec![header(name, &value)]).collect();
    let other = format!("00-12345678901234567890123456789011-{SPAN}-01");
    vec![
        case("both_traceparent_and_tracestate_missing", New, vec![vec![]]),
        parents("traceparent_included_tracestate_missing", Continued, &["00-TRACE-SPAN-01"]),
        case(
            "traceparent_duplicated",
            New,
            vec![vec![header("traceparent", other), header("traceparent", &value)]],
        ),
        case("traceparent_header_name", New, under(&["trace-parent", "trace.parent"])),
        case(
            "traceparent_header_name_valid_casing",
            Continued,
            under(&["TraceParent", "TrAcEpArEnT", "TRACEPARENT"]),
        ),
    ]
}

fn cases_of_version() -> Vec<Case> {
    vec![
        parents("traceparent_version_0x00", New, &["00-TRACE-SPAN-01.", "00-TRACE-SPAN-01-what"]),
        parents(
            "traceparent_version_0xcc",
            Continued,
            &["cc-TRACE-SPAN-01", "cc-TRACE-SPAN-01-what"],
        ),
        parents("traceparent_version_0xcc", New, &["cc-TRACE-SPAN-01.what"]),
        parents("traceparent_version_0xff", New, &["ff-TRACE-SPAN-01"]),
        parents(
            "traceparent_version_illegal_characters",
            New,
            &[".0-TRACE-SPAN-01", "0.-TRACE-SPAN-01"],
        ),
        parents("traceparent_version_too_long", New, &["000-TRACE-SPAN-01", "0000-TRACE-SPAN-01"]),
        parents("traceparent_version_too_short", New, &["0-TRACE-SPAN-01"]),
    ]
}

fn cases_of_fields() -> Vec<Case> {
    vec![
        parents(
            "traceparent_trace_id_all_zero",
            New,
            &["00-00000000000000000000000000000000-SPAN-01"],
        ),
        parents(
            "traceparent_trace_id_illegal_characters",
            New,
            &[
                "00-.2345678901234567890123456789012-SPAN-01",
                "00-1234567890123456789012345678901.-SPAN-01",
            ],
        ),
        parents("traceparent_trace_id_too_long", New, &["00-TRACE3-SPAN-01"]),
        parents(
            "traceparent_trace_id_too_short",
            New,
            &["00-1234567890123456789012345678901-SPAN-01"],
        ),
        parents("traceparent_parent_id_all_zero", New, &["00-TRACE-0000000000000000-01"]),
        parents(
            "traceparent_parent_id_illegal_characters",
            New,
            &["00-TRACE-.234567890123456-01", "00-TRACE-123456789012345.-01"],
        ),
        parents("traceparent_parent_id_too_long", New, &["00-TRACE-SPAN7-01"]),
        parents("traceparent_parent_id_too_short", New, &["00-TRACE-123456789012345-01"]),
        parents(
            "traceparent_trace_flags_illegal_characters",
            New,
            &["00-TRACE-SPAN-.0", "00-TRACE-SPAN-0."],
        ),
        parents("traceparent_trace_flags_too_long", New, &["00-TRACE-SPAN-001"]),
        parents("traceparent_trace_flags_too_short", New, &["00-TRACE-SPAN-1"]),
        parents(
            "traceparent_ows_handling",
            Continued,
            &[
                " 00-TRACE-SPAN-01",
                "\t00-TRACE-SPAN-01",
                "00-TRACE-SPAN-01 ",
                "00-TRACE-SPAN-01\t",
                "\t 00-TRACE-SPAN-01 \t",
            ],
        ),
    ]
}

/// All that a value may have; a key is put before it.
const VALUE: &str = " !\"#$%&'()*+-./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";

const FOO: &[&str] = &["foo=1"];

fn cases_of_tracestate() -> Vec<Case> {
    let alone = |value: &str| vec![header("tracestate", value)];
    vec![
        case(
            "tracestate_included_traceparent_missing",
            New,
            vec![alone("foo=1"), alone("foo=1,bar=2")],
        ),
        kept(
            "tracestate_included_traceparent_included",
            &["foo=1", "bar=2"],
            vec![states(&["foo=1,bar=2"])],
        ),
        kept(
            "tracestate_header_name",
            &[],
            vec![named("trace-state", "foo=1"), named("trace.state", "foo=1")],
        ),
        kept(
            "tracestate_header_name_valid_casing",
            FOO,
            vec![
                named("TraceState", "foo=1"),
                named("TrAcEsTaTe", "foo=1"),
                named("TRACESTATE", "foo=1"),
            ],
        ),
        kept("tracestate_empty_header", &[], vec![states(&[""])]),
        kept("tracestate_empty_header", FOO, vec![states(&["foo=1", ""]), states(&["", "foo=1"])]),
        kept(
            "tracestate_multiple_headers_different_keys",
            &["foo=1", "bar=2", "rojo=1", "congo=2", "baz=3"],
            vec![states(&["foo=1,bar=2", "rojo=1,congo=2", "baz=3"])],
        ),
        // Either of them may be kept, or both: here it is the first.
        kept(
            "tracestate_duplicated_keys",
            FOO,
            [&["foo=1,foo=1"][..], &["foo=1,foo=2"], &["foo=1", "foo=1"], &["foo=1", "foo=2"]]
                .map(states)
                .into(),
        ),
    ]
}

fn cases_of_members() -> Vec<Case> {
    let members = |from: usize, to: usize| {
        (from..=to).map(|i| format!("bar{i:02}={i:02}")).collect::<Vec<_>>().join(",")
    };
    let (ten, twenty, thirty) = (members(1, 10), members(11, 20), members(21, 30));
    let many = |rest: &str| states(&[&ten, &twenty, &thirty, rest]);
    let long = |key: String| states(&["foo=1", &format!("{key}=1")]);
    vec![
        kept(
            "tracestate_ows_handling",
            &["foo=1", "bar=2", "baz=3"],
            vec![
                states(&["foo=1 \t , \t bar=2, \t baz=3"]),
                states(&["foo=1\t \t,\t \tbar=2,\t \tbaz=3"]),
            ],
        ),
        kept(
            "tracestate_ows_handling",
            FOO,
            [" foo=1", "\tfoo=1", "foo=1 ", "foo=1\t", "\t foo=1 \t"]
                .map(|one| states(&[one]))
                .into(),
        ),
        kept(
            "tracestate_key_illegal_characters",
            &[],
            ["foo =1", "FOO=1", "foo.bar=1"].map(|one| states(&[one])).into(),
        ),
        kept("tracestate_key_illegal_vendor_format", &[], vec![states(&["@foo=1,bar=2"])]),
        kept("tracestate_member_count_limit", &[], vec![many("bar31=31,bar32=32,bar33=33")]),
        kept("tracestate_key_length_limit", &[], vec![long("z".repeat(257))]),
        kept(
            "tracestate_value_illegal_characters",
            &[],
            vec![states(&["foo=bar=baz"]), states(&["foo=,bar=3"])],
        ),
    ]
}

async fn check(harness: &Harness, case: &Case) {
    for set in &case.sets {
        let call = harness.calls(set, 1).await.remove(0);
        let told = format!("{}: {set:?} to {call:?}", case.name);
        let is_continued = call.parent.trace == TRACE;
        assert_eq!(is_continued, case.trace == Continued, "{told}");
        assert!(!call.parent.trace.starts_with(&TRACE[..31]) || is_continued, "{told}");
        assert_ne!(call.parent.span, SPAN, "{told}");
        assert_eq!(call.state, case.state.join(","), "{told}");
    }
}

#[tokio::test]
async fn the_suites_tests_of_traceparent_pass() {
    let harness = Harness::start().await;
    let cases = [cases_of_traceparent(), cases_of_version(), cases_of_fields()];
    for case in cases.into_iter().flatten() {
        check(&harness, &case).await;
    }
}

#[tokio::test]
async fn the_suites_tests_of_tracestate_pass() {
    let harness = Harness::start().await;
    for case in cases_of_tracestate().into_iter().chain(cases_of_members()) {
        check(&harness, &case).await;
    }
}

/// Those whose trace state goes out as it came in: `all_allowed_characters`, and the ends of the limits.
#[tokio::test]
async fn a_legal_trace_state_goes_out_as_it_came_in() {
    let harness = Harness::start().await;
    let key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
    let most = (1..=32).map(|i| format!("bar{i:02}={i:02}")).collect::<Vec<_>>().join(",");
    for state in [
        format!("{key}={VALUE}"),
        format!("{key}@a-z0-9_-*/={VALUE}"),
        most,
        format!("foo=1,{}=1", "z".repeat(256)),
        format!("foo=1,{}@{}=1", "t".repeat(241), "v".repeat(14)),
        "foo@=1,bar=2".into(),
        "foo@bar@baz=1,bar=2".into(),
    ] {
        let call = harness.calls(&states(&[&state]), 1).await.remove(0);
        assert_eq!((call.parent.trace.as_str(), call.state), (TRACE, state));
    }
}

/// `multiple_requests_with_valid_traceparent`, `_without_traceparent`, `_with_illegal_traceparent`.
#[tokio::test]
async fn each_call_has_a_span_of_its_own() {
    let harness = Harness::start().await;
    for (headers, trace) in [
        (parent("00-TRACE-SPAN-01"), Continued),
        (vec![], New),
        (parent("00-00000000000000000000000000000000-SPAN-01"), New),
    ] {
        let calls = harness.calls(&headers, 3).await;
        let traces: HashSet<_> = calls.iter().map(|call| &call.parent.trace).collect();
        let spans: HashSet<_> = calls.iter().map(|call| &call.parent.span).collect();
        assert_eq!((traces.len(), spans.len()), (1, 3));
        assert_eq!(traces.contains(&TRACE.to_owned()), trace == Continued);
    }
}

/// `propagates_random_flag`, of level 2.
#[tokio::test]
async fn the_random_flag_goes_on() {
    let harness = Harness::start().await;
    for (flags, expected) in [("00", 0), ("01", 0), ("02", 2), ("03", 2), ("ff", 2)] {
        let call = harness.calls(&parent(&format!("00-TRACE-SPAN-{flags}")), 1).await.remove(0);
        assert_eq!(
            (call.parent.flags & 2, call.parent.trace.as_str()),
            (expected, TRACE),
            "{flags}"
        );
    }
    let own = harness.calls(&[], 1).await.remove(0);
    assert_eq!(own.parent.flags, 3, "ids of our own are random, and sampled");
}

#[tokio::test]
async fn a_request_without_calls_is_answered() {
    assert!(Harness::start().await.calls(&[], 0).await.is_empty());
}

#[tokio::test]
async fn the_header_sets_of_the_suite_have_the_outcomes_that_are_stated() {
    let Some(folder) = std::env::var_os("BELLWETHER_CONFORMANCE") else {
        // Not `eprintln!`, which is captured: the test would pass in silence.
        let _ =
            writeln!(std::io::stderr(), "SKIPPED: W3C service: BELLWETHER_CONFORMANCE is unset");
        return;
    };
    let file = PathBuf::from(folder).join("w3c-trace-context/observed_headers_with_validity.json");
    let text = std::fs::read_to_string(&file).expect("the folder has the file");
    let sets: Vec<Value> = serde_json::from_str(&text).expect("the file is a JSON list");
    let harness = Harness::start().await;
    for set in &sets {
        let headers: Vec<Header> = serde_json::from_value(set["headers"].clone()).unwrap();
        let call = harness.calls(&headers, 1).await.remove(0);
        let is_continued = headers.iter().any(|(_, value)| value.contains(&call.parent.trace));
        assert_eq!(Value::from(is_continued), set["is_traceparent_valid"], "{set} {call:?}");
        if set.get("is_tracestate_valid") == Some(&Value::from(false)) || !is_continued {
            assert!(call.state.is_empty(), "{set} {call:?}");
        }
    }
    assert_eq!(sets.len(), 82);
}
