//! A client: an endpoint with its connections, used on one thread, which it blocks.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::Client;

use super::{connection::Connection, endpoint::Endpoint};
use crate::{
    clock::{self, Deadline},
    error::Error,
    sync::atomic::AtomicUsize,
};

/// Sends requests to an endpoint, one after the other. It can be made anywhere; the connections are made at
/// the first request.
pub(crate) struct HttpClient {
    pub(super) endpoint: Endpoint,
    connection: Option<Connection>,
    n_resolving: Arc<AtomicUsize>,
}

impl HttpClient {
    pub(crate) fn new(endpoint: impl Into<Endpoint>) -> Self {
        Self { endpoint: endpoint.into(), connection: None, n_resolving: Arc::default() }
    }

    /// How long a request may take.
    pub(crate) fn time_limit(&self) -> Duration {
        self.endpoint.time_limit()
    }

    /// As [`Endpoint::path_ends_with`].
    #[cfg(feature = "zipkin")]
    pub(crate) fn path_ends_with(&self, end: &str) -> bool {
        self.endpoint.path_ends_with(end)
    }

    /// As [`Endpoint::check`].
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.endpoint.check()
    }

    /// The client, with the connections that are still open.
    pub(super) fn connected(&mut self) -> Result<Client, String> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.endpoint.connect(&self.n_resolving)?,
        };
        Ok(self.connection.insert(connection).client.clone())
    }

    /// The result of `work` with the client. If it does not end within the time-out and by `deadline`,
    /// returns `None` and closes all sockets.
    pub(super) fn run<T>(
        &mut self,
        deadline: &Deadline,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let latest = clock::deadline(self.time_limit());
        let result = self.connection.as_ref()?.run(latest, deadline, work);
        if result.is_none() {
            self.connection = None;
        }
        result
    }
}

/// A clone has connections of its own.
impl Clone for HttpClient {
    fn clone(&self) -> Self {
        Self::new(self.endpoint.clone())
    }
}

/// As the endpoint.
impl fmt::Display for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// An error with its causes, but without the URL that reqwest prints.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut text = "the request failed".to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
