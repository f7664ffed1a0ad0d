//! Logs to syslog: to rsyslog, syslog-ng, and whatever else takes messages of RFC 5424, over UDP, TCP, TLS or a local
//! socket.
//!
//! # What is sent, and when?
//!
//! A message for each log record, when a batch of 512 is full or a second old, at each flush and at shutdown. Over
//! UDP and to a local socket each is a datagram; over TCP and TLS, many are written at a time, each with its length
//! before it ([`SyslogFraming`]).
//!
//! ```text
//! <12>1 2026-11-28T09:15:02.123456Z eu-1 shop 4711 shop::pay [bellwether@32473 trace_id="…" cart="7"] refused
//! ```
//!
//! | field | is |
//! |---|---|
//! | PRI | 8 × the [facility](Syslog::facility), `user` by default, + the severity |
//! | TIMESTAMP | when it happened, in UTC, with microseconds |
//! | HOSTNAME | `host.name` of the resource, or what the system calls itself; or [as set](Syslog::host_name) |
//! | APP-NAME | `service.name`; or [as set](Syslog::app_name) |
//! | PROCID | the id of the process |
//! | MSGID | the name of the event, or else the target |
//! | STRUCTURED-DATA | one element, with the parameters below |
//! | MSG | the body, in UTF-8 |
//!
//! Parameters are, as far as there are such: `trace_id`, `span_id`; the attributes, by their keys; `target`, where
//! MSGID does not have all of it; `severity_text`; `repeated`, `suppressed`, `dropped_attributes_count`,
//! `truncated_texts`; `observed`, where that is not the time; some attributes of the resource
//! ([`resource_params`](Syslog::resource_params)); `code.file.path` and `code.line.number`. An attribute with one of
//! these names has `_` behind it.
//!
//! Severities are `debug` for `TRACE` and `DEBUG`, `info`, `notice` for `INFO2` to `INFO4`, `warning`, `err`, `crit`
//! for `ERROR2` to `ERROR4`, `alert` for `FATAL`, and `emerg` for `FATAL4` alone: receivers show an emergency on
//! every terminal. What that does not say is in `severity_text`.
//!
//! The id of the element is `bellwether@32473`, unless [another is set](Syslog::sd_id). The number is to be that of
//! an enterprise, so that two never mean different things by one id. A library has none; 32473 is the one that is
//! nobody's, because it is kept for examples (RFC 5612). Whoever has a number puts it there.
//!
//! # What a message cannot express
//!
//! - A header has printable ASCII without spaces, and so have names of parameters, without `=`, `]` and `"`: for
//!   each other character stands `_`. HOSTNAME ends after 255 characters, APP-NAME after 48, MSGID and names of
//!   parameters after 32. Two keys that become one name are both there.
//! - A NUL would end the message for many receivers: U+FFFD stands for it.
//! - Line feeds are sent as they are, unless the [framing](SyslogFraming::LineFeed) forbids it. rsyslog writes
//!   `#012` for each, unless `parser.escapeControlCharactersOnReceive` is off.
//! - A message may have 2,048 bytes over UDP and 8,192 elsewhere ([`max_message`](Syslog::max_message)). Of a longer
//!   one, parameters that find no room are left out, and the text is cut between two characters; it keeps at least
//!   half of the room. The parameters `left_out`, with a number, and `truncated` say so, and a diagnostic says how
//!   many messages it was.
//!
//! # What happens when the receiver is down, slow, or says no?
//!
//! A receiver never answers. While there is no connection, it reads too slowly, or its certificate is none to trust,
//! messages wait in the route's queue and are sent again, from the one on that was not sent, as long as
//! [`Retry`](crate::pipeline::Retry) says. What does not fit into the queue is dropped and counted. Of a message that
//! was cut off with its connection, a receiver that counts octets takes nothing.
//!
//! Over UDP it can be seen that nobody listens: of each datagram on the own machine, and of a later one elsewhere,
//! where the network says so. A message that is larger than the system's datagrams is rejected and counted.
//!
//! # What may be lost or doubled?
//!
//! - Over UDP: each datagram that a network or a full receiver drops, and some while another machine's receiver is
//!   gone. They are counted as delivered.
//! - Over TCP and TLS: when a connection breaks, what the operating systems at both ends held and the receiver had
//!   not read, up to some megabytes by their settings. Nobody acknowledges a message, so it is counted as delivered
//!   as soon as the system has taken it. A connection is looked at before each batch: one that the receiver closed in
//!   the meantime, as at a restart, costs nothing.
//! - To a local socket of datagrams nothing, as long as the receiver lives.
//! - Nothing is sent twice on purpose. But where frames end with a [line feed or NUL](SyslogFraming), a receiver may
//!   take the beginning of a message that was cut off for a whole one, as rsyslog does; then the whole one follows.
//!
//! # Local receivers
//!
//! `Syslog::unix("/dev/log")` finds out itself whether that takes datagrams or a stream. On a stream messages end with
//! NUL, as the C library's do; rsyslog's `imptcp` wants [`OctetCounting`](SyslogFraming::OctetCounting) or line feeds. But most that listen there
//! expect the older format of the C library: rsyslog reads RFC 5424 from its socket with `UseSpecialParser="off"`,
//! systemd's journal not at all. For that there is the feature `journal`.
//!
//! # Examples
//!
//! ```
//! use bellwether::export::syslog::{Syslog, SyslogFacility};
//!
//! let syslog = Syslog::tcp("127.0.0.1:601").facility(SyslogFacility::Local0);
//! let telemetry = bellwether::builder("shop").export(syslog).start()?;
//! # drop(telemetry);
//! # Ok::<(), bellwether::Error>(())
//! ```
//!
//! With the feature `syslog-tls`, `Syslog::tls("logs.example.com:6514")`.

