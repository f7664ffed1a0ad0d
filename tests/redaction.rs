//! Secrets reach neither exporters nor the spool, and looking for them allocates nothing.
#![cfg(unix)] // The spool is.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

mod counting;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bellwether::{
    Counter,
    context::SpanContext,
    export::{Batch, Deadline, Encoder, ExportError, Memory, Payload, Route, SendResult, Sender},
    info,
    label::{Dynamic, KeyValue},
    log::{LogRecord, LogSeverity},
    metric::{DataPoint, Registry, Temporality},
    pipeline::{Processor, SpoolFolder},
    processor::Redact,
    trace::{Link, SpanRecord},
};

/// Telemetry is the process's: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const PATIENCE: Duration = Duration::from_secs(20);
const CANARY: &str = "canary-5b1e77";

static LOGINS: Counter<Dynamic> = Counter::dynamic("test.logins", "Logins", &["user.id"]);

fn redact() -> Redact {
    Redact::new()
        .drop("password")
        .drop("*.token")
        .mask("user.email")
        .hash("user.id")
        .rename("http.status", "http.response.status_code")
}

/// A span with an event, a log record, and a series; the canary is in all of them.
fn work() {
    let span = bellwether::span("login").enter();
    span.set_attribute("password", CANARY);
    span.set_attribute("user.email", CANARY);
    span.set_attribute("user.id", CANARY);
    span.set_attribute("http.status", 200);
    span.add_event("asked", [KeyValue::new("api.token", CANARY)]);
    info!("logged in", api.token = CANARY);
    LOGINS.with_labels(&[("user.id", CANARY)]).inc();
}

#[test]
fn what_is_redacted_before_all_routes_reaches_no_exporter_of_any_signal() {
    let _turn = turn();
    let (spans, logs, points) =
        (Memory::<SpanRecord>::new(), Memory::<LogRecord>::new(), Memory::<DataPoint>::new());
    let builder = bellwether::builder("shop").wide_events().redact(redact());
    let builder = builder.export(spans.clone()).export(logs.clone()).export(points.clone());
    let telemetry = builder.start().unwrap();
    work();
    telemetry.shutdown(PATIENCE);

    let all = format!("{:?}{:?}{:?}", spans.records(), logs.records(), points.records());
    assert!(!all.contains(CANARY), "{all}");
    // The login, and the wide event of the span; the series is one still.
    assert_eq!((spans.len(), logs.len()), (1, 2));
    let span = &spans.records()[0];
    let keys: Vec<_> = span.attributes().iter().map(|each| &*each.key).collect();
    assert_eq!(keys, ["user.email", "user.id", "http.response.status_code"]);
    let id = span.attributes()[1].value.to_string();
    let event = logs.records().into_iter().find(|log| log.target() == "wide_event").unwrap();
    let of_event = event.attributes().iter().find(|each| each.key == "user.id").unwrap();
    assert_eq!(of_event.value.to_string(), id, "what is hashed is not hashed again");
    let points = points.records();
    let point = points.iter().find(|point| point.name() == "test.logins").unwrap();
    assert_eq!(point.labels().get("user.id"), Some(&*id), "equal values are equal in all signals");
}

/// Encodes all that a record shows.
struct Shown;

impl Encoder<SpanRecord> for Shown {
    fn encode(&mut self, batch: &Batch<SpanRecord>) -> Payload {
        let mut payload = Payload::new();
        for span in batch.iter() {
            payload.record(|bytes| bytes.extend_from_slice(format!("{span:?}\n").as_bytes()));
        }
        payload
    }

    fn format(&self) -> &str {
        "shown.1"
    }
}

/// A backend that is away.
struct Away;

impl Sender for Away {
    fn send(&mut self, _: &Payload, _: &Deadline) -> SendResult {
        Err(ExportError::retry("away"))
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bellwether-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The bytes of all files below `folder`.
fn bytes_below(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes.extend(bytes_below(&path));
        } else {
            bytes.extend(fs::read(path).unwrap());
        }
    }
    bytes
}

/// Whether the canary, and the name of the span, are on the disk after some work.
fn on_disk(name: &str, before_all: Redact, on_route: Redact) -> (bool, bool) {
    let folder = Folder::new(name);
    let route = Route::wire(Shown, Away).process(on_route).spool(SpoolFolder::new(&folder.0));
    let builder = bellwether::builder("shop").redact(before_all).export(route);
    let telemetry = builder.start().unwrap();
    work();
    assert!(telemetry.persist(PATIENCE));
    let bytes = bytes_below(&folder.0);
    telemetry.shutdown(Duration::ZERO);
    let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    (has(CANARY), has("login"))
}

#[test]
fn what_is_redacted_before_all_routes_or_on_one_is_not_spooled() {
    let _turn = turn();
    assert_eq!(on_disk("unredacted", Redact::new(), Redact::new()), (true, true));
    assert_eq!(on_disk("before-all", redact(), Redact::new()), (false, true));
    assert_eq!(on_disk("on-route", Redact::new(), redact()), (false, true));
}

#[test]
fn records_that_no_rule_is_about_cost_no_allocation() {
    let _turn = turn();
    let mut span = SpanRecord::new("checkout");
    span.set_attribute("cart", 7);
    span.add_link(Link::new(SpanContext::NONE, vec![KeyValue::new("cart", 7)]));
    let mut spans = vec![span, SpanRecord::new("bare")];
    let mut logs = vec![LogRecord::new(LogSeverity::INFO, "paid").with_attribute("cart", 7)];
    let registry = Registry::new();
    let orders = registry.counter("orders", "").keys(&["region"]).exemplars().build().unwrap();
    orders.with_labels(&[("region", "eu")]).add_with_exemplar(1, &[("order", "7")]);
    let sizes = registry.histogram("sizes", "").build().unwrap();
    sizes.record_with_exemplar(1.0, &[("order", "7")]);
    let mut points = registry.snapshot().data_points(Temporality::Cumulative);

    let redact = redact();
    let before = counting::allocations();
    redact.process(&mut spans);
    redact.process(&mut logs);
    redact.process(&mut points);
    assert_eq!(counting::allocations() - before, 0);
}
