//! Metrics to a Prometheus Pushgateway: for batch jobs, which end before anybody scrapes them.
//!
//! # What is sent, and when?
//!
//! The whole [page](super), every ten seconds, at each flush, and a last time at shutdown. The
//! Pushgateway keeps the last one, for Prometheus to scrape, until the next or until somebody deletes it. So a
//! job that took a second is seen as well as one that took an hour.
//!
//! Pages are kept in groups, and each group has one. A group is named by its grouping key: `job`, and whatever
//! labels [`grouping`](Pushgateway::grouping) adds, `instance` say. `job` is the name of the service, unless
//! [`job`](Pushgateway::job) says otherwise. The Pushgateway gives these labels to each series. A label of your
//! own with such a name is called `exported_job`, as Prometheus does it.
//!
//! Two processes with the same grouping key replace each other's page. Where jobs of one name run at the same
//! time, give each a key of its own; but then each leaves a group that somebody has to delete, which
//! [`delete_at_exit`](Pushgateway::delete_at_exit) does.
//!
//! # What happens when the Pushgateway is down, slow, or says no?
//!
//! | answer | what follows |
//! |---|---|
//! | 200, 202 | the page is kept there |
//! | no connection, no answer in time, 429, any 5xx | it is sent again, as long as [`Retry`](crate::pipeline::Retry) says; `Retry-After` is followed |
//! | 400: another group has a metric of the same name and another type, say | it is dropped, with the reason `rejected`, and the error has what the Pushgateway said |
//! | any other, redirects too | as 400 |
//!
//! # What may be lost or doubled?
//!
//! Totals are never doubled: a page replaces the one before. What the last page lacks is lost, so that a job that
//! is killed leaves the page of up to ten seconds before. A job that fails should say so in a metric: a page that
//! nobody replaces looks like one of today, but for `push_time_seconds`, which the Pushgateway adds.
//!
//! Of several readings that wait, after an outage say, the newest is sent alone, and the older ones count as
//! delivered with it: a Pushgateway would have forgotten them.
//!
//! # Limits
//!
//! - A page is sent whole: one that the server finds too large is dropped, with the reason `rejected`.
//! - A route of [differences](crate::metric::Temporality::Delta) sends nothing: they count as `rejected`.
//! - There is no spool: what a job of last night could not push is of no use to that of today.
//! - Prometheus needs `honor_labels: true` where it scrapes a Pushgateway, or it renames `job` and `instance`.
//!
//! # Options
//!
//! | option | default |
//! |---|---|
//! | URL without `/metrics`, credentials, and all else of an [`Endpoint`] | |
//! | [`job`](Pushgateway::job) | `service.name` of the resource |
//! | [`grouping`](Pushgateway::grouping) | `job` alone |
//! | [`keep_others`](Pushgateway::keep_others) | the page replaces the whole group |
//! | [`delete_at_exit`](Pushgateway::delete_at_exit) | the group stays |
//! | [`protobuf`](Pushgateway::protobuf), with native histograms | text |
//! | [`page`](Pushgateway::page), names and `target_info` | those of a scrape |
//!
//! The interval is that of the [`Route`] that it becomes. No environment variables are read.
//!
//! # Examples
//!
//! A batch job needs one line: when its telemetry is dropped, it pushes a last time.
//!
//! ```no_run
//! use bellwether::{Gauge, export::prometheus::pushgateway::Pushgateway, transport::Endpoint};
//!
//! static ROWS: Gauge = Gauge::new("report.rows", "Rows of the last report");
//!
//! let endpoint = Endpoint::new("http://pushgateway:9091").allow_plain_http().allow_private();
//! let telemetry = bellwether::builder("nightly-report").export(Pushgateway::new(endpoint)).start()?;
//! ROWS.set(1_204.0);
//! drop(telemetry);
//! # Ok::<(), bellwether::Error>(())
//! ```

mod encoder;
mod group;
mod options;
mod sender;
#[cfg(test)]
mod tests;

use self::{encoder::Pages, options::Options, sender::Push};
use super::PageOptions;
use crate::{
    export::{Backend, Routes},
    metric::DataPoint,
    pipeline::Route,
    transport::{Endpoint, http_client::HttpClient},
};

/// Pushes metrics to a Pushgateway; the [module](self) says what, when, and what may go wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct Pushgateway {
    endpoint: Endpoint,
    options: Options,
}

impl Pushgateway {
    /// Pushes to the Pushgateway at `endpoint`: `http://pushgateway:9091`, with a path where it has a prefix.
    pub fn new(endpoint: impl Into<Endpoint>) -> Self {
        Self { endpoint: endpoint.into(), options: Options::default() }
    }

    /// Sets the label `job`, which is not empty.
    pub fn job(mut self, job: impl Into<String>) -> Self {
        self.options.job = Some(job.into());
        self
    }

    /// Adds a label to the grouping key. A second one of the same name replaces the first. The start of the
    /// route fails for `job`, `le` and `quantile`, for a name that is not one of Prometheus' (letters, digits and
    /// `_`), and for one that begins with `__`.
    pub fn grouping(mut self, label: impl Into<String>, value: impl Into<String>) -> Self {
        let label = label.into();
        self.options.labels.retain(|(other, _)| *other != label);
        self.options.labels.push((label, value.into()));
        self
    }

    /// Leaves what others pushed into the group, save metrics of the same names: `POST` in place of `PUT`. Then
    /// a metric that is gone from the page stays in the group.
    pub fn keep_others(mut self) -> Self {
        self.options.keeps_others = true;
        self
    }

    /// Deletes the group at shutdown, after the last page: for what should be seen only while it runs. What
    /// others pushed into it goes too. A process that dies leaves it.
    pub fn delete_at_exit(mut self) -> Self {
        self.options.deletes_at_exit = true;
        self
    }

    /// Pushes protobuf, which has native histograms and exemplars; a Pushgateway takes them since 1.5.
    pub fn protobuf(mut self) -> Self {
        self.options.is_protobuf = true;
        self
    }

    /// Sets the names on the page, and what is on it besides metrics.
    pub fn page(mut self, page: PageOptions) -> Self {
        self.options.page = page;
        self
    }
}

impl Backend for Pushgateway {
    fn routes(self, routes: &mut Routes) {
        routes.add(Route::from(self));
    }
}

impl From<Pushgateway> for Route<DataPoint> {
    fn from(Pushgateway { endpoint, options }: Pushgateway) -> Self {
        let client = HttpClient::new(endpoint);
        let timeout = client.time_limit();
        let push = Push::new(client, options.clone());
        Self::wire(Pages::new(options), push).settings(|settings| {
            settings.attempt_timeout = timeout;
            // A reading in one batch, wherever that is possible.
            settings.batch_items = settings.max_items;
            settings.batch_bytes = settings.max_bytes / 2;
        })
    }
}
