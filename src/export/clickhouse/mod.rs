//! Metrics, spans and logs to ClickHouse, by its HTTP interface.
//!
//! # What is sent, and when?
//!
//! Each signal has a route of its own, named `clickhouse`, and a table of its own. Metrics are sent every ten
//! seconds, at each flush and at shutdown; spans and logs when a batch of 5,000 is full or a second old. A batch is
//! one `INSERT … FORMAT JSONEachRow`, compressed by gzip unless the [`Endpoint`] says otherwise.
//!
//! | a record | is a row of | whose columns are |
//! |---|---|---|
//! | a span | `otel_traces` | those of the OpenTelemetry Collector's exporter for ClickHouse, so that what reads its tables reads these |
//! | a log record | `otel_logs` | the same; `code.file.path`, `code.line.number`, `observed_timestamp` if it was seen later, `dropped_attributes_count`, `repeated` and their like are attributes |
//! | a data point | `otel_samples` | `Timestamp`, `StartTimestamp`, `ServiceName`, `ResourceAttributes`, `MetricName`, `MetricUnit`, `MetricKind`, `Temporality`, `Attributes`; `Value` of a number, the count of a histogram or summary; `Sum`, `Min`, `Max`, `P50`, `P90`, `P99`; the upper `Bounds` of the buckets that are not empty, and their `Counts` |
//!
//! [`schema`](ClickHouse::schema) has the statements that make these tables, and a view that keeps minutes of the
//! samples; [`create_tables`](ClickHouse::create_tables) has them run before the first insert. A table of yours may
//! have other columns and another order: what a row does not name has its default.
//!
//! # What happens when ClickHouse is down, slow, or says no?
//!
//! | answer | what follows |
//! |---|---|
//! | 2xx without an exception | the rows are delivered |
//! | no connection, no answer in time, 429, any 5xx without an exception, 503, an exception that passes: too many parts or queries, no memory, a table that is read-only for now, Keeper away | they are sent again, as long as [`Retry`](crate::pipeline::Retry) says; `Retry-After` is followed |
//! | 413 | they are sent in two halves |
//! | any other exception, redirects too | they are dropped, with the reason `rejected`, and the error has what ClickHouse said |
//!
//! # What may be lost or doubled?
//!
//! Each insert has an `insert_deduplication_token`, made of its rows. A table that remembers tokens takes a batch once,
//! though it be sent again after a time-out: those of the schema remember the last 10,000 inserts, replicated ones have
//! a window of their own. What is sent again later than that may be there twice. With
//! [`async_inserts`](ClickHouse::async_inserts) the answer comes when the server has written, too; that was not tried
//! with an engine. The view of minutes takes a batch once, too; but it is written apart from its table, and an insert that
//! fails between the two may leave them different.
//!
//! # Limits
//!
//! - A name or a value is text of UTF-8, with every character. Attributes are text in a `Map`; of a key that is there
//!   twice the last value counts.
//! - Values that are not finite are `nan` and `inf`, which ClickHouse keeps.
//! - Times are nanoseconds, as `DateTime64(9)` keeps them, until 2262.
//! - A count beyond 2^53 is rounded: `Value` is a `Float64`.
//! - Samples are totals since each series began, unless the route is one of differences. A minute has the samples of
//!   all processes with the same service and labels.
//! - No cluster was tried: `ON CLUSTER` and replicated tables are for your own statements.
//!
//! # Queries
//!
//! | what | how |
//! |---|---|
//! | a metric by minute | `SELECT Minute, sum(Sum) / sum(Samples) FROM otel_minutes WHERE MetricName = 'load' GROUP BY Minute ORDER BY Minute` |
//! | the share of errors | `SELECT countIf(StatusCode = 'Error') / count() FROM otel_traces WHERE ParentSpanId = '' AND Timestamp > now() - INTERVAL 1 HOUR` |
//! | P99 by route | `SELECT SpanAttributes['http.route'] AS route, quantile(0.99)(Duration) / 1e9 FROM otel_traces GROUP BY route` |
//! | a trace | `SELECT * FROM otel_traces WHERE TraceId = '…' ORDER BY Timestamp` |
//!
//! # Examples
//!
//! ```no_run
//! use std::time::Duration;
//! use bellwether::{export::clickhouse::ClickHouse, transport::{Endpoint, Secret}};
//!
//! let clickhouse = ClickHouse::new(Endpoint::new("https://clickhouse.example.com:8443"))
//!     .user("shop", Secret::from_file("/run/secrets/clickhouse"))
//!     .database("telemetry")
//!     .create_tables()
//!     .keep(Duration::from_secs(30 * 86_400));
//! let telemetry = bellwether::builder("shop").export(clickhouse).start()?;
//! # Ok::<(), bellwether::Error>(())
//! ```

