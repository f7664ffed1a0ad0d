//! Sends known spans to a server of Zipkin's second format, and prints as JSON what was sent.
//!
//! ```text
//! cargo run --example send -- URL N
//! ```
//!
//! It fails unless everything is delivered. `.ci/servers` holds what arrived against Zipkin's schema and
//! against what was printed.

use std::time::Duration;

use bellwether::{
    clock,
    context::{Outcome, SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    export::zipkin::Zipkin,
    label::KeyValue,
    pipeline::{Pipe, Route, Setup},
    resource::Resource,
    trace::{Event, Link, SpanKind, SpanRecord, Status},
    transport::Endpoint,
};
use serde_json::{Value, json};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, n] = &arguments[..] else { panic!("URL N") };
    let n: u64 = n.parse().expect("N is a number");
    let endpoint = Endpoint::new(url).allow_plain_http().allow_private();
    let resource = Resource::default()
        .with("service.name", "shop")
        .with("service.namespace", "eu")
        .with("host.name", "h1");
    let route = Route::<SpanRecord>::from(Zipkin::new(endpoint));
    let pipe = Pipe::start(route, &Setup::new(resource)).expect("the route starts");
    let (spans, sent): (Vec<SpanRecord>, Vec<Value>) = (0..n).map(span).unzip();
    pipe.push(spans);
    let report = pipe.shutdown(Duration::from_secs(20));
    assert_eq!((report.offered, report.delivered), (n, n), "{report}");
    println!("{}", Value::from(sent));
}

const KINDS: [(SpanKind, Option<&str>); 5] = [
    (SpanKind::Internal, None),
    (SpanKind::Client, Some("CLIENT")),
    (SpanKind::Server, Some("SERVER")),
    (SpanKind::Producer, Some("PRODUCER")),
    (SpanKind::Consumer, Some("CONSUMER")),
];

/// The other sides of calls: their attributes, and what Zipkin has of them.
fn remote(n: u64) -> (Vec<KeyValue>, Value) {
    match n % 3 {
        0 => (vec![KeyValue::new("peer.service", "bank")], json!({"serviceName": "bank"})),
        1 => (
            vec![
                KeyValue::new("network.peer.address", "10.1.2.3"),
                KeyValue::new("network.peer.port", 5432),
            ],
            json!({"ipv4": "10.1.2.3", "port": 5432}),
        ),
        _ => (vec![KeyValue::new("server.address", "2001:db8::1")], json!({"ipv6": "2001:db8::1"})),
    }
}

fn id(trace: u64, span: u64) -> SpanContext {
    let trace = TraceId::from_u128(u128::from(trace) << 64 | 0xabc);
    SpanContext::new(trace, SpanId::from_u64(span), TraceFlags::SAMPLED, TraceState::EMPTY)
}

/// A span, and what Zipkin is to have of it.
fn span(n: u64) -> (SpanRecord, Value) {
    let (start, end) = (clock::now(), clock::now());
    let (kind, word) = KINDS[(n % 5) as usize];
    let name = format!("order \"{n}\"\n\u{1f600}");
    let mut span = SpanRecord::new(name.clone())
        .with_context(id(n + 1, 2 * n + 1))
        .with_kind(kind)
        .with_times(start, end);
    let mut sent = json!({
        "traceId": format!("{:016x}0000000000000abc", n + 1),
        "id": format!("{:016x}", 2 * n + 1),
        "name": name,
        "timestamp": micros(start),
        "duration": (span.duration().as_micros() as u64).max(1),
        "localEndpoint": {"serviceName": "shop"},
        "tags": {"service.namespace": "eu", "n": n.to_string(), "sizes": "[1.5,2.0]"},
    });
    span.set_attribute("n", n as i64);
    span.set_attribute("sizes", [1.5, 2.0]);
    if let Some(word) = word {
        sent["kind"] = word.into();
    }
    if n % 2 == 1 {
        span = span.with_parent(&id(n + 1, 7));
        sent["parentId"] = format!("{:016x}", 7).into();
    }
    let (attributes, remote) = remote(n);
    for KeyValue { key, value, .. } in attributes {
        sent["tags"][&*key] = value.to_string().into();
        span.set_attribute(key, value);
    }
    if matches!(kind, SpanKind::Client | SpanKind::Producer) {
        sent["remoteEndpoint"] = remote;
    }
    match n % 4 {
        0 => {
            span.set_status(Status::Error("no money".into()));
            span.set_outcome(Outcome::Panic);
            for (key, value) in
                [("otel.status_code", "ERROR"), ("error", "no money"), ("outcome", "panic")]
            {
                sent["tags"][key] = value.into();
            }
        }
        1 => {
            span.set_status(Status::Ok);
            sent["tags"]["otel.status_code"] = "OK".into();
        }
        _ => {}
    }
    if n.is_multiple_of(7) {
        span.add_event(Event::new("paid", end, Vec::new()));
        span.add_event(Event::new("retry", end, vec![KeyValue::new("n", 2)]));
        span.add_link(Link::new(id(1, 9), Vec::new()));
        let at = micros(end);
        sent["annotations"] = json!([{"timestamp": at, "value": "paid"}, {"timestamp": at, "value": "\"retry\":{\"n\":2}"}]);
        sent["tags"]["otlp.link.0"] =
            "00000000000000010000000000000abc|0000000000000009||{}|0".into();
    }
    (span, sent)
}

fn micros(at: clock::Ticks) -> u64 {
    at.timestamp().unix_nanos() / 1_000
}
