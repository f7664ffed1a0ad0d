//! Metrics, spans, logs and alert rules for a Rust service, in one crate.
//!
//! Recording costs a nanosecond or two: each thread writes to memory of its own. Records are exported
//! asynchronously, and a report accounts for every one of them: delivered, held, or dropped for a
//! reason. Alert rules are evaluated inside the process, once a second.
//!
//! # A first metric
//!
//! ```
//! use bellwether::Counter;
//!
//! static ORDERS: Counter = Counter::new("shop.orders", "Orders accepted");
//!
//! ORDERS.inc();
//! ```
//!
//! An instrument is a static. It records from the first call on, also before telemetry is started.
//!
//! # A service
//!
//! ```
//! use std::time::Duration;
//! use bellwether::{Histogram, Labels, Unit, export::Memory, observe, trace::SpanRecord};
//!
//! #[derive(Labels)]
//! struct Served {
//!     cached: bool,
//! }
//!
//! static SIZE: Histogram<Served> =
//!     Histogram::new("page.size", "Size of the pages served").unit(Unit::Bytes);
//!
//! #[observe(fields(id))] // A span `page`, and the histogram `page.duration` with its outcome.
//! fn page(id: u32) -> Result<String, std::fmt::Error> {
//!     let page = format!("page {id}");
//!     SIZE.bind(Served { cached: false }).record(page.len() as f64);
//!     Ok(page)
//! }
//!
//! let spans = Memory::<SpanRecord>::new();
//! let telemetry = bellwether::builder("pages").export(spans.clone()).start()?;
//!
//! page(7)?;
//!
//! let report = telemetry.flush(Duration::from_secs(5)); // What became of every span so far.
//! assert_eq!(report.totals().delivered, 1);
//! assert_eq!(telemetry.snapshot().value("page.size", &[("cached", "false")]).unwrap().as_f64(), 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to look
//!
//! - [`metric`]: instruments, labels, snapshots, and the figures derived from them.
//! - [`log`]: log records and their macros. [`integration`]: what other libraries record, in the same
//!   pipeline.
//! - [`mod@trace`]: spans, samplers, trace headers. [`observe`](mod@observe): the macros that join a span
//!   and a histogram.
//! - [`bundle`]: servers, clients, pools, caches, queues and databases, measured ready-made.
//! - [`alert`]: rules over the process's own series, and notifiers.
//! - [`export`] and [`pipeline`]: where records go, and what is promised about them. [`processor`]: how
//!   secrets are kept out of them.
//! - [`collect`]: figures that live elsewhere: the process, the host, a JSON document.
//! - [`telemetry`]: starting, flushing and stopping. [`testing`]: scopes for tests.
//!
//! # Features
//!
//! Each adds API and changes no behaviour.
//!
//! - `prometheus` (default): the Prometheus page as bytes, in text, OpenMetrics or protobuf.
//! - `gzip`: compression of the page.
//! - `prometheus-listener`: a listener for `/metrics`; includes `gzip`.
//! - `spool`: what could not be sent yet, kept on disk over a crash and a restart; on Unix only.
//! - `http-client`: what all that sends by HTTP has in common, `transport::Endpoint`.
//! - `zstd`: compression of requests by zstd.
//! - `otlp`: spans, metrics and logs by OTLP over HTTP; `otlp-grpc`: and by gRPC.
//! - `webhook`: alerts to a webhook, in Alertmanager's format.
//! - `stream`: spans on streams.
//! - `http`: trace headers in and out of `http::HeaderMap`; its methods and status codes as labels.
//! - `hdrhistogram`: histograms to and from `hdrhistogram`, its bytes and `.hlog` files.
//! - `process`: the process's own figures, as Prometheus' client libraries name them.
//! - `host`: CPU, memory, disks and network of the host, and the limits of the container.
//! - `tokio-runtime`: workers, tasks and queues of tokio runtimes.
//! - `poll-json`: series from a JSON document behind a URL.
//! - `serde`: snapshots written, read and merged across processes; views from configuration.
//! - `tower`, `axum`, `reqwest`, `tracing`, `log`, `metrics`, `opentelemetry`: the [`integration`]s, each by
//!   the name of the library that it is for; `integrations`: all seven.
//! - `full`: all of them.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(target_has_atomic = "64"))]
compile_error!("bellwether needs 64-bit atomics: its cells are 64 bits wide");

extern crate self as bellwether; // The macros name the crate from outside; its own code uses them too.

// Highest layer first: a module uses only the modules below it.
pub mod prelude;
pub mod testing;
pub mod telemetry;
pub mod integration;
pub mod observe;
pub mod bundle;
pub mod alert;
pub mod export;
pub mod collect;
mod history;
mod exposition;
pub mod processor;
pub mod trace;
pub mod log;
pub mod metric;
mod series;
mod cells;
mod snapshot;
pub mod pipeline;
pub mod transport;
pub mod context;
pub mod resource;
pub mod label;
mod diagnostics;
pub mod clock;
pub mod error;
mod util;
mod sync;

/// README's code compiles, and what of it ends by itself runs. Its service of axum needs the integrations.
#[cfg(all(doctest, feature = "integrations"))]
#[doc = include_str!("../README.md")]
mod readme {}

pub use context::current;
pub use error::{Error, ErrorKind};
#[doc(hidden)]
pub use history::HistoryBench;
pub use label::Labels;
pub use metric::{Counter, Gauge, Histogram, Unit, UpDownCounter};
pub use observe::{Labels, observe};
pub use telemetry::{Builder, Telemetry, builder, exit, request_flush_from_signal};
pub use trace::{InSpan, carry, extract, inject, span};
