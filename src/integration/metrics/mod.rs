//! What libraries record by the facade [`metrics`](https://docs.rs/metrics), in our registry.
//!
//! [`install`] once, and the counters, gauges and histograms of all libraries are on the same Prometheus
//! page as our own, in the history, in rules and in every export.
//!
//! ```
//! use bellwether::metric::Registry;
//!
//! bellwether::integration::metrics::install()?;
//!
//! // Somewhere in a library:
//! metrics::describe_counter!("jobs_done", "Jobs that are done");
//! metrics::counter!("jobs_done", "queue" => "mail").increment(2);
//!
//! let snapshot = Registry::global().snapshot();
//! assert_eq!(snapshot.value("jobs_done", &[("queue", "mail")]).unwrap().as_f64(), 2.0);
//! # Ok::<(), bellwether::Error>(())
//! ```
//!
//! | the facade's | becomes | |
//! | --- | --- | --- |
//! | `counter!` | [`Counter`](crate::Counter) | `absolute` raises the sum to the value; a smaller value changes nothing |
//! | `gauge!` | [`Gauge`](crate::Gauge) | on the page once it is set, incremented or decremented |
//! | `histogram!` | [`Histogram`](crate::Histogram) | negative values, NaN and infinities are rejected, and counted |
//! | `describe_*!` | the description, and the unit | what was said first counts |
//! | `Unit` | [`Unit`](crate::Unit) | a word at the end of the name, unless the name ends in it |
//! | `target`, `Level` | nothing | |
//!
//! # Names and labels
//!
//! A name keeps its letters, digits, `_`, `.`, `-` and `/`; anything else becomes `_`, and a name that does
//! not begin with a letter gets `metric_` in front: `tokio::tasks` is `tokio__tasks`. If that is the name
//! of something else, or would be on a page, a hash of the facade's name is appended, and the diagnostic
//! hook hears of it: nothing is mixed up or lost. A counter and a gauge of one name are a mistake: the
//! first is kept, what the other would have recorded is counted in `telemetry.instruments.refused`, and
//! the hook hears of that too.
//!
//! Each series has its own keys. Labels have no order for the facade, so of a key that is there twice, the
//! greatest value counts. In a key, what is not a letter, a digit, `_` or `.` becomes `_`.
//!
//! A description may come before the first record or after it. A unit has to come before, because it is
//! in the name on the page; a later one is reported, and counted. [`MetricsRecorder::ignore_units`] keeps
//! the names as the libraries have them.
//!
//! # What is bounded
//!
//! | what | by | beyond it |
//! | --- | --- | --- |
//! | label sets of a name | the registry's limit, 2,000 by default, or that of a view | the overflow series |
//! | keys of a name | 64 | the overflow series |
//! | names | [`MetricsRecorder::name_limit`] | counted in `telemetry.measurements.rejected`; look-ups, in `telemetry.facade.refused` with the reason `name` |
//! | names with nothing but a description | the same number | counted in `telemetry.facade.refused` |
//! | bytes of series | the registry's budget | the overflow series |
//!
//! `absolute` of a counter in the overflow series does nothing: several counters are one there. It is
//! counted in `telemetry.facade.refused`.
//!
//! # What it costs
//!
//! A macro such as `counter!` looks its series up by the hash of its name and labels, each time, whatever
//! the recorder. A handle that is kept costs what a [bound handle](crate::metric::BoundCounter) of ours
//! costs, and a call. `record_many` records the value so many times, as the facade does itself. `absolute`
//! adds up the cells of all threads, under a lock. `cargo run --release --example cost` in
//! `tests/integrations/metrics` measures both beside `metrics-exporter-prometheus`.
//!
//! # From `metrics-exporter-prometheus`
//!
//! | there | here |
//! | --- | --- |
//! | `install()` with a listener | [`install`], and `Builder::prometheus` |
//! | `set_buckets`, `set_buckets_for_metric` | a [view](crate::metric::View) with an aggregation, or with bounds for the page |
//! | `idle_timeout` | [`MetricsRecorder::expire_after`] |
//! | `add_global_label` | [`Builder::constant_label`](crate::Builder::constant_label) |
//! | histograms are summaries, with quantiles of the process | histograms, whose buckets add up over processes; native ones in protobuf |
//! | units are not in names | [`MetricsRecorder::ignore_units`] |
//! | no limits | see above |
//!
//! ```
//! use std::time::Duration;
//!
//! use bellwether::{
//!     integration::metrics::MetricsRecorder,
//!     metric::{Registry, View, Views},
//! };
//!
//! let registry = Registry::new();
//! registry.set_views(Views::new([View::new("job.*").bounds([0.1, 1.0, 10.0])])?);
//! let recorder = MetricsRecorder::new(&registry).expire_after(Duration::from_secs(600));
//!
//! metrics::with_local_recorder(&recorder, || metrics::histogram!("job.duration").record(0.5));
//! let snapshot = registry.snapshot();
//! let histogram = snapshot.value("job.duration", &[]).unwrap().as_histogram().unwrap();
//! assert_eq!(histogram.cumulative(&[0.1, 1.0, 10.0]), [0, 1, 1]);
//! # Ok::<(), bellwether::Error>(())
//! ```

mod recorder;
mod names;
mod name;
mod cache;
mod kind;
mod refusals;
mod settings;
mod unit;

pub use recorder::MetricsRecorder;

use crate::{error::Error, metric::Registry};

/// Makes all libraries that record by the facade `metrics` record into the
/// [global registry](Registry::global).
///
/// # Errors
///
/// [`ErrorKind::State`](crate::ErrorKind::State) if the process has a recorder already.
pub fn install() -> Result<(), Error> {
    MetricsRecorder::new(Registry::global()).install()
}
