//! Metrics, spans and logs as messages to RabbitMQ, by AMQP 0-9-1.
//!
//! # What is sent, and when?
//!
//! Each signal has a route of its own, named `rabbitmq`, and a routing key of its own: `telemetry.metrics`,
//! `telemetry.spans`, `telemetry.logs`. The default exchange, which has no name, passes them to the queues of these
//! names; one of yours ([`exchange`](RabbitMq::exchange)) as it is bound. Metrics are sent every ten seconds, at each
//! flush and at shutdown; spans and logs when a batch of 512 is full or a second old. The records of a batch become as
//! many [messages](super::message) of at most 256 KiB as are needed; up to 1,000 are published before their confirmations
//! are waited for.
//!
//! A message is persistent and has the properties `message_id`, `content_type`, `type` (the signal), and with
//! [`keyed`](RabbitMq::keyed) the headers `key` and `traceparent`.
//!
//! # What happens when RabbitMQ is down, slow, or says no?
//!
//! | answer | what follows |
//! |---|---|
//! | a confirmation | the records are delivered |
//! | no connection, a broken one, no answer in time, credentials that are refused | what has no confirmation is sent again, as long as [`Retry`](crate::pipeline::Retry) says; the password is read anew |
//! | a blocked connection, for want of memory or disk | the same, when the time of the attempt is over |
//! | a negative confirmation, as of a queue that is full; a channel that is closed, as for an exchange that is not there | the same |
//! | the message comes back: no queue takes it | the same; with [`reject_unroutable`](RabbitMq::reject_unroutable) its records are dropped, with the reason `rejected` |
//!
//! A record that is larger than a message may be, or that its format cannot express, is rejected and counted.
//!
//! # What may be lost or doubled?
//!
//! A durable queue has what it confirmed, though the server be killed. What a queue drops by its limits is gone, read or
//! not.
//!
//! AMQP has no key against doubles: what was published before a time-out or a broken connection may be there twice, with
//! the same `message_id`, by which a reader knows it again.
//!
//! The messages of a queue are in the order of the records. An outage changes nothing of that; a server that refuses one
//! message of a round and takes a later one does.
//!
//! # Limits
//!
//! - The connection stands still while nothing is sent, heartbeats too: after half the time that was agreed for these
//!   (usually 30 seconds) it is opened anew for the next message. An interval of metrics of ten seconds keeps it.
//! - The client, `lapin`, has a thread for each connection, `lapin-io-loop`, which is not
//!   [muted](crate::trace::mute): what it says by `tracing` (at `TRACE` and `DEBUG`, of errors at `ERROR`) should be
//!   filtered where such events become log records that go to RabbitMQ.
//! - TLS is rustls, with the roots of the system and those that are given. The URL says `amqps`.
//! - Streams of RabbitMQ are queues here; their own protocol is not spoken.
//!
//! # Examples
//!
//! ```no_run
//! use bellwether::{export::rabbitmq::RabbitMq, transport::Secret};
//!
//! let rabbitmq = RabbitMq::new("amqps://rabbitmq.example.com/%2f")
//!     .user("shop", Secret::from_file("/run/secrets/rabbitmq"))
//!     .declare();
//! let telemetry = bellwether::builder("shop").export(rabbitmq).start()?;
//! # Ok::<(), bellwether::Error>(())
//! ```

mod connection;
mod options;
mod sender;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::{options::Options, sender::Messages};
use crate::{
    export::wire::message::{MessageEncoder, MessageOptions, MessageSignal, message_backend},
    pipeline::{Encoder, Route},
    transport::Secret,
};

/// Sends metrics, spans and logs to RabbitMQ; the [module](self) says what, when, and what may go wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct RabbitMq {
    options: Options,
    messages: MessageOptions,
}

message_backend!(RabbitMq);

impl RabbitMq {
    /// Publishes to the server at `url`: `amqp://HOST:PORT/VHOST`, `amqps://…` for TLS. The virtual host `/` is
    /// written `%2f`.
    ///
    /// A URL that cannot be read is an error of [`Builder::start`](crate::Builder::start).
    pub fn new(url: impl Into<String>) -> Self {
        Self { options: Options::new(url.into()), messages: MessageOptions::default() }
    }

    /// Who asks, in place of what the URL says.
    pub fn user(mut self, name: impl Into<String>, password: Secret) -> Self {
        self.options.user = Some((name.into(), password));
        self
    }

    /// The exchange that messages are published to, in place of the default one.
    pub fn exchange(mut self, name: impl Into<String>) -> Self {
        self.options.exchange = name.into();
        self
    }

    /// What routing keys and the names of queues begin with, in place of `telemetry.`; the signal follows.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = prefix.into();
        self
    }

    /// Makes a durable queue for each signal where it is not there, by its routing key, and the exchange, if it has a
    /// name: a durable one of topics, which the queues are bound to. What is there with other properties is reported,
    /// stays, and is published to.
    pub fn declare(mut self) -> Self {
        self.options.declares = true;
        self
    }

    /// Queues that are [made](Self::declare) are kept by a quorum of the cluster's nodes.
    pub fn quorum(mut self) -> Self {
        self.options.is_quorum = true;
        self
    }

    /// How many messages a queue that is [made](Self::declare) keeps, the newest; without a limit by default.
    pub fn max_length(mut self, n: u64) -> Self {
        self.options.most = Some(n);
        self
    }

    /// Gives up what no queue takes, in place of sending it again until one does.
    pub fn reject_unroutable(mut self) -> Self {
        self.options.rejects_unroutable = true;
        self
    }

    /// Roots that are trusted over TLS, in PEM, besides the system's.
    pub fn root_certificates(mut self, pem: impl Into<String>) -> Self {
        self.options.roots = Some(Arc::from(pem.into()));
        self
    }

    /// The certificate that is shown over TLS, with its key, both in PEM.
    pub fn client_certificate(mut self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.options.identity = Some((Arc::from(chain.as_ref()), Arc::from(key.as_ref())));
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
