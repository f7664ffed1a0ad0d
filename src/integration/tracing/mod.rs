//! `tracing`: its spans become spans here, and its events log records.
//!
//! ```
//! use std::time::Duration;
//!
//! use bellwether::{export::Memory, integration::tracing as bridge, log::LogRecord, trace::SpanRecord};
//! use tracing_subscriber::layer::SubscriberExt as _;
//!
//! let (spans, logs) = (Memory::<SpanRecord>::new(), Memory::<LogRecord>::new());
//! let telemetry = bellwether::builder("shop").export(spans.clone()).export(logs.clone()).start()?;
//! let subscriber = tracing_subscriber::registry().with(bridge::layer());
//! tracing::subscriber::with_default(subscriber, || {
//!     // In a service: `tracing_subscriber::registry().with(bridge::layer()).init()`, once.
//!     let _order = tracing::info_span!("order", items = 3).entered();
//!     tracing::info!(cart = 7, "paid");
//!     let _ledger = bellwether::span("ledger").enter(); // A child of `order`.
//! });
//! telemetry.shutdown(Duration::from_secs(5));
//!
//! let spans = spans.records();
//! let order = spans.iter().find(|span| span.name() == "order").unwrap();
//! assert!(order.attributes().iter().any(|one| one.key == "items" && one.value == 3.into()));
//! assert!(spans.iter().any(|span| span.parent_span_id() == Some(order.span_id())));
//! assert_eq!(logs.records()[0].body().to_string(), "paid");
//! assert_eq!(logs.records()[0].span_id(), Some(order.span_id()));
//! # Ok::<(), bellwether::Error>(())
//! ```
//!
//! # What becomes of what
//!
//! | in `tracing` | here |
//! | --- | --- |
//! | a span | a span of its name, from its creation to its close; [samplers](crate::trace::sampler) decide when it is first entered, or its context is asked for |
//! | its fields | attributes; whole numbers beyond 64 bits are text, as are `Debug`, `Display` and errors, whose causes are in `<field>.chain`; those recorded late too |
//! | `target`, level, file and line | by choice: [`TracingOptions::target`], [`level`](TracingOptions::level), [`location`](TracingOptions::location) |
//! | `otel.name`, `otel.kind`, `otel.status_code`, `otel.status_description` | name, kind and status; a kind counts until the span is first entered |
//! | a parent: contextual, explicit, none | the same; contextual is what is [current](crate::current) here, be it a span of either library |
//! | `follows_from` | a link |
//! | entered | the [current](crate::current) context: headers, exemplars, logs, `trace::set_attribute` |
//! | an event | a log record: level, target, body (the field `message`), other fields as attributes, the ids of its span; and by choice ([`span_events`](TracingOptions::span_events)) an event of the span |
//! | an event of level `ERROR`, and one that has only a field `error`, as of `#[instrument(err)]` | besides, the status `Error`; with a field `error`, that is its description, and the span has an event `exception`; switched off by [`error_status`](TracingOptions::error_status) |
//! | a record of `log`, by `tracing-log` | a log record with its own target, file and line |
//!
//! A remote parent is set by [`TracingSpanExt::set_parent`]. [`with_ids`] and [`with_json_ids`] show
//! ids in the lines of `tracing_subscriber::fmt`; other layers find a [`TracedSpan`] in a span's extensions.
//!
//! # What is kept
//!
//! Events are filtered by the [log filter](crate::log::LogFilter) in force, which
//! [can be changed](crate::Telemetry::set_log_filter): one that is out costs what a disabled event costs in
//! `tracing`. Spans are kept from [`spans_from`](TracingOptions::spans_from) on, by default from `INFO`. Filters of
//! yours, for this layer or for all, come on top. A span that is filtered out leaves its children to the
//! nearest ancestor that is not. The [limits](crate::trace::SpanLimits) of spans and
//! [of logs](crate::log::LogLimits) hold, and what is beyond them is counted.
//!
//! Where no telemetry runs, nothing is recorded, and contexts are handed on. A `Debug` that panics is shown
//! as such. What such code records itself is recorded, sixteen levels deep; deeper events are counted in
//! `telemetry.logs.reentrant`. On the threads of exporters nothing is recorded.

mod event;
mod fields;
mod filter;
mod format;
mod layer;
mod options;
mod set_up;
mod span;
mod span_ext;
mod subscribers;

pub use filter::TracingFilter;
pub use format::{WithIds, with_ids, with_json_ids};
pub use layer::TracingLayer;
pub use options::TracingOptions;
pub use set_up::layer;
pub use span::TracedSpan;
pub use span_ext::TracingSpanExt;
