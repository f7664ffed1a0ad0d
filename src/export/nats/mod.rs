//! Metrics, spans and logs as messages to JetStream of NATS.
//!
//! # What is sent, and when?
//!
//! Each signal has a route of its own, named `nats`, and a subject of its own: `telemetry.metrics`,
//! `telemetry.spans`, `telemetry.logs`. Metrics are sent every ten seconds, at each flush and at shutdown; spans and
//! logs when a batch of 512 is full or a second old. The records of a batch become as many [messages](super::message)
//! of at most 256 KiB as are needed; up to 1,000 are published before their acknowledgements are waited for.
//!
//! A message has the headers `Nats-Msg-Id`, `signal`, `content-type`, and with [`keyed`](Nats::keyed) also `key` and
//! `traceparent`.
//!
//! A stream has to take the subjects: one of yours, or the one that [`create_stream`](Nats::create_stream) makes.
//!
//! # What happens when NATS is down, slow, or says no?
//!
//! | answer | what follows |
//! |---|---|
//! | an acknowledgement, also of a message that is known | the records are delivered |
//! | no connection, a lost one, no answer in time, credentials that are refused | what has no acknowledgement is sent again, as long as [`Retry`](crate::pipeline::Retry) says; secrets are read anew |
//! | nobody answers: no stream takes the subject, or JetStream is off | the same |
//! | an error of 500 and above: no resources, a full stream that takes nothing new | the same |
//! | a message larger than the server (`max_payload`) or the stream takes, any other error | the records of these messages are dropped, with the reason `rejected`, and the error has what NATS said |
//!
//! A record that is larger than a message may be, or that its format cannot express, is rejected and counted.
//!
//! # What may be lost or doubled?
//!
//! A stream that is kept in a file has what it acknowledged, though the server be killed: it syncs as it is configured
//! to (`sync_interval`), so that a power failure may lose the newest. What a stream drops by its limits is gone, read or
//! not.
//!
//! JetStream knows a message again by its id for two minutes, or what
//! [`duplicate_window`](Nats::duplicate_window) says, and keeps it once. What is sent again later than that may be there
//! twice, with the same id.
//!
//! The messages of a subject are in the order of the records. An outage changes nothing of that, but for messages that
//! the stream took though an answer before theirs was lost: these are known again, in their first place.
//!
//! # Limits
//!
//! - The connection stands still while nothing is sent, and answers no pings: a server closes it after some minutes, and
//!   it is opened again. An interval of metrics of ten seconds keeps it.
//! - TLS is rustls, with the roots of the system unless a file is given. The URL says `tls`, or the server asks for it.
//! - Core NATS without JetStream acknowledges nothing, and is not sent to.
//!
//! # Examples
//!
//! ```no_run
//! use std::time::Duration;
//! use bellwether::export::nats::Nats;
//!
//! let nats = Nats::new("tls://nats.example.com")
//!     .credentials_file("/run/secrets/shop.creds")
//!     .create_stream("TELEMETRY")
//!     .keep(Duration::from_secs(86_400));
//! let telemetry = bellwether::builder("shop").export(nats).start()?;
//! # Ok::<(), bellwether::Error>(())
//! ```

mod connection;
mod options;
mod sender;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, time::Duration};

use self::{
    options::{Identity, Options, StreamOptions},
    sender::Messages,
};
use crate::{
    export::wire::message::{MessageEncoder, MessageOptions, MessageSignal, message_backend},
    pipeline::{Encoder, Route},
    transport::Secret,
};

/// Sends metrics, spans and logs to JetStream; the [module](self) says what, when, and what may go wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct Nats {
    options: Options,
    messages: MessageOptions,
}

message_backend!(Nats);

impl Nats {
    /// Publishes to the server at `url`: `nats://HOST:PORT`, `tls://…` for TLS.
    ///
    /// A URL that cannot be read is an error of [`Builder::start`](crate::Builder::start).
    pub fn new(url: impl Into<String>) -> Self {
        Self { options: Options::new(url.into()), messages: MessageOptions::default() }
    }

    /// Another server of the same cluster, which is asked where the others cannot be reached.
    pub fn or(mut self, url: impl Into<String>) -> Self {
        self.options.urls.push(url.into());
        self
    }

    /// What subjects begin with, in place of `telemetry.`; the signal follows.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = prefix.into();
        self
    }

    /// Who asks, in place of what the URL says. So do the three below; the last of them counts.
    pub fn user(self, name: impl Into<String>, password: Secret) -> Self {
        self.identified(Identity::User(name.into(), password))
    }

    /// A token that says who asks.
    pub fn token(self, token: Secret) -> Self {
        self.identified(Identity::Token(token))
    }

    /// The seed of an NKey.
    pub fn nkey(self, seed: Secret) -> Self {
        self.identified(Identity::Seed(seed))
    }

    /// A file of credentials, as `nsc` writes it: a JWT and a seed. It is read before each connection.
    pub fn credentials_file(self, path: impl Into<PathBuf>) -> Self {
        self.identified(Identity::File(path.into()))
    }

    fn identified(mut self, identity: Identity) -> Self {
        self.options.identity = identity;
        self
    }

    /// Makes this stream, of the three subjects and in files, where it is not there. One that is there stays as it is. A
    /// server that does not allow it is reported, and published to all the same.
    pub fn create_stream(mut self, name: impl Into<String>) -> Self {
        let (name, others) = (name.into(), self.options.stream.take());
        let unlimited =
            StreamOptions { name: String::new(), keep: None, keep_bytes: None, known: None };
        self.options.stream = Some(StreamOptions { name, ..others.unwrap_or(unlimited) });
        self
    }

    /// How long a stream that is made keeps messages; for ever by default. Of effect behind
    /// [`create_stream`](Self::create_stream), as the two below.
    pub fn keep(mut self, time: Duration) -> Self {
        if let Some(stream) = &mut self.options.stream {
            stream.keep = Some(time);
        }
        self
    }

    /// The most bytes that a stream which is made keeps; the oldest messages go.
    pub fn keep_bytes(mut self, n: u64) -> Self {
        if let Some(stream) = &mut self.options.stream {
            stream.keep_bytes = Some(n);
        }
        self
    }

    /// How long a stream that is made knows messages again; two minutes by default.
    pub fn duplicate_window(mut self, window: Duration) -> Self {
        if let Some(stream) = &mut self.options.stream {
            stream.known = Some(window);
        }
        self
    }

    /// The file with the roots that are trusted over TLS, in PEM, in place of the system's.
    pub fn root_certificates_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.roots = Some(path.into());
        self
    }

    /// The files of the certificate that is shown over TLS, and of its key, in PEM.
    pub fn client_certificate_files(
        mut self,
        chain: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.options.certificate = Some((chain.into(), key.into()));
        self
    }

    /// What writes records, with what stands before each; for tests and benches.
    #[doc(hidden)]
    #[allow(private_bounds, reason = "for tests and benches alone")]
    pub fn encoder<S: MessageSignal>(&self) -> impl Encoder<S> + use<S> {
        MessageEncoder::new(self.messages.format().encoder(), self.messages.has_keys)
    }

    fn route<S: MessageSignal>(self) -> Route<S> {
        let encoder = self.encoder();
        let packer = self.messages.packer();
        Route::wire(encoder, Messages::<S>::new(packer, self.options))
    }
}
