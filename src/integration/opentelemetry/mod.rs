//! Crates that are instrumented with OpenTelemetry's API, on our pipeline: spans, instruments, log records,
//! and one current context both ways.
//!
//! [`install`] sets the global providers that the API offers; libraries ask these. Each is to be had alone:
//! [`tracer_provider`], [`meter_provider`], [`logger_provider`], [`OtelPropagator`]. No part of
//! OpenTelemetry's SDK is needed.
//!
//! ```
//! use bellwether::{integration::opentelemetry, testing};
//! use ::opentelemetry::{KeyValue, global, trace::{TraceContextExt as _, Tracer as _}};
//!
//! opentelemetry::install(); // Once, before anything records.
//!
//! # let scope = testing::scope();
//! fn library() {
//!     global::tracer("").in_span("GET /stock", |context| {
//!         context.span().set_attribute(KeyValue::new("status", 200));
//!         let _ours = bellwether::span("parse").enter(); // A child of `GET /stock`.
//!     });
//! }
//!
//! let order = bellwether::span("order").enter();
//! library();
//! order.end();
//! assert_eq!(scope.span_tree(), "order ok\n  GET /stock ok status=200\n    parse ok\n");
//! ```
//!
//! # What becomes what
//!
//! | OpenTelemetry's API | bellwether |
//! | --- | --- |
//! | a span: name, kind, attributes, events, links, status, times | a [`SpanRecord`](crate::trace::SpanRecord), sampled and limited as all are |
//! | a status | `Ok` is final, `Error` gives way to `Ok` and to a later `Error`, `Unset` changes nothing |
//! | `record_error` | an event `exception` with `exception.message`, which [`redact_errors`](crate::Builder::redact_errors) sees |
//! | the parent in a `Context` | the parent, local or remote, with its trace state |
//! | a scope's name, version, schema and attributes | the attributes or labels `otel.scope.name`, `otel.scope.version`, `otel.scope.schema_url`, `otel.scope.…` |
//! | `Counter` of `u64`, `f64` | a [`Counter`](crate::Counter), a [`FloatCounter`](crate::metric::FloatCounter) |
//! | `UpDownCounter` of `i64` | an [`UpDownCounter`](crate::UpDownCounter) |
//! | `UpDownCounter` of `f64` | a [`Gauge`](crate::Gauge) that is added to |
//! | `Gauge` of any number | a [`Gauge`](crate::Gauge) |
//! | `Histogram` | a [`Histogram`](crate::Histogram); the advised boundaries are its buckets, and without them it has [our own](crate::metric::Aggregation::Exponential), which are finer |
//! | observable instruments | families of a [callback](crate::metric::InstrumentBuilder::observe); several requests for one name are one family |
//! | attributes of a measurement | labels: each value as text, a list as JSON |
//! | bound instruments | handles to a series |
//! | a log record | a [`LogRecord`](crate::log::LogRecord), filtered by its target, or else by the name of its scope |
//! | severity number, text | the severity, and its text; INFO if neither is set |
//! | a body or attribute: maps, lists of several types | JSON text; bytes are base 64 |
//! | `event_enabled` | whether the [filter](crate::log::LogFilter) in force keeps such records |
//! | a context with telemetry suppressed | neither spans nor log records, of theirs or ours |
//! | baggage of an attached context | [`Baggage`](crate::context::Baggage) of the current context |
//!
//! # One context
//!
//! What OpenTelemetry has for current on a thread is current for us as well: for spans of ours, which are
//! its children, for log records, exemplars, [`current`](crate::current) and [`inject`](crate::inject). That
//! holds for guards, for `mark_span_as_active`, and for futures `with_context` while they are polled. The
//! API calls us whenever another context becomes current, by its `ContextObserver`: so nothing is looked up
//! where a context is read, and a program without this integration pays nothing.
//!
//! A span of ours that is entered is not in OpenTelemetry's `Context`, which only its owner can change. It
//! is the parent all the same of spans that are started in the current context: the context that the API has
//! for current stands for ours, which may be a span within that. So `Context::new()` is no way to a root
//! where a span of ours is current and none of theirs;
//! `Context::new().with_remote_span_context(SpanContext::NONE)` is. Whatever else is given as a parent is
//! the parent.
//!
//! Install before contexts are attached: those from before are seen when they become current again.
//!
//! # What is not carried
//!
//! - A future `with_current_context` takes OpenTelemetry's context along, and not a span of ours that is
//!   current in it; [`InSpan::in_current_span`](crate::trace::InSpan::in_current_span) takes both.
//! - Baggage of ours is not in OpenTelemetry's `Context::baggage`; it is in the headers that
//!   [`OtelPropagator`] writes, and of headers that it reads in both.
//! - [`trace::set_attribute`](crate::trace::set_attribute) and its like, of the span that a thread is in, do
//!   not reach a span of OpenTelemetry's: that is behind a lock of the API.
//! - How many attributes of an event or a link its author has dropped already.
//! - The time of an event before the start of its span is the start.
//! - An observed number beyond 2^53, and one of a gauge or a histogram, is the nearest that a fraction can be.
//! - Boundaries of histograms below zero: such a histogram has buckets of our own, and that is reported.
//! - The API has no global provider of loggers: bridges such as `opentelemetry-appender-tracing` are given
//!   [`logger_provider`].
//! - The context of the API is observed by one observer in a process. If another one is set already, that is
//!   reported, and what is attached is not current for us.
//!
//! # What is bounded
//!
//! A meter provider makes 4,096 instruments that are recorded into, and families of callbacks by as many
//! names. Each has at most [`series_limit`](crate::Builder::series_limit) series; what is beyond goes to the
//! overflow series, or is counted by its name. Instruments that clash with others, in kind or unit, or whose name is not legal, are reported and counted in
//! `telemetry.measurements.rejected`. A callback that panics or hangs follows the rules of all
//! [callbacks](crate::metric::InstrumentBuilder::observe). Texts, attributes, events and links have the limits of
//! [`SpanLimits`](crate::trace::SpanLimits) and [`LogLimits`](crate::log::LogLimits). On the threads of exporters
//! no spans and no log records begin.

