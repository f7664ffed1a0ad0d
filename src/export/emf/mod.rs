//! Metrics to Amazon CloudWatch in its embedded metric format: JSON lines from which CloudWatch Logs takes metrics.
//!
//! # What is sent, and when?
//!
//! Every ten seconds, at each flush and at shutdown: a document for all series that have the same labels, on standard
//! output ([`Emf::stdout`]: Lambda, and containers whose output goes to CloudWatch Logs) or to CloudWatch's agent over
//! TCP ([`Emf::agent`]). Counters are sent as what was added since the last time, 0 included, as CloudWatch adds up.
//!
//! | an instrument | is |
//! |---|---|
//! | a counter | the difference |
//! | an up-down counter, a gauge, an info, a state | the value |
//! | a histogram | by choice ([`EmfHistograms`]) its buckets as `Values` and `Counts`, of which CloudWatch has percentiles, with `Max`, `Min`, `Sum` and `Count`; or a metric for each figure |
//! | a summary | a metric for each figure: `.count`, `.sum`, and `.p50`, `.p90`, `.p99` of its shortest window |
//! | labels | dimensions, all in one set; or those of [`dimensions`](Emf::dimensions), and the others as properties |
//! | the unit | CloudWatch's: `Seconds`, `Bytes/Second`; `Count` for a counter without one, and `None` for what CloudWatch does not know |
//!
//! Of the resource, `service.name` is the dimension `service` ([`resource_dimensions`](Emf::resource_dimensions)).
//! Each new combination of dimensions is a metric that Amazon bills, those of `telemetry.*` too:
//! [`Route::views`] drops what is not wanted.
//!
//! # Limits of the format, and how they are kept
//!
//! - A document has at most 100 metrics, a histogram at most 100 buckets, and all at most 200 KiB: what is more goes
//!   into a further document.
//! - A set has at most 30 dimensions: what is more goes into a further set, which is a metric of its own.
//! - Names and values of dimensions are ASCII: `_` stands for all else, and for a value of spaces alone. They are cut
//!   at 240 and 1,024 bytes, names of metrics at 255 characters. A dimension without a value is left out, and a `:` at
//!   the beginning of a name is `_`. How often that was is reported, as the crate reports what it has to say
//!   about itself.
//! - A metric that has the name of one of its dimensions ends in `_`.
//! - A value that is not finite or beyond 2^360 is rejected and counted; of a histogram or a summary, such a figure or
//!   bucket is left out. One that is nearer to 0 than 2^-360 is 0.
//!
//! # What happens when the agent is down, slow, or says no?
//!
//! It answers nothing. While there is no connection, or it reads too slowly, documents wait in the route's queue and
//! are sent again, from the one on that was cut off, as long as [`Retry`](crate::pipeline::Retry) says. What does not
//! fit into the queue is dropped and counted. When standard output is closed, they are rejected and counted; when it
//! blocks, the worker waits. What CloudWatch finds wrong with a document is in its metric `EMFValidationErrors`.
//!
//! # What may be lost or doubled?
//!
//! What the operating system had taken when a connection broke may be lost, and is counted as delivered. A document
//! that was cut off is no JSON, so that it does not count twice; but one that lacked only its line break may, if the
//! agent takes a last line without one.
//!
//! No real CloudWatch was tried, and no agent: what is written is read by strict readers of the specification.
//!
//! # Examples
//!
//! ```
//! use bellwether::export::emf::Emf;
//!
//! let emf = Emf::agent("127.0.0.1:25888", "Shop")
//!     .log_group("/shop/metrics")
//!     .dimensions([vec!["service"], vec!["service", "http.route"]]);
//! let telemetry = bellwether::builder("shop").export(emf).start()?;
//! # drop(telemetry);
//! # Ok::<(), bellwether::Error>(())
//! ```

mod dimensions;
mod document;
mod encoder;
mod names;
mod options;
mod unit;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, io};

pub use self::options::EmfHistograms;
use self::{encoder::Documents, names::Names, options::Options};
use super::{Backend, Routes, wire::streamed};
use crate::{
    error::Error,
    metric::{DataPoint, Temporality},
    pipeline::{Deadline, Encoder, Payload, Route, SendResult, Sender, Setup},
    transport::socket::{Stream, StreamPlace},
    util::standard,
};

/// Sends metrics in CloudWatch's embedded metric format; the [module](self) says what, when, and what may go wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct Emf {
    /// Standard output, if there is none.
    agent: Option<StreamPlace>,
    options: Options,
}

