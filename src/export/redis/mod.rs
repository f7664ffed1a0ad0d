//! Metrics, spans and logs as messages to Redis and Valkey: in streams, or by channels.
//!
//! # What is sent, and when?
//!
//! Each signal has a route of its own, named `redis`, and a stream or a channel of its own: `telemetry:metrics`,
//! `telemetry:spans`, `telemetry:logs`. Metrics are sent every ten seconds, at each flush and at shutdown; spans and
//! logs when a batch of 512 is full or a second old. The records of a batch become as many [messages](super::message)
//! of at most 256 KiB as are needed, which are sent in one round trip.
//!
//! An entry of a stream has the fields `id`, `signal`, `content-type`, with [`keyed`](Redis::keyed) also `key` and
//! `traceparent`, and at last `body`. A message of a channel is the body alone: a channel has no fields.
//!
//! # What happens when Redis is down, slow, or says no?
//!
//! | answer | what follows |
//! |---|---|
//! | an entry's place, or how many read the channel | the records are delivered |
//! | no connection, a broken one, no answer in time, a password that is refused | what has no answer is sent again, as long as [`Retry`](crate::pipeline::Retry) says; the password is read anew |
//! | `OOM`, `MISCONF`, `LOADING`, `BUSY`, `READONLY`, `MASTERDOWN`, `NOREPLICAS`, `CLUSTERDOWN`, `TRYAGAIN` and their like | the messages that were answered so are sent again, over a new connection |
//! | any other: `WRONGTYPE`, `NOPERM`, `ERR` | the records of these messages are dropped, with the reason `rejected`, and the error has what Redis said |
//!
//! A record that is larger than a message may be, or that its format cannot express, is rejected and counted.
//!
//! # What may be lost or doubled?
//!
//! Redis keeps what it took as long as it is configured to: without an append-only file that is synced, a server that is
//! killed loses the newest entries, which count as delivered. A stream is trimmed to about 100,000 messages
//! ([`max_length`](Redis::max_length)), whether they were read or not. What is published by a channel is lost unless
//! somebody listens.
//!
//! Redis adds an entry for each `XADD`: what was sent before a time-out or a broken connection may be there twice, with
//! the same `id`, by which a reader knows it again. With [`deduplicated`](Redis::deduplicated) Redis itself does,
//! and adds it once.
//!
//! The entries of a stream are in the order of the records. An outage changes nothing of that; a server that refuses one
//! message of a round and takes a later one (`OOM`) does.
//!
//! # Limits
//!
//! - The connection stands still while nothing is sent: what Redis closed meanwhile is opened again.
//! - A cluster (`Redis::cluster`, with the feature `redis-cluster`) has each stream in one slot. It was
//!   tried with one node. Sentinels are not asked.
//! - TLS is rustls, with the roots of the system unless others are given. The URL may say `rediss`.
//!
//! # Examples
//!
//! ```no_run
//! use bellwether::{export::redis::Redis, transport::Secret};
//!
//! let redis = Redis::streams("rediss://redis.example.com:6379")
//!     .user("shop", Secret::from_file("/run/secrets/redis"))
//!     .max_length(1_000_000)
//!     .keyed();
//! let telemetry = bellwether::builder("shop").export(redis).start()?;
//! # Ok::<(), bellwether::Error>(())
//! ```
//!
//! What reads it, in `redis-cli`: `XREADGROUP GROUP readers one COUNT 10 BLOCK 5000 STREAMS telemetry:spans >`.

#[cfg(feature = "redis-cluster")]
mod cluster;
#[cfg(not(feature = "redis-cluster"))]
#[path = "cluster_absent.rs"]
mod cluster;
mod connection;
mod options;
mod sender;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use self::{
    options::{Options, Way},
    sender::Messages,
};
use crate::{
    export::wire::message::{MessageEncoder, MessageOptions, MessageSignal, message_backend},
    pipeline::{Encoder, Route},
    transport::Secret,
};

/// Sends metrics, spans and logs to Redis; the [module](self) says what, when, and what may go wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct Redis {
    options: Options,
    messages: MessageOptions,
}

message_backend!(Redis);

impl Redis {
    /// Adds messages to streams (`XADD`) of the server at `url`: `redis://HOST:PORT/DATABASE`, `rediss://…` for TLS,
    /// `unix:///PATH`.
    ///
    /// A URL that cannot be read is an error of [`Builder::start`](crate::Builder::start).
    pub fn streams(url: impl Into<String>) -> Self {
        Self::new(Options::streams(url.into()))
    }

    /// Publishes messages by channels (`PUBLISH`) of the server at `url`. Who does not listen just then misses them.
    pub fn channels(url: impl Into<String>) -> Self {
        Self::new(Options::channels(url.into()))
    }

    fn new(options: Options) -> Self {
        Self { options, messages: MessageOptions::default() }
    }

    /// The server is a node of a cluster, and so are these: each by its URL. One that can be reached is enough.
    #[cfg(feature = "redis-cluster")]
    #[cfg_attr(docsrs, doc(cfg(feature = "redis-cluster")))]
    pub fn cluster<U: Into<String>>(mut self, urls: impl IntoIterator<Item = U>) -> Self {
        self.options.is_cluster = true;
        self.options.urls.extend(urls.into_iter().map(Into::into));
        self
    }

    /// What the names of streams and channels begin with, in place of `telemetry:`; the signal follows.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = prefix.into();
        self
    }

    /// Who asks (`AUTH`), in place of what the URL says.
    pub fn user(mut self, name: impl Into<String>, password: Secret) -> Self {
        self.options.user = Some(name.into());
        self.password(password)
    }

    /// The password of a server without users.
    pub fn password(mut self, password: Secret) -> Self {
        self.options.password = Some(password);
        self
    }

    /// About how many messages a stream keeps (`MAXLEN ~`), the newest: 100,000 by default. `u64::MAX` keeps all, until
    /// the server has no more memory.
    pub fn max_length(mut self, n: u64) -> Self {
        if let Way::Streams { most, .. } = &mut self.options.way {
            *most = (n < u64::MAX).then_some(n);
        }
        self
    }

    /// Has Redis know a message again for so long after it was added, so that what is sent twice is there once. It
    /// takes a key of about 100 bytes for each message until then, and a script in place of `XADD`.
    pub fn deduplicated(mut self, window: Duration) -> Self {
        if let Way::Streams { known, .. } = &mut self.options.way {
            *known = Some(window);
        }
        self
    }

    /// The roots that are trusted over TLS, in PEM, in place of the system's.
    pub fn root_certificates(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.options.roots = Some(Arc::from(pem.as_ref()));
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
