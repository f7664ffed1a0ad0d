//! Sends known spans, logs and metrics to a receiver of OTLP, and prints as JSON what was sent.
//!
//! ```text
//! cargo run --example send -- http|json|grpc|packed URL [spans] [logs] [metrics]
//! ```
//!
//! It fails unless everything is delivered. `.ci/servers` asks real receivers what arrived.

use std::time::Duration;

use bellwether::{
    clock,
    export::otlp::Otlp,
    label::{KeyValue, Value as OurValue},
    log::{LogRecord, LogSeverity},
    metric::{DataPoint, Registry, SeriesValue, Temporality, Unit},
    pipeline::{Pipe, Route, Setup, Signal},
    resource::Resource,
    trace::{Event, SpanKind, SpanRecord, Status},
    transport::{Compression, Endpoint},
};
use serde_json::{Map, Value, json};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [form, url, signals @ ..] = &arguments[..] else { panic!("FORM URL SIGNAL…") };
    let endpoint = Endpoint::new(url).allow_plain_http().allow_private();
    let otlp = Otlp::new(match &**form {
        "packed" => endpoint.compression(Compression::Gzip),
        _ => endpoint,
    });
    let otlp = match &**form {
        "json" => otlp.json(),
        "grpc" | "packed" => otlp.grpc(),
        "http" => otlp,
        other => panic!("no form: {other}"),
    };
    let is_sent = |signal: &str| signals.iter().any(|sent| sent == signal);
    let mut sent = Map::new();
    if is_sent("spans") {
        let records = spans();
        sent.insert("spans".to_owned(), records.iter().map(span).collect());
        send(Route::<SpanRecord>::from(otlp.clone()), records);
    }
    if is_sent("logs") {
        let records = logs();
        sent.insert("logs".to_owned(), records.iter().map(log).collect());
        send(Route::<LogRecord>::from(otlp.clone()), records);
    }
    if is_sent("metrics") {
        let points = metrics();
        sent.insert("metrics".to_owned(), points.iter().map(point).collect());
        send(Route::<DataPoint>::from(otlp), points);
    }
    println!("{}", Value::Object(sent));
}

fn send<S: Signal>(route: Route<S>, records: Vec<S>) {
    let n = records.len() as u64;
    let setup = Setup::new(Resource::service("shop").with("service.instance.id", "one"));
    // Several requests of a signal.
    let route = route.settings(|settings| settings.batch_items = 100);
    let pipe = Pipe::start(route, &setup).expect("a route");
    pipe.push(records);
    let report = pipe.shutdown(Duration::from_secs(20));
    assert_eq!((report.offered, report.delivered), (n, n), "{report:?}");
}

fn spans() -> Vec<SpanRecord> {
    let root = SpanRecord::new("root");
    let parent = root.context().clone();
    let child = |n: usize| {
        let start = clock::now();
        let mut span = SpanRecord::new(format!("child {n} \u{1F600} \"\\\n"))
            .with_parent(&parent)
            .with_kind([SpanKind::Server, SpanKind::Client, SpanKind::Producer][n % 3])
            .with_times(start, clock::now());
        span.set_attribute("n", n as i64);
        span.set_attribute("text", "é".repeat(n));
        span.set_attribute("flag", n.is_multiple_of(2));
        span.set_attribute("ratio", n as f64 / 8.0);
        span.set_attribute("list", vec![n as i64; n % 4]);
        if n.is_multiple_of(5) {
            span.set_status(Status::Error("no".into()));
            span.add_event(Event::new("retry", start, vec![KeyValue::new("of", n as i64)]));
        }
        span
    };
    let children: Vec<SpanRecord> = (1..250).map(child).collect();
    [vec![root], children].concat()
}

fn value(value: &OurValue) -> Value {
    match value {
        OurValue::I64(number) => json!(number),
        OurValue::F64(number) => json!(number),
        OurValue::Bool(value) => json!(value),
        OurValue::String(text) => json!(text.as_str()),
        array => serde_json::from_str(&array.to_string()).expect("an array"),
    }
}

fn attributes(attributes: &[KeyValue]) -> Value {
    attributes
        .iter()
        .map(|each| (each.key.to_string(), value(&each.value)))
        .collect::<Map<_, _>>()
        .into()
}

fn span(span: &SpanRecord) -> Value {
    let start = span.start().timestamp().unix_nanos();
    json!({
        "trace": span.trace_id().to_string(),
        "id": span.span_id().to_string(),
        "parent": span.parent_span_id().map(|id| id.to_string()),
        "name": span.name(),
        "kind": format!("SPAN_KIND_{}", span.kind().as_str().to_uppercase()),
        "start": start.to_string(),
        "end": (start + span.duration().as_nanos() as u64).to_string(),
        "attributes": attributes(span.attributes()),
        "error": matches!(span.status(), Status::Error(_)),
        "events": span.events().iter().map(|event| attributes(event.attributes())).collect::<Vec<_>>(),
    })
}

fn logs() -> Vec<LogRecord> {
    let log = |n: u8| {
        LogRecord::new(LogSeverity::new(1 + n % 24), format!("line {n} \u{1F600} \"\\\n"))
            .with_attribute("n", i64::from(n))
            .with_event_name(format!("event.{n}"))
    };
    (0..250).map(log).collect()
}

fn log(log: &LogRecord) -> Value {
    json!({
        "body": log.body().to_string(),
        "severity": log.severity().number(),
        "text": log.severity_text(),
        "time": log.time().unix_nanos().to_string(),
        "event": log.event_name(),
        "attributes": attributes(log.attributes()),
    })
}

fn metrics() -> Vec<DataPoint> {
    let registry = Registry::new();
    let orders = registry.counter("shop.orders", "Orders").any_keys().build().expect("a counter");
    let open = registry.up_down_counter("shop.open", "").build().expect("a counter");
    let level = registry.gauge("shop.level", "").any_keys().build().expect("a gauge");
    let latency = registry.histogram("shop.latency", "").unit(Unit::Seconds).any_keys().build();
    let latency = latency.expect("a histogram");
    open.add(-3);
    for n in 0..120 {
        let name = format!("{n:03}");
        orders.bind_any(&[("route", &name), ("quoted", "a\"b\\c")]).add(n + 1);
        level.bind_any(&[("shelf", &name)]).set(n as f64 / 7.0);
    }
    for n in 0..2_000 {
        let route = if n % 3 == 0 { "a" } else { "b" };
        latency.bind_any(&[("route", route)]).record(f64::from(n * n) / 1e5);
    }
    registry.snapshot().data_points(Temporality::Cumulative)
}

fn point(point: &DataPoint) -> Value {
    let labels: Map<String, Value> =
        point.labels().iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
    let value = match point.value() {
        SeriesValue::Histogram(values) => {
            let buckets = values.exponential(i32::MAX).expect("not explicit").within(160);
            json!({
                "count": values.count(), "sum": values.sum(), "scale": buckets.scale(),
                "zero": buckets.zero_count(), "buckets": buckets.buckets(),
            })
        }
        value => json!(value.as_f64()),
    };
    json!({"name": point.name(), "labels": labels, "value": value})
}
