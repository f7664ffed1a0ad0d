//! At home in code that has other libraries: layers, subscribers and recorders that bring what those record
//! into the same pipeline.
//!
//! Each is a feature of its own, and of the other library's name. The versions below are the oldest; newer
//! ones that cargo takes for compatible with them work too. Both ends are tested.
//!
//! | integration | library | versions | what flows |
//! |---|---|---|---|
//! | `tower`, `axum` | tower's services: axum, hyper, tonic | tower-layer and tower-service 0.3.3, http 1.1, http-body 1.0; axum 0.8.0, tonic 0.14.0 | of each request served or sent, over HTTP or gRPC: a span, its metrics, the context in its headers |
//! | `reqwest` | [`reqwest`](https://docs.rs/reqwest) | 0.13.0 | a span, figures and outgoing headers for each request |
//! | `tracing` | [`tracing`](https://docs.rs/tracing), `tracing-subscriber` | tracing 0.1.43, tracing-core 0.1.35, tracing-subscriber 0.3.22 | spans into spans, events into log records, one context both ways |
//! | `log` | [`log`](https://docs.rs/log) | 0.4.21 | records with their key-values |
//! | `metrics` | [`metrics`](https://docs.rs/metrics) | 0.24.2 | counters, gauges and histograms into a [`Registry`](crate::metric::Registry) |
//! | `opentelemetry` | [`opentelemetry`](https://docs.rs/opentelemetry) | 0.33.0 | spans, instruments, log records and the current context, both ways |
//!
//! sqlx and redis have no hook that sees all calls. `tests/integrations/databases`, in the repository, has the
//! function that takes its place, with a [`Database`](crate::bundle::Database).

#[cfg(any(feature = "tower", feature = "reqwest"))]
mod http;
#[cfg(feature = "tower")]
pub mod tower;
#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "tracing")]
pub mod tracing;
#[cfg(feature = "log")]
pub mod log;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "opentelemetry")]
pub mod opentelemetry;
