//! Runs code below the layer, and shows what was exported.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rules are the library's own"
)]

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bellwether::{
    export::Memory,
    integration::tracing::TracingOptions,
    log::{LogFilter, LogOptions, LogRecord, LogSeverity},
    telemetry::Builder,
    trace::SpanRecord,
};
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::layer::SubscriberExt as _;

/// What a run has exported.
#[derive(Debug)]
pub struct Ran {
    pub spans: Vec<SpanRecord>,
    pub logs: Vec<LogRecord>,
}

impl Ran {
    /// The only span of this name.
    #[must_use]
    pub fn span(&self, name: &str) -> &SpanRecord {
        let mut found = self.spans.iter().filter(|span| span.name() == name);
        let first = found.next().unwrap_or_else(|| panic!("no span {name}: {:?}", self.names()));
        assert!(found.next().is_none(), "several spans {name}");
        first
    }

    /// The names of all spans, in the order of their ends.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.spans.iter().map(SpanRecord::name).collect()
    }

    /// The name of the parent of the span of this name, if it has one that was exported.
    #[must_use]
    pub fn parent(&self, name: &str) -> Option<&str> {
        let parent = self.span(name).parent_span_id()?;
        let parent = self.spans.iter().find(|span| span.span_id() == parent);
        Some(parent.map_or("?", SpanRecord::name))
    }

    /// An attribute of a span, as text.
    #[must_use]
    pub fn attribute(&self, span: &str, key: &str) -> Option<String> {
        let attributes = self.span(span).attributes();
        Some(attributes.iter().find(|one| one.key == key)?.value.to_string())
    }

    /// The log record of this body.
    #[must_use]
    pub fn log(&self, body: &str) -> &LogRecord {
        let found = self.logs.iter().find(|log| log.body().to_string() == body);
        found.unwrap_or_else(|| panic!("no log {body}: {:?}", self.logs))
    }
}

/// An attribute of a log record, as text.
#[must_use]
pub fn attribute(log: &LogRecord, key: &str) -> Option<String> {
    Some(log.attributes().iter().find(|one| one.key == key)?.value.to_string())
}

/// One telemetry at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Runs `work` below a subscriber with the layer alone.
pub fn run(work: impl FnOnce()) -> Ran {
    run_with(TracingOptions::new(), work)
}

/// As [`run`], with options.
pub fn run_with(options: TracingOptions, work: impl FnOnce()) -> Ran {
    let subscriber = tracing_subscriber::registry().with(options.layer());
    run_in(&Dispatch::new(subscriber), |builder| builder, |_| work())
}

/// Runs `work` below a subscriber of the caller's, with a telemetry that `set_up` changes.
pub fn run_in(
    subscriber: &Dispatch,
    set_up: impl FnOnce(Builder) -> Builder,
    work: impl FnOnce(&bellwether::Telemetry),
) -> Ran {
    export(Some(subscriber), set_up, work)
}

/// Runs `work` below the global subscriber.
pub fn run_global(work: impl FnOnce(&bellwether::Telemetry)) -> Ran {
    export(None, |builder| builder, work)
}

fn export(
    subscriber: Option<&Dispatch>,
    set_up: impl FnOnce(Builder) -> Builder,
    work: impl FnOnce(&bellwether::Telemetry),
) -> Ran {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (spans, logs) = (Memory::<SpanRecord>::new(), Memory::<LogRecord>::new());
    let options = LogOptions::new().filter(LogFilter::at_least(LogSeverity::TRACE));
    let builder = bellwether::builder("test").logs(options);
    let builder = set_up(builder.export(spans.clone()).export(logs.clone()));
    let telemetry = builder.start().expect("no other telemetry runs");
    match subscriber {
        Some(subscriber) => dispatcher::with_default(subscriber, || work(&telemetry)),
        None => work(&telemetry),
    }
    let report = telemetry.shutdown(Duration::from_secs(10));
    assert_eq!(report.open_spans, 0, "{report:?}");
    Ran { spans: spans.take(), logs: logs.take() }
}
