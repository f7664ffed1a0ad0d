//! Alerts to a webhook, in the format of Alertmanager.

use std::{collections::BTreeMap, fmt};

use serde::{Serialize, Serializer};

use super::notification::Notification;
use crate::{
    alert::{Alert, AlertState},
    clock::Timestamp,
    error::Error,
    pipeline::{Batch, Deadline, Encoder, ExportError, Payload, Route, SendResult, Sender, Setup},
    transport::{
        Endpoint,
        http_client::{HttpClient, HttpPost},
    },
};

/// Posts alerts as JSON to a URL, in the version 4 body of Alertmanager's webhook. Receivers written
/// for Alertmanager understand it.
///
/// One request is one [`Notification`]: the group of all alerts of one `alertname`. The group is
/// resolved when all of its alerts are.
///
/// # What may go wrong
///
/// * A 2xx response is a delivery. After 429, 5xx, a failed connection or a time-out the request is
///   retried: when `Retry-After` says, but within a minute. Any other response, redirects included, is
///   a rejection: the alert is dropped and counted, and sent again with the next repetition.
/// * After a time-out it is unknown whether the receiver took the alert: it may get it twice.
/// * The body of a response is not read.
///
/// # What it will not do
///
/// See [`Endpoint`], which has the options of the request too.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::{alert::notify::Webhook, pipeline::{Sender, Setup}, transport::Endpoint};
///
/// let endpoint = Endpoint::new("https://alerts.example.com/hook?key=secret")
///     .header("authorization", "Bearer 1234")
///     .timeout(Duration::from_secs(5));
/// let mut webhook = Webhook::new(endpoint);
/// webhook.start(&Setup::default())?;
///
/// let mut webhook = Webhook::new("https://127.0.0.1:9093/hook");
/// let error = webhook.start(&Setup::default()).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "https://127.0.0.1:9093: the host has no public address: allow others by .allow_private()",
/// );
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone)]
pub struct Webhook {
    client: HttpClient,
    receiver: String,
    external_url: String,
}

impl Webhook {
    /// A notifier that posts to `endpoint`.
    ///
    /// A URL that cannot be used is an error of the [start](Sender::start).
    #[must_use]
    pub fn new(endpoint: impl Into<Endpoint>) -> Self {
        Self {
            client: HttpClient::new(endpoint),
            receiver: "webhook".to_owned(),
            external_url: String::new(),
        }
    }

    /// The `receiver` of the body; `webhook` by default.
    #[must_use]
    pub fn receiver(mut self, name: impl Into<String>) -> Self {
        self.receiver = name.into();
        self
    }

    /// The `externalURL` of the body: a page with more for readers; empty by default.
    #[must_use]
    pub fn external_url(mut self, url: impl Into<String>) -> Self {
        self.external_url = url.into();
        self
    }
}

impl Encoder<Notification> for Webhook {
    /// Encodes one body for each notification.
    fn encode(&mut self, batch: &Batch<Notification>) -> Payload {
        let mut payload = Payload::new();
        for notification in batch {
            let body = Body::new(notification, &self.receiver, &self.external_url);
            // The body has only texts and dates, and writing to a vector cannot fail.
            payload.record(|bytes| drop(serde_json::to_writer(bytes, &body)));
        }
        payload
    }

    fn format(&self) -> &str {
        "webhook.4"
    }
}

impl Sender for Webhook {
    /// Checks the URL and the headers. The addresses of a host name are checked when it is connected
    /// to.
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        self.client.check()
    }

    /// Sends one notification after the other. If one should be retried, those behind it wait, so that
    /// they arrive in order; a rejected one holds back no other.
    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult {
        let mut n_refused = 0;
        let mut refusal = None;
        for (place, body) in payload.records().enumerate() {
            match self.post(body, deadline) {
                Ok(()) => {}
                Err(error) if error.is_retry() => {
                    let message = match refusal {
                        Some(refusal) => format!("{error}; before that: {refusal}"),
                        None => error.to_string(),
                    };
                    let again = ExportError::retry(message).unsent(payload.skip(place));
                    let again = again.rejected(n_refused);
                    return Err(match error.retry_after() {
                        Some(delay) => again.after(delay),
                        None => again,
                    });
                }
                Err(error) => {
                    n_refused += 1;
                    refusal = Some(error.to_string());
                }
            }
        }
        match refusal {
            None => Ok(()),
            Some(message) => Err(ExportError::partial(n_refused, message)),
        }
    }

    fn name(&self) -> &str {
        "webhook"
    }

    fn destination(&self) -> Option<String> {
        Some(self.client.to_string())
    }
}

