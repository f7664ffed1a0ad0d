//! At home in code that has other libraries: layers, subscribers and recorders that bring what those record
//! into the same pipeline.
//!
//! Each is a feature of its own, and of the other library's name.
//!
//! | integration | library | versions | what flows |
//! | --- | --- | --- | --- |
//! | `metrics` | [`metrics`](https://docs.rs/metrics) | 0.24 | counters, gauges and histograms into a [`Registry`](crate::metric::Registry) |
//! | `reqwest` | [`reqwest`](https://docs.rs/reqwest) | 0.13 | a span, figures and outgoing headers for each request |

#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub mod metrics;
#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
pub mod reqwest;
