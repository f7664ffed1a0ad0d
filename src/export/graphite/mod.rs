//! Metrics to Graphite's carbon, and to what takes its plain-text lines: VictoriaMetrics, InfluxDB, Telegraf,
//! go-carbon, the OpenTelemetry Collector.
//!
//! # What is sent, and when?
//!
//! At each interval of the route (10 s by default), at each flush and at shutdown: `path value time` and a line
//! feed for each series, over TCP. Counters are totals, of which Graphite's `perSecond` makes a rate.
//!
//! | an instrument | is |
//! |---|---|
//! | a counter, an up-down counter, a gauge, an info, a state | its value, under its name |
//! | a histogram, a summary | lines for `.count`, `.sum`, `.min`, `.max`, `.p50`, `.p90` and `.p99`, since its start; of a summary, the quantiles of its shortest window |
//! | labels | tags, `path;key=value`; or, with [`Graphite::untagged`], their values as parts of the path |
//!
//! Of the resource, `service.name` is the tag `service`, and `host.name` the tag `host`
//! ([`resource_tags`](Graphite::resource_tags)). What a path or a tag cannot hold (white space, controls, `;`, in names
//! `=!^~/` too, in values `"`) is `_`. A label `name` is the tag `name_`: Graphite has the path under `name`.
//!
//! # What happens when carbon is down, slow, or says no?
//!
//! It answers nothing. While there is no connection, or it reads too slowly, lines wait in the route's queue and
//! are sent again, from the line on that was cut off, as long as [`Retry`](crate::pipeline::Retry) says. What does
//! not fit into the queue is dropped and counted. A connection is looked at before each batch, so that one that
//! was closed meanwhile costs nothing. A value that is not finite is rejected and counted, and so is a series whose
//! line would be longer than 16,384 bytes, at which carbon closes the connection.
//!
//! # What may be lost or doubled?
//!
//! What the operating system had taken when a connection broke may be lost, and is counted as delivered. A line
//! that is sent again has the same path and time, so that it replaces itself. So do two processes whose lines have the
//! same path and tags: give them a tag that differs, such as `service.instance.id`, where several of one service run on
//! a host. It makes new series with each start.
//!
//! # Examples
//!
//! ```
//! use bellwether::export::graphite::Graphite;
//!
//! let carbon = Graphite::new("127.0.0.1:2003").prefix("shop.");
//! let telemetry = bellwether::builder("shop").export(carbon).start()?;
//! # drop(telemetry);
//! # Ok::<(), bellwether::Error>(())
//! ```

mod encoder;
mod options;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use self::{encoder::Lines, options::Options};
use super::{Backend, Routes, wire::streamed};
use crate::{
    error::Error,
    metric::DataPoint,
    pipeline::{Deadline, Encoder, Payload, Route, SendResult, Sender, Setup},
    transport::socket::{Stream, StreamPlace},
};

/// Sends metrics to Graphite; the [module](self) says what, when, and what may go wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct Graphite {
    place: StreamPlace,
    options: Options,
}

impl Graphite {
    /// Sends to `host:port` over TCP; carbon's port is 2003. A name is looked up every half a minute.
    pub fn new(place: impl Into<String>) -> Self {
        let resource_tags = RESOURCE_TAGS.map(|(key, tag)| (key.into(), tag.into())).to_vec();
        let options = Options { prefix: String::new(), has_tags: true, resource_tags };
        Self { place: StreamPlace::Tcp(place.into()), options }
    }

    /// Puts this before each path.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = prefix.into();
        self
    }

    /// Writes labels as parts of the path, in the order of their keys, for a Graphite before 1.1: `.` within a
    /// value is `_`. The service is no part of it; [`prefix`](Self::prefix) may have it.
    pub fn untagged(mut self) -> Self {
        self.options.has_tags = false;
        self
    }

    /// Sets which attributes of the resource are tags, and their names. A label of such a name stands in its place.
    pub fn resource_tags<K, T>(mut self, tags: impl IntoIterator<Item = (K, T)>) -> Self
    where
        K: Into<Cow<'static, str>>,
        T: Into<Cow<'static, str>>,
    {
        self.options.resource_tags =
            tags.into_iter().map(|(key, tag)| (key.into(), tag.into())).collect();
        self
    }

    /// What writes the lines; for tests and benches.
    #[doc(hidden)]
    pub fn encoder(&self) -> impl Encoder<DataPoint> + use<> {
        Lines::new(self.options.clone())
    }
}

const RESOURCE_TAGS: [(&str, &str); 2] = [("service.name", "service"), ("host.name", "host")];

impl Backend for Graphite {
    fn routes(self, routes: &mut Routes) {
        routes.add(Route::from(self));
    }
}

impl From<Graphite> for Route<DataPoint> {
    fn from(graphite: Graphite) -> Self {
        Self::wire(Lines::new(graphite.options), Write(Stream::new(graphite.place)))
    }
}

/// Writes lines to a connection.
#[derive(Debug)]
struct Write(Stream);

impl Sender for Write {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.0.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let place = self.0.place().clone();
        streamed::send(payload, place, |_| false, |bytes| self.0.write(bytes, deadline))
    }

    fn name(&self) -> &str {
        "graphite"
    }

    fn destination(&self) -> Option<String> {
        Some(self.0.place().to_string())
    }
}