impl Webhook {
    /// Posts one body.
    fn post(&mut self, body: &[u8], deadline: &Deadline) -> Result<(), ExportError<Payload>> {
        let answer = self.client.post(HttpPost::new("application/json", body), deadline)?;
        answer.settle(&self.client, |status| status == 429 || status >= 500)
    }
}

impl From<Webhook> for Route<Notification> {
    fn from(webhook: Webhook) -> Self {
        let timeout = webhook.client.time_limit();
        Self::wire(webhook.clone(), webhook).settings(|settings| settings.attempt_timeout = timeout)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("client", &self.client)
            .field("receiver", &self.receiver)
            .field("external_url", &self.external_url)
            .finish()
    }
}

/// The body, field by field in the order of Alertmanager (`template.Data` and `webhook.Message`).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    receiver: &'a str,
    status: Status,
    alerts: Vec<AlertBody<'a>>,
    group_labels: BTreeMap<&'a str, &'a str>,
    common_labels: BTreeMap<&'a str, &'a str>,
    common_annotations: BTreeMap<&'a str, &'a str>,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    version: &'static str,
    group_key: String,
    truncated_alerts: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertBody<'a> {
    status: Status,
    labels: BTreeMap<&'a str, &'a str>,
    annotations: BTreeMap<&'a str, &'a str>,
    starts_at: Date,
    ends_at: Date,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
    fingerprint: String,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Firing,
    Resolved,
}

/// A date; `None` is Go's zero time, which means "not yet".
struct Date(Option<Timestamp>);

impl<'a> Body<'a> {
    fn new(notification: &'a Notification, receiver: &'a str, external_url: &'a str) -> Self {
        let alerts = notification.alerts();
        let name = alerts.first().map_or("", Alert::name);
        Self {
            receiver,
            status: notification.status().into(),
            alerts: alerts.iter().map(AlertBody::new).collect(),
            group_labels: BTreeMap::from([("alertname", name)]),
            common_labels: common(alerts, |alert| alert.labels().iter().collect()),
            common_annotations: common(alerts, |alert| alert.annotations().collect()),
            external_url,
            version: "4",
            group_key: format!("{{}}:{{alertname={}}}", Quoted(name)),
            truncated_alerts: notification.n_truncated(),
        }
    }
}

impl<'a> AlertBody<'a> {
    fn new(alert: &'a Alert) -> Self {
        let is_resolved = alert.state() == AlertState::Resolved;
        Self {
            status: alert.state().into(),
            labels: alert.labels().iter().collect(),
            annotations: alert.annotations().collect(),
            starts_at: Date(Some(alert.starts_at())),
            ends_at: Date(alert.ends_at().filter(|_| is_resolved)),
            generator_url: alert.generator_url(),
            fingerprint: format!("{:016x}", alert.fingerprint()),
        }
    }
}

impl From<AlertState> for Status {
    fn from(state: AlertState) -> Self {
        if state == AlertState::Firing { Self::Firing } else { Self::Resolved }
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(date) => serializer.collect_str(&date),
            None => serializer.serialize_str("0001-01-01T00:00:00Z"),
        }
    }
}

/// The pairs that all alerts share.
fn common<'a>(
    alerts: &'a [Alert],
    pairs: impl Fn(&'a Alert) -> BTreeMap<&'a str, &'a str>,
) -> BTreeMap<&'a str, &'a str> {
    let Some((first, others)) = alerts.split_first() else { return BTreeMap::new() };
    let mut common = pairs(first);
    for other in others.iter().map(pairs) {
        common.retain(|key, value| other.get(key) == Some(value));
    }
    common
}

/// A text quoted like Go's `%q`, as far as receivers need it to tell groups apart.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() && u32::from(c) < 0x80 => write!(f, "\\x{:02x}", u32::from(c))?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}