mod tracer;
mod span;
mod meter;
mod instrument;
mod recording;
mod observed;
mod labels;
mod cache;
mod logger;
mod json;
mod propagator;
mod context;
mod caller;
mod baggage;
mod attributes;
mod ids;
mod instant;

use ::opentelemetry::global;
pub use logger::{OtelLogRecord, OtelLogger, OtelLoggerProvider};
pub use meter::OtelMeterProvider;
pub use propagator::OtelPropagator;
pub use span::OtelSpan;
pub use tracer::{OtelTracer, OtelTracerProvider};

use crate::metric::Registry;

/// Makes crates that are instrumented with OpenTelemetry's API record into our pipeline: sets the global
/// providers of tracers and meters, and the global propagator.
///
/// What was asked of other providers before stays with them: call it before libraries start. Spans and log
/// records are kept from the start of telemetry on, as all of ours; instruments record at once.
pub fn install() {
    global::set_tracer_provider(tracer_provider());
    global::set_meter_provider(meter_provider());
    global::set_text_map_propagator(OtelPropagator::new());
}

/// A provider of tracers whose spans are ours; from here on, OpenTelemetry's current context is ours too.
///
/// # Examples
///
/// ```
/// use bellwether::{integration::opentelemetry::tracer_provider, testing};
/// use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
///
/// let scope = testing::scope();
/// tracer_provider().tracer("library").start("work").end();
/// assert_eq!(scope.span("work").attributes()[0].value, "library".into());
/// ```
#[must_use]
pub fn tracer_provider() -> OtelTracerProvider {
    OtelTracerProvider::new()
}

/// A provider of meters whose instruments record into the [global registry](Registry::global);
/// [`OtelMeterProvider::new`] makes one for another.
#[must_use]
pub fn meter_provider() -> OtelMeterProvider {
    OtelMeterProvider::new(Registry::global())
}

/// A provider of loggers whose records are ours.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{export::Memory, integration::opentelemetry::logger_provider, log::LogRecord};
/// use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _, Severity};
///
/// let logs = Memory::<LogRecord>::new();
/// let telemetry = bellwether::builder("shop").export(logs.clone()).start()?;
/// let logger = logger_provider().logger("library");
/// let mut record = logger.create_log_record();
/// record.set_severity_number(Severity::Warn);
/// record.set_body("stock is low".into());
/// logger.emit(record);
/// telemetry.shutdown(Duration::from_secs(5));
/// assert_eq!(logs.records()[0].target(), "library");
/// # Ok::<(), bellwether::Error>(())
/// ```
#[must_use]
pub fn logger_provider() -> OtelLoggerProvider {
    OtelLoggerProvider::new()
}