mod data;
mod encoder;
mod options;
mod sender;
#[cfg(test)]
mod tests;
mod text;
#[cfg(feature = "syslog-tls")]
mod tls;

use std::borrow::Cow;
#[cfg(unix)]
use std::path::PathBuf;

pub use self::options::{SyslogFacility, SyslogFraming};
#[cfg(feature = "syslog-tls")]
#[cfg_attr(docsrs, doc(cfg(feature = "syslog-tls")))]
pub use self::tls::SyslogTls;
use self::{
    encoder::Messages,
    options::{Options, Way},
    sender::Send,
};
use super::{Backend, Routes};
use crate::{
    log::LogRecord,
    pipeline::{Encoder, Route},
    transport::socket::{DatagramPlace, StreamPlace},
};

/// Sends logs to syslog; the [module](self) says what, when, and what may go wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct Syslog {
    way: Way,
    framing: SyslogFraming,
    options: Options,
}

impl Syslog {
    /// Sends to `host:port` over UDP (RFC 5426); the port of syslog is 514. A name is looked up every half a minute.
    pub fn udp(place: impl Into<String>) -> Self {
        Self::new(Way::Udp(place.into()))
    }

    /// Sends to `host:port` over TCP (RFC 6587); the port is mostly 601 or 514.
    pub fn tcp(place: impl Into<String>) -> Self {
        Self::new(Way::Stream(StreamPlace::Tcp(place.into())))
    }

    /// Sends to a receiver over TLS (RFC 5425).
    #[cfg(feature = "syslog-tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "syslog-tls")))]
    pub fn tls(receiver: impl Into<SyslogTls>) -> Self {
        Self::new(Way::Stream(StreamPlace::Tls(receiver.into().0)))
    }

    /// Sends to a Unix socket, such as `/dev/log`: in datagrams, or where it takes none, as a stream.
    #[cfg(unix)]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::new(Way::Local(path.into()))
    }

    fn new(way: Way) -> Self {
        let (framing, options) = (way.usual_framing(), Options::new(way.usual_bytes()));
        Self { way, framing, options }
    }

    /// Sets which part of the system the messages are of.
    pub fn facility(mut self, facility: SyslogFacility) -> Self {
        self.options.facility = facility;
        self
    }

    /// Sets the HOSTNAME: best with its domain.
    pub fn host_name(mut self, name: impl Into<String>) -> Self {
        self.options.host_name = Some(name.into());
        self
    }

    /// Sets the APP-NAME.
    pub fn app_name(mut self, name: impl Into<String>) -> Self {
        self.options.app_name = Some(name.into());
        self
    }

    /// Sets the id of the structured data: `name@number`, where the number is that of your enterprise at IANA, and
    /// may go on with dots. Another one is an error at start.
    pub fn sd_id(mut self, id: impl Into<Cow<'static, str>>) -> Self {
        self.options.sd_id = id.into();
        self
    }

    /// Sets which attributes of the resource are parameters, and their names: by default `service.namespace`,
    /// `service.instance.id` and `deployment.environment.name`, by their own. An attribute of the record by such a
    /// name stands in its place.
    pub fn resource_params<K, N>(mut self, params: impl IntoIterator<Item = (K, N)>) -> Self
    where
        K: Into<Cow<'static, str>>,
        N: Into<Cow<'static, str>>,
    {
        let params = params.into_iter();
        self.options.resource_params =
            params.map(|(key, name)| (key.into(), name.into())).collect();
        self
    }

    /// Puts U+FEFF before each text, which RFC 5424 asks for where that is UTF-8. Most receivers take it for a part
    /// of the text, and show it as noise, so that it is left out by default.
    pub fn bom(mut self) -> Self {
        self.options.has_bom = true;
        self
    }

    /// The most bytes of a message, 480 at least; the receiver has to take as many (rsyslog's `maxMessageSize` is
    /// 8 KiB by default).
    pub fn max_message(mut self, n_bytes: usize) -> Self {
        self.options.most_bytes(n_bytes);
        self
    }

    /// Sets how a stream is taken apart into messages. Datagrams need nothing of it.
    pub fn framing(self, framing: SyslogFraming) -> Self {
        Self { framing, ..self }
    }

    /// What writes the messages; for tests and benches.
    #[doc(hidden)]
    pub fn logs_encoder(&self) -> impl Encoder<LogRecord> + use<> {
        Messages::new(self.options.clone())
    }
}

impl Backend for Syslog {
    fn routes(self, routes: &mut Routes) {
        routes.add(Route::from(self));
    }
}

impl From<Syslog> for Route<LogRecord> {
    fn from(syslog: Syslog) -> Self {
        let Syslog { way, framing, options } = syslog;
        let send = match way {
            Way::Udp(place) => Send::datagrams(DatagramPlace::Udp(place)),
            Way::Stream(place) => Send::stream(place, framing),
            #[cfg(unix)]
            Way::Local(path) => Send::local(path, framing),
        };
        Self::wire(Messages::new(options), send)
    }
}
