//! Metrics to StatsD, and to what takes its lines: Datadog's agent, Telegraf, Vector, `statsd_exporter`, the
//! OpenTelemetry Collector.
//!
//! # What is sent, and when?
//!
//! At each interval of the route (10 s by default), at each flush and at shutdown: a line for each series, many
//! lines in a datagram. Counters are sent as what was added since the last time, so that no line has a sample
//! rate; nothing is sampled.
//!
//! | an instrument | is |
//! |---|---|
//! | a counter | `name:3\|c`, the difference |
//! | an up-down counter, a gauge, an info, a state | `name:2\|g`, the value; a negative one after `name:0\|g`, since most daemons take a sign for a change |
//! | a histogram, a summary | by choice ([`StatsdHistograms`]): its values, or its figures |
//! | labels | tags, as the dialect ([`StatsdDialect`]) writes them |
//!
//! Three attributes of the resource are tags: `service.name` as `service`, `deployment.environment.name` as
//! `env`, `service.version` as `version` ([`resource_tags`](Statsd::resource_tags)); none is a part of the name
//! ([`InName`](StatsdDialect::InName)). A label of the same name stands in its place.
//!
//! # What happens when the agent is down, slow, or says no?
//!
//! Nobody answers a datagram. What can be seen is that nobody listens (over UDP of each datagram on the own
//! machine, and of a later one elsewhere, where the network says so), and that a Unix socket is full or
//! missing. Then lines are sent again, from the datagram on that was not sent, as long as
//! [`Retry`](crate::pipeline::Retry) says. They wait in the route's queue meanwhile; what does not fit is
//! dropped and counted.
//!
//! A line that is longer than a datagram, or whose value is not finite, is rejected and counted.
//!
//! # What may be lost or doubled?
//!
//! A datagram that a network or a full agent drops is lost and counted as delivered. Nothing is sent twice. What
//! is resent late counts for the interval in which it arrives, for a line has no time.
//!
//! # Examples
//!
//! ```
//! use bellwether::export::statsd::{Statsd, StatsdDialect};
//!
//! let agent = Statsd::udp("127.0.0.1:8125").prefix("shop.");
//! let telemetry = bellwether::builder("shop").export(agent).start()?;
//! # drop(telemetry);
//! // Etsy's daemon in front of Graphite.
//! let daemon = Statsd::udp("statsd.internal:8125").dialect(StatsdDialect::InName);
//! # Ok::<(), bellwether::Error>(())
//! ```

mod encoder;
mod line;
mod options;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
#[cfg(unix)]
use std::path::PathBuf;

pub use self::options::{StatsdDialect, StatsdHistograms};
use self::{encoder::Lines, options::Options};
use super::{
    Backend, Routes,
    wire::packed::{self, Split},
};
use crate::{
    error::Error,
    metric::{DataPoint, Temporality},
    pipeline::{Deadline, Encoder, Payload, Route, SendResult, Sender, Setup},
    transport::socket::{DatagramPlace, Datagrams},
};

/// Sends metrics to StatsD; the [module](self) says what, when, and what may go wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct Statsd {
    place: DatagramPlace,
    most_bytes: Option<usize>,
    options: Options,
}

impl Statsd {
    /// Sends to `host:port` over UDP. A name is looked up every half a minute.
    pub fn udp(place: impl Into<String>) -> Self {
        Self::new(DatagramPlace::Udp(place.into()))
    }

    /// Sends to a Unix socket of datagrams, such as `/var/run/datadog/dsd.socket`.
    #[cfg(unix)]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::new(DatagramPlace::Unix(path.into()))
    }

    fn new(place: DatagramPlace) -> Self {
        let options = Options {
            dialect: StatsdDialect::default(),
            histograms: None,
            prefix: String::new(),
            resource_tags: None,
        };
        Self { place, most_bytes: None, options }
    }

    /// Sets where lines have their tags.
    pub fn dialect(mut self, dialect: StatsdDialect) -> Self {
        self.options.dialect = dialect;
        self
    }

    /// Sets in which form histograms are sent.
    pub fn histograms(mut self, form: StatsdHistograms) -> Self {
        self.options.histograms = Some(form);
        self
    }

    /// Puts this before each name.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = prefix.into();
        self
    }

    /// Sets which attributes of the resource are tags, and their names. A label of such a name stands in its place.
    pub fn resource_tags<K, T>(mut self, tags: impl IntoIterator<Item = (K, T)>) -> Self
    where
        K: Into<Cow<'static, str>>,
        T: Into<Cow<'static, str>>,
    {
        let tags = tags.into_iter().map(|(key, tag)| (key.into(), tag.into()));
        self.options.resource_tags = Some(tags.collect());
        self
    }

    /// The most bytes of a datagram: 1,432 by default over UDP, which every path takes, and 8,192 over a Unix
    /// socket. A network of jumbo frames takes 8,932. More than 65,507 over UDP is an error at the start; what the system
    /// finds too large otherwise is sent in halves.
    pub fn max_datagram(self, n_bytes: usize) -> Self {
        Self { most_bytes: Some(n_bytes), ..self }
    }

    /// What writes the lines; for tests and benches.
    #[doc(hidden)]
    pub fn encoder(&self) -> impl Encoder<DataPoint> + use<> {
        Lines::new(self.options.clone())
    }
}

impl Backend for Statsd {
    fn routes(self, routes: &mut Routes) {
        routes.add(Route::from(self));
    }
}

impl From<Statsd> for Route<DataPoint> {
    fn from(statsd: Statsd) -> Self {
        let Statsd { place, most_bytes, options } = statsd;
        let most_bytes = most_bytes.unwrap_or_else(|| place.usual_size());
        Self::wire(Lines::new(options), Send { datagrams: Datagrams::new(place), most_bytes })
            .temporality(Temporality::Delta)
    }
}

/// Sends lines, many in a datagram.
#[derive(Debug)]
struct Send {
    datagrams: Datagrams,
    most_bytes: usize,
}

impl Sender for Send {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.datagrams.check(self.most_bytes)
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        packed::send(payload, &mut self.most_bytes, Split::Lines, |datagram| {
            self.datagrams.send(datagram, deadline)
        })
    }

    fn name(&self) -> &str {
        "statsd"
    }

    fn destination(&self) -> Option<String> {
        Some(self.datagrams.place().to_string())
    }
}
