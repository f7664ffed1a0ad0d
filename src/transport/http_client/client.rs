//! A client: an endpoint and its others, used on one thread, which it blocks.

use std::{
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;
use reqwest::{ClientBuilder, Method, Url, header::CONTENT_ENCODING};

use super::{
    answer::{self, FailureKind, HttpAnswer, HttpFailure},
    compression::Compression,
    endpoint::Endpoint,
    place::Place,
};
use crate::{
    clock::{self, Deadline},
    error::{Error, ErrorKind},
};

/// Sends requests to an endpoint, one after the other. It can be made anywhere; the connections are made at
/// the first request.
pub(crate) struct HttpClient {
    places: Vec<Place>, // Never empty.
    /// The place that was asked last.
    at: usize,
    /// When to ask the first place again, while another is asked.
    return_at: Option<Instant>,
    /// The body of a request that failed, as it was sent.
    packed: Option<Packed>,
    /// Where the endpoint does not say.
    compression: Compression,
    /// Whether bodies are compressed at all.
    pub(super) packs: bool,
    /// How many bodies were compressed.
    pub(super) n_packed: usize,
    /// Chooses the version of HTTP.
    pub(super) version: fn(ClientBuilder) -> ClientBuilder,
    /// How long another place is asked before the first one is again.
    pub(super) return_after: Duration,
}

/// A request, whatever its method.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    /// What follows the path of the endpoint's URL.
    pub(super) path: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: Option<Bytes>,
    pub(super) most_answer: usize,
}

/// A body and what compression made of it.
struct Packed {
    of: Bytes,
    by: Compression,
    body: Bytes,
}

/// A minute of the second place's answers costs the first one's a minute. Arbitrary.
const RETURN_AFTER: Duration = Duration::from_secs(60);

impl HttpClient {
    pub(crate) fn new(endpoint: impl Into<Endpoint>) -> Self {
        Self {
            places: endpoint.into().into_all().into_iter().map(Place::new).collect(),
            at: 0,
            return_at: None,
            packed: None,
            compression: Compression::None,
            packs: true,
            n_packed: 0,
            version: ClientBuilder::http1_only,
            return_after: RETURN_AFTER,
        }
    }

    /// Compresses bodies by `compression` where the endpoint does not say how.
    pub(crate) fn compressing(self, compression: Compression) -> Self {
        Self { compression, ..self }
    }

    /// How bodies are compressed, for whoever does it otherwise, as gRPC does.
    #[allow(dead_code, reason = "for gRPC")]
    pub(crate) fn compression(&self) -> Compression {
        self.places[0].endpoint.compression_or(self.compression)
    }

    /// How long a request may take.
    pub(crate) fn time_limit(&self) -> Duration {
        self.places[0].endpoint.time_limit()
    }

    /// Whether the path of its first URL ends so, but for a slash.
    #[cfg(any(feature = "zipkin", feature = "loki"))]
    pub(crate) fn path_ends_with(&self, end: &str) -> bool {
        self.places.first().is_some_and(|place| place.endpoint.path_ends_with(end))
    }

