//! Metrics, spans and logs to a database: to a file of SQLite's, to PostgreSQL, to MySQL or MariaDB.
//!
//! The features `sqlite`, `postgres` and `mysql` bring one of them each. SQLite needs no server: one line makes the file
//! with its tables, and writes to it.
//!
//! # What is sent, and when?
//!
//! Each signal has a route of its own, named `sqlite`, `postgres` or `mysql`. Metrics are written every ten seconds, at
//! each flush and at shutdown; spans and logs when a batch of 5,000 is full or a second old. A batch is written by
//! prepared statements of many rows: in one transaction, or one statement where that is enough. The names of all tables
//! begin with `bellwether_`, or with another [prefix](Sql::table_prefix).
//!
//! | a record | is a row of | whose columns are |
//! |---|---|---|
//! | a span | `spans` | **`trace_id`**, **`span_id`**, **`start`**, `duration`, `parent_span_id`, `name`, `kind`, `status`, `status_message`, `outcome`, `trace_state`, `attributes`, `events`, `links`, `resource`, `service` |
//! | a log record | `logs` | **`time`**, **`batch`**, **`place`**, `severity`, `severity_text`, `body`, `target`, `event_name`, `trace_id`, `span_id`, `attributes`, `resource`, `service` |
//! | a data point | `samples` | **`series`**, **`time`**, `started`; `value` of a number; of a distribution `count`, `sum`, `min`, `max`, `p50`, `p90`, `p99` and `buckets`: lower bound, upper bound, count |
//! | its series | `series` | **`id`**, `name`, `kind`, `unit`, `temporality`, `labels`, `resource`, `service`, `seen` |
//! | the process | `resources` | **`id`**, `service`, `attributes`, `seen` |
//!
//! In bold the key. Instants and durations are nanoseconds, instants since 1970. The id of a series is a hash of all
//! that it is, its resource included: so every process finds it by itself. Several processes of one service need
//! a resource each, or their series are one: [`detect_resource`](crate::Builder::detect_resource) adds a
//! `service.instance.id`. `seen` is when something was last seen, or up to an hour before. Attributes, labels, events, links and buckets are JSON.
//!
//! [`schema`](Sql::schema) has the statements that make these tables, and [`create_tables`](Sql::create_tables) has them
//! run. The table `schema` says of which version they are; later versions of this crate bring them up. A
//! [plain table](Sql::plain_table) of instants, names and values takes metrics alone, as many monitoring scripts have
//! it: a distribution is one row for each of its figures, `time.p99{route="/"}` say.
//!
//! # What happens when the database is down, slow, or says no?
//!
//! | what it says | what follows |
//! |---|---|
//! | no connection, no answer in time, too many connections, a deadlock, a lock that others hold, a full disk, a server that only reads, a password that is wrong | the rows are written later, as long as [`Retry`](crate::pipeline::Retry) says, by a new connection |
//! | a table or a column that is not there, no right to it, tables of a newer version | the same: somebody may mend it. The report of the route says what is wrong; nothing is written before all columns are there |
//! | a row that it refuses: a constraint, a value out of range, a text that is too long | the batch is written in halves, down to that row, which alone is dropped, with the reason `rejected` |
//! | a statement that is larger than `max_allowed_packet` | the batch is sent in two halves |
//!
//! An attempt that its deadline ends leaves its connection, which is dropped with it.
//!
//! # What may be lost or doubled?
//!
//! Nothing is doubled where there is a key: a row that is there already stays as it is, so that a batch whose commit
//! nobody knows of is simply written again, also by the next process. A plain table that you made without a key has
//! such rows twice. Of a span that is exported while it is open there is one row, whose `outcome` is null until it ends.
//! A log record's key is its time, a number of its batch and its place there: records in this order are in the order of
//! their time, and of one batch in that in which they came.
//!
//! A commit of SQLite's is on disk before its batch counts as delivered (`synchronous = FULL`); of a process that is
//! killed, the file is whole. It is in WAL mode: beside it are `-wal` and `-shm` while it is open.
//!
//! # Limits
//!
//! | | SQLite | PostgreSQL | MySQL and MariaDB |
//! |---|---|---|---|
//! | NaN | null; a plain table refuses it | as it is | a sample is refused, a figure of a distribution is null |
//! | infinities | as they are | as they are | as NaN |
//! | U+0000 in a text | as it is, though some functions read no further | U+FFFD stands for it | as it is |
//! | an instant of a plain table | text, to the microsecond, in UTC | `TIMESTAMPTZ` | `DATETIME(6)`, in UTC |
//! | the text of a series in a plain table | of any length | at most a third of a page, because it is in the key | 512 characters; if it is longer, it is refused |
//!
//! - In JSON, what is not finite is null.
//! - A number is a double: a counter beyond 2^53 is rounded. A count is at most 2^63 - 1.
//! - Of 10 million series, two have the same id with a probability of 3 in a million.
//! - `kind`, `status` and `outcome` are words, as [`File`](crate::export::File) has them.
//! - What TimescaleDB does with [`hypertables`](Sql#method.hypertables) was tried with no server of it.
//!
//! # How long rows are kept
//!
//! For ever, unless [`keep`](Sql::keep) says otherwise. Then each process deletes what is older, of its own signals'
//! tables: behind a batch, once a minute, at most 10,000 rows of a table, and again behind the next batch if there were
//! as many. A process that writes nothing deletes nothing.
//!
//! # Queries
//!
//! ```sql
//! -- SQLite: a metric by minute; the share of errors; P99 by route
//! SELECT datetime(time / 60000000000 * 60, 'unixepoch') AS minute, avg(value) AS mean
//! FROM bellwether_samples JOIN bellwether_series ON id = series
//! WHERE name = 'load' GROUP BY minute ORDER BY minute;
//!
//! SELECT avg(CASE status WHEN 'error' THEN 1e0 ELSE 0e0 END) AS share FROM bellwether_spans
//! WHERE parent_span_id IS NULL AND start > (unixepoch() - 3600) * 1000000000;
//!
//! SELECT route, min(duration) / 1e9 AS p99 FROM (
//!     SELECT attributes ->> '$."http.route"' AS route, duration,
//!         cume_dist() OVER (PARTITION BY attributes ->> '$."http.route"' ORDER BY duration) AS share
//!     FROM bellwether_spans) AS ranked
//! WHERE share >= 0.99 GROUP BY route ORDER BY route;
//! ```
//!
//! ```sql
//! -- PostgreSQL: the same
//! SELECT to_timestamp(time / 60000000000 * 60) AS minute, avg(value) AS mean
//! FROM bellwether_samples JOIN bellwether_series ON id = series
//! WHERE name = 'load' GROUP BY minute ORDER BY minute;
//!
//! SELECT avg(CASE status WHEN 'error' THEN 1e0 ELSE 0e0 END) AS share FROM bellwether_spans
//! WHERE parent_span_id IS NULL AND start > (extract(epoch FROM now())::bigint - 3600) * 1000000000;
//!
//! SELECT attributes ->> 'http.route' AS route,
//!     percentile_disc(0.99) WITHIN GROUP (ORDER BY duration) / 1e9 AS p99
//! FROM bellwether_spans GROUP BY route ORDER BY route;
//! ```
//!
//! ```sql
//! -- MySQL and MariaDB: the same
//! SELECT FROM_UNIXTIME(time DIV 60000000000 * 60) AS minute, avg(value) AS mean
//! FROM bellwether_samples JOIN bellwether_series ON id = series
//! WHERE name = 'load' GROUP BY minute ORDER BY minute;
//!
//! SELECT avg(CASE status WHEN 'error' THEN 1e0 ELSE 0e0 END) AS share FROM bellwether_spans
//! WHERE parent_span_id IS NULL AND start > (UNIX_TIMESTAMP() - 3600) * 1000000000;
//!
//! SELECT route, min(duration) / 1e9 AS p99 FROM (
//!     SELECT JSON_VALUE(attributes, '$."http.route"') AS route, duration,
//!         cume_dist() OVER (PARTITION BY JSON_VALUE(attributes, '$."http.route"') ORDER BY duration) AS share
//!     FROM bellwether_spans) AS ranked
//! WHERE share >= 0.99 GROUP BY route ORDER BY route;
//! ```
//!
//! ```sql
//! -- All: a trace
//! SELECT name, span_id, parent_span_id, start, duration FROM bellwether_spans
//! WHERE trace_id = '4bf92f3577b34da6a3ce929d0e0e4736' ORDER BY start;
//! ```
//!
//! # Examples
//!
//! ```
//! # #[cfg(feature = "sqlite")] {
//! use std::time::Duration;
//! use bellwether::export::sql::Sql;
//!
//! # let folder = std::env::temp_dir().join(format!("bellwether-sql-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let path = folder.join("telemetry.db");
//! let telemetry = bellwether::builder("shop").export(Sql::sqlite(&path)).start()?;
//! bellwether::span("checkout").enter().end();
//! let report = telemetry.shutdown(Duration::from_secs(5));
//! assert_eq!(report.totals().dropped, 0);
//! assert!(path.exists());
//! # std::fs::remove_dir_all(&folder)?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aging;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod conflict;
mod dialect;
mod encoder;
mod log;
#[cfg(feature = "mysql")]
mod mysql;
mod options;
mod plain;
mod plan;
mod point;
#[cfg(feature = "postgres")]
mod postgres;
mod row;
mod rows;
mod schema;
mod sender;
mod span;
#[cfg(feature = "sqlite")]
mod sqlite;
mod table;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "sqlite", feature = "mysql"))]
mod values;
mod writer;

