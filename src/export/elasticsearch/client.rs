//! Asks a server for what it has, and administers it.

use std::{fmt, thread};

use serde_json::Value;

use super::{hit::ElasticPage, options::Options, query::ElasticQuery};
use crate::{
    clock::Deadline,
    transport::{
        Endpoint,
        http_client::{HttpAnswer, HttpClient, HttpFailure, HttpPost, MOST_ANSWER},
    },
};

/// Finds spans, log records and data points that an [`Elasticsearch`](super::Elasticsearch) has sent, and
/// [installs](Self::install) what these need.
///
/// It blocks the thread that calls it until the answer is there, at most for the endpoint's
/// [time-out](Endpoint::timeout); it may be called in asynchronous code too, which it then blocks. Documents can be
/// found a second after they were delivered, unless the index says otherwise.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use bellwether::{
///     clock::Timestamp,
///     export::elasticsearch::{ElasticQuery, Elasticsearch},
/// };
///
/// let mut client = Elasticsearch::new("https://elastic.example.com").client();
/// let now = Timestamp::now();
/// let hour_ago = Timestamp::from_unix_nanos(now.unix_nanos() - 3_600_000_000_000);
/// let query = ElasticQuery::new().from(hour_ago).until(now).text("card refused");
/// let mut page = client.logs(&query)?;
/// loop {
///     for log in &page.hits {
///         println!("{:?} {}", log.time(), log.text("message").unwrap_or_default());
///         if let Some(trace) = log.trace_id() {
///             println!("of {} spans", client.spans(&ElasticQuery::new().trace(trace))?.hits.len());
///         }
///     }
///     let Some(next) = &page.next else { break };
///     page = client.logs(next)?;
/// }
/// # Ok::<(), bellwether::export::elasticsearch::ElasticError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ElasticClient {
    client: HttpClient,
    pub(super) options: Options,
}

/// Why a question to Elasticsearch has no answer.
///
/// It prints who was asked and what was said.
#[derive(Clone, Debug)]
pub struct ElasticError {
    status: Option<u16>,
    kind: Option<String>,
    message: String,
}

impl ElasticError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { status: None, kind: None, message: message.into() }
    }

    /// The status of the answer; `None` if there was none, or one that makes no sense.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// What Elasticsearch calls the error: `index_not_found_exception`; `None` if it does not say.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }
}

impl fmt::Display for ElasticError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ElasticError {}

/// How a request is made.
#[derive(Clone, Copy)]
pub(super) enum By {
    Get,
    Post,
    Put,
}

impl ElasticClient {
    pub(super) fn new(endpoint: Endpoint, options: Options) -> Self {
        Self { client: HttpClient::new(endpoint), options }
    }

    /// Finds spans.
    ///
    /// # Errors
    ///
    /// There is no answer in time, it is none of Elasticsearch's, it says no, or not all of what was asked could
    /// be searched. Streams and indices that do not exist have no hits, and are no error.
    pub fn spans(&mut self, query: &ElasticQuery) -> Result<ElasticPage, ElasticError> {
        self.find("traces", query)
    }

    /// Finds log records.
    ///
    /// # Errors
    ///
    /// As [`spans`](Self::spans).
    pub fn logs(&mut self, query: &ElasticQuery) -> Result<ElasticPage, ElasticError> {
        self.find("logs", query)
    }

    /// Finds data points.
    ///
    /// # Errors
    ///
    /// As [`spans`](Self::spans).
    pub fn metrics(&mut self, query: &ElasticQuery) -> Result<ElasticPage, ElasticError> {
        self.find("metrics", query)
    }

    fn find(&mut self, of: &str, query: &ElasticQuery) -> Result<ElasticPage, ElasticError> {
        self.options.naming.check().map_err(|error| ElasticError::new(error.to_string()))?;
        let target = self.options.naming.target(of);
        // What is not there yet has no documents; what cannot be searched now is an error, not a part of an answer.
        let path =
            format!("/{target}/_search?ignore_unavailable=true&allow_partial_search_results=false");
        let answer = self.ask(By::Post, &path, Some(&query.body()))?;
        ElasticPage::of(&answer, query)
            .ok_or_else(|| ElasticError::new(format!("{}: an answer to no search", self.place())))
    }

    /// The answer, if it is a success and JSON.
    pub(super) fn ask(
        &mut self,
        by: By,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ElasticError> {
        let answer = self.request(by, path, body);
        let answer =
            answer.map_err(|what| ElasticError::new(format!("Elasticsearch at {what}")))?;
        let json: Option<Value> = serde_json::from_slice(answer.body()).ok();
        match json {
            Some(json) if answer.is_success() => Ok(json),
            json => Err(self.error(&answer, json.as_ref())),
        }
    }

    /// Asks on a thread of its own: a thread that runs tasks must not run the client's.
    fn request(&mut self, by: By, path: &str, body: Option<&Value>) -> Result<HttpAnswer, String> {
        let client = &mut self.client;
        let deadline = Deadline::after(client.time_limit());
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let post = HttpPost::new("application/json", bytes).path(path).reading(MOST_ANSWER);
        let ask = || match by {
            By::Get => client.get_from(path, MOST_ANSWER, &deadline),
            By::Post => client.post(post, &deadline),
            By::Put => client.put(post, &deadline),
        };
        thread::scope(|scope| {
            let asking = thread::Builder::new().name("bellwether-elastic".to_owned());
            match asking.spawn_scoped(scope, ask).map(thread::ScopedJoinHandle::join) {
                Ok(Ok(result)) => result.map_err(|failure: HttpFailure| failure.to_string()),
                Ok(Err(_)) => Err("a panic of its client".to_owned()),
                Err(error) => Err(format!("no thread: {error}")),
            }
        })
    }

    /// The error that an answer is.
    fn error(&self, answer: &HttpAnswer, json: Option<&Value>) -> ElasticError {
        let cause = json.and_then(|json| json.get("error"));
        let text = |key| Some(cause?.get(key)?.as_str()?.to_owned());
        let (kind, reason) = (text("type"), text("reason"));
        let status = answer.status();
        let said = match (&kind, reason) {
            (Some(kind), Some(reason)) => format!("{kind}: {reason}"),
            (Some(kind), None) => kind.clone(),
            (None, _) => String::from_utf8_lossy(answer.body()).trim().to_owned(),
        };
        let said: String = said.chars().take(MOST_SAID).collect();
        let message = format!("{} answered {status}: {said}", self.place());
        ElasticError { status: Some(status), kind, message }
    }

    /// Who is asked.
    pub(super) fn place(&self) -> String {
        format!("Elasticsearch at {}", self.client)
    }
}

/// The most characters of an answer in an error. Arbitrary.
const MOST_SAID: usize = 512;
