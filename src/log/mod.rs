//! Log records: what happened, how grave it is, and in which span.
//!
//! The macros [`error!`](macro@crate::error), [`warn!`](crate::warn!), [`info!`](crate::info!),
//! [`debug!`](crate::debug!) and [`trace!`](macro@crate::trace) make records. So do the
//! [bridges](crate::integration) from `log`, `tracing` and OpenTelemetry, and [`emit`] takes those that are
//! made by hand. A record has the trace and span ids of where it was made. Records go the way of all
//! signals: processors, a route with a queue for each backend, an account of every one of them.
//!
//! ```
//! use std::time::Duration;
//! use bellwether::{export::Memory, info, log::LogRecord, warn};
//!
//! let logs = Memory::<LogRecord>::new();
//! let telemetry = bellwether::builder("shop").export(logs.clone()).start()?;
//! let checkout = bellwether::span("checkout").enter();
//! let (cart, left) = (7, 2);
//! info!("cart {cart} is paid");
//! warn!("stock is low", item = "tea", left = left, shelf = %format_args!("{}-{}", 3, 'b'));
//! checkout.end();
//! telemetry.shutdown(Duration::from_secs(5));
//!
//! let records = logs.records();
//! assert_eq!(records[0].body().to_string(), "cart 7 is paid");
//! assert_eq!(records[1].attributes()[1].value, 2.into());
//! assert!(records[0].trace_id().is_some());
//! # Ok::<(), bellwether::Error>(())
//! ```
//!
//! - Which records are kept, says a [`LogFilter`]: by level and target, in `RUST_LOG`'s syntax. It can be
//!   [changed](crate::Telemetry::set_log_filter) while the program runs. A call that is filtered out costs
//!   a load and a comparison, and evaluates nothing. Without a route for logs, all calls are filtered out.
//! - A record that is kept waits in memory of this process, until there are some hundreds, or a second is
//!   over; a flush, a shutdown and the end of the process deliver it. Logging does not block, and never
//!   panics. What cannot be kept is counted: `telemetry.logs.lost`.
//! - On the threads of exporters, and in processors, nothing is logged: it would never end.
//!
//! # In which order do records come?
//!
//! Records of one thread, in the order in which they were made. Those of several threads are sorted by time
//! when they are handed over; one that was just being made then comes a little late.

mod capture;
pub(crate) mod filter;
mod fold;
mod gather;
mod intake;
mod limits;
mod macros;
#[cfg(any(feature = "log", feature = "tracing"))]
mod nesting;
mod options;
mod record;
mod severity;
mod site;
#[cfg(any(feature = "log", feature = "tracing", feature = "opentelemetry"))]
pub(crate) mod sites;
mod text;

pub(crate) use capture::Captured;
pub use filter::LogFilter;
#[cfg(any(feature = "log", feature = "tracing"))]
pub(crate) use gather::count_reentrant;
pub(crate) use gather::{LogCounts, LogSink, counts};
pub use intake::emit;
pub(crate) use intake::{Entered, collect, enter, install, set_filter, take_whole, uninstall};
#[doc(hidden)]
pub use intake::{begin, take};
pub use limits::LogLimits;
#[doc(hidden)]
pub use macros::plain_key;
#[cfg(any(feature = "log", feature = "tracing"))]
pub(crate) use nesting::Nested;
pub use options::LogOptions;
pub use record::LogRecord;
pub use severity::LogSeverity;
pub use site::CallSite;
#[cfg(any(feature = "opentelemetry", feature = "tracing"))]
pub(crate) use text::print;