use std::{sync::Arc, time::Duration};

pub use self::table::PlainTable;
use self::{
    dialect::Server,
    encoder::{Record, Rows},
    options::Options,
    plain::PlainRows,
    plan::{Plan, Subject},
    sender::Rowed,
};
use super::{Backend, Routes, wire::signals::Signals};
#[cfg(any(feature = "postgres", feature = "mysql"))]
use crate::transport::Secret;
use crate::{
    log::LogRecord,
    metric::DataPoint,
    pipeline::{Encoder, Route},
    trace::SpanRecord,
};

/// Writes metrics, spans and logs to a database; the [module](self) says what, when, and what may go wrong.
#[derive(Clone, Debug)]
#[must_use = "a backend that is given to no builder writes nothing"]
pub struct Sql {
    server: Arc<dyn Server>,
    options: Options,
    plain: Option<PlainTable>,
    signals: Signals,
}

impl Sql {
    fn new(server: impl Server + 'static) -> Self {
        Self {
            server: Arc::new(server),
            options: Options::default(),
            plain: None,
            signals: Signals::ALL,
        }
    }

    /// Writes to SQLite's file at `path`, which is made with its tables unless it is there. Its folder has to be there.
    /// Several processes may write to one file, on one machine.
    #[cfg(feature = "sqlite")]
    #[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
    pub fn sqlite(path: impl Into<std::path::PathBuf>) -> Self {
        Self::new(sqlite::DatabaseFile::new(path.into())).create_tables()
    }

