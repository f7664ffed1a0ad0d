//! Metrics to whatever takes Prometheus' remote write: Prometheus itself, Mimir, Thanos, Cortex,
//! VictoriaMetrics, Grafana Cloud.
//!
//! # What is sent, and when?
//!
//! All series, at the [interval](Route::interval) of the route (10 s), at each flush, and a last time at
//! shutdown. They are what a scrape of the [page](super::prometheus) would have brought, under the same
//! names and labels:
//!
//! - `job` is `service.namespace/service.name`, or the name alone, and `instance` is
//!   `service.instance.id`; without one it is the host's name and the number of the process. A label
//!   of your own with such a name is called `exported_job` or `exported_instance`.
//! - The resource is `target_info`, unless a family of yours has that name or `target`.
//! - Histograms are sent [classic, native, or both](HistogramForm).
//! - An exemplar is sent once, beside its counter or bucket.
//! - A series that ended has a stale marker at the reading that first lacked it, which is sent with the
//!   reading after. At shutdown all series have one, so that no graph shows a process that is gone.
//! - Samples of a series are in order, and never sent at once: one request follows the other. Where the
//!   wall clock is stepped back, readings follow each other a millisecond apart until it has caught up.
//! - With 2.0, each series has its type, help and unit, and the time when its sum began.
//!
//! A request has the series of at most 2,000 data points.
//!
//! # What happens when the receiver is down, slow, or says no?
//!
//! | answer | what follows |
//! |---|---|
//! | 2xx | the samples are delivered; with 2.0, what the answer says was not written counts as `rejected` |
//! | no connection, no answer in time, 429, any 5xx | they are tried again, as long as [`Retry`](crate::pipeline::Retry) says; `Retry-After` is followed, and later readings wait behind |
//! | 413 | they are sent in two halves |
//! | 415, or a success that does not say what was written, to 2.0 | 1.0 is spoken from then on, unless [`version`](RemoteWrite::version) says otherwise |
//! | any other, redirects too | they are dropped, with the reason `rejected`, and the error has what the receiver said; with 2.0, what the answer says was written counts as delivered |
//!
//! A receiver refuses a request for one bad sample, but keeps the others. With 1.0 it does not say so, and
//! the whole request counts as `rejected`.
//!
//! # What may be lost or doubled?
//!
//! When the queue is full, the oldest readings are dropped: totals lose no increments by that, only
//! resolution. A reading that is sent twice after a time-out is the same to the receiver, which knows each
//! sample by its instant. A process that dies leaves its series without stale markers: they end five
//! minutes later.
//!
//! # Limits
//!
//! - Totals alone are sent: a route of [differences](crate::metric::Temporality::Delta) sends nothing, and
//!   reports that.
//! - The encoder remembers each series that it sent, for as long as it lasts: as many as the registry has.
//! - Series whose labels become equal by their translation are added up, as on a page, within a request;
//!   of those in different requests, the first counts.
//!
//! # Options
//!
//! | option | default |
//! |---|---|
//! | URL with its whole path, headers, and all else of an [`Endpoint`] | |
//! | [`version`](RemoteWrite::version) | 2.0, or 1.0 to a receiver that does not know it |
//! | [`histograms`](RemoteWrite::histograms) | [`HistogramForm::Classic`] |
//! | [`native_buckets`](RemoteWrite::native_buckets) | 160 |
//! | [`translation`](RemoteWrite::translation) | [`Translation::UnderscoreEscapingWithSuffixes`] |
//! | [`job`](RemoteWrite::job), [`instance`](RemoteWrite::instance) | from the resource |
//! | [`without_target_info`](RemoteWrite::without_target_info) | with it |
//!
//! Interval, views, queue and retries are those of the [`Route`] that it becomes. No environment variables
//! are read.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//! use bellwether::{
//!     export::remote_write::{HistogramForm, RemoteWrite}, metric::DataPoint, pipeline::Route,
//!     transport::Endpoint,
//! };
//!
//! let endpoint = Endpoint::new("https://mimir.example.com/api/v1/push").header("x-scope-orgid", "shop");
//! let remote_write = RemoteWrite::new(endpoint).histograms(HistogramForm::Native);
//! let route = Route::<DataPoint>::from(remote_write).interval(Duration::from_secs(30));
//! let telemetry = bellwether::builder("shop").export(route);
//! ```

mod buckets;
mod encoder;
mod family;
mod first;
mod merging;
mod options;
mod sender;
mod series;
mod symbols;
#[cfg(test)]
mod tests;

pub use self::{options::HistogramForm, sender::RemoteWriteVersion};

use self::{encoder::Points, options::Options, sender::Post};
use super::{Backend, Routes};
use crate::{
    exposition::Translation,
    metric::DataPoint,
    pipeline::Route,
    transport::{Endpoint, http_client::HttpClient},
};

/// Sends metrics by Prometheus' remote write; the [module](self) says what, when, and what may go wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct RemoteWrite {
    endpoint: Endpoint,
    version: Option<RemoteWriteVersion>,
    options: Options,
}

impl RemoteWrite {
    /// Sends to `endpoint`, whose URL has the whole path: `/api/v1/write` of Prometheus and of
    /// VictoriaMetrics, `/api/v1/push` of Mimir and Cortex, `/api/v1/receive` of Thanos.
    pub fn new(endpoint: impl Into<Endpoint>) -> Self {
        Self { endpoint: endpoint.into(), version: None, options: Options::default() }
    }

    /// Speaks this version and no other.
    pub fn version(self, version: RemoteWriteVersion) -> Self {
        Self { version: Some(version), ..self }
    }

    /// Sets in which form histograms are sent. Native ones are in 1.0 too, where Prometheus takes them
    /// (since 2.40) though its specification has none.
    pub fn histograms(mut self, form: HistogramForm) -> Self {
        self.options.histograms = form;
        self
    }

    /// The most buckets of a native histogram, as
    /// [`PageOptions::native_buckets`](super::prometheus::PageOptions::native_buckets).
    pub fn native_buckets(mut self, limit: usize) -> Self {
        self.options.native_buckets = limit;
        self
    }

    /// How names are translated. What is not plain afterwards is sent as it is: Prometheus takes it since
    /// 3.0.
    pub fn translation(mut self, translation: Translation) -> Self {
        self.options.translation = translation;
        self
    }

    /// Sets the label `job`; empty for none.
    pub fn job(mut self, job: impl Into<String>) -> Self {
        self.options.job = Some(job.into());
        self
    }

    /// Sets the label `instance`; empty for none. Two processes with the same labels would write into the
    /// same series.
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.options.instance = Some(instance.into());
        self
    }

    /// Leaves out `target_info`, the series of the resource.
    pub fn without_target_info(mut self) -> Self {
        self.options.with_target_info = false;
        self
    }
}

/// The most data points of a request. Prometheus' own queue has 2,000 samples.
const BATCH_ITEMS: usize = 2_000;

impl Backend for RemoteWrite {
    fn routes(self, routes: &mut Routes) {
        routes.add(Route::from(self));
    }
}

impl From<RemoteWrite> for Route<DataPoint> {
    fn from(remote_write: RemoteWrite) -> Self {
        let RemoteWrite { endpoint, version, options } = remote_write;
        let client = HttpClient::new(endpoint);
        let timeout = client.time_limit();
        Self::wire(Points::new(options), Post::new(client, version)).settings(|settings| {
            settings.attempt_timeout = timeout;
            settings.batch_items = BATCH_ITEMS;
        })
    }
}
