//! How fast spans become requests of OTLP: ours, and OpenTelemetry's own way (`opentelemetry-proto`'s
//! transformation and `prost`'s encoding), one after the other on one thread.
//!
//! ```text
//! cargo run --release --example speed [ours]
//! ```
//!
//! Both have the same spans: what a server makes of a request, with eight attributes, and every eighth with an
//! event and an error. Theirs are given away, as their exporter is given them; making copies for that is not
//! measured. With `ours`, only ours run: for a profiler.

use std::{
    hint::black_box,
    time::{Duration, Instant, SystemTime},
};

use bellwether::{
    clock,
    export::otlp::Otlp,
    label::KeyValue,
    pipeline::{Batch, Setup},
    resource::Resource,
    trace::{Event, SpanKind, SpanRecord, Status},
};
use opentelemetry::{InstrumentationScope, trace as theirs};
use opentelemetry_proto::{
    tonic::collector::trace::v1::ExportTraceServiceRequest,
    transform::{
        common::tonic::ResourceAttributesWithSchema,
        trace::tonic::group_spans_by_resource_and_scope,
    },
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use prost::Message as _;

const SPANS: usize = 512;
const BATCHES: usize = 40;
const ROUNDS: usize = 25;

fn main() {
    let is_ours_alone = std::env::args().any(|argument| argument == "ours");
    let (otlp, setup) = (Otlp::new("http://127.0.0.1:4318"), setup());
    let ours = Batch::from((0..SPANS).map(our_span).collect::<Vec<_>>());
    let theirs: Vec<SpanData> = (0..SPANS).map(their_span).collect();
    let resource = ResourceAttributesWithSchema::from(&their_resource());
    compare(&otlp.spans_request(&setup, &ours), &encode(theirs.clone(), &resource));

    let (mut our_times, mut their_times, mut n_bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        for _ in 0..BATCHES {
            n_bytes = black_box(otlp.spans_request(&setup, black_box(&ours))).len();
        }
        our_times.push(begin.elapsed());
        if is_ours_alone {
            continue;
        }
        let copies = vec![theirs.clone(); BATCHES];
        let begin = Instant::now();
        for copy in copies {
            black_box(encode(copy, &resource));
        }
        their_times.push(begin.elapsed());
    }
    let ours = report("bellwether", our_times, n_bytes);
    if !is_ours_alone {
        let theirs = report("opentelemetry-proto and prost", their_times, n_bytes);
        println!("ratio {:.1}", theirs / ours);
    }
}

/// The nanoseconds for a span: the median of the rounds.
fn report(name: &str, mut times: Vec<Duration>, n_bytes: usize) -> f64 {
    times.sort();
    let seconds = times[times.len() / 2].as_secs_f64() / BATCHES as f64;
    let (spans, bytes) = (SPANS as f64 / seconds, n_bytes as f64 / seconds);
    println!(
        "{name}: {:.2} M spans/s, {:.0} MB/s, {:.0} ns a span, best {:.0}",
        spans / 1e6,
        bytes / 1e6,
        1e9 / spans,
        times[0].as_secs_f64() * 1e9 / (BATCHES * SPANS) as f64,
    );
    1e9 / spans
}

fn encode(spans: Vec<SpanData>, resource: &ResourceAttributesWithSchema) -> Vec<u8> {
    let resource_spans = group_spans_by_resource_and_scope(spans, resource);
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// That both wrote the same spans, but for their times.
fn compare(ours: &[u8], theirs: &[u8]) {
    let spans = |bytes| {
        let mut request = ExportTraceServiceRequest::decode(bytes).expect("a request");
        let mut spans = std::mem::take(&mut request.resource_spans[0].scope_spans[0].spans);
        for span in &mut spans {
            (span.start_time_unix_nano, span.end_time_unix_nano) = (0, 0);
            span.events.iter_mut().for_each(|event| event.time_unix_nano = 0);
            span.status.get_or_insert_default();
        }
        spans
    };
    assert_eq!(spans(ours), spans(theirs));
}

fn trace_id(n: usize) -> u128 {
    0xabcd_ef01_2345_6789_0000_0000_0000_0000 + n as u128
}

fn user(n: usize) -> String {
    format!("user-{n:020}-of-a-tenant")
}

fn our_span(n: usize) -> SpanRecord {
    use bellwether::context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
    let context = |span| {
        let (trace, span) = (TraceId::from_u128(trace_id(n)), SpanId::from_u64(span));
        SpanContext::new(trace, span, TraceFlags::SAMPLED, TraceState::EMPTY)
    };
    let start = clock::now();
    let mut span = SpanRecord::new("GET /orders/{id}")
        .with_context(context(n as u64 + 1))
        .with_parent(&context(99))
        .with_context(context(n as u64 + 1))
        .with_kind(SpanKind::Server)
        .with_times(start, clock::now());
    *span.attributes_mut() = vec![
        KeyValue::new("http.request.method", "GET"),
        KeyValue::new("http.route", "/orders/{id}"),
        KeyValue::new("http.response.status_code", 200),
        KeyValue::new("server.address", "orders.example.com"),
        KeyValue::new("server.port", 8443),
        KeyValue::new("enduser.id", user(n)),
        KeyValue::new("cache.hit", n.is_multiple_of(2)),
        KeyValue::new("queue.seconds", 0.125),
    ];
    if n.is_multiple_of(8) {
        let attributes = vec![KeyValue::new("exception.message", "the card was refused")];
        span.add_event(Event::new("exception", start, attributes));
        span.set_status(Status::Error("the card was refused".into()));
    }
    span
}

fn their_span(n: usize) -> SpanData {
    use opentelemetry::KeyValue;
    let attributes = vec![
        KeyValue::new("http.request.method", "GET"),
        KeyValue::new("http.route", "/orders/{id}"),
        KeyValue::new("http.response.status_code", 200),
        KeyValue::new("server.address", "orders.example.com"),
        KeyValue::new("server.port", 8443),
        KeyValue::new("enduser.id", user(n)),
        KeyValue::new("cache.hit", n.is_multiple_of(2)),
        KeyValue::new("queue.seconds", 0.125),
    ];
    let mut events = SpanEvents::default();
    let mut status = theirs::Status::Unset;
    if n.is_multiple_of(8) {
        let attributes = vec![KeyValue::new("exception.message", "the card was refused")];
        events.events.push(theirs::Event::new("exception", SystemTime::now(), attributes, 0));
        status = theirs::Status::error("the card was refused");
    }
    SpanData {
        span_context: theirs::SpanContext::new(
            trace_id(n).into(),
            (n as u64 + 1).into(),
            theirs::TraceFlags::SAMPLED,
            false,
            theirs::TraceState::NONE,
        ),
        parent_span_id: 99u64.into(),
        parent_span_is_remote: false,
        span_kind: theirs::SpanKind::Server,
        name: "GET /orders/{id}".into(),
        start_time: SystemTime::now(),
        end_time: SystemTime::now(),
        attributes,
        dropped_attributes_count: 0,
        events,
        links: SpanLinks::default(),
        status,
        instrumentation_scope: InstrumentationScope::builder("bellwether").build(),
    }
}

fn setup() -> Setup {
    Setup::new(Resource::service("shop"))
}

fn their_resource() -> opentelemetry_sdk::Resource {
    opentelemetry_sdk::Resource::builder().with_service_name("shop").build()
}