    /// Writes to the database of PostgreSQL at `url`, as `postgres://shop@db.example.com/telemetry`. The password may
    /// be `None` where there is none, or where the URL or `~/.pgpass` has it.
    ///
    /// The URL may have libpq's options, such as `?sslmode=verify-full&sslrootcert=/etc/ssl/db.pem`; what it does not
    /// say is read of libpq's variables (`PGHOST` and so on). By default TLS is used if the server has it, and nobody
    /// looks at its certificate: say `verify-full` where others could be in between. The roots are Mozilla's unless you
    /// name another file.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use bellwether::{export::sql::Sql, transport::Secret};
    ///
    /// let password = Secret::from_file("/run/secrets/postgres");
    /// let url = "postgres://shop@db.example.com/telemetry?sslmode=verify-full";
    /// let sql = Sql::postgres(url, password).create_tables();
    /// let telemetry = bellwether::builder("shop").export(sql).start()?;
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    #[cfg(feature = "postgres")]
    #[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
    pub fn postgres(url: impl Into<String>, password: impl Into<Option<Secret>>) -> Self {
        Self::new(postgres::PostgresServer::new(url.into(), password.into()))
    }

    /// Writes to the database of MySQL or MariaDB at `url`, as `mysql://shop@db.example.com/telemetry`. The password
    /// may be `None` where there is none, or where the URL has it.
    ///
    /// The URL may have `?ssl-mode=VERIFY_IDENTITY&ssl-ca=/etc/ssl/db.pem`. By default TLS is used if the server has
    /// it, and nobody looks at its certificate: say `VERIFY_IDENTITY` where others could be in between. Without TLS, a
    /// user of MySQL 8 may be known by a socket only, or by `mysql_native_password`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use bellwether::{export::sql::Sql, transport::Secret};
    ///
    /// let password = Secret::from_file("/run/secrets/mysql");
    /// let url = "mysql://shop@db.example.com/telemetry?ssl-mode=VERIFY_IDENTITY";
    /// let sql = Sql::mysql(url, password).create_tables();
    /// let telemetry = bellwether::builder("shop").export(sql).start()?;
    /// # Ok::<(), bellwether::Error>(())
    /// ```
    #[cfg(feature = "mysql")]
    #[cfg_attr(docsrs, doc(cfg(feature = "mysql")))]
    pub fn mysql(url: impl Into<String>, password: impl Into<Option<Secret>>) -> Self {
        Self::new(mysql::MySqlServer::new(url.into(), password.into()))
    }

