//! The Prometheus page: a snapshot as text, in the two dialects that scrapers ask for.
//!
//! This is no exporter but a reader: nothing is queued, and a page is made when somebody asks.
//! [`render`] makes it for users who serve it themselves, with [`Format::negotiate`] and
//! [`Format::content_type`] for the headers.
//!
//! What is sent, and when? All series of the snapshot, at each scrape, cumulative since the process
//! started. What happens when Prometheus is away? Nothing: the next scrape has the sums. What may be
//! lost or doubled? A gauge's values between two scrapes; nothing else.
//!
//! # Names
//!
//! Names and label keys are mapped as OpenTelemetry's "Prometheus and OpenMetrics Compatibility"
//! asks: `http.server.request.duration` in seconds is `http_server_request_duration_seconds`, a
//! counter's sample ends in `_total`, and other characters become `_`. Beyond that:
//!
//! - Two keys of a series that become one share it: their values are joined by `;`, in the order of
//!   the keys. Should two series of a family then have the same labels, they become one: counters,
//!   up-down counters and histograms are added, of gauges the last one stays.
//! - A key that the format reserves gets the prefix `exported_`: `le` on a histogram, and those that
//!   begin with two underscores, such as `__name__`. One that would begin with a digit or is empty
//!   gets `key_`.
//! - Values and help are written in full, escaped: no byte of them can end a line or a page.
//!
//! A histogram shows a fixed ladder of bounds on which its counts are exact. The resource is
//! `target_info`, unless a family of the user's takes that name or `target`.

mod encode;
mod labels;
mod negotiate;
mod number;

#[cfg(feature = "prometheus-listener")]
mod listener;

#[cfg(test)]
mod tests;

#[cfg(feature = "prometheus-listener")]
pub(crate) use listener::Listener;
pub use negotiate::Format;

use crate::{metric::Snapshot, resource::Resource};

/// Renders `snapshot` as a page.
#[must_use]
pub fn render(snapshot: &Snapshot, resource: &Resource, format: Format) -> String {
    let mut page = String::new();
    render_into(&mut page, snapshot, resource, format);
    page
}

/// Appends the page of `snapshot` to `page`, whose capacity can so be reused.
pub fn render_into(page: &mut String, snapshot: &Snapshot, resource: &Resource, format: Format) {
    encode::Encoder::new(page, format).snapshot(snapshot, resource);
}