    /// Whether requests could be sent, as far as this is known without sending one: URLs, headers, secrets,
    /// certificates.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for place in &self.places {
            let result = place.endpoint.check().and_then(|()| place.check());
            result.map_err(|what| Error::new(ErrorKind::InvalidOption, what))?;
        }
        Ok(())
    }

    /// Asks the place that answered last, and the others in turn where that is no use.
    pub(super) fn ask(
        &mut self,
        request: &Request<'_>,
        deadline: &Deadline,
    ) -> Result<HttpAnswer, HttpFailure> {
        let latest = clock::deadline(self.time_limit());
        let mut order = self.order().into_iter().peekable();
        loop {
            let at = order.next().unwrap_or_default();
            self.at = at;
            let result = self.ask_one(request, latest, deadline);
            let is_over = latest.min(deadline.instant()) <= clock::real_instant();
            if order.peek().is_none() || is_over || !is_elsewhere_better(&result) {
                self.settle(&result, order.next());
                return result;
            }
        }
    }

    #[cfg(test)]
    pub(super) fn return_now(&mut self) {
        self.return_at = Some(clock::real_instant());
    }

    /// The places in the order in which they are asked now.
    fn order(&self) -> Vec<usize> {
        let n = self.places.len();
        let mut order: Vec<usize> = (0..n).map(|step| (self.at + step) % n).collect();
        if self.return_at.is_some_and(|at| at <= clock::real_instant()) {
            order.retain(|&at| at != 0);
            order.insert(0, 0);
        }
        order
    }

    /// Notes where the next request goes: to the place of this one, or to `next` where this one hung.
    fn settle(&mut self, result: &Result<HttpAnswer, HttpFailure>, next: Option<usize>) {
        let hung = result.as_ref().is_err_and(|failure| failure.kind == FailureKind::TimedOut);
        if let Some(next) = next
            && hung
        {
            self.at = next;
        }
        let now = clock::real_instant();
        if self.at == 0 {
            self.return_at = None;
        } else if self.return_at.is_none_or(|at| at <= now) {
            self.return_at = Some(now + self.return_after);
        }
    }

    /// Asks the place at which it is.
    fn ask_one(
        &mut self,
        request: &Request<'_>,
        latest: Instant,
        deadline: &Deadline,
    ) -> Result<HttpAnswer, HttpFailure> {
        let endpoint = self.places[self.at].endpoint.clone();
        let name = endpoint.to_string();
        let latest = latest.min(clock::deadline(endpoint.time_limit()));
        let failed = |what| HttpFailure::unconnected(format!("{name}: {what}"));
        let mut url = endpoint.permitted().map_err(HttpFailure::forbidden)?.clone();
        extend(&mut url, request.path);
        let body = match &request.body {
            Some(body) => Some(self.encoded(body, &endpoint).map_err(failed)?),
            None => None,
        };
        let place = &mut self.places[self.at];
        let client = place.connected(self.version).map_err(failed)?;
        let mut asked = client.request(request.method.clone(), url);
        for (header, value) in request.headers {
            asked = asked.header(*header, *value);
        }
        asked = endpoint.with_credentials(asked).map_err(failed)?;
        if let Some((body, encoding)) = body {
            asked = asked.body(body);
            if let Some(encoding) = encoding {
                asked = asked.header(CONTENT_ENCODING, encoding);
            }
        }
        let (most, mut answer) = (request.most_answer, None);
        let work = async { answer::read(asked.send().await, most, &name, &mut answer).await };
        let ended = place.run(latest, deadline, work);
        let ended = ended.unwrap_or_else(|| Err(HttpFailure::timed_out(&name)));
        let result = answer::decide(ended, answer, &name);
        if result.as_ref().is_ok_and(HttpAnswer::is_success) {
            self.packed = None;
        }
        result
    }

    /// The body as it is sent to `endpoint`, and its encoding. What was compressed is kept until a request
    /// succeeds, so that one that is sent again is not compressed again.
    fn encoded(
        &mut self,
        body: &Bytes,
        endpoint: &Endpoint,
    ) -> Result<(Bytes, Option<&'static str>), String> {
        let by =
            if self.packs { endpoint.compression_or(self.compression) } else { Compression::None };
        let Some(encoding) = by.encoding() else { return Ok((body.clone(), None)) };
        let packed = match self.packed.take() {
            Some(packed) if packed.by == by && packed.of == *body => packed,
            _ => {
                self.n_packed += 1;
                let packed = by.compress(body).map_err(|error| format!("compression: {error}"))?;
                Packed { of: body.clone(), by, body: packed.into() }
            }
        };
        Ok((self.packed.insert(packed).body.clone(), Some(encoding)))
    }
}

/// Appends a path, and what is behind its `?` to the query.
fn extend(url: &mut Url, more: &str) {
    let (path, query) = more.split_once('?').unwrap_or((more, ""));
    if !path.is_empty() {
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
    }
    if !query.is_empty() {
        let own = url.query().filter(|own| !own.is_empty());
        let whole = own.map_or_else(|| query.to_owned(), |own| format!("{own}&{query}"));
        url.set_query(Some(&whole));
    }
}

/// Whether another place may do what this one did not.
fn is_elsewhere_better(result: &Result<HttpAnswer, HttpFailure>) -> bool {
    match result {
        Ok(answer) => matches!(answer.status.as_u16(), 502..=504),
        Err(failure) => {
            matches!(failure.kind, FailureKind::NotConnected | FailureKind::Forbidden)
        }
    }
}

/// A clone has connections of its own.
impl Clone for HttpClient {
    fn clone(&self) -> Self {
        Self {
            places: self.places.iter().map(|place| Place::new(place.endpoint.clone())).collect(),
            at: 0,
            return_at: None,
            packed: None,
            ..*self
        }
    }
}

/// As the endpoint that was asked last.
impl fmt::Display for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.places[self.at].endpoint.fmt(f)
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints: Vec<&Endpoint> = self.places.iter().map(|place| &place.endpoint).collect();
        f.debug_struct("HttpClient").field("endpoints", &endpoints).finish_non_exhaustive()
    }
}
