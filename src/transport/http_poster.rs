//! The client of HTTP as backends of other crates have it.

use std::fmt;

use super::{
    Compression, Endpoint,
    http_client::{HttpAnswer, HttpClient, HttpFailure, HttpPost},
};
use crate::{clock::Deadline, error::Error};

/// Posts bodies to an [`Endpoint`], for a [`Sender`](crate::pipeline::Sender) of your own: with all options of
/// the endpoint, the same policy and the same limits as the backends that are here.
///
/// It belongs to one thread, which a [`post`](Self::post) blocks until its deadline at most. It can be made
/// anywhere; connections are made at the first post, and stay open.
///
/// # Examples
///
/// ```
/// use bellwether::{
///     Error,
///     pipeline::{Deadline, Payload, SendResult, Sender, Setup},
///     transport::{HttpPost, HttpPoster},
/// };
///
/// struct Lines(HttpPoster);
///
/// impl Sender for Lines {
///     fn start(&mut self, _: &Setup) -> Result<(), Error> {
///         self.0.check()
///     }
///
///     fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
///         let post = HttpPost::new("text/plain", payload.bytes());
///         let answer = self.0.post(post.path("/lines?precision=ns"), deadline)?;
///         answer.settle(&self.0, |status| matches!(status, 429 | 503))
///     }
/// }
///
/// let mut lines = Lines(HttpPoster::new("https://lines.example.com"));
/// lines.start(&Setup::default())?;
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct HttpPoster(HttpClient);

impl HttpPoster {
    /// Creates one that posts to `endpoint`.
    #[must_use]
    pub fn new(endpoint: impl Into<Endpoint>) -> Self {
        Self(HttpClient::new(endpoint))
    }

    /// Compresses bodies by `compression` where the endpoint does not say how. A body that is posted again
    /// after a failure is not compressed again.
    #[must_use]
    pub fn compressing(self, compression: Compression) -> Self {
        Self(self.0.compressing(compression))
    }

    /// Checks what is known without sending anything: URL, headers, secrets, certificates. For
    /// [`Sender::start`](crate::pipeline::Sender::start).
    ///
    /// # Errors
    ///
    /// What of the endpoint cannot be used.
    pub fn check(&self) -> Result<(), Error> {
        self.0.check()
    }

    /// How long a post may take, as the endpoint says: for
    /// [`Settings::attempt_timeout`](crate::pipeline::Settings::attempt_timeout).
    #[must_use]
    pub fn time_limit(&self) -> std::time::Duration {
        self.0.time_limit()
    }

    /// Posts, and waits for the answer until `deadline`, and no longer than the endpoint's time-out.
    ///
    /// # Errors
    ///
    /// There is no answer: no connection, none in time, one that breaks off or is too long. It converts into
    /// the [`ExportError`](crate::pipeline::ExportError) that it is. An answer that says no is not an error
    /// here.
    pub fn post(
        &mut self,
        post: HttpPost<'_>,
        deadline: &Deadline,
    ) -> Result<HttpAnswer, HttpFailure> {
        self.0.post(post, deadline)
    }
}

/// Scheme, host and port of the endpoint that was asked last.
impl fmt::Display for HttpPoster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
