//! Spans to Zipkin, and to what takes its second format: Jaeger, Grafana Tempo, the OpenTelemetry
//! Collector.
//!
//! # What is sent, and when?
//!
//! Spans that have ended, as JSON, by `POST /api/v2/spans`: in batches of 512, or of what has ended within
//! a second. The names follow OpenTelemetry's "OpenTelemetry to Zipkin Transformation":
//!
//! | a span's | is Zipkin's |
//! |---|---|
//! | ids, name, kind | the same; trace ids have 128 bits; an internal span has no kind |
//! | start, duration | `timestamp` and `duration` in microseconds; a duration is at least 1, and an open span has none |
//! | attributes | `tags` as text; arrays as JSON |
//! | status | the tag `otel.status_code`, and for an error its description as `error` |
//! | outcome | the tag `outcome`, unless it is `ok` |
//! | events | `annotations`: the name, or with attributes `"name":{"key":"value"}` |
//! | links | the tags `otlp.link.0` and so on, as the OpenTelemetry Collector writes and reads them |
//! | what was dropped by limits | the tags `otel.dropped_attributes_count`, `…_events_count`, `…_links_count`, `bellwether.truncated_texts`, `bellwether.dropped_array_items` |
//! | service | `localEndpoint`: `service.name`, or `unknown_service` |
//! | the other side of a call | `remoteEndpoint`: the first of `peer.service`, `server.address`, `network.peer.address` and eight more that there is; only clients and producers have one |
//!
//! Each side of a call has a span of its own with an id of its own, so that no span is `shared`. Of the
//! resource a few attributes are tags ([`resource_tags`](Zipkin::resource_tags)).
//!
//! # What happens when Zipkin is down, slow, or says no?
//!
//! | answer | what follows |
//! |---|---|
//! | 2xx (Zipkin says 202) | the spans are delivered |
//! | no connection, no answer in time, 429, 502, 503, 504 | they are tried again, as long as [`Retry`](crate::pipeline::Retry) says; `Retry-After` is followed |
//! | 413 | they are sent in two halves; a span that is too large by itself is dropped |
//! | any other, redirects too | they are dropped, with the reason `rejected` |
//!
//! Meanwhile spans wait in the route's queue; what does not fit is dropped and counted.
//!
//! # What may be lost or doubled?
//!
//! Zipkin answers before it has stored the spans: what it loses then nobody knows. After a time-out, it
//! may have them already and gets them again: it shows spans of one id as one. A span that is exported
//! while it is open, and again when it has ended, is one span to Zipkin too.
//!
//! # Options
//!
//! | option | default | environment ([`Zipkin::from_env`]) |
//! |---|---|---|
//! | URL, headers, and all else of an [`Endpoint`] | | `OTEL_EXPORTER_ZIPKIN_ENDPOINT`: `http://localhost:9411/api/v2/spans` |
//! | [`Endpoint::timeout`], of a request | 10 s | `OTEL_EXPORTER_ZIPKIN_TIMEOUT`, in milliseconds |
//! | [`resource_tags`](Zipkin::resource_tags) | `service.namespace`, `service.version`, `service.instance.id`, `deployment.environment.name` | |
//!
//! Queue, batches and retries are those of the [`Route`] that it becomes.
//!
//! # Examples
//!
//! ```
//! use bellwether::{
//!     export::zipkin::Zipkin, pipeline::Route, trace::SpanRecord, transport::Endpoint,
//! };
//!
//! let endpoint = Endpoint::new("http://127.0.0.1:9411").allow_plain_http().allow_private();
//! let zipkin = Route::<SpanRecord>::from(Zipkin::new(endpoint))
//!     .settings(|settings| settings.max_items = 10_000);
//! let telemetry = bellwether::builder("shop").export(zipkin).start()?;
//! # Ok::<(), bellwether::Error>(())
//! ```

mod encoder;
mod remote;
mod span;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, env, time::Duration};