mod answer;
mod encoder;
mod log;
mod options;
mod point;
mod schema;
mod sender;
mod span;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::{
    encoder::{Row, Rows},
    options::Options,
    sender::Insert,
};
use super::{Backend, Routes, wire::signals::Signals};
use crate::{
    log::LogRecord,
    metric::DataPoint,
    pipeline::{Encoder, Route, Signal},
    trace::SpanRecord,
    transport::{Compression, Endpoint, Secret, http_client::HttpClient},
};

/// Sends metrics, spans and logs to ClickHouse; the [module](self) says what, when, and what may go wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder sends nothing"]
pub struct ClickHouse {
    endpoint: Endpoint,
    options: Options,
    signals: Signals,
}

impl ClickHouse {
    /// Sends to the HTTP interface at `endpoint`; its ports are 8123, and 8443 with TLS.
    pub fn new(endpoint: impl Into<Endpoint>) -> Self {
        let (endpoint, options) = (endpoint.into(), Options::default());
        Self { endpoint, options, signals: Signals::ALL }
    }

    /// Says who asks, by the headers `X-ClickHouse-User` and `X-ClickHouse-Key`.
    pub fn user(mut self, user: impl Into<String>, password: Secret) -> Self {
        let endpoint = self.endpoint.header("x-clickhouse-user", user);
        self.endpoint = endpoint.secret_header("x-clickhouse-key", password);
        self
    }

    /// The database; `default` by default.
    pub fn database(mut self, name: impl Into<String>) -> Self {
        self.options.database = name.into();
        self
    }

    /// What the names of tables begin with, in place of `otel_`.
    pub fn table_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = prefix.into();
        self
    }

    /// Has the server collect inserts of many clients before it writes them (`async_insert`), which spares it parts
    /// where many processes send a little each. It still answers when they are written.
    pub fn async_inserts(mut self) -> Self {
        self.options.is_async = true;
        self
    }

    /// Runs the [`schema`](Self::schema) before the first insert of each process: what is there already stays as it is.
    /// The user needs the right to create tables; the database has to be there. A statement that is refused is reported,
    /// and not tried again by this process.
    pub fn create_tables(mut self) -> Self {
        self.options.creates_tables = true;
        self
    }

    /// How long rows are kept by tables that the [`schema`](Self::schema) makes; for ever by default. In whole seconds.
    pub fn keep(mut self, time: Duration) -> Self {
        self.options.keep = Some(time);
        self
    }

    /// The statements that make the tables of all signals, and the view of minutes; each may be run twice.
    #[must_use]
    pub fn schema(&self) -> Vec<String> {
        schema::statements(&self.options)
    }

    /// How often metrics are read and sent; every 10 s by default.
    pub fn metrics_interval(mut self, interval: Duration) -> Self {
        self.signals.interval = Some(interval);
        self
    }

    /// Sends no metrics, as a [`Backend`].
    pub fn without_metrics(mut self) -> Self {
        self.signals.metrics = false;
        self
    }

    /// Sends no spans, as a [`Backend`].
    pub fn without_spans(mut self) -> Self {
        self.signals.spans = false;
        self
    }

    /// Sends no logs, as a [`Backend`].
    pub fn without_logs(mut self) -> Self {
        self.signals.logs = false;
        self
    }

    /// What writes rows; for tests and benches.
    #[doc(hidden)]
    #[allow(private_bounds, reason = "for tests and benches alone")]
    pub fn encoder<S: Row>(&self) -> impl Encoder<S> + use<S> {
        Rows::default()
    }

    fn route<S: Row + Signal>(self) -> Route<S> {
        let client = HttpClient::new(self.endpoint).compressing(Compression::Gzip);
        let timeout = client.time_limit();
        let insert = Insert::new(client, self.options, S::TABLE);
        Route::wire(Rows::default(), insert).settings(|settings| {
            settings.attempt_timeout = timeout;
            settings.batch_items = BATCH_ITEMS;
        })
    }
}

/// ClickHouse makes a part of each insert, and wants thousands of rows in it.
const BATCH_ITEMS: usize = 5_000;

impl Backend for ClickHouse {
    fn routes(self, routes: &mut Routes) {
        self.signals.add(self, routes);
    }
}

/// The route of the metrics alone.
impl From<ClickHouse> for Route<DataPoint> {
    fn from(clickhouse: ClickHouse) -> Self {
        let signals = clickhouse.signals;
        let route = clickhouse.route();
        signals.at_interval(route)
    }
}

/// The route of the spans alone.
impl From<ClickHouse> for Route<SpanRecord> {
    fn from(clickhouse: ClickHouse) -> Self {
        clickhouse.route()
    }
}

/// The route of the logs alone.
impl From<ClickHouse> for Route<LogRecord> {
    fn from(clickhouse: ClickHouse) -> Self {
        clickhouse.route()
    }
}
