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
//! asks: `http.server.request.duration` in seconds is `http_server_request_duration_seconds`, a
//! counter's sample ends in `_total`, and other characters become `_`, of which no two stand side by
//! side and none at an end of a name. A unit is appended in words, with any prefix of the SI and as a
//! rate: `KiBy` is `_kibibytes`, `By/s` is `_bytes_per_second`, `{request}/s` is `_per_second`. One that
//! is not known is appended as it is. Beyond that:
//!
//! - Two keys of a series that become one share it: their values are joined by `;`, in the order of
//!   the keys. Should two series of a family then have the same labels, they become one: counters,
//!   up-down counters and histograms are added, of gauges the last one stays.
//! - A key that the format reserves gets the prefix `exported_`: `le` on a histogram, and those that
//!   begin with two underscores, in their place: `__name__` is `exported_name_`. One that would begin
//!   with a digit or is empty gets `key_`.
//! - A label that a format gives to the samples of a kind, `quantile` and `window` of a summary, is
//!   reserved there too. A summary's quantiles have the window's length in `window`: `10s`, `1m`.
//! - Values and help are written in full, escaped: no byte of them can end a line or a page.
//!
//! Another [`Translation`] leaves dots and all other characters in names and keys. They then stand in
//! quotes, or are escaped, as the scraper asks ([`Escaping`]).
//!
//! A series whose value a reader would refuse the page for is left out, and so is a family whose name
//! another one has; nothing that was recorded can fail a scrape.
//!
//! The resource is `target_info`, unless a family of the user's takes that name or `target`, or
//! [`PageOptions`] leave it out.
//!
//! # Buckets
//!
//! A histogram without bounds of its own shows those that people query, in a unit of time `le="0.1"`
//! and the like, and powers of two in others ([`PageBounds`](crate::metric::PageBounds)). It is kept
//! in finer buckets, and a count is taken at the first edge of one at or above the bound: a value on
//! the bound is inside, and one at most 1.1 % above it may be. At powers of two, and where a histogram
//! has bounds of its own, counts are exact. In protobuf its own buckets come too, as a native
//! histogram. An exemplar stands on the line of the bounds that its value lies between; it is the
//! newest of those that were kept.

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
mod number;

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "prometheus-listener")]
mod listener;

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

/// Renders `snapshot` as a page; who is scraped again and again keeps a [`Page`].
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

/// Appends the page of `snapshot` to `page`, whose capacity can so be reused.
pub fn render_into(
    page: &mut Vec<u8>,
    snapshot: &Snapshot,
    resource: &Resource,
    dialect: impl Into<Dialect>,
) {
    page.extend(Page::new(dialect).render(snapshot, resource));
}