use self::encoder::{Spans, list};
use super::{Backend, Routes};
use crate::{
    diagnostics,
    error::Error,
    pipeline::{Deadline, Payload, Route, SendResult, Sender, Setup},
    trace::SpanRecord,
    transport::{
        Endpoint,
        http_client::{HttpClient, HttpPost},
    },
};

/// Sends spans to Zipkin; the [module](self) says what, when, and what may go wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct Zipkin {
    endpoint: Endpoint,
    resource_tags: Vec<Cow<'static, str>>,
}

impl Zipkin {
    /// Sends to the Zipkin at `endpoint`. `/api/v2/spans` is added to its URL, unless that ends so already.
    pub fn new(endpoint: impl Into<Endpoint>) -> Self {
        let resource_tags = RESOURCE_TAGS.map(Cow::Borrowed).to_vec();
        Self { endpoint: endpoint.into(), resource_tags }
    }

    /// Sends where `OTEL_EXPORTER_ZIPKIN_ENDPOINT` says, which has the whole path; within
    /// `OTEL_EXPORTER_ZIPKIN_TIMEOUT` milliseconds. Plain http and private addresses are allowed, since
    /// it is the operator who sets them.
    ///
    /// A time-out that is no number is reported, and the default taken in its place.
    pub fn from_env() -> Self {
        Self::from_variables(|name| env::var(name).ok())
    }

    fn from_variables(get: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| get(name).filter(|text| !text.trim().is_empty());
        let url = get("OTEL_EXPORTER_ZIPKIN_ENDPOINT");
        let url = url.as_deref().map_or("http://localhost:9411/api/v2/spans", str::trim);
        let mut endpoint = Endpoint::new(url).allow_plain_http().allow_private();
        if let Some(text) = get("OTEL_EXPORTER_ZIPKIN_TIMEOUT") {
            match text.trim().parse() {
                Ok(millis) if millis > 0 => {
                    endpoint = endpoint.timeout(Duration::from_millis(millis));
                }
                _ => diagnostics::report(
                    "environment",
                    format_args!("OTEL_EXPORTER_ZIPKIN_TIMEOUT is no number of milliseconds"),
                ),
            }
        }
        Self::new(endpoint)
    }

    /// Sets which attributes of the resource each span has as tags. An attribute of the span with the same
    /// key is shown in its place.
    pub fn resource_tags<K: Into<Cow<'static, str>>>(
        self,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        Self { resource_tags: keys.into_iter().map(Into::into).collect(), ..self }
    }
}

/// The attributes of the resource that are tags by default. Arbitrary, but for the first one, which the
/// specification wants: each span repeats them, so they are few.
const RESOURCE_TAGS: [&str; 4] =
    ["service.namespace", "service.version", "service.instance.id", "deployment.environment.name"];

impl Backend for Zipkin {
    fn routes(self, routes: &mut Routes) {
        routes.add(Route::from(self));
    }
}

impl From<Zipkin> for Route<SpanRecord> {
    fn from(zipkin: Zipkin) -> Self {
        let client = HttpClient::new(zipkin.endpoint);
        let timeout = client.time_limit();
        Self::wire(Spans::new(zipkin.resource_tags), Post { client })
            .settings(|settings| settings.attempt_timeout = timeout)
    }
}

/// Posts lists of spans.
#[derive(Debug)]
struct Post {
    client: HttpClient,
}

impl Sender for Post {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.client.check()
    }

    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let is_whole = self.client.path_ends_with(PATH);
        let post = HttpPost {
            path: if is_whole { "" } else { PATH },
            ..HttpPost::new("application/json", list(payload))
        };
        let answer = self.client.post(post, deadline)?;
        answer.settle(format_args!("Zipkin at {}", self.client), may_pass)
    }

    fn name(&self) -> &str {
        "zipkin"
    }

    fn destination(&self) -> Option<String> {
        Some(self.client.to_string())
    }
}

/// Whether what was answered by this status is sent again.
fn may_pass(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

/// Where Zipkin takes spans.
const PATH: &str = "/api/v2/spans";