    /// Makes the tables, and brings those of an older version up, when a route connects: what is there already stays as
    /// it is. The user needs the right to create tables; the database has to be there. Chosen for SQLite, and not for
    /// servers.
    pub fn create_tables(mut self) -> Self {
        self.options.creates_tables = true;
        self
    }

    /// Makes no tables: they are there, by the statements of the [`schema`](Self::schema).
    pub fn use_tables(mut self) -> Self {
        self.options.creates_tables = false;
        self
    }

    /// What the names of tables begin with, in place of `bellwether_`.
    pub fn table_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = prefix.into();
        self
    }

    /// How long rows are kept; for ever by default. Older ones are deleted [now and then](self#how-long-rows-are-kept).
    pub fn keep(mut self, time: Duration) -> Self {
        self.options.keep = Some(time);
        self
    }

    /// Writes metrics to this table, and nothing else to any.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")] {
    /// use bellwether::export::sql::{PlainTable, Sql};
    ///
    /// let sql = Sql::sqlite("monitor.db").plain_table(PlainTable::default());
    /// assert!(sql.schema()[0].starts_with(r#"CREATE TABLE IF NOT EXISTS "monitor_data""#));
    /// # }
    /// ```
    pub fn plain_table(mut self, table: PlainTable) -> Self {
        self.plain = Some(table);
        self
    }

    /// The statements that make the tables of all signals; each may be run twice.
    #[must_use]
    pub fn schema(&self) -> Vec<String> {
        schema::statements(&*self.server, &self.options, self.plain.as_ref())
    }

    /// How often metrics are read and written; every 10 s by default.
    pub fn metrics_interval(mut self, interval: Duration) -> Self {
        self.signals.interval = Some(interval);
        self
    }

    /// Writes no metrics, as a [`Backend`].
    pub fn without_metrics(mut self) -> Self {
        self.signals.metrics = false;
        self
    }

    /// Writes no spans, as a [`Backend`].
    pub fn without_spans(mut self) -> Self {
        self.signals.spans = false;
        self
    }

    /// Writes no logs, as a [`Backend`].
    pub fn without_logs(mut self) -> Self {
        self.signals.logs = false;
        self
    }

    /// What writes rows as bytes; for tests and benches.
    #[doc(hidden)]
    #[allow(private_bounds, reason = "for tests and benches alone")]
    pub fn encoder<S: Record>(&self) -> impl Encoder<S> + use<S> {
        Rows::default()
    }

    fn sender(&self, subject: Subject<'_>) -> Rowed {
        let plan = Plan::new(&*self.server, &self.options, subject);
        Rowed::new(self.server.clone(), self.options.clone(), plan)
    }

    fn route<S: Record>(self, subject: Subject<'_>) -> Route<S> {
        let rows = Rows::default()
            .refused_by(self.plain.as_ref().map(|_| "a plain table takes metrics alone"));
        let route = Route::wire(rows, self.sender(subject));
        route.settings(|settings| settings.batch_items = BATCH_ITEMS)
    }
}

#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
impl Sql {
    /// Has TimescaleDB keep samples, spans and logs in chunks of a day, by the [`schema`](Self::schema); rows that are
    /// too old are dropped with their chunks, by a policy. Its extension has to be there. For PostgreSQL alone, and not
    /// for plain tables.
    pub fn hypertables(mut self) -> Self {
        self.options.has_hypertables = true;
        self
    }
}

/// A commit costs as much as thousands of rows.
const BATCH_ITEMS: usize = 5_000;

impl Backend for Sql {
    fn routes(self, routes: &mut Routes) {
        let mut signals = self.signals;
        if self.plain.is_some() {
            (signals.spans, signals.logs) = (false, false); // It has numbers alone.
        }
        signals.add(self, routes);
    }
}

/// The route of the metrics alone.
impl From<Sql> for Route<DataPoint> {
    fn from(sql: Sql) -> Self {
        let route = match &sql.plain {
            Some(table) => Route::wire(PlainRows::default(), sql.sender(Subject::Plain(table))),
            None => Route::wire(Rows::default(), sql.sender(Subject::Samples)),
        };
        sql.signals.at_interval(route)
    }
}

/// The route of the spans alone.
impl From<Sql> for Route<SpanRecord> {
    fn from(sql: Sql) -> Self {
        sql.route(Subject::Spans)
    }
}

/// The route of the logs alone.
impl From<Sql> for Route<LogRecord> {
    fn from(sql: Sql) -> Self {
        sql.route(Subject::Logs)
    }
}
