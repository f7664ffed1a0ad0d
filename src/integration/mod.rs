//! At home in code that has other libraries: layers, subscribers and recorders that bring what those record
//! into the same pipeline.
//!
//! Each is a feature of its own, and of the other library's name.
//!
//! | integration | library | versions | what flows |
//! | --- | --- | --- | --- |
//! | `tracing` | [`tracing`](https://docs.rs/tracing), `tracing-subscriber` | tracing 0.1.43, tracing-core 0.1.35, tracing-subscriber 0.3.22, and later | spans into spans, events into log records, one context both ways |

#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub mod tracing;
