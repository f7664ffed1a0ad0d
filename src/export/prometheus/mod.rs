//! The Prometheus page: all series in the formats that scrapers request.
//!
//! A page is rendered when it is requested; nothing is queued. To serve it from your own HTTP server,
//! use [`Telemetry::prometheus_page`](crate::Telemetry::prometheus_page), or a [`Page`] that keeps its
//! buffers between scrapes.
//!
//! What is sent, and when? All series of the snapshot, at each scrape, cumulative since the process
//! started. What happens when Prometheus is away? Nothing: the next scrape has the sums. What may be
//! lost or doubled? A gauge's values between two scrapes; nothing else.
//!
//! # Names
//!
//! Names and label keys are mapped as OpenTelemetry's "Prometheus and OpenMetrics Compatibility"
//! requires. `http.server.request.duration` in seconds is `http_server_request_duration_seconds`, and a
//! counter's sample ends in `_total`. Other characters become `_`, never two in a row and none at an
//! end of a name. A unit is appended in words, with any SI prefix and as a rate: `KiBy` is
//! `_kibibytes`, `By/s` is `_bytes_per_second`, `{request}/s` is `_per_second`. An unknown unit is
//! appended unchanged. Beyond that:
//!
//! - If two keys of a series become equal, they become one key: their values are joined by `;`, in the
//!   order of the keys. If two series of a family then have the same labels, they become one: counters,
//!   up-down counters and histograms are added up; of gauges, the last one is shown.
//! - A key that the format reserves gets the prefix `exported_`, for example `le` on a histogram. A key
//!   that begins with two underscores gets it in their place: `__name__` is `exported_name_`. A key
//!   that is empty or would begin with a digit gets `key_`.
//! - A label that a format adds to the samples of a kind, such as `quantile` and `window` of a summary,
//!   is reserved there too. A summary's quantiles have the window's length in `window`: `10s`, `1m`.
//! - Values and help are written in full, escaped: no byte of them can end a line or a page.
//!
//! Another [`Translation`] keeps dots and all other characters in names and keys. They are then quoted
//! or escaped, as the scraper requests ([`Escaping`]).
//!
//! A series is left out if its value would make a reader refuse the page, and a family is left out if
//! another one has its name. So nothing that was recorded can fail a scrape.
//!
//! The resource is `target_info`. It is left out if a family of your own has that name or `target`, or
//! by [`PageOptions`].
//!
//! # Buckets
//!
//! A histogram without explicit bounds shows the bounds that people query: for a unit of time
//! `le="0.1"` and the like, for other units powers of two ([`PageBounds`](crate::metric::PageBounds)).
//! It keeps finer buckets, and a count is taken at the first edge of these at or above the bound: it
//! includes values on the bound, and may include values up to 1.1 % above it. At powers of two, and
//! with explicit bounds, counts are exact. Protobuf also has the histogram's own buckets, as a native
//! histogram. An exemplar is on the line of the bucket that contains its value; it is the newest that
//! was kept.

mod page;
mod family;
mod text;
mod protobuf;
mod buckets;
mod labels;
mod options;
mod negotiate;
mod wire;
mod buffer;

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "prometheus-listener")]
mod listener;

#[cfg(feature = "pushgateway")]
#[cfg_attr(docsrs, doc(cfg(feature = "pushgateway")))]
pub mod pushgateway;

#[cfg(test)]
mod tests;

#[cfg(feature = "gzip")]
pub use gzip::{accepts_gzip, gzip};
#[cfg(feature = "prometheus-listener")]
pub(crate) use listener::Listener;
pub use negotiate::{Dialect, Format};
pub use options::PageOptions;
pub use page::Page;

pub use crate::exposition::{Escaping, Translation};

use crate::{metric::Snapshot, resource::Resource};

/// Renders `snapshot` as a page. For repeated scrapes, keep a [`Page`].
///
/// All formats but [`Format::Protobuf`] are UTF-8.
///
/// # Examples
///
/// ```
/// use bellwether::{
///     export::prometheus::{Dialect, render},
///     metric::Registry,
///     resource::Resource,
/// };
///
/// let dialect = Dialect::negotiate(Some("application/openmetrics-text"));
/// let page = render(&Registry::new().snapshot(), &Resource::default(), dialect);
/// assert_eq!(page, b"# EOF\n");
/// assert!(dialect.content_type().starts_with("application/openmetrics-text; version=1.0.0"));
/// ```
#[must_use]
pub fn render(snapshot: &Snapshot, resource: &Resource, dialect: impl Into<Dialect>) -> Vec<u8> {
    Page::new(dialect).render(snapshot, resource).to_vec()
}

/// Appends the page of `snapshot` to `page`, whose capacity can be reused this way.
pub fn render_into(
    page: &mut Vec<u8>,
    snapshot: &Snapshot,
    resource: &Resource,
    dialect: impl Into<Dialect>,
) {
    page.extend(Page::new(dialect).render(snapshot, resource));
}