impl Emf {
    /// Prints documents of this namespace on standard output, a line each.
    pub fn stdout(namespace: impl Into<String>) -> Self {
        Self { agent: None, options: Options::new(namespace.into()) }
    }

    /// Sends documents of this namespace to CloudWatch's agent at `host:port` over TCP; its port is 25888. A name is
    /// looked up every half a minute. The agent wants a [`log_group`](Self::log_group), unless it is configured with
    /// one.
    pub fn agent(place: impl Into<String>, namespace: impl Into<String>) -> Self {
        let agent = Some(StreamPlace::Tcp(place.into()));
        Self { agent, options: Options::new(namespace.into()) }
    }

    /// Has the agent write to this group of CloudWatch Logs. The start of the route fails for a name that CloudWatch
    /// does not take, as it does for a namespace or a stream.
    pub fn log_group(mut self, name: impl Into<String>) -> Self {
        self.options.log_group = Some(name.into());
        self
    }

    /// Has the agent write to this stream of the group, in place of one that it names itself.
    pub fn log_stream(mut self, name: impl Into<String>) -> Self {
        self.options.log_stream = Some(name.into());
        self
    }

    /// Sets which labels and dimensions of the resource are dimensions together: for each set, CloudWatch has a metric
    /// of its own. A set that names what a series does not have is left out there; a series that none fits has one of
    /// all its labels, which is the default for all of them.
    pub fn dimensions<S, K>(mut self, sets: impl IntoIterator<Item = S>) -> Self
    where
        S: IntoIterator<Item = K>,
        K: Into<String>,
    {
        let set = |set: S| set.into_iter().map(Into::into).collect();
        self.options.dimensions = sets.into_iter().map(set).collect();
        self
    }

    /// Sets which attributes of the resource are dimensions, and their names. A label of such a name stands in its
    /// place.
    pub fn resource_dimensions<K, N>(mut self, dimensions: impl IntoIterator<Item = (K, N)>) -> Self
    where
        K: Into<Cow<'static, str>>,
        N: Into<Cow<'static, str>>,
    {
        let dimensions = dimensions.into_iter();
        self.options.resource = dimensions.map(|(key, name)| (key.into(), name.into())).collect();
        self
    }

    /// Sets in which form histograms are sent.
    pub fn histograms(mut self, form: EmfHistograms) -> Self {
        self.options.histograms = form;
        self
    }

    /// Has CloudWatch keep each second for three hours, in place of each minute: for an
    /// [interval](Route::interval) below a minute, and at a higher price.
    pub fn high_resolution(mut self) -> Self {
        self.options.is_high_resolution = true;
        self
    }

    /// What writes the documents; for tests and benches.
    #[doc(hidden)]
    pub fn encoder(&self) -> impl Encoder<DataPoint> + use<> {
        Documents::new(self.options.clone())
    }
}

impl Backend for Emf {
    fn routes(self, routes: &mut Routes) {
        routes.add(Route::from(self));
    }
}

impl From<Emf> for Route<DataPoint> {
    fn from(emf: Emf) -> Self {
        let names = Names::of(&emf.options);
        let way = emf
            .agent
            .map_or(Way::Stdout { is_torn: false }, |place| Way::Agent(Stream::new(place)));
        Self::wire(Documents::new(emf.options), Send { way, names }).temporality(Temporality::Delta)
    }
}

/// Sends documents.
#[derive(Debug)]
struct Send {
    way: Way,
    names: Names,
}

#[derive(Debug)]
enum Way {
    Agent(Stream),
    Stdout {
        /// Whether the last line was cut off.
        is_torn: bool,
    },
}

impl Sender for Send {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        if let Way::Agent(stream) = &self.way {
            stream.check()?;
        }
        self.names.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        match &mut self.way {
            Way::Agent(stream) => {
                let place = stream.place().clone();
                streamed::send(payload, place, |_| false, |bytes| stream.write(bytes, deadline))
            }
            Way::Stdout { is_torn } => {
                let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
                streamed::send(payload, "standard output", is_closed, |bytes| {
                    streamed::write_lines(&mut standard::Stdout, bytes, is_torn)
                })
            }
        }
    }

    fn name(&self) -> &str {
        "emf"
    }

    fn destination(&self) -> Option<String> {
        match &self.way {
            Way::Agent(stream) => Some(stream.place().to_string()),
            Way::Stdout { .. } => None,
        }
    }
}
